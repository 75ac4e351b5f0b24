import { closeSync, constants, fstatSync, openSync, type Stats } from 'node:fs';
import { CredstashError } from '../../errors.ts';
import { readErrorCode } from '../../util/errno.ts';

/** An open plain file. */
export interface PlainFile {
  readonly fd: number;
  readonly stat: Stats;
}

/**
 * Opens a plain file to write to. It follows no link, and waits for nobody to read a pipe: others may create both
 * in a folder that they can write to.
 *
 * @param called what errors call it: `the log x`
 * @param flags of open(2), besides those for that
 * @throws CredstashError USAGE
 */
export function openPlainFile(
  path: string,
  called: string,
  flags: number,
  mode?: number,
): PlainFile {
  const { O_NOFOLLOW, O_NONBLOCK } = constants;
  let fd: number;
  try {
    fd = openSync(path, flags | O_NOFOLLOW | O_NONBLOCK, mode);
  } catch (cause) {
    const code = readErrorCode(cause);
    // For a pipe without a reader, a socket, and a device that does not exist.
    if (code === 'ENXIO') throw notPlain(called, cause);
    throw new CredstashError('USAGE', `${called} cannot be written (${code})`, {
      cause,
      hint: code === 'ELOOP' ? 'links are not followed: name the file itself' : undefined,
    });
  }
  const stat = fstatSync(fd);
  if (stat.isFile()) return { fd, stat };
  closeSync(fd);
  throw notPlain(called);
}

function notPlain(called: string, cause?: unknown): CredstashError {
  return new CredstashError('USAGE', `${called} is not a plain file`, { cause });
}
