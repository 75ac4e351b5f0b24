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
import { CredstashError } from '../../errors.ts';
import { readErrorCode } from '../../util/errno.ts';
import { hintAtWriting } from './write-hint.ts';

/** The hint for a file that is a mount point, as `docker run -v` makes it. */
const IF_MOUNTED =
  'the file is a mount point, which nothing can replace: mount its folder instead, or leave -o out and redirect stdout with > FILE';

/** The hint for a writable file in a folder that is not writable. */
const IF_FOLDER_IS_CLOSED =
  'the file is replaced, for which its folder must be writable: name another file, or leave -o out and redirect stdout with > FILE';

/**
 * Checks that an output file can be written, before the first request. An existing output must be a plain file: a rename over
 * a device or a link would remove it, which nobody wants with `-o /dev/stdout`.
 *
 * @param ifMounted the hint for a file that is a mount point
 * @returns a function that writes an output to the file, as `write` below
 * @throws CredstashError USAGE if the file cannot be written
 */
export function openOutputFile(
  path: string,
  ifMounted = IF_MOUNTED,
): (parts: Iterable<Uint8Array>) => void {
  if (path === '') throw new CredstashError('USAGE', 'the name of the output file is empty');
  let found;
  try {
    found = lstatSync(path, { throwIfNoEntry: false });
    accessSync(dirname(path), constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw cannotWrite(path, cause, found && isWritable(path) ? IF_FOLDER_IS_CLOSED : undefined);
  }
  if (found && !found.isFile()) {
    throw new CredstashError('USAGE', `the output ${path} is not a plain file`, {
      hint: '-o - writes to stdout',
    });
  }
  return (parts) => {
    write(path, parts, ifMounted);
  };
}

/**
 * Writes the parts of an output to a file that only its owner can read. They go to a new file in the same folder, which is renamed once
 * it is on the disk. So a failure leaves an existing file unchanged.
 *
 * @throws CredstashError USAGE if no file can be created in the folder; IO if the write fails, such as on a full disk
 */
function write(path: string, parts: Iterable<Uint8Array>, ifMounted: string): void {
  const draft = join(dirname(path), `.credstash-${randomBytes(8).toString('hex')}.tmp`);
  let fd: number;
  try {
    fd = openSync(draft, 'wx', 0o600);
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
  try {
    try {
      for (const part of parts) writeFileSync(fd, part);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, path);
  } catch (cause) {
    rmSync(draft, { force: true });
    const code = readErrorCode(cause);
    throw new CredstashError('IO', `the output ${path} cannot be written (${code})`, {
      cause,
      hint: code === 'EBUSY' ? ifMounted : hintAtWriting(path, code),
    });
  }
}

function cannotWrite(path: string, cause: unknown, hint?: string): CredstashError {
  const code = readErrorCode(cause);
  return new CredstashError('USAGE', `the output ${path} cannot be written (${code})`, {
    cause,
    hint: hint ?? hintAtWriting(path, code),
  });
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
