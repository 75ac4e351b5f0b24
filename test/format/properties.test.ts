import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeUnless, programMissing } from '../support/needed.ts';
import { seed } from '../support/seed.ts';
import { anyText, examples, pairsOf, refusal, secrets, textFrom } from './secrets.ts';
import { formatProperties } from '../support/formats.ts';

/** What java.util.Properties reads. */
function read(files: readonly string[]): Map<string, string>[] {
  const input = files.map((file) => `${Buffer.from(file).toString('base64')}\n`).join('');
  const program = join(import.meta.dirname, '../support/ReadProperties.java');
  const output = execFileSync('java', [program], { input, encoding: 'utf8', maxBuffer: 2 ** 28 });
  const text = (base64: string): string =>
    Buffer.from(base64, 'base64').swap16().toString('utf16le');
  return output
    .split(/^\n/m)
    .slice(0, files.length)
    .map((lines) => {
      const pairs = lines.split('\n').filter((line) => line !== '');
      return new Map(
        pairs.map((line): [string, string] => {
          const [name = '', value = ''] = line.split(' ');
          return [text(name), text(value)];
        }),
      );
    });
}

const text = fc.oneof(
  textFrom('\\=:#! \t\n\r\f\b\0\x7f\x85é秘😀\u2028\ufeffunrtf0a', '\\u0041'),
  anyText,
);
const pairs = pairsOf(
  text.filter((name) => name !== ''),
  text,
);

describe('properties', () => {
  it('keeps the names, and escapes what has a meaning', () => {
    expect(
      formatProperties(
        secrets({
          'db.password': '  a=b:c#d!e  ',
          'a b=c:d#!\\': 'C:\\new\n\t\r\f\0',
          empty: '',
          größe: '秘😀',
        }),
      ),
    ).toBe(
      String.raw`a\ b\=c\:d\#\!\\=C:\\new\n\t\r\f\u0000
db.password=\  a=b:c#d!e  ${''}
empty=
gr\u00f6\u00dfe=\u79d8\ud83d\ude00
`,
    );
    expect(formatProperties([])).toBe('');
  });

  it('names each secret that is no text', async () => {
    const broken = secrets({ a: 'zQ7', b: Buffer.from('zQ7\xff', 'latin1') });
    expect(await refusal(() => formatProperties(broken))).toEqual([
      'properties cannot hold 1 of the secrets',
      'b: it is not UTF-8 text',
    ]);
  });
});

// A program of one file is compiled as it starts, which takes the compiler.
const javaMissing = programMissing('javac', '-version') ?? programMissing('java', '-version');
describeUnless(javaMissing, 'properties, by Java', () => {
  it('is read back as the same names and values', () => {
    const all = examples(pairs, 2000);
    const files = all.map((pairs) => formatProperties(secrets(pairs)));
    expect(read(files), `SEED=${seed}`).toEqual(all.map((pairs) => new Map(pairs)));
  });
});
