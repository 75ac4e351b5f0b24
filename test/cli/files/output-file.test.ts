import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openOutputFile } from '../../../src/cli/files/output-file.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder, 'out');
});
afterEach(() => {
  chmodSync(folder, 0o700);
});

const bytes = Buffer.from([0, 255, 10, 128]);

describe('a file of -o', () => {
  it('has exactly the bytes, and only its owner can read it', () => {
    openOutputFile(path)([bytes]);
    expect(readFileSync(path)).toEqual(bytes);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['out']);
  });

  it('is not touched before there is something to write', () => {
    writeFileSync(path, 'before');
    const write = openOutputFile(path);
    expect(readFileSync(path, 'utf8')).toBe('before');
    write([bytes]);
    expect(readFileSync(path)).toEqual(bytes);
  });

  it('is a new file in the place of one that others could read, or have under another name', () => {
    writeFileSync(path, 'before', { mode: 0o644 });
    linkSync(path, join(folder, 'other'));
    openOutputFile(path)([bytes]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(folder, 'other'), 'utf8')).toBe('before');
  });

  it('may be empty', () => {
    openOutputFile(path)([Buffer.alloc(0)]);
    expect(statSync(path).size).toBe(0);
  });
});

describe('refused before anything is asked of a backend', () => {
  it.each([
    [
      'a folder',
      () => {
        mkdirSync(path);
      },
    ],
    [
      'a link',
      () => {
        symlinkSync('/dev/null', path);
      },
    ],
    [
      'a link to nothing',
      () => {
        symlinkSync(join(folder, 'absent'), path);
      },
    ],
  ])('%s', (_, make) => {
    make();
    expect(() => openOutputFile(path)).toThrow(`the output ${path} is not a plain file`);
  });

  it.each(['/dev/null', '/dev/stdout'])('%s', (device) => {
    expect(() => openOutputFile(device)).toThrow('is not a plain file');
  });

  it('a file in a folder that does not exist, or is a file', () => {
    expect(() => openOutputFile(join(folder, 'absent', 'out'))).toThrow(
      'cannot be written (ENOENT)',
    );
    writeFileSync(path, '');
    expect(() => openOutputFile(join(path, 'out'))).toThrow('cannot be written (ENOTDIR)');
  });
});

it('on a failure nothing is left, and the file is as it was', () => {
  writeFileSync(path, 'before');
  const write = openOutputFile(path);
  // It becomes a folder with something in it, which no file can be renamed to.
  rmSync(path);
  mkdirSync(join(path, 'inside'), { recursive: true });
  expect(() => {
    write([bytes]);
  }).toThrow(`the output ${path} cannot be written (EISDIR)`);
  expect(readdirSync(folder)).toEqual(['out']);
  expect(readdirSync(path)).toEqual(['inside']);
});

it('a folder that goes away meanwhile is an error that names the output', () => {
  const inner = join(folder, 'inner');
  mkdirSync(inner);
  const write = openOutputFile(join(inner, 'out'));
  rmSync(inner, { recursive: true });
  expect(() => {
    write([bytes]);
  }).toThrow(`the output ${join(inner, 'out')} cannot be written (ENOENT)`);
});
