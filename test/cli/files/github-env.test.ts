import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { appendToGithubEnv, checkGithubEnv } from '../../../src/cli/files/github-env.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder, 'env');
  vi.stubEnv('GITHUB_ENV', path);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describe('what is appended', () => {
  it.each([
    ['', 'A=1\n', 'A=1\n'],
    ['B=2\n', 'A=1\n', 'B=2\nA=1\n'],
    ['B=2', 'A=1\n', 'B=2\nA=1\n'],
    ['B=2', '', 'B=2'],
    ['B=2\r', 'A=1\n', 'B=2\r\nA=1\n'],
    ['ä', 'ö=€\n', 'ä\nö=€\n'],
  ])('to %j, %j: begins on a line of its own', (before, text, after) => {
    writeFileSync(path, before);
    appendToGithubEnv(text);
    expect(readFileSync(path, 'utf8')).toBe(after);
  });

  it('the check changes nothing', () => {
    writeFileSync(path, 'B=2');
    checkGithubEnv();
    expect(readFileSync(path, 'utf8')).toBe('B=2');
  });
});

describe('refused', () => {
  it('no variable, or an empty one', () => {
    vi.stubEnv('GITHUB_ENV', '');
    expect(checkGithubEnv).toThrow('--github-env needs the environment variable GITHUB_ENV');
    vi.stubEnv('GITHUB_ENV', undefined);
    expect(checkGithubEnv).toThrow('--github-env needs the environment variable GITHUB_ENV');
  });

  it('a file that the runner has not made, which is not created', () => {
    expect(checkGithubEnv).toThrow(`${path}, which GITHUB_ENV names, cannot be written (ENOENT)`);
    expect(existsSync(path)).toBe(false);
  });

  it('a link, whatever it points to', () => {
    writeFileSync(join(folder, 'real'), '');
    symlinkSync(join(folder, 'real'), path);
    expect(checkGithubEnv).toThrow('cannot be written (ELOOP)');
  });

  it.each([
    [
      'a folder',
      () => {
        mkdirSync(path);
      },
      /cannot be written \(EISDIR\)|not a plain file/,
    ],
    [
      'a pipe',
      () => {
        execFileSync('mkfifo', [path]);
      },
      /is not a plain file/,
    ],
  ])('%s, without waiting for it', (_, make, message) => {
    make();
    expect(checkGithubEnv).toThrow(message);
    expect(() => {
      appendToGithubEnv('A=1\n');
    }).toThrow(message);
  });
});
