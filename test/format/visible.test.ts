import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { visible } from '../../src/format/visible.ts';

/** Every code point of a range, both ends too. */
function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

describe('making text visible', () => {
  it.each([
    ['C0', range(0x00, 0x1f)],
    ['DEL and C1', range(0x7f, 0x9f)],
    ['line and paragraph separators', [0x2028, 0x2029]],
    ['directional marks', [0x061c, 0x200e, 0x200f]],
    ['surrogates that stand alone', [0xd800, 0xdbff, 0xdc00, 0xdfff]],
    ['directional embeddings and overrides', range(0x202a, 0x202e)],
    ['directional isolates', range(0x2066, 0x2069)],
  ])('escapes %s', (_, points) => {
    for (const point of points) {
      expect(visible(`a${String.fromCodePoint(point)}b`)).toBe(
        `a\\u${point.toString(16).padStart(4, '0')}b`,
      );
    }
  });

  it('leaves printable text of any script as it is', () => {
    for (const text of ['', ' ~', '\u00a0', 'ä 名前 🔑', 'e\u0301', 'שלום', '\\u001b']) {
      expect(visible(text)).toBe(text);
    }
  });

  it('changes nothing of what is visible already', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(visible(visible(text))).toBe(visible(text));
        expect(visible(text)).not.toMatch(
          /[\p{Cc}\p{Cs}\u061c\u2028\u2029\u202a-\u202e\u2066-\u2069]/u,
        );
      }),
    );
  });
});
