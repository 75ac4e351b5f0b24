import { lstatSync } from 'node:fs';
import { dirname } from 'node:path';
import { FULL_DISK_HINT } from '../../util/system-faults.ts';
import { commandLine } from '../../util/shell-word.ts';

/**
 * The hint for a file that could not be created or written: the command that creates its folder, or the advice for a full disk.
 *
 * @param code the system's error, such as `ENOENT`
 * @returns undefined for every other error
 */
export function hintAtWriting(path: string, code: string): string | undefined {
  if (code === 'ENOSPC' || code === 'EDQUOT') return FULL_DISK_HINT;
  const folder = dirname(path);
  if (code !== 'ENOENT' || lstatSync(folder, { throwIfNoEntry: false })) return undefined;
  const dashes = folder.startsWith('-') ? ['--'] : [];
  return `create the folder: ${commandLine(['mkdir', '-p', ...dashes, folder])}`;
}
