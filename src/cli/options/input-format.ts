import { basename } from 'node:path';
import type { InputFormat } from '../../format/parse.ts';

/** The formats that putall reads. */
export const INPUT_FORMATS = ['dotenv', 'json', 'yaml'] as const satisfies readonly InputFormat[];

/**
 * Guesses the format from the ending of the name in `@FILE`. Returns undefined for stdin, for secrets on the command line, and for
 * other names.
 */
export function guessFormat(argument: string): InputFormat | undefined {
  if (!argument.startsWith('@')) return undefined;
  const name = basename(argument.slice(1)).toLowerCase();
  if (name.endsWith('.json')) return 'json';
  if (/\.ya?ml$/.test(name)) return 'yaml';
  return /\.env$|^\.env\./.test(name) ? 'dotenv' : undefined;
}
