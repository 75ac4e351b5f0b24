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

/** A file that is a mount point, as `docker run -v` makes it, cannot be replaced. */
const IF_MOUNTED =
  'the file is a mount point, which nothing can replace: mount its folder instead, or leave -o out and redirect stdout with > FILE';

/** The hint for a writable file in a folder that is not writable. */
const IF_FOLDER_IS_CLOSED =
  'the file is replaced, for which its folder must be writable: name another file, or leave -o out and redirect stdout with > FILE';

/**
 * Checks, before anything is asked of a backend, that `path` can be replaced by a file: it is not there, or it is
 * a plain file. Renaming over a device or a link would remove that, which nobody means by `-o /dev/stdout`.
 *
 * @param ifMounted what to do about a file that is a mount point
 * @returns what writes a secret to it, as `write` below does
 * @throws CredstashError USAGE
 */
export function openOutputFile(path: string, ifMounted = IF_MOUNTED): (bytes: Uint8Array) => void {
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
  return (bytes) => {
    write(path, bytes, ifMounted);
  };
}

/**
 * Writes a secret to a file that only its owner can read. It has all of the bytes or, on a failure, is what it
 * was before: they go to a new file beside it, which is renamed once it is on the disk.
 *
 * @throws CredstashError USAGE when the folder takes no file; IO when the disk is full and the like
 */
function write(path: string, bytes: Uint8Array, ifMounted: string): void {
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
    const code = readErrorCode(cause);
    throw new CredstashError('IO', `the output ${path} cannot be written (${code})`, {
      cause,
      hint: code === 'EBUSY' ? ifMounted : undefined,
    });
  }
}

function cannotWrite(path: string, cause: unknown, hint?: string): CredstashError {
  return new CredstashError(
    'USAGE',
    `the output ${path} cannot be written (${readErrorCode(cause)})`,
    {
      cause,
      hint,
    },
  );
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
