import { parse } from 'dotenv';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CredstashError } from '../../src/errors.ts';
import { toVariableName } from '../../src/format/env-name.ts';
import { parseDotenv } from '../../src/format/parse-dotenv.ts';
import { parseSecrets } from '../../src/format/parse.ts';
import { anyText, pairsOf, refusal, secrets, textFrom } from './secrets.ts';
import { formatDotenv } from '../support/formats.ts';
import { size } from '../campaigns/campaign.ts';

/** What the npm package dotenv reads, and the same by its other parser. */
function parseWithDotenv(text: string): Record<string, string> {
  const values = parse(text);
  expect(parse(text, { fast: true }), `fast: ${JSON.stringify(text)}`).toEqual(values);
  return values;
}

function parseStrictly(text: string): [string, string][] | undefined {
  try {
    return parseDotenv(text);
  } catch (error) {
    if (!(error instanceof CredstashError)) throw error;
    return undefined;
  }
}

const hostile = textFrom('\'"`\\\n\r#$= nra\u2028\ufeffé😀\t\0:', 'export ', 'A=', '\r\n');

describe('parseDotenv', () => {
  it.each([
    'A=b',
    '  export  A_1.b-c = b c ',
    'A: b',
    'A:  "b\nc" # d',
    'A=\nB= \nC=""\nD=\'\'',
    'A=\'b\' # c\nB="c"#d\nC=`d`',
    'A=b # c\nB=b#c',
    'A="b#c"\nB=\'#\'',
    "A=it's\nB='it\nC=\"\nD='a' b",
    'A="1\\n2\\r3\\t"\nB=\'1\\n2\'\nC=1\\n2',
    'A="-----BEGIN KEY-----\nMIIB==\n-----END KEY-----\n"',
    "A='x\\' # '-\nB='C:\\'",
    '# c\n\n  # d=e\r\nA=b\r\n\r\nB="c\r\nd"\rC=d',
    '\ufeffA=b',
    "A=`it's \"so\"`\nB='a\"'\nC=''a''",
    'A=$B ${C} $(d)\nexport=x',
    'A=b\u2028B=c',
    '#A=b\u2028B=c',
    '# nothing',
    '\n',
  ])('reads %j as dotenv does', (text) => {
    expect(Object.fromEntries(parseDotenv(text))).toEqual(parseWithDotenv(text));
  });

  it('reads any text as dotenv does, or refuses it', () => {
    const numRuns = size(2000, 100_000);
    let accepted = 0;
    fc.assert(
      fc.property(fc.array(fc.oneof(hostile, fc.constantFrom('\nA=', '\nB: ', '\n'))), (parts) => {
        const text = parts.join('');
        const found = parseStrictly(text);
        if (found === undefined) return;
        accepted += 1;
        expect(Object.fromEntries(found)).toEqual(parse(text));
      }),
      { numRuns },
    );
    expect(accepted).toBeGreaterThan(numRuns / 10);
  });

  it('reads every variable that dotenv reads, if dotenv skips no line', () => {
    const blank = fc.constantFrom('', ' ', '\t', '\u00a0');
    const value = fc.oneof(
      textFrom('\'"`\\#$= nré😀').map((text) => text.trim()),
      textFrom('"`\\\n\r#$= nré😀').map((text) => `'${text.replace(/\\+$/, '')}'`),
      textFrom("'`\\\n\r#$= nré😀").map((text) => `"${text.replace(/\\+$/, '')}"`),
    );
    const line = fc
      .tuple(
        ...[blank, fc.constantFrom('', 'export '), fc.constantFrom('=', ' =', '= ', ': ')],
        ...[value, blank, fc.constantFrom('', '# c', "#'"), fc.constantFrom('\n', '\r\n', '\n\n')],
      )
      .map(([indent, word, ...rest]) => ({
        before: `${indent}${word}`,
        after: rest.join(''),
      }));
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const text = lines.map(({ before, after }, i) => `${before}V${i}${after}`).join('');
        const values = parse(text);
        fc.pre(Object.keys(values).join() === lines.map((_, i) => `V${i}`).join());
        expect(Object.fromEntries(parseDotenv(text))).toEqual(values);
      }),
      { numRuns: size(500, 20_000) },
    );
  });

  it.each([false, true])('reads what dotenv is written as, with rawNames %s', async (rawNames) => {
    const names = rawNames
      ? fc.string({
          unit: fc.constantFrom('a', 'B', '9', '_', '.', '-'),
          minLength: 1,
          maxLength: 4,
        })
      : anyText.filter((name) => name !== '');
    await fc.assert(
      fc.asyncProperty(pairsOf(names, fc.oneof(hostile, anyText)), async (pairs) => {
        const written = new Map<string, string>();
        for (const [name, value] of pairs) {
          const variable = rawNames ? name : toVariableName(name);
          try {
            formatDotenv(secrets([[name, value]]), { rawNames });
          } catch {
            continue;
          }
          written.set(variable, value);
        }
        const all = secrets(written);
        const text = `# secrets\n${formatDotenv(all, { rawNames: true })}`;
        const read = await parseSecrets(Buffer.from(text), 'dotenv');
        expect(secrets(read.map(({ name, value }) => [name, value] as const))).toEqual(all);
      }),
      { numRuns: size(300, 10_000) },
    );
  });

  it('reads a large file and many quotes', () => {
    const quotes = `A='${"\\'#".repeat(200_000)}`;
    const lines = Array.from({ length: 100_000 }, (_, i) => `# c\n\nV${i}="\\n'${i}"`).join('\n');
    expect(parseDotenv(`${lines}\n${quotes}`)).toHaveLength(100_001);
  });
});

describe('parseDotenv refuses, and quotes no value,', () => {
  it.each([
    ['zQ7', 1],
    ['A=b\nzQ7 8675309', 2],
    ['A=b\r\n\r\nB c=zQ7', 3],
    ["A='zQ7\nzQ7' x", 2],
    ['A="zQ7\n\nzQ7', 3],
    ['A=zQ7\\\n  zQ7', 2],
    ['A:zQ7', 1],
    ['A:\nB=zQ7', 1],
    ['A\n=zQ7', 1],
    ['=zQ7', 1],
    ['é=zQ7', 1],
    ['export\nA=zQ7', 1],
    ['__proto__=zQ7', 1],
    ['{"A": "zQ7"}', 1],
    ['A=b\n]', 2],
    ['-----BEGIN KEY-----', 1],
  ])('the line of %j that dotenv does not read', async (text, line) => {
    expect(await refusal(() => parseDotenv(text))).toEqual([
      `the input has a line that dotenv does not read (line ${line})`,
    ]);
  });

  it('a name that comes twice', async () => {
    expect(await refusal(() => parseDotenv('A=b\n\n# c\nexport A="zQ7"'))).toEqual([
      'the input has the name A twice (line 4)',
    ]);
  });

  it('bytes that are not UTF-8, and nothing at all', async () => {
    const read = (input: string): Promise<unknown> =>
      parseSecrets(Buffer.from(input, 'latin1'), 'dotenv');
    expect(await refusal(() => read('A=zQ7\xff'))).toEqual(['the input is not UTF-8']);
    expect(await refusal(() => read(' \n'))).toEqual(['the input is empty']);
  });
});
