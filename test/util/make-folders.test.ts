import { statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { makeFolders } from '../../src/util/make-folders.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let root: string;
beforeEach(() => {
  root = temporaryFolder();
});

it('makes each missing folder with its mode, and says whether it made the last one', () => {
  expect(makeFolders(join(root, 'a', 'b', 'c'), 0o700)).toBe(true);
  for (const path of ['a', 'a/b', 'a/b/c']) {
    expect(statSync(join(root, path)).mode & 0o777, path).toBe(0o700);
  }
  expect(makeFolders(join(root, 'a', 'b', 'c'), 0o700)).toBe(false);
  expect(makeFolders(join(root, 'a', 'b', 'd'), 0o750)).toBe(true);
});

it('throws what mkdir answers, and always returns', () => {
  writeFileSync(join(root, 'file'), '');
  symlinkSync(join(root, 'nowhere'), join(root, 'dangling'));
  expect(() => makeFolders(join(root, 'file', 'a', 'b'), 0o700)).toThrow('ENOTDIR');
  expect(() => makeFolders(join(root, 'dangling', 'a', 'b'), 0o700)).toThrow('ENOENT');
  expect(() => makeFolders('/proc/a/b', 0o700)).toThrow(/ENOENT|EACCES/);
  // What is there is no folder: that is for the caller to see.
  expect(makeFolders(join(root, 'file'), 0o700)).toBe(false);
});
