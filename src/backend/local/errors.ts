import { dirname } from 'node:path';
import { CredstashError } from '../../errors.ts';
import { canOpenFiles, FEW_FILES_HINT } from '../../util/system-faults.ts';
import { SqliteError } from './sqlite.ts';

/** The hint for a vault that is damaged. */
export const RESTORE_HINT = 'restore its files from a backup';

/** Whether `error` is a system error with one of `codes`. */
export function isErrno(error: unknown, ...codes: string[]): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/**
 * Runs `use`, and translates the errors of SQLite and of the file system into the project's, by their codes.
 *
 * @param folder the vault's, for the messages
 * @throws CredstashError IO, VAULT_PERMISSIONS, USAGE, THROTTLED (the vault is busy), INTEGRITY; any other error as it is
 */
export function withVaultErrors<T>(folder: string, use: () => T): T {
  try {
    return use();
  } catch (cause) {
    if (cause instanceof SqliteError) throw translateSqliteError(folder, cause);
    if (isErrno(cause, 'EMFILE', 'ENFILE')) throw tooManyFiles(folder, cause);
    if (isErrno(cause, 'EROFS')) {
      throw new CredstashError(
        'VAULT_PERMISSIONS',
        `the vault ${folder} is on a read-only file system`,
        { cause },
      );
    }
    if (isErrno(cause, 'ENOSPC', 'EDQUOT')) throw noSpace(folder, cause);
    if (isErrno(cause, 'EACCES', 'EPERM', 'ERR_ACCESS_DENIED')) {
      throw new CredstashError(
        'VAULT_PERMISSIONS',
        `no permission to use the vault ${folder} (${String(cause.code)})`,
        { cause },
      );
    }
    if (isErrno(cause, 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG')) {
      throw new CredstashError(
        'USAGE',
        `${folder} cannot be a vault's folder (${String(cause.code)})`,
        {
          cause,
        },
      );
    }
    // In /proc, and on a mount whose source was deleted, mkdir and open answer ENOENT for new files.
    if (isErrno(cause, 'ENOENT') && (cause.syscall === 'mkdir' || cause.path?.endsWith('.tmp'))) {
      throw new CredstashError(
        'IO',
        `the vault ${folder} cannot be made: ${dirname(cause.path ?? folder)} takes no new files (ENOENT)`,
        { hint: 'choose another folder: `Credstash.local("FOLDER")`', cause },
      );
    }
    if (cause instanceof Error && 'syscall' in cause) {
      throw new CredstashError('IO', `the vault ${folder} cannot be used: ${cause.message}`, {
        cause,
      });
    }
    throw cause;
  }
}

/** The error of a vault that cannot be opened because this process has too many files open. */
export function tooManyFiles(folder: string, error?: Error): CredstashError {
  const message = `the vault ${folder} cannot be opened: too many files are open (EMFILE)`;
  const cause = Object.assign(new Error('EMFILE', { cause: error }), { code: 'EMFILE' });
  return new CredstashError('IO', message, { cause, hint: FEW_FILES_HINT });
}

function noSpace(folder: string, cause: unknown): CredstashError {
  return new CredstashError('IO', `there is no space left for the vault ${folder}`, {
    hint: 'make room elsewhere: a delete takes, for a moment, as much as it frees',
    cause,
  });
}

function translateSqliteError(folder: string, cause: SqliteError): CredstashError {
  switch (cause.extendedCode) {
    case 264: // SQLITE_READONLY_RECOVERY
    case 776: // SQLITE_READONLY_ROLLBACK
    case 2570: // SQLITE_IOERR_DELETE: of the journal, in a folder without write permission
      return new CredstashError(
        'VAULT_PERMISSIONS',
        `a writer of the vault ${folder} was cut short, and what it left must be undone, but the vault is read-only`,
        { hint: 'open it once where it can be written, with list for one', cause },
      );
  }
  switch (cause.code) {
    case 5: // SQLITE_BUSY
    case 6: // SQLITE_LOCKED
      return new CredstashError('THROTTLED', `the vault ${folder} was busy for too long`, {
        cause,
      });
    case 3: // SQLITE_PERM
    case 8: // SQLITE_READONLY
    case 23: // SQLITE_AUTH
      return new CredstashError('VAULT_PERMISSIONS', `the vault ${folder} is read-only`, {
        hint: 'for this its file system, its folder and its files must be writable',
        cause,
      });
    case 14: // SQLITE_CANTOPEN
      // SQLite does not say why: the database, or its journal.
      if (!canOpenFiles(2)) throw tooManyFiles(folder, cause);
      return new CredstashError('VAULT_PERMISSIONS', `the vault ${folder} cannot be opened`, {
        hint: 'its folder and its files must be yours; one of an earlier release must be opened once where it can be written',
        cause,
      });
    case 1: // SQLITE_ERROR: there is no such table, or column
    case 11: // SQLITE_CORRUPT
    case 26: // SQLITE_NOTADB
      return new CredstashError('INTEGRITY', `the vault ${folder} is damaged: ${cause.message}`, {
        hint: RESTORE_HINT,
        cause,
      });
    case 13: // SQLITE_FULL
      return noSpace(folder, cause);
    default:
      return new CredstashError('IO', `the vault ${folder} cannot be used: ${cause.message}`, {
        cause,
      });
  }
}
