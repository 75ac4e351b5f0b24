import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeWithPython, python } from '../support/python.ts';
import { anyText, examples, pairsOf, refusal, secrets, textFrom } from './secrets.ts';
import { seed } from '../support/seed.ts';
import { formatCsv } from '../support/formats.ts';

const text = fc
  .oneof(textFrom('",;\'\n\r\t #=\\aé😀\u2028\ufeff'), anyText)
  // Before 3.11, Python's csv.reader refuses a NUL.
  .map((text) => text.replaceAll('\0', ''));

describe('csv', () => {
  it('quotes what must be quoted, and nothing else', () => {
    expect(
      formatCsv(
        secrets({
          a: 'plain text; as it is',
          b: 'a,b',
          c: 'say "hi"',
          d: 'two\nlines',
          e: 'two\r\nlines',
          f: 'carriage\rreturn',
          'g,"': '',
          h: "'=1+1' #",
          // A formula to a spreadsheet (README.md), and no more than a text to what reads CSV.
          i: '=1+1',
        }),
      ),
    ).toBe(
      [
        'a,plain text; as it is\n',
        'b,"a,b"\n',
        'c,"say ""hi"""\n',
        'd,"two\nlines"\n',
        'e,"two\r\nlines"\n',
        'f,"carriage\rreturn"\n',
        '"g,""",\n',
        "h,'=1+1' #\n",
        'i,=1+1\n',
      ].join(''),
    );
  });

  it('of nothing is nothing', () => {
    expect(formatCsv([])).toBe('');
  });

  it('names each secret that is no text', async () => {
    const broken = Buffer.from('zQ7\xff', 'latin1');
    expect(
      await refusal(() => formatCsv(secrets({ a: 'zQ7', b: broken, c: 'zQ7', d: broken }))),
    ).toEqual([
      'csv cannot hold 2 of the secrets',
      'b: it is not UTF-8 text',
      'd: it is not UTF-8 text',
    ]);
  });
});

describeWithPython('csv', () => {
  const write = `
def write(rows):
    out = io.StringIO()
    csv.writer(out, lineterminator="\\n").writerows(rows)
    return out.getvalue()
result = [write(rows) for rows in data]
`;
  const read = `
csv.field_size_limit(sys.maxsize)
result = [list(csv.reader(io.StringIO(text, newline=""))) for text in data]
`;
  const sorted = (pairs: [string, string][]): [string, string][] =>
    secrets(pairs).map(({ name, value }) => [name, Buffer.from(value).toString()]);
  const all = examples(pairsOf(text, text), 1000).map(sorted);
  const ours = all.map((pairs) => formatCsv(secrets(pairs)));

  it('is read back by Python as the same texts', () => {
    expect(python(read, ours), `SEED=${seed}`).toEqual(all);
  });

  it('is byte for byte what the original prints, but for a CR', () => {
    // Before 3.13, Python's csv.writer leaves a CR without quotes, and its csv.reader refuses what it wrote.
    const noCr = all.filter((pairs) => !pairs.flat().some((text) => text.includes('\r')));
    expect(noCr.length).toBeGreaterThan(200);
    expect(
      noCr.map((pairs) => formatCsv(secrets(pairs))),
      `SEED=${seed}`,
    ).toEqual(python(write, noCr));
  });
});
