import type { CredstashError } from '../../errors.ts';
import { type ErrorCode, hasCode } from '../../errors.ts';
import {
  canOpenFiles,
  FEW_FILES_HINT,
  findFaultHint,
  isCurrentFolderGone,
} from '../../util/system-faults.ts';

/** What a command may have open at once, besides what Node.js itself has: connections, the vault, a file that is written. */
const ENOUGH_FILES = 12;

/** Errors in which a lack of files shows without its name, as in the lookup of a host. */
const BLURRED: readonly ErrorCode[] = [
  'UNEXPECTED',
  'IO',
  'UNREACHABLE',
  'NO_CREDENTIALS',
  'VAULT_PERMISSIONS',
  'COMMAND_NOT_EXECUTABLE',
];

/**
 * The hint for an error that comes from where this process runs, and not from what was asked: it may open too few files,
 * Node.js has its permission model on, or the current folder was deleted.
 *
 * @returns undefined for every other error, whose own hint is then the right one
 */
export function hintOfSystem(failure: CredstashError): string | undefined {
  const faults = [failure, ...failure.failures.map(({ error }) => error)].flatMap(causesOf);
  for (const fault of faults) {
    const hint = findFaultHint(fault);
    if (hint !== undefined) return hint;
  }
  if (hasCode(failure, ...BLURRED) && !canOpenFiles(ENOUGH_FILES)) return FEW_FILES_HINT;
  const isNotFound =
    failure.code === 'COMMAND_NOT_FOUND' ||
    faults.some((fault) => 'code' in fault && fault.code === 'ENOENT' && !isAbsolute(fault));
  return isNotFound && isCurrentFolderGone()
    ? 'the current folder was deleted: cd to a folder that exists, or give an absolute path'
    : undefined;
}

function causesOf(error: CredstashError): Error[] {
  const causes: Error[] = [];
  for (let at = error.cause; at instanceof Error; at = at.cause) causes.push(at);
  return causes;
}

/** Whether a failure of the system is about an absolute path. */
function isAbsolute(fault: Error & { readonly path?: unknown }): boolean {
  return typeof fault.path === 'string' && fault.path.startsWith('/');
}
