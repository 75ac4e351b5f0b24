import { quote } from '../../model/advice.ts';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { CredstashError } from '../../errors.ts';
import { constantTimeEqual } from '../../seal/data-key.ts';
import { makeFolders } from '../../util/make-folders.ts';
import { type Database, openDatabase, SqliteError } from './sqlite.ts';
import { withVaultErrors } from './errors.ts';
import { expectPrivateFolder, hasOwnFile, openOwnDatabase, readPrivateFile } from './files.ts';
import { deriveKeyCheck } from './key-check.ts';
import {
  addKeyCheck,
  addLabels,
  checkSchema,
  createSchema,
  readKeyCheck,
  readSchemaVersion,
  WITH_KEY_CHECK,
  WITH_LABELS,
} from './schema.ts';

// Over 250 lines: creating, opening and checking the two files of a vault must happen in one order, which is shown here.

const MASTER_KEY_BYTES = 32;

/** The names of drafts that `#createFile` fills, and of SQLite's journals of them. */
export const DRAFT = /^(master\.key|vault\.db)\.[0-9a-f]{16}\.tmp(-journal)?$/;

/** SQLite's wait for a lock blocks the event loop, so it is limited. */
const MAX_BUSY_MS = 30_000;

export interface VaultOptions {
  readonly create: boolean;
  readonly busyMs?: number | undefined;
}

/**
 * The folder of a local vault: `vault.db` has the entries, and `master.key` the 32 random bytes that wrap the data keys.
 * Nothing is opened or created before the first use. The folder and its files must belong to the user who runs this process.
 *
 * Both files are written under another name and then linked into place. Of several first writers one wins, and a crash
 * leaves no partial file. The key is created first, so that no database ever exists without its key.
 *
 * The database uses SQLite's rollback journal, not its write-ahead log: at rest it is one file, and reading it writes
 * nothing. A vault can therefore be copied, and read on a read-only file system.
 */
export class Vault {
  readonly folder: string;
  readonly #create: boolean;
  readonly #busyMs: number;
  #database: Database | undefined;
  #masterKey: Uint8Array | undefined;
  /** The last known version of the schema, which never decreases. */
  #version = 0;
  #isKeyProven = false;

  /**
   * @param options.create whether the first use creates missing files; otherwise it fails with VAULT_NOT_FOUND
   * @param options.busyMs how long to wait for another process's lock, in milliseconds; default and maximum: 30 s
   */
  constructor(folder: string, options: VaultOptions) {
    this.folder = folder;
    this.#create = options.create;
    this.#busyMs = Math.min(options.busyMs ?? MAX_BUSY_MS, MAX_BUSY_MS);
  }

  /**
   * Creates the vault if it is missing, and checks its master key.
   *
   * @returns whether this call created the vault
   * @throws CredstashError VAULT_PERMISSIONS, IO; KEY_NOT_FOUND if the database exists without its key; and as `masterKey` does
   */
  setup(): boolean {
    return withVaultErrors(this.folder, () => {
      const isCreated = this.#ensureFiles(true);
      this.masterKey();
      return isCreated;
    });
  }

