import { readErrorCode } from './errno.ts';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Creates the folder `path` and every missing folder above it, one at a time. The recursive mkdir of Node.js never returns if
 * mkdir answers ENOENT in a folder that exists, as it does in /proc and on a bind mount whose source was deleted. Its
 * loop, and the fix for the same hang with a file as a parent: https://github.com/nodejs/node/issues/27198.
 *
 * @param mode of each folder that is created, less the umask
 * @returns whether this call created `path`; false if it exists, even as a file
 * @throws the error of mkdir
 */
export function makeFolders(path: string, mode: number): boolean {
  const parent = dirname(path);
  if (parent !== path && !existsSync(parent)) makeFolders(parent, mode);
  try {
    mkdirSync(path, { mode });
    return true;
  } catch (error) {
    if (readErrorCode(error) === 'EEXIST') return false;
    throw error;
  }
}
