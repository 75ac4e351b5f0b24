import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  realpathSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { CredstashError } from '../../errors.ts';
import { shellWord } from '../../util/shell-word.ts';
import { isErrno } from './errors.ts';

/*
 * Checks of a vault's folder and files. Each must belong to the user who runs this process. A file must be a plain file: a
 * link could lead elsewhere, and opening a FIFO could block for ever.
 */

// Windows lacks some of these flags.
const flags: Partial<typeof constants> = constants;
const { O_DIRECTORY = 0, O_NOFOLLOW = 0, O_NONBLOCK = 0, O_RDONLY = 0 } = flags;
/**
 * O_PATH of open(2), which Node.js does not export: such a descriptor refers to a file without opening it. Closing a normal
 * descriptor of a database would release the locks that SQLite holds on it in this process
 * (https://www.sqlite.org/howtocorrupt.html, 2.2).
 */
const O_PATH = process.platform === 'linux' ? 0o10000000 : undefined;

/** A rollback journal begins with these bytes, and also ends with them if it names a super-journal (https://www.sqlite.org/fileformat.html). */
const JOURNAL_MAGIC = Buffer.from('d9d505f920a163d7', 'hex');

/**
 * Checks that a folder belongs to the user who runs this process, and that no other user can open it. Follows a link to it.
 *
 * @param hint of the error; default: the chown or chmod that helps
 * @throws CredstashError VAULT_PERMISSIONS
 */
export function expectPrivateFolder(path: string, hint?: string): void {
  // Windows cannot open a folder as a file. There, the access list of the user's profile folder keeps others out.
  if (process.platform === 'win32') return;
  withDescriptor(path, (O_PATH ?? O_RDONLY | O_NONBLOCK) | O_DIRECTORY, (fd) => {
    expectPrivate(path, fstatSync(fd, { bigint: true }), '700', hint);
  });
}

/**
 * Reads a file that no other user can open.
 *
 * @param length the expected length in bytes
 * @returns at most one byte more than `length`, so that a longer file shows; the caller wipes it
 * @throws CredstashError VAULT_PERMISSIONS if others can open it, USAGE if it is not a plain file
 */
export function readPrivateFile(path: string, length: number): Buffer {
  return withDescriptor(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, (fd) => {
    const stat = fstatSync(fd, { bigint: true });
    expectPlain(path, stat);
    expectPrivate(path, stat, '600');
    const bytes = Buffer.alloc(length + 1);
    let read = 0;
    for (let more = -1; more !== 0 && read < bytes.length; read += more) {
      more = readSync(fd, bytes, read, bytes.length - read, null);
    }
    return bytes.subarray(0, read);
  });
}

/**
 * Whether a file exists at `path`.
 *
 * @throws CredstashError USAGE if it is not a plain file, VAULT_PERMISSIONS if it belongs to another user
 */
export function hasOwnFile(path: string): boolean {
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (stat) expectOwnFile(path, stat);
  return stat !== undefined;
}

/**
 * Opens a database by its path, and checks that the file belongs to this user and is still the one that was checked. Also
 * checks the files beside it that SQLite opens by their names.
 *
 * @throws CredstashError USAGE, VAULT_PERMISSIONS; INTEGRITY if credstash did not write the journal; CONFLICT if the file
 *   was replaced while it was opened
 */
export function openOwnDatabase<T extends { close(): void }>(
  path: string,
  open: (path: string) => T,
): T {
  if (hasOwnFile(`${path}-journal`)) expectOwnJournal(`${path}-journal`);
  for (const suffix of ['-wal', '-shm']) hasOwnFile(`${path}${suffix}`);
  if (O_PATH === undefined) {
    const stat = lstatSync(path, { bigint: true });
    return openUnmoved(path, stat, open);
  }
  return withDescriptor(path, O_PATH | O_NOFOLLOW, (fd) =>
    openUnmoved(path, fstatSync(fd, { bigint: true }), open),
  );
}

function openUnmoved<T extends { close(): void }>(
  path: string,
  stat: BigIntStats,
  open: (path: string) => T,
): T {
  expectOwnFile(path, stat);
  const opened = open(path);
  try {
    const now = lstatSync(path, { bigint: true });
    if (now.dev === stat.dev && now.ino === stat.ino) return opened;
    throw new CredstashError('CONFLICT', `${path} was replaced while it was opened`, {
      hint: 'try again',
    });
  } catch (error) {
    opened.close();
    throw error;
  }
}

/**
 * Refuses a journal that names a super-journal, as a transaction over several databases writes it. After the rollback SQLite
 * deletes the named file, whichever it is. credstash never writes such a transaction.
 */
function expectOwnJournal(path: string): void {
  let end: Buffer;
  try {
    end = withDescriptor(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, (fd) => {
      const { size } = fstatSync(fd);
      const bytes = Buffer.alloc(JOURNAL_MAGIC.length);
      readSync(fd, bytes, 0, bytes.length, Math.max(0, size - bytes.length));
      return bytes;
    });
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return;
    throw error;
  }
  if (!end.equals(JOURNAL_MAGIC)) return;
  throw new CredstashError(
    'INTEGRITY',
    `${path} was not written by credstash: it names another file`,
    {
      hint: 'do not use this vault until you know who made it',
    },
  );
}

function withDescriptor<T>(path: string, flags: number, use: (fd: number) => T): T {
  let fd: number;
  try {
    fd = openSync(path, flags);
  } catch (error) {
    // O_NOFOLLOW fails with these on a link.
    if ((flags & O_NOFOLLOW) !== 0 && isErrno(error, 'ELOOP', 'EMLINK')) throw notPlain(path);
    throw error;
  }
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

function expectOwnFile(path: string, stat: BigIntStats): void {
  expectPlain(path, stat);
  expectOwner(path, stat);
}

function expectPlain(path: string, stat: BigIntStats): void {
  if (!stat.isFile()) throw notPlain(path);
}

function notPlain(path: string): CredstashError {
  return new CredstashError('USAGE', `${path} is not a plain file`);
}

function expectPrivate(path: string, stat: BigIntStats, mode: string, hint?: string): void {
  expectOwner(path, stat, hint);
  // Windows has no permission bits.
  if (process.platform !== 'win32' && (stat.mode & 0o077n) !== 0n) {
    throw new CredstashError('VAULT_PERMISSIONS', `others than you can open ${path}`, {
      hint: hint ?? `chmod ${mode} ${shellWord(path)}`,
    });
  }
}

function expectOwner(path: string, stat: BigIntStats, hint?: string): void {
  // Windows has no numeric owners.
  const user = process.geteuid?.();
  if (user === undefined || stat.uid === BigInt(user)) return;
  const folder = realpathSync(stat.isDirectory() ? path : dirname(path));
  throw new CredstashError(
    'VAULT_PERMISSIONS',
    `${path} belongs to user ${String(stat.uid)}, and you are user ${user}`,
    {
      hint:
        hint ??
        `run credstash as that user; if you trust what is in it, root can make it yours: chown -R ${user} ${shellWord(folder)}`,
    },
  );
}
