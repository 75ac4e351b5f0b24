import { parse } from 'dotenv';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dotenv, envName } from '../../src/format/dotenv.ts';

const secrets = (values: Readonly<Record<string, string | Uint8Array>>) =>
  Object.entries(values).map(([name, value]) => ({ name, value: Buffer.from(value) }));

/** The text, and what both parsers of the npm package dotenv make of it. */
function trip(values: Readonly<Record<string, string>>): void {
  const text = dotenv(secrets(values));
  expect(parse(text), text).toEqual(values);
  expect(parse(text, { fast: true }), `fast: ${text}`).toEqual(values);
}

// What dotenv gives a meaning, often enough for every combination to come up.
const meaningful = fc.string({
  unit: fc.constantFrom(
    ...[
      "'",
      '"',
      '`',
      '\\',
      '\n',
      '\r',
      '#',
      '$',
      '=',
      ' ',
      'n',
      'r',
      'a',
      'export ',
      'A=',
      '\u2028',
      '\ufeff',
      'é',
      '😀',
    ],
  ),
  maxLength: 12,
});

describe('dotenv', () => {
  it('is what the original prints, for a value that needs no other quotes', () => {
    expect(dotenv(secrets({ 'db.password': 'p a$s#w"or`d', empty: '' }))).toBe(
      `DB_PASSWORD='p a$s#w"or\`d'\nEMPTY=''\n`,
    );
  });

  it.each([
    "it's",
    `'"`,
    `'"\``,
    `'\\n"`,
    'C:\\new\\',
    'ends in \\',
    `'ends in \\`,
    `"'ends in \\`,
    '\r\n',
    "'\r\n$HOME",
    ' leading and trailing ',
    '# no comment',
    'two\nlines # of text\n',
    '\n\n',
    '',
    '$HOME ${HOME} $(id) \\$',
    '-----BEGIN KEY-----\nAbc+/=\n-----END KEY-----\n',
  ])('%j is read back, whatever follows', (value) => {
    for (const next of ['', '#', '\n', "'", '"', '`', "#'", 'x']) {
      trip({ A: value, B: next, C: '\nD=x' });
    }
  });

  it('any values are read back, or refused by name', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(meaningful, fc.string({ unit: 'binary' }))), (values) => {
        const held = values.filter((value) => {
          try {
            dotenv(secrets({ A: value }));
            return true;
          } catch {
            return false;
          }
        });
        trip(Object.fromEntries(held.map((value, i) => [`V${i}`, value])));
      }),
      { numRuns: 2000 },
    );
  });
});
void envName;
