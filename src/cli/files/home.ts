import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { CredstashError } from '../../errors.ts';

/** Expands `~/x`, which a shell does not do inside `@~/x` and `--local=~/x`. */
export function expandHome(path: string): string {
  return path === '~' || path.startsWith('~/') ? join(requireHome(), path.slice(1)) : path;
}

/** Finds the home folder; undefined if HOME is empty or relative, or if it is unset and the system's list of users has none. */
export function findHome(): string | undefined {
  // Ask the system only if HOME is unset. Bun would ask it also if HOME is empty.
  if (process.env['HOME'] === '') return undefined;
  try {
    return isAbsolute(homedir()) ? homedir() : undefined;
  } catch {
    return undefined;
  }
}

/** Gets the home folder. @throws CredstashError USAGE if the user has none */
export function requireHome(): string {
  const folder = findHome();
  if (folder !== undefined) return folder;
  throw new CredstashError('USAGE', 'there is no home folder', {
    hint: 'set HOME, or give a folder with --local=FOLDER',
  });
}
