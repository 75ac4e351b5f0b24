import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readHidden } from '../../../src/cli/terminal/read-hidden.ts';

/** What a terminal gives, a read at a time. */
async function* keys(...reads: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const each of reads) yield await Promise.resolve(Buffer.from(each));
}

/** What was typed, as Latin-1: a character for each byte. */
async function typed(...reads: (string | Uint8Array)[]): Promise<string> {
  const answer = await readHidden(keys(...reads));
  return typeof answer === 'string' ? answer : Buffer.from(answer).toString('latin1');
}

describe('a line', () => {
  it.each([
    [['secret\r'], 'secret'],
    [['secret\n'], 'secret'],
    [['sec', 'ret', '\r'], 'secret'],
    [['secret\r\n'], 'secret'],
    [['a\tb c\r'], 'a\tb c'],
    [['secret'], 'secret'],
    [['secret\u0004'], 'secret'],
  ])('%j is %j', async (reads, line) => {
    expect(await typed(...reads)).toBe(line);
  });

  it('keeps bytes that are no UTF-8', async () => {
    const bytes = Buffer.from([0x80, 0xff, 0xfe, 0xe9]);
    expect(await readHidden(keys(bytes, '\r'))).toEqual(Uint8Array.from(bytes));
  });

  it('is read wherever the terminal cuts it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ minLength: 1 }),
        fc.integer({ min: 1, max: 4 }),
        async (text, size) => {
          // oxlint-disable-next-line no-control-regex -- what is typed as a key, and not as text
          const line = Buffer.from(text.replace(/[\u0000-\u001f\u007f\u0080-\u009f]/g, 'x'));
          const reads: Uint8Array[] = [];
          for (let at = 0; at < line.length; at += size) reads.push(line.subarray(at, at + size));
          expect(await readHidden(keys(...reads, '\r'))).toEqual(Uint8Array.from(line));
        },
      ),
    );
  });
});

describe('keys that edit', () => {
  it.each([
    [['ab\u007fc\r'], 'ac'],
    [['ab\bc\r'], 'ac'],
    [['\u007fa\r'], 'a'],
    [['wrong\u0015right\r'], 'right'],
    [['a\u001b[Db\r'], 'ab'],
    [['a\u001b[', 'Db\r'], 'ab'],
    [['a\u001b', 'OPb\r'], 'ab'],
    [['\u001b[200~pasted\u001b[201~\r'], 'pasted'],
    [['a\u0000\u0001b\r'], 'ab'],
  ])('%j is %j', async (reads, line) => {
    expect(await typed(...reads)).toBe(line);
  });

  it('erase a whole character of UTF-8', async () => {
    const answer = await readHidden(keys('a€\u007fb\r'));
    expect(answer).toEqual(Uint8Array.from(Buffer.from('ab')));
  });
});

describe('no line', () => {
  it('Ctrl-C is SIGINT, whatever was typed', async () => {
    expect(await typed('\u0003')).toBe('SIGINT');
    expect(await typed('secret\u0003more\r')).toBe('SIGINT');
  });

  it.each([['\r'], ['\u0004'], ['x\u007f\r'], ['x\u0015\r']])('%j is nothing', async (read) => {
    await expect(typed(read)).rejects.toThrow('nothing was typed');
  });

  it('a terminal that goes away is nothing', async () => {
    await expect(typed()).rejects.toThrow('nothing was typed');
  });

  it('several lines at once are refused, and not quoted', async () => {
    const error: unknown = await readHidden(keys('hunter2\rhunter3\r')).catch(
      (each: unknown) => each,
    );
    expect(error).toMatchObject({ code: 'USAGE', message: 'more than one line was pasted' });
    expect(JSON.stringify(error)).not.toContain('hunter');
  });
});
