import { closeSync, constants, fstatSync, openSync, type Stats } from 'node:fs';
import { CredstashError } from '../../errors.ts';
import { readErrorCode } from '../../util/errno.ts';
import { hintAtWriting } from './write-hint.ts';

/** An open plain file. */
export interface PlainFile {
  readonly fd: number;
  readonly stat: Stats;
}

/**
 * Opens a plain file for writing. It refuses links, and does not wait for the reader of a pipe. In a folder that others can
 * write to, they could create either.
 *
 * @param label the file's name in errors: `the log x`
 * @param flags of open(2), besides O_NOFOLLOW and O_NONBLOCK
 * @param mode of a new file
 * @throws CredstashError USAGE
 */
export function openPlainFile(
  path: string,
  label: string,
  flags: number,
  mode?: number,
): PlainFile {
  const { O_NOFOLLOW, O_NONBLOCK } = constants;
  let fd: number;
  try {
    fd = openSync(path, flags | O_NOFOLLOW | O_NONBLOCK, mode);
  } catch (cause) {
    const code = readErrorCode(cause);
    // The system reports ENXIO for a pipe without a reader, a socket, and a device that does not exist.
    if (code === 'ENXIO') throw notPlain(label, cause);
    throw new CredstashError('USAGE', `${label} cannot be written (${code})`, {
      cause,
      hint:
        code === 'ELOOP'
          ? 'links are not followed: name the file itself'
          : hintAtWriting(path, code),
    });
  }
  const stat = fstatSync(fd);
  if (stat.isFile()) return { fd, stat };
  closeSync(fd);
  throw notPlain(label);
}

function notPlain(label: string, cause?: unknown): CredstashError {
  return new CredstashError('USAGE', `${label} is not a plain file`, { cause });
}
