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
import { shellWord } from '../../util/shell-word.ts';
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

// Over 250 lines: creating, opening and checking the two files of a vault depend on each other's order.

const MASTER_KEY_BYTES = 32;

/** What `#createFile` fills, and SQLite's own file beside it. */
export const DRAFT = /^(master\.key|vault\.db)\.[0-9a-f]{16}\.tmp(-journal)?$/;

/** SQLite waits in one go, and nothing else runs meanwhile. */
const MAX_BUSY_MS = 30_000;

export interface VaultOptions {
  readonly create: boolean;
  readonly busyMs?: number | undefined;
}

/**
 * The folder of an embedded vault: `vault.db`, the entries, and `master.key`, 32 random bytes that wrap the
 * data keys. Nothing is opened or created before the first use. All of it must belong to the user who runs this process.
 *
 * Both files come into being by `link`, which one of many first writers wins and which a crash cannot tear: a process that
 * sees a file sees all of it. The key comes first, so a vault with entries always had its key.
 *
 * The database has SQLite's rollback journal and no write-ahead log: at rest it is this one file, and to read it
 * writes nothing, so that a vault can be copied, and read where nobody may write.
 */
export class Vault {
  readonly folder: string;
  readonly #create: boolean;
  readonly #busyMs: number;
  #database: Database | undefined;
  #masterKey: Uint8Array | undefined;
  /** The version of the schema when it was last looked at: it never falls. */
  #version = 0;
  #isKeyProven = false;

  /**
   * @param options.create whether the first use creates missing files; else they are VAULT_NOT_FOUND
   * @param options.busyMs how long a lock of another process is waited for, in milliseconds; default: 30 s
   */
  constructor(folder: string, options: VaultOptions) {
    this.folder = folder;
    this.#create = options.create;
    this.#busyMs = Math.min(options.busyMs ?? MAX_BUSY_MS, MAX_BUSY_MS);
  }

  /**
   * Creates the vault if it is missing. @returns whether this call did
   *
   * @throws CredstashError VAULT_PERMISSIONS, IO, KEY_NOT_FOUND when there are entries and no key; and as `masterKey` does for a
   *   vault that cannot be used
   */
  setup(): boolean {
    return withVaultErrors(this.folder, () => {
      const isCreated = this.#ensureFiles(true);
      this.masterKey();
      return isCreated;
    });
  }

  /** Checks that the vault exists, and is closed to others. @throws CredstashError VAULT_NOT_FOUND, VAULT_PERMISSIONS, KEY_NOT_FOUND */
  check(): void {
    withVaultErrors(this.folder, () => this.#ensureFiles(false));
  }

  /** The open database, on which `use` runs. @throws CredstashError for what goes wrong with the file */
  withDatabase<T>(use: (database: Database) => T): T {
    return withVaultErrors(this.folder, () => {
      this.#database ??= this.#open();
      return use(this.#database);
    });
  }

  /** Whether there is a column of labels. */
  hasLabels(): boolean {
    return this.#hasSchema(WITH_LABELS);
  }

  /** Makes room for labels. */
  addLabels(): void {
    if (!this.hasLabels()) this.withDatabase(addLabels);
  }

  /**
   * Whether the master key is known to be this vault's. In a vault of before there were check values it is not, until
   * `proveKey` says that the key unwrapped the data key of a stored entry.
   */
  get isKeyProven(): boolean {
    return this.#isKeyProven;
  }

  proveKey(): void {
    this.#isKeyProven = true;
  }

  /**
   * Stores the check value of the master key in a vault that has none, if the key is known to be this vault's, or there is no
   * entry that is sealed with another one.
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

  /** Whether the schema is of `version` or a later one. Another process may have changed it since this one opened the vault. */
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
      // FULL: a write is on the disk before it is reported. Deleted entries are overwritten, not just let go
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
   * The master key, 32 bytes; the vault's own copy, wiped by `close`.
   *
   * @throws CredstashError KEY_UNUSABLE if it has another length, VAULT_KEY_MISMATCH if it is the key of another vault
   */
  masterKey(): Uint8Array {
    return withVaultErrors(this.folder, () => {
      if (!this.#masterKey) {
        // Opens the vault, and creates it if it may.
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

  /** The length of the master key's file. @throws CredstashError as `masterKey` does, unless it is another vault's */
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
        hint: `the first put creates it, or: credstash --local=${shellWord(this.folder)} setup`,
      });
    }
    makeFolders(this.folder, 0o700);
    // Not its chmod or chown: this may be /tmp.
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
        // A draft that is cut short is thrown away whole: it needs no journal on the disk.
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

  /** Makes a file under a name of its own, then links it to its place. Whether this call won the place. */
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
      // Somebody else was first, and may have swept this draft away.
      if (hasOwnFile(target)) return false;
      throw error;
    } finally {
      rmSync(draft, { force: true });
      syncFolder(this.folder);
    }
  }

  /** Removes the drafts of killed first writers. Both files are there, so no draft can come to be either of them. */
  #removeDrafts(): void {
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
 * Earlier releases kept a write-ahead log. SQLite turns it off for a process that has the file to itself and may write;
 * for others the vault works as it is.
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
