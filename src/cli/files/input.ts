import { constants, createReadStream, openSync } from 'node:fs';
import { CredstashError } from '../../errors.ts';
import { stripFault } from '../../util/system-faults.ts';
import { type Io, tooLong } from '../terminal/io.ts';
import { openWaiting } from './read-waiting.ts';
import { expandHome } from '../files/home.ts';
import { readErrorCode } from '../../util/errno.ts';

/** The treatment of an empty input: allowed, or refused with a hint. */
export type WhenEmpty = 'allowed' | { readonly hint: string };

const READABLE_FILE = 'name a file that you can read, or - for stdin';

/**
 * Reads the value of an argument: stdin for `-`, a file for `@FILE`, otherwise the argument itself.
 *
 * @param limit the most bytes
 * @param whenEmpty the treatment of an empty stdin or file. A failed command in a pipe leaves an empty stdin.
 * @param fileHint the hint for a file that cannot be read
 * @throws CredstashError TOO_LARGE for more than `limit` bytes; USAGE for a file or a stdin that cannot be read, or is empty
 */
export async function readArgument(
  io: Io,
  argument: string,
  limit: number,
  whenEmpty: WhenEmpty,
  fileHint = READABLE_FILE,
): Promise<Uint8Array> {
  if (argument === '-') {
    return refuseEmpty(await io.readAll(limit), emptyStdin(io), whenEmpty);
  }
  if (argument.startsWith('@')) {
    // The message does not quote the path, which is a secret if the user forgot --literal.
    const label = 'the file named after @';
    const bytes = await readFile(io, argument.slice(1), limit, label, fileHint);
    return refuseEmpty(bytes, `${label} is empty`, whenEmpty);
  }
  return Buffer.from(argument, 'utf8');
}

function emptyStdin(io: Io): string {
  return `stdin is empty${io.isNullInput ? ': it is closed, or /dev/null' : ''}`;
}

function refuseEmpty(bytes: Uint8Array, message: string, whenEmpty: WhenEmpty): Uint8Array {
  if (bytes.length > 0 || whenEmpty === 'allowed') return bytes;
  throw new CredstashError('USAGE', message, whenEmpty);
}

/**
 * Reads the file that an argument names, or stdin for `-`.
 *
 * @throws CredstashError TOO_LARGE for more than `limit` bytes; USAGE if the file or stdin cannot be read, or if stdin is
 *   /dev/null
 */
export async function readInput(io: Io, path: string, limit: number): Promise<Uint8Array> {
  if (path === '-') {
    const bytes = await io.readAll(limit);
    return io.isNullInput
      ? refuseEmpty(bytes, emptyStdin(io), { hint: 'name the file, or redirect it to stdin' })
      : bytes;
  }
  const hint = path.startsWith('@') ? 'it is named without @' : READABLE_FILE;
  return readFile(io, path, limit, path, hint);
}

async function readFile(
  io: Io,
  name: string,
  limit: number,
  label: string,
  hint: string | undefined,
): Promise<Uint8Array> {
  const path = expandHome(name);
  let bytes: Uint8Array;
  try {
    // One byte more than the limit shows that the file is too long or endless.
    bytes = await io.inTime(label, readStart(path, limit + 1, io.deadline !== undefined));
  } catch (error) {
    if (error instanceof CredstashError) throw error;
    const code = readErrorCode(error);
    throw new CredstashError('USAGE', `${label} cannot be read (${code})`, {
      hint,
      // The system's message quotes the path, so it is removed.
      cause: stripFault(error),
    });
  }
  if (bytes.length > limit) throw tooLong(label, limit);
  return bytes;
}

/** Reads the first `length` bytes of a file. @param limited whether a time limit may end the process during the read */
async function readStart(path: string, length: number, limited: boolean): Promise<Uint8Array> {
  if (!limited) {
    const fd = openSync(path, constants.O_RDONLY);
    const chunks: Uint8Array[] = [];
    for await (const chunk of createReadStream(path, { fd, end: length - 1 })) {
      chunks.push(chunk as Uint8Array);
    }
    return Buffer.concat(chunks);
  }
  const file = openWaiting(path);
  const chunks: Uint8Array[] = [];
  let read = 0;
  try {
    for await (const chunk of file.chunks) {
      chunks.push(chunk);
      read += chunk.length;
      if (read >= length) break;
    }
  } finally {
    file.close();
  }
  return Buffer.concat(chunks).subarray(0, length);
}
