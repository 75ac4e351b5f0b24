import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeUnseen, formatVisibleJson } from '../../src/format/visible.ts';
import { anyCharacter } from '../support/any-text.ts';

/** Every code point of a range, both ends too. */
function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** As JSON writes it. */
function escape(text: string): string {
  return text
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}

const everyPoint = range(0, 0x10ffff).map((point) => String.fromCodePoint(point));

describe('making text visible', () => {
  it.each([
    ['C0', range(0x00, 0x1f)],
    ['DEL and C1', range(0x7f, 0x9f)],
    ['line and paragraph separators', [0x2028, 0x2029]],
    ['directional marks', [0x061c, 0x200e, 0x200f]],
    ['surrogates that stand alone', [0xd800, 0xdbff, 0xdc00, 0xdfff]],
    ['directional embeddings and overrides', range(0x202a, 0x202e)],
    ['directional isolates', range(0x2066, 0x2069)],
    ['characters of no width', [0xad, 0x34f, 0x180e, ...range(0x200b, 0x200f), 0x2060, 0xfeff]],
    ['invisible operators', range(0x2061, 0x2064)],
    ['fillers', [0x115f, 0x1160, 0x17b4, 0x17b5, 0x3164, 0xffa0]],
    ['variation selectors', [0xfe00, 0xfe0f, 0xe0100, 0xe01ef]],
    ['tags', range(0xe0000, 0xe007f)],
    ['what annotates a line', range(0xfff9, 0xfffb)],
    ['musical and shorthand format controls', [...range(0x1bca0, 0x1bca3), 0x1d173, 0x1d17a]],
    ['private use', [0xe000, 0xf8ff, 0xf0000, 0x10fffd]],
    ['what is not assigned', [0x378, 0xfdd0, 0xffff, 0x10ffff]],
    [
      'spaces other than the space',
      [0xa0, 0x1680, ...range(0x2000, 0x200a), 0x202f, 0x205f, 0x3000],
    ],
    ['letters and symbols that are blank', [0x2800, 0x13441, 0x13442, 0x1d159]],
  ])('escapes %s', (_, points) => {
    for (const point of points) {
      const character = String.fromCodePoint(point);
      expect(escapeUnseen(`a${character}b`)).toBe(`a${escape(character)}b`);
    }
  });

  it('escapes whatever Unicode says is not shown, and leaves every other character', () => {
    const unseen = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
    const blank = /[\p{White_Space}\u2800\u{13441}\u{13442}\u{1d159}]/u;
    for (const character of everyPoint) {
      const isSeen = character === ' ' || (!unseen.test(character) && !blank.test(character));
      if (escapeUnseen(character) !== (isSeen ? character : escape(character))) {
        expect.unreachable(escape(character));
      }
    }
  });

  it('leaves printable text of any script as it is', () => {
    for (const text of [
      '',
      ' ~',
      'ä 名前 🔑',
      'e\u0301',
      'שלום',
      '\\u001b',
      'a::b',
      'C# [x]',
      '#[',
    ]) {
      expect(escapeUnseen(text)).toBe(text);
    }
  });

  it('escapes what the runner of a job would obey', () => {
    expect(escapeUnseen('::add-mask::x')).toBe('\\u003a:add-mask::x');
    expect(escapeUnseen('  ::stop-commands::x')).toBe('  \\u003a:stop-commands::x');
    expect(escapeUnseen('a ##[set-env name=x]y')).toBe('a \\u0023#[set-env name=x]y');
    expect(escapeUnseen('###[x] ##vso[task.setvariable variable=x]y')).toBe(
      '#\\u0023#[x] \\u0023#vso[task.setvariable variable=x]y',
    );
  });

  it('changes nothing of what is visible already', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter }), (text) => {
        expect(escapeUnseen(escapeUnseen(text))).toBe(escapeUnseen(text));
        expect(escapeUnseen(text)).not.toMatch(
          /\p{C}|\p{Default_Ignorable_Code_Point}|(?! )\p{Z}/u,
        );
      }),
    );
  });

  it('leaves JSON the same to a parser', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: anyCharacter }),
        fc.constantFrom(undefined, 2),
        (text, indent) => {
          const value = [text, { [text]: text, '##[x]': '::x' }];
          const json = formatVisibleJson(value, indent);
          expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(value)));
          expect(json).not.toMatch(/(?!\n)[\p{C}\p{Zl}\p{Zp}]|##\[/u);
        },
      ),
    );
    expect(formatVisibleJson('\u{e0041}')).toBe('"\\udb40\\udc41"\n');
  });
});
