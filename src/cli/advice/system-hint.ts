import type { CredstashError } from '../../errors.ts';
import { type ErrorCode, hasCode } from '../../errors.ts';
import {
  canOpenFiles,
  FEW_FILES_HINT,
  findFaultHint,
  isCurrentFolderGone,
} from '../../util/system-faults.ts';

/** How many files a command may open at once, besides those of Node.js: connections, the vault, an output file. */
const ENOUGH_FILES = 12;

/** Errors that a lack of files can cause without being named, such as in the lookup of a host. */
const BLURRED: readonly ErrorCode[] = [
  'UNEXPECTED',
  'IO',
  'UNREACHABLE',
  'NO_CREDENTIALS',
  'VAULT_PERMISSIONS',
  'COMMAND_NOT_EXECUTABLE',
];

/**
 * Finds the hint for an error that the environment of the process caused: the process may open too few files, the permission
 * model of Node.js is on, or the current folder was deleted.
 *
 * @returns undefined for every other error, whose own hint is right
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
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) causes.push(cause);
  return causes;
}

/** Whether a failure of the system is about an absolute path. */
function isAbsolute(fault: Error & { readonly path?: unknown }): boolean {
  return typeof fault.path === 'string' && fault.path.startsWith('/');
}
