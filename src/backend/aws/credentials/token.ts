import { readFileSync } from 'node:fs';
import { stripFault } from '../../../util/system-faults.ts';
import { FILES_HINT, noCredentials } from './identity.ts';

/**
 * Reads a token file.
 *
 * @param from the setting that names the file, for messages
 * @throws CredstashError NO_CREDENTIALS if it cannot be read
 */
export function readToken(path: string, from: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    throw noCredentials(
      `: the token file ${path} (${from}) cannot be read (${code})`,
      FILES_HINT,
      stripFault(error),
    );
  }
}
