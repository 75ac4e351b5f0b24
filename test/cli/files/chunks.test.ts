import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { toChunks, wipeEach } from '../../../src/cli/files/chunks.ts';
import { openOutput } from '../../../src/cli/files/output.ts';
import { openOutputFile } from '../../../src/cli/files/output-file.ts';
import { Io } from '../../../src/cli/terminal/io.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

describe('the chunks of an output', () => {
  it('are many short pieces together, and each long one by itself', () => {
    const short = Array.from({ length: 10_000 }, (_, i) => `line ${i} ✓\n`);
    const long = 'x'.repeat(400_000);
    const chunks = [...toChunks([...short, long, long, 'end'])];
    expect(Buffer.concat(chunks).toString()).toBe(`${short.join('')}${long}${long}end`);
    expect(chunks.length).toBeLessThan(8);
    expect([...toChunks(['', ''])]).toEqual([]);
  });

  it('are wiped once the next one is asked for, and the last one at the end', () => {
    const chunks = [Buffer.from('one'), Buffer.from('two')];
    const texts: string[] = [];
    for (const chunk of wipeEach(chunks)) {
      texts.push(Buffer.from(chunk).toString());
      expect(chunks.filter((each) => !isZero(each)).map(String)).toContain(String(chunk));
    }
    expect(texts).toEqual(['one', 'two']);
    expect(chunks.every(isZero)).toBe(true);
  });

  it('are wiped if writing fails', () => {
    const chunk = Buffer.from('one');
    expect(() => {
      for (const _ of wipeEach([chunk])) throw new Error('full');
    }).toThrow('full');
    expect(isZero(chunk)).toBe(true);
  });
});

describe('an output', () => {
  const kept: Buffer[] = [];
  const copies: Buffer[] = [];
  const stdout = new Writable({
    write: (chunk: Buffer, _, done) => {
      kept.push(chunk);
      copies.push(Buffer.from(chunk));
      // A slow reader: what it has not taken yet must not be wiped.
      setTimeout(() => {
        expect(chunk.equals(copies.at(-1) ?? Buffer.alloc(0))).toBe(true);
        done();
      }, 5);
    },
  });
  const io = new Io({ stdin: Readable.from([]), stdout, stderr: stdout });

  it('waits for a slow reader, and wipes what it has written', async () => {
    const output = await openOutput(io, {});
    const pieces = ['a'.repeat(70_000), 'b'.repeat(70_000), 'c'];
    await output.write(pieces, '\n');
    expect(Buffer.concat(copies).toString()).toBe(`${pieces.join('')}\n`);
    expect(kept).toHaveLength(3);
    expect(kept.every(isZero)).toBe(true);
  });

  it('leaves the bytes of its caller as they are', async () => {
    const bytes = Buffer.from('secret');
    await (await openOutput(io, {})).write(bytes, '\n');
    expect(bytes.toString()).toBe('secret');
  });

  it('into a file has all pieces, or the file is as it was', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'out');
    const output = await openOutput(io, { output: path });
    await output.write(['a'.repeat(70_000), 'b'], '\n');
    expect(readFileSync(path, 'utf8')).toBe(`${'a'.repeat(70_000)}b`);
    writeFileSync(path, 'before');
    function* failing(): Generator<Uint8Array> {
      yield Buffer.from('one');
      throw Object.assign(new Error('full'), { code: 'ENOSPC' });
    }
    expect(() => {
      openOutputFile(path)(failing());
    }).toThrow('cannot be written (ENOSPC)');
    expect(readFileSync(path, 'utf8')).toBe('before');
    expect(readdirSync(folder)).toEqual(['out']);
  });
});
