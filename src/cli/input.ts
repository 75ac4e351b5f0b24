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
  if (argument.startsWith('@')) return readFile(argument.slice(1), limit);
  return Buffer.from(argument, 'utf8');
}

async function readFile(name: string, limit: number): Promise<Uint8Array> {
  const path = expandHome(name);
  const chunks: Uint8Array[] = [];
  try {
    // One byte more than is taken: an endless file, and one that is too long, end there.
    const fd = openSync(path, constants.O_RDONLY);
    for await (const chunk of createReadStream(path, { fd, end: limit })) {
      chunks.push(chunk as Uint8Array);
    }
  } catch (error) {
    // Neither the path nor the cause, which quotes it: it is a secret where somebody forgot --literal.
    const code = String((error as NodeJS.ErrnoException).code);
    throw new CredstashError('USAGE', `the file named after @ cannot be read (${code})`, {
      hint: 'put takes a value that begins with @ as it stands with --literal',
    });
  }
  const bytes = Buffer.concat(chunks);
  if (bytes.length > limit) throw tooLong('the file named after @', limit);
  return bytes;
}