  /** Checks that the vault exists and that no other user can open it. @throws CredstashError VAULT_NOT_FOUND, VAULT_PERMISSIONS, KEY_NOT_FOUND */
  check(): void {
    withVaultErrors(this.folder, () => this.#ensureFiles(false));
  }

  /** Opens the database if necessary, and runs `use` on it. @throws CredstashError as `withVaultErrors` does */
  withDatabase<T>(use: (database: Database) => T): T {
    return withVaultErrors(this.folder, () => {
      this.#database ??= this.#open();
      return use(this.#database);
    });
  }

  /** Whether the vault has a column of labels, which earlier releases did not create. */
  hasLabels(): boolean {
    return this.#hasSchema(WITH_LABELS);
  }

  /** Adds the column of labels if it is missing. */
  addLabels(): void {
    if (!this.hasLabels()) this.withDatabase(addLabels);
  }

  /**
   * Whether the master key is known to be this vault's. In an older vault without a check value it becomes known once the key
   * has unwrapped the data key of a stored entry (`proveKey`).
   */
  get isKeyProven(): boolean {
    return this.#isKeyProven;
  }

  proveKey(): void {
    this.#isKeyProven = true;
  }

  /**
   * Stores the check value of the master key in a vault that lacks it, if the key is known to be this vault's or the vault
   * has no entries. Then checks the key.
   *
   * @throws CredstashError as `masterKey` does
   */
  addKeyCheck(): void {
    const key = this.masterKey();
    if (!this.#hasSchema(WITH_KEY_CHECK)) {
      this.withDatabase((database) => {
        addKeyCheck(database, deriveKeyCheck(key), !this.#isKeyProven);
      });
    }
    this.#checkKey(key);
  }

  /** Whether the schema has at least `version`. Reads it again if not, because another process may have upgraded the vault. */
  #hasSchema(version: number): boolean {
    return this.withDatabase((database) => {
      if (this.#version < version) this.#version = readSchemaVersion(database);
      return this.#version >= version;
    });
  }

  #open(): Database {
    this.#ensureFiles(this.#create);
    const database = openOwnDatabase(this.#path('vault.db'), openDatabase);
    try {
      // FULL: a write is on the disk before it is reported. secure_delete: deleted entries are overwritten with zeros
      // (https://www.sqlite.org/pragma.html#pragma_synchronous and #pragma_secure_delete).
      database.exec(
        `PRAGMA busy_timeout = ${this.#busyMs}; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;`,
      );
      this.#version = checkSchema(database, this.folder);
      turnOffWal(database);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /**
   * Gives the master key, 32 bytes. It is the vault's own copy, which `close` wipes.
   *
   * @throws CredstashError KEY_UNUSABLE if the file has another length, VAULT_KEY_MISMATCH if it is another vault's key
   */
  masterKey(): Uint8Array {
    return withVaultErrors(this.folder, () => {
      if (!this.#masterKey) {
        // Opens the vault, or creates it if `create` is set.
        this.#hasSchema(WITH_KEY_CHECK);
        const key = this.#readKey();
        try {
          this.#checkKey(key);
        } catch (error) {
          key.fill(0);
          throw error;
        }
        this.#masterKey = key;
      }
      return this.#masterKey;
    });
  }

  /** Checks the master key's file, and returns its length in bytes. @throws CredstashError as `masterKey` does, except VAULT_KEY_MISMATCH */
  checkKeyFile(): number {
    return withVaultErrors(this.folder, () => {
      const key = this.#readKey();
      key.fill(0);
      return key.length;
    });
  }

  #readKey(): Uint8Array {
    const path = this.#path('master.key');
    const key = readPrivateFile(path, MASTER_KEY_BYTES);
    if (key.length === MASTER_KEY_BYTES) return key;
    key.fill(0);
    const length = key.length < MASTER_KEY_BYTES ? key.length : `more than ${MASTER_KEY_BYTES}`;
    throw new CredstashError(
      'KEY_UNUSABLE',
      `the master key ${path} has ${length} bytes instead of ${MASTER_KEY_BYTES}`,
      { hint: 'restore it from a backup: nothing else opens the entries' },
    );
  }

  #checkKey(key: Uint8Array): void {
    if (this.#isKeyProven || !this.#hasSchema(WITH_KEY_CHECK)) return;
    const expected = this.withDatabase((database) => readKeyCheck(database, this.folder));
    if (!constantTimeEqual(deriveKeyCheck(key), expected)) {
      throw new CredstashError(
        'VAULT_KEY_MISMATCH',
        `the master.key in ${this.folder} is not the one that its vault.db was made with`,
        { hint: 'restore both files from one backup: nothing else opens the entries' },
      );
    }
    this.#isKeyProven = true;
  }

  close(): void {
    this.#masterKey?.fill(0);
    this.#masterKey = undefined;
    this.#isKeyProven = false;
    this.#database?.close();
    this.#database = undefined;
  }

  #path(file: string): string {
    return join(this.folder, file);
  }

  #ensureFiles(create: boolean): boolean {
    if (hasOwnFile(this.#path('vault.db'))) {
      expectPrivateFolder(this.folder);
      if (hasOwnFile(this.#path('master.key'))) {
        if (create) this.#removeDrafts();
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
        hint: `the first put creates it, or: \`Credstash.local(${quote(this.folder)}).setup()\``,
      });
    }
    makeFolders(this.folder, 0o700);
    // The hint must not be chmod or chown, because this may be a shared folder such as /tmp.
    expectPrivateFolder(this.folder, 'choose a folder of its own, which the first put creates');
    this.#createFile('master.key', (path) => {
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
    const isCreated = this.#createFile('vault.db', (path) => {
      const key = this.#readKey();
      const database = openDatabase(path);
      try {
        // An unfinished draft is discarded, so it needs no journal on the disk.
        database.exec('PRAGMA journal_mode = MEMORY; PRAGMA synchronous = FULL');
        createSchema(database, deriveKeyCheck(key));
      } finally {
        key.fill(0);
        database.close();
      }
    });
    this.#removeDrafts();
    return isCreated;
  }

  /** Fills a draft under a random name, then links it into place. @returns false if the file exists, or another process created it first */
  #createFile(file: string, fill: (path: string) => void): boolean {
    const target = this.#path(file);
    if (hasOwnFile(target)) return false;
    const draft = `${target}.${randomBytes(8).toString('hex')}.tmp`;
    closeSync(openSync(draft, 'wx', 0o600));
    try {
      fill(draft);
      linkSync(draft, target);
      return true;
    } catch (error) {
      // Another process was first, and may have removed this draft.
      if (hasOwnFile(target)) return false;
      throw error;
    } finally {
      rmSync(draft, { force: true });
      syncFolder(this.folder);
    }
  }

  /** Removes the drafts of killed first writers. Call it only once both files exist: then no draft is needed any more. */
  #removeDrafts(): void {
    for (const file of readdirSync(this.folder).filter((each) => DRAFT.test(each))) {
      try {
        rmSync(this.#path(file), { force: true });
      } catch {
        // The next put tries again.
      }
    }
  }
}

/**
 * Turns off the write-ahead log, which earlier releases used. SQLite does so only if no other process has the file open and
 * this one may write it; otherwise the vault works as it is.
 */
function turnOffWal(database: Database): void {
  if (database.all('PRAGMA journal_mode')[0]?.['journal_mode'] !== 'wal') return;
  try {
    database.exec('PRAGMA journal_mode = DELETE');
  } catch (error) {
    if (!(error instanceof SqliteError)) throw error;
  }
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
