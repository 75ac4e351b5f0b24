import { parse } from 'dotenv';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toVariableName } from '../../src/format/env-name.ts';
import { anyText, refusal, secrets, textFrom } from './secrets.ts';
import { formatDotenv } from '../support/formats.ts';

/** The text is read back as the same values by both parsers of the npm package dotenv. */
function trip(values: Readonly<Record<string, string>>, options?: { rawNames: boolean }): void {
  const text = formatDotenv(secrets(values), options);
  expect(parse(text), text).toEqual(values);
  expect(parse(text, { fast: true }), `fast: ${text}`).toEqual(values);
}

// What dotenv gives a meaning, often enough for every combination to come up.
const meaningful = textFrom('\'"`\\\n\r#$= nra\u2028\ufeffé😀', 'export ', 'A=');

describe('dotenv', () => {
  it('is what the original prints, for a value that needs no other quotes', () => {
    expect(formatDotenv(secrets({ 'db.password': 'p a$s#w"or`d', empty: '' }))).toBe(
      `DB_PASSWORD='p a$s#w"or\`d'\nEMPTY=''\n`,
    );
  });

  it('of nothing is nothing', () => {
    expect(formatDotenv([])).toBe('');
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

  it('any values are read back, or refused for a NUL, a CR or no quotes that are free', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(meaningful, anyText)), async (values) => {
        const held: Record<string, string> = {};
        for (const [i, value] of values.entries()) {
          const a = secrets({ A: value });
          const mayBeRefused =
            /[\0\r]/.test(value) || [/'/, /`/, /"|\\[nr]/].every((taken) => taken.test(value));
          try {
            formatDotenv(a);
            held[`V${i}`] = value;
          } catch {
            expect(mayBeRefused, value).toBe(true);
            expect((await refusal(() => formatDotenv(a)))[1]).toBe(
              'A: no quotes of dotenv can hold its value',
            );
          }
        }
        trip(held);
      }),
      { numRuns: 2000 },
    );
  });

  it('names each secret whose value no quotes can hold', async () => {
    const held = `zQ7'"`;
    const refused = ['\0', '\r"', "'\r\\n", '\'"`#', '\'"`\n', '\'"`\\'];
    expect(
      await refusal(() =>
        formatDotenv(
          secrets([['a', held], ...refused.map((end, i) => [`k${i}`, `zQ7${end}`] as const)]),
        ),
      ),
    ).toEqual([
      'dotenv cannot hold 6 of the secrets',
      ...refused.map((_, i) => `k${i}: no quotes of dotenv can hold its value`),
    ]);
  });

  it('names each secret that is no text', async () => {
    const broken = Buffer.from('zQ7\xff', 'latin1');
    expect(await refusal(() => formatDotenv(secrets({ a: 'zQ7', b: broken, c: broken })))).toEqual([
      'dotenv cannot hold 2 of the secrets',
      'b: it is not UTF-8 text',
      'c: it is not UTF-8 text',
    ]);
  });
});

describe('the variable of a secret', () => {
  it.each([
    ['db_password', 'DB_PASSWORD'],
    ['db.password', 'DB_PASSWORD'],
    ['app/prod-1: db', 'APP_PROD_1__DB'],
    ['9lives', '_9LIVES'],
    ['_9', '_9'],
    ['-9', '_9'],
    ['straße', 'STRASSE'],
    ['é', '_'],
    ['🔑', '_'],
    ['名前', '__'],
    ['a\nB=c', 'A_B_C'],
  ])('of %j is %s', (name, variable) => {
    expect(toVariableName(name)).toBe(variable);
    expect(formatDotenv(secrets([[name, 'x']]))).toBe(`${variable}='x'\n`);
  });

  it('of any name is one that every shell takes', () => {
    fc.assert(
      fc.property(anyText, (name) => {
        fc.pre(name !== '');
        expect(toVariableName(name)).toMatch(/^[A-Z_][A-Z0-9_]*$/);
      }),
    );
  });

  it('is refused where it is another’s too, and both are named', async () => {
    const values = { 'a.b': 'zQ7', 'a-b': 'zQ7', A_B: 'zQ7', other: 'zQ7' };
    expect(await refusal(() => formatDotenv(secrets(values)))).toEqual([
      'dotenv cannot hold 2 of the secrets',
      'a-b: its variable would be A_B, as that of A_B',
      'a.b: its variable would be A_B, as that of a-b',
    ]);
  });

  it('and its value are refused together, once', async () => {
    expect(
      await refusal(() => formatDotenv(secrets({ a: 'x', A: 'x', b: 'zQ7\0', B: 'x' }))),
    ).toEqual([
      'dotenv cannot hold 2 of the secrets',
      'a: its variable would be A, as that of A',
      'b: its variable would be B, as that of B',
    ]);
  });

  it('is the name itself with rawNames', () => {
    const values = {
      'a.b': '1',
      'a-b': "it's",
      A_B: '2',
      a_b: '3',
      '9': '4',
      export: '5',
      '.-': '6',
    };
    trip(values, { rawNames: true });
  });

  it('is refused with rawNames where dotenv does not read that name', async () => {
    const names = ['', ' a', 'a b', 'a=b', 'a\nb', 'a:', '#a', '__proto__', "'a'", 'é'];
    const [message, ...reasons] = await refusal(() =>
      formatDotenv(secrets([['fine', 'zQ7'], ...names.map((name) => [name, 'zQ7'] as const)]), {
        rawNames: true,
      }),
    );
    expect(message).toBe(`dotenv cannot hold ${names.length} of the secrets`);
    expect(reasons.sort()).toEqual(
      names.map((name) => `${name}: dotenv takes no such name for a variable`).sort(),
    );
  });
});
