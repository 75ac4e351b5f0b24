import { constants, createReadStream, openSync } from 'node:fs';
import { CredstashError } from '../errors.ts';
import { type Io, tooLong } from './io.ts';
import { expandHome } from './settings.ts';

/**
 * The bytes that an argument stands for: those of stdin for `-`, of a file for `@FILE`, else its own.
 *
 * @throws CredstashError TOO_LARGE for more than `limit` bytes; USAGE for a file that cannot be read
 */
export async function readArgument(io: Io, argument: string, limit: number): Promise<Uint8Array> {
  if (argument === '-') return io.readAll(limit);
  if (argument.startsWith('@')) {
    // The path is not quoted: it is a secret where somebody forgot --literal.
    const hint = 'put takes a value that begins with @ as it stands with --literal';
    return readFile(argument.slice(1), limit, 'the file named after @', hint);
  }
  return Buffer.from(argument, 'utf8');
}

/**
 * The bytes of the file that an argument names, or those of stdin for `-`.
 *
 * @throws CredstashError TOO_LARGE for more than `limit` bytes; USAGE for a file that cannot be read
 */
export async function readInput(io: Io, path: string, limit: number): Promise<Uint8Array> {
  if (path === '-') return io.readAll(limit);
  return readFile(path, limit, path, path.startsWith('@') ? 'it is named without @' : undefined);
}

async function readFile(
  name: string,
  limit: number,
  called: string,
  hint: string | undefined,
): Promise<Uint8Array> {
  const path = expandHome(name);
  const chunks: Uint8Array[] = [];
  try {
    // One byte more than is taken: an endless file, and one that is too long, end there.
    const fd = openSync(path, constants.O_RDONLY);
    for await (const chunk of createReadStream(path, { fd, end: limit })) {
      chunks.push(chunk as Uint8Array);
    }
  } catch (error) {
    // Not kept as a cause: it quotes the path.
    const code = String((error as NodeJS.ErrnoException).code);
    throw new CredstashError('USAGE', `${called} cannot be read (${code})`, { hint });
  }
  const bytes = Buffer.concat(chunks);
  if (bytes.length > limit) throw tooLong(called, limit);
  return bytes;
}
