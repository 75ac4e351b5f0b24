import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { CredstashError } from '../../errors.ts';
import { type Database, inTransaction, openDatabase, SqliteError } from './driver.ts';
import { shellWord } from '../../shell-word.ts';
import { access, isErrno } from './errors.ts';

const MASTER_KEY_BYTES = 32;

/** What `#place` fills, and SQLite's own file beside it. */
export const DRAFT = /^(master\.key|vault\.db)\.[0-9a-f]{16}\.tmp(-journal)?$/;

/** Grows by one with each change of the schema; a vault of a later one is refused rather than misread. */
const SCHEMA_VERSION = 2;
/** Without the column `labels`: a vault of before there were any, which gets it with the first one. */
const UNLABELLED_VERSION = 1;

// Untyped columns: an attribute of type S stands as TEXT, one of type B as BLOB, an absent one as NULL; labels as a TEXT
// with a space before, between and after them. What listings read stands before the large columns, so that SQLite need not fetch those.
const SCHEMA = `
  CREATE TABLE entries (
    name NOT NULL, version NOT NULL, cipher, digest, created, comment, key, contents, hmac, labels,
    PRIMARY KEY (name, version)
  );
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/**
 * The folder of an embedded vault: `vault.db`, the entries, and `master.key`, 32 random bytes that wrap the
 * data keys. Nothing is opened or created before the first use.
 *
 * Both files come into being by `link`, which one of many first writers wins and which a crash cannot tear: whoever
 * sees a file sees all of it. The key comes first, so a vault with entries always had its key.
 *
 * The database has SQLite's rollback journal and no write-ahead log: at rest it is this one file, and to read it
 * writes nothing, so that a vault can be copied, and read where nobody may write.
 */
export class Vault {
  readonly folder: string;
  readonly #create: boolean;
  #database: Database | undefined;
  #masterKey: Uint8Array | undefined;
  #hasLabels = false;

  /** @param options.create whether the first use creates what is not there; else that is VAULT_NOT_FOUND */
  constructor(folder: string, options: { readonly create: boolean }) {
    this.folder = folder;
    this.#create = options.create;
  }

  /**
   * Creates the vault if it is not there. Whether this call did.
   *
   * @throws CredstashError VAULT_PERMISSIONS, IO, KEY_NOT_FOUND when there are entries and no key
   */
  setup(): boolean {
    return access(this.folder, () => this.#ready(true));
  }

  /** Whether it is there, and closed to others. @throws CredstashError VAULT_NOT_FOUND, VAULT_PERMISSIONS, KEY_NOT_FOUND */
  check(): void {
    access(this.folder, () => this.#ready(false));
  }

  /** The open database, on which `use` runs. @throws CredstashError for what goes wrong with the file */
  withDatabase<T>(use: (database: Database) => T): T {
    return access(this.folder, () => {
      this.#database ??= this.#open();
      return use(this.#database);
    });
  }

  /** Whether there is a column of labels. */
  hasLabels(): boolean {
    // Another process may have added it since this one opened the vault.
    return this.withDatabase(
      (database) => (this.#hasLabels ||= schemaOf(database) === SCHEMA_VERSION),
    );
  }

  /** Makes room for labels. */
  addLabels(): void {
    if (this.hasLabels()) return;
    this.withDatabase((database) => {
      inTransaction(database, () => {
        // Somebody else may have been first.
        if (schemaOf(database) !== UNLABELLED_VERSION) return;
        database.exec(
          `ALTER TABLE entries ADD COLUMN labels; PRAGMA user_version = ${SCHEMA_VERSION}`,
        );
      });
      this.#hasLabels = true;
    });
  }

  #open(): Database {
    this.#ready(this.#create);
    const database = openDatabase(this.#path('vault.db'));
    try {
      // FULL: a write is on the disk before it is reported. Deleted entries are overwritten, not just let go
      // (https://www.sqlite.org/pragma.html#pragma_synchronous and #pragma_secure_delete).
      database.exec(
        'PRAGMA busy_timeout = 30000; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;',
      );
      const version = schemaOf(database);
      this.#hasLabels = version === SCHEMA_VERSION;
      if (version !== SCHEMA_VERSION && version !== UNLABELLED_VERSION) {
        throw new CredstashError(
          'INTEGRITY',
          `the vault ${this.folder} has schema ${String(version)}, this credstash knows ${SCHEMA_VERSION}`,
        );
      }
      leaveWal(database);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** The master key, 32 bytes; the vault's own copy, wiped by `close`. */
  masterKey(): Uint8Array {
    return access(this.folder, () => {
      if (!this.#masterKey) {
        this.#ready(this.#create);
        const path = this.#path('master.key');
        refuseOthers(path, '600');
        const key = readFileSync(path);
        if (key.length !== MASTER_KEY_BYTES) {
          throw new CredstashError(
            'KEY_UNUSABLE',
            `the master key ${path} has ${key.length} bytes instead of ${MASTER_KEY_BYTES}`,
            { hint: 'restore it from a backup: nothing else opens the entries' },
          );
        }
        this.#masterKey = key;
      }
      return this.#masterKey;
    });
  }

  close(): void {
    this.#masterKey?.fill(0);
    this.#masterKey = undefined;
    this.#database?.close();
    this.#database = undefined;
  }

  #path(file: string): string {
    return join(this.folder, file);
  }

  #ready(create: boolean): boolean {
    if (exists(this.#path('vault.db'))) {
      refuseOthers(this.folder, '700');
      if (exists(this.#path('master.key'))) {
        if (create) this.#sweep();
        return false;
      }
      throw new CredstashError(
        'KEY_NOT_FOUND',
        `the vault ${this.folder} has entries, but its master.key is missing`,
        { hint: 'restore it from a backup: nothing else opens the entries' },
      );
    }
    if (!create) {
      throw new CredstashError('VAULT_NOT_FOUND', `there is no vault in ${this.folder}`, {
        hint: `the first put creates it, or: credstash --local=${shellWord(this.folder)} setup`,
      });
    }
    mkdirSync(dirname(this.folder), { recursive: true });
    try {
      mkdirSync(this.folder, { mode: 0o700 });
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
    }
    // Not its chmod: this may be /tmp.
    refuseOthers(this.folder, '700', 'choose a folder of its own, which the first put creates');
    this.#place('master.key', (path) => {
      const fd = openSync(path, 'r+');
      const key = randomBytes(MASTER_KEY_BYTES);
      try {
        writeFileSync(fd, key);
        fsyncSync(fd);
      } finally {
        key.fill(0);
        closeSync(fd);
      }
    });
    return this.#place('vault.db', (path) => {
      const database = openDatabase(path);
      try {
        // A draft that is cut short is thrown away whole: it needs no journal on the disk.
        database.exec(`PRAGMA journal_mode = MEMORY; PRAGMA synchronous = FULL; ${SCHEMA}`);
      } finally {
        database.close();
      }
    });
  }

  /** Makes a file under a name of its own, then links it to its place. Whether this call won the place. */
  #place(file: string, fill: (path: string) => void): boolean {
    const target = this.#path(file);
    if (exists(target)) return false;
    const draft = `${target}.${randomBytes(8).toString('hex')}.tmp`;
    closeSync(openSync(draft, 'wx', 0o600));
    try {
      fill(draft);
      linkSync(draft, target);
      return true;
    } catch (error) {
      // Somebody else was first, and may have swept this draft away.
      if (exists(target)) return false;
      throw error;
    } finally {
      rmSync(draft, { force: true });
      syncFolder(this.folder);
    }
  }

  /** Removes the drafts of killed first writers. Both files are there, so no draft can come to be either of them. */
  #sweep(): void {
    for (const file of readdirSync(this.folder).filter((each) => DRAFT.test(each))) {
      try {
        rmSync(this.#path(file), { force: true });
      } catch {
        // The next put tries again; this one need not fail.
      }
    }
  }
}

/**
 * Earlier releases kept a write-ahead log. SQLite turns it off for whoever has the file to himself and may write;
 * for others the vault works as it is.
 */
function leaveWal(database: Database): void {
  if (database.all('PRAGMA journal_mode')[0]?.['journal_mode'] !== 'wal') return;
  try {
    database.exec('PRAGMA journal_mode = DELETE');
  } catch (error) {
    if (!(error instanceof SqliteError)) throw error;
  }
}

function schemaOf(database: Database): unknown {
  return database.all('PRAGMA user_version')[0]?.['user_version'];
}

function exists(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found && !found.isFile()) {
    throw new CredstashError('USAGE', `${path} is not a plain file`);
  }
  return found !== undefined;
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function refuseOthers(path: string, mode: string, hint = `chmod ${mode} ${shellWord(path)}`): void {
  // Windows has no such bits; there the user's profile folder is private by its access list.
  if (process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0) {
    throw new CredstashError('VAULT_PERMISSIONS', `others than you can open ${path}`, {
      hint,
    });
  }
}
