import { closeSync, constants, fstatSync, ftruncateSync, readSync, writevSync } from 'node:fs';
import { CredstashError } from '../../errors.ts';
import { toChunks } from './chunks.ts';
import { openPlainFile } from './plain-file.ts';
import { readErrorCode } from '../../util/errno.ts';
import { hintAtWriting } from './write-hint.ts';

/**
 * Checks that the environment variable GITHUB_ENV names a plain file that can be written.
 *
 * @throws CredstashError USAGE
 */
export function checkGithubEnv(): void {
  closeSync(openGithubEnv().fd);
}

/**
 * Appends pieces of a text to the file that GITHUB_ENV names, on a new line, in one write. A failure leaves the file unchanged.
 *
 * @throws CredstashError USAGE as `checkGithubEnv`; IO if the write fails, such as on a full disk
 */
export function appendToGithubEnv(pieces: Iterable<string>): void {
  const { fd, path } = openGithubEnv();
  try {
    append(fd, pieces);
  } catch (cause) {
    const code = readErrorCode(cause);
    throw new CredstashError('IO', `${describeFile(path)} cannot be written (${code})`, {
      cause,
      hint: hintAtWriting(path, code),
    });
  } finally {
    closeSync(fd);
  }
}

function openGithubEnv(): { readonly fd: number; readonly path: string } {
  const path = process.env['GITHUB_ENV'] ?? '';
  if (path === '') {
    throw new CredstashError('USAGE', '--github-env needs the environment variable GITHUB_ENV', {
      hint: 'a job of GitHub Actions has it; elsewhere leave --github-env out',
    });
  }
  const { O_APPEND, O_RDWR } = constants;
  // Without O_CREAT, because the runner creates the file.
  return { fd: openPlainFile(path, describeFile(path), O_RDWR | O_APPEND).fd, path };
}

function describeFile(path: string): string {
  return `${path}, which GITHUB_ENV names,`;
}

function append(fd: number, pieces: Iterable<string>): void {
  const chunks = [...toChunks(pieces)];
  try {
    if (chunks.length > 0) appendChunks(fd, chunks);
  } finally {
    for (const chunk of chunks) chunk.fill(0);
  }
}

function appendChunks(fd: number, chunks: readonly Uint8Array[]): void {
  const { size } = fstatSync(fd);
  const last = Buffer.alloc(1);
  // Another step may have appended text without a line break, which would become a part of our first name.
  const isNewLine = size === 0 || (readSync(fd, last, 0, 1, size - 1) === 1 && last[0] === 0x0a);
  const all: readonly Uint8Array[] = isNewLine ? chunks : [Buffer.from('\n'), ...chunks];
  const length = all.reduce((sum, chunk) => sum + chunk.length, 0);
  if (writevSync(fd, all) === length) return;
  // A full disk took only a part. A variable without its delimiter would fail the step, or swallow the next variable.
  ftruncateSync(fd, size);
  throw Object.assign(new Error('not written in full'), { code: 'ENOSPC' });
}
