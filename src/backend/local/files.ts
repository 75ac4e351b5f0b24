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
 * Whose files a vault is made of. Each must belong to the user who runs this process, and a file must be a plain one: a
 * link would lead elsewhere, and opening a FIFO would wait for ever.
 */

// Windows has only some of them.
const flags: Partial<typeof constants> = constants;
const { O_DIRECTORY = 0, O_NOFOLLOW = 0, O_NONBLOCK = 0, O_RDONLY = 0 } = flags;
/**
 * O_PATH of open(2), which Node.js does not name: a descriptor that refers to a file, and neither reads it nor counts as an
 * open one. To close any other descriptor of a database would release the locks that SQLite holds on it in this process
 * (https://www.sqlite.org/howtocorrupt.html, 2.2).
 */
const O_PATH = process.platform === 'linux' ? 0o10000000 : undefined;

/** Every rollback journal begins, and one that names a super-journal ends, with this (https://www.sqlite.org/fileformat.html). */
const JOURNAL_MAGIC = Buffer.from('d9d505f920a163d7', 'hex');

/**
 * Checks that a folder belongs to the user who runs this process, and that nobody else can open it. A link to it is
 * followed.
 *
 * @param hint for a folder that is not fit, unless its owner or mode is to be changed
 * @throws CredstashError VAULT_PERMISSIONS
 */
export function expectPrivateFolder(path: string, hint?: string): void {
  // Windows opens no folder. There the profile folder of the user is private by its access list.
  if (process.platform === 'win32') return;
  withDescriptor(path, (O_PATH ?? O_RDONLY | O_NONBLOCK) | O_DIRECTORY, (fd) => {
    expectPrivate(path, fstatSync(fd, { bigint: true }), '700', hint);
  });
}

/**
 * Reads a file that nobody else may open.
 *
 * @param length in bytes
 * @returns at most one byte more than `length`; the caller wipes it
 * @throws CredstashError VAULT_PERMISSIONS, USAGE for anything but a plain file
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
 * Whether there is a file at `path`.
 *
 * @throws CredstashError USAGE for anything but a plain file, VAULT_PERMISSIONS for a file of somebody else
 */
export function hasOwnFile(path: string): boolean {
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (stat) expectOwnFile(path, stat);
  return stat !== undefined;
}

/**
 * Opens a database that takes its file by path, and makes sure that the file is ours, and still the one that was
 * checked. The files beside it, which SQLite opens by their names, are checked too.
 *
 * @throws CredstashError USAGE, VAULT_PERMISSIONS; INTEGRITY for a journal that credstash did not write; CONFLICT if the file
 *   was replaced meanwhile
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
      hint: 'run the command again',
    });
  } catch (error) {
    opened.close();
    throw error;
  }
}

/**
 * Refuses a journal that names a super-journal, as that of a transaction over several databases does. SQLite deletes the
 * file that it names once it has undone the transaction, whichever file that is. No transaction of credstash is one.
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
    // What O_NOFOLLOW makes of a link.
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
  // Windows has no such bits.
  if (process.platform !== 'win32' && (stat.mode & 0o077n) !== 0n) {
    throw new CredstashError('VAULT_PERMISSIONS', `others than you can open ${path}`, {
      hint: hint ?? `chmod ${mode} ${shellWord(path)}`,
    });
  }
}

function expectOwner(path: string, stat: BigIntStats, hint?: string): void {
  // Windows has no such owners.
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
