import { randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { CredstashError } from '../errors.ts';
import { visible } from '../format/visible.ts';

/**
 * Checks, before anything is asked of a backend, that `path` can be replaced by a file: it is not there, or it is
 * a plain file. Renaming over a device or a link would remove that, which nobody means by `-o /dev/stdout`.
 *
 * @returns what writes a secret to it, as `write` below does
 * @throws CredstashError USAGE
 */
export function openOutputFile(path: string): (bytes: Uint8Array) => void {
  let found;
  try {
    found = lstatSync(path, { throwIfNoEntry: false });
    accessSync(dirname(path), constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
  if (path === '' || (found && !found.isFile())) {
    throw new CredstashError('USAGE', `the output ${path} is not a plain file`, {
      hint: 'leave -o out to write to stdout',
    });
  }
  return (bytes) => {
    write(path, bytes);
  };
}

/**
 * Opens a file that messages are added to, and creates it for its owner alone.
 *
 * @returns what adds a line for each message, with the time before it; a log that is full fails silently, because
 *   what it would report is on stderr already
 * @throws CredstashError USAGE when it cannot be opened
 */
export function openLogFile(path: string): (lines: readonly string[]) => void {
  let fd: number;
  try {
    fd = openSync(path, 'a', 0o600);
  } catch (cause) {
    throw new CredstashError('USAGE', `the log ${path} cannot be written (${codeOf(cause)})`, {
      cause,
    });
  }
  return (lines) => {
    const at = new Date().toISOString();
    try {
      writeFileSync(fd, lines.map((line) => `${at} ${visible(line)}\n`).join(''));
    } catch {
      // See above.
    }
  };
}

/**
 * Writes a secret to a file that only its owner can read. It has all of the bytes or, on a failure, is what it
 * was before: they go to a new file beside it, which is renamed once it is on the disk.
 *
 * @throws CredstashError USAGE when the folder takes no file; IO when the disk is full and the like
 */
function write(path: string, bytes: Uint8Array): void {
  const draft = join(dirname(path), `.credstash-${randomBytes(8).toString('hex')}.tmp`);
  let fd: number;
  try {
    fd = openSync(draft, 'wx', 0o600);
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
  try {
    try {
      writeFileSync(fd, bytes);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, path);
  } catch (cause) {
    rmSync(draft, { force: true });
    throw new CredstashError('IO', `the output ${path} cannot be written (${codeOf(cause)})`, {
      cause,
    });
  }
}

function cannotWrite(path: string, cause: unknown): CredstashError {
  return new CredstashError('USAGE', `the output ${path} cannot be written (${codeOf(cause)})`, {
    cause,
  });
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code);
}
