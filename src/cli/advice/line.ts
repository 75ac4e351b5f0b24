import { type ErrorCode, hasCode } from '../../errors.ts';
import { COMMANDS } from '../commands/index.ts';
import { hintAtLocalFolder } from './expansion.ts';

/** The errors that a folder can cause which was taken for a name. */
const OF_WORDS: readonly ErrorCode[] = ['USAGE', 'SECRET_NOT_FOUND', 'VAULT_NOT_FOUND'];

/** Adds to an error the hint that only the whole command line can give. */
export function adviseOnLine(error: unknown, argv: readonly string[]): unknown {
  if (!argv.includes('--local') || !hasCode(error, ...OF_WORDS)) return error;
  const hint = hintAtLocalFolder(argv, Object.keys(COMMANDS));
  return hint === undefined ? error : error.reworded(error.message, hint);
}
