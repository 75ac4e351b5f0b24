import { CredstashError } from '../../errors.ts';
import { canOpenFiles } from '../../util/system-faults.ts';

/*
 * The only file that knows which SQLite is used: `node:sqlite` if the runtime has it without a flag (Node.js 22.13 and
 * later), otherwise the optional dependency `libsql`. Their interfaces differ only in blobs and errors.
 */

/** The value of a column. */
export type Value = string | Uint8Array | number | null;
export type Row = Readonly<Record<string, Value>>;

export interface Database {
  exec(sql: string): void;
  /** Runs a statement that writes. A single value must not be a Uint8Array: libsql would end the process. @returns the number of rows it changed */
  run(sql: string, ...values: Value[]): number;
  all(sql: string, ...values: Value[]): Row[];
  close(): void;
}

/** A failure of SQLite (https://www.sqlite.org/rescode.html). */
export class SqliteError extends Error {
  override readonly name = 'SqliteError';
  /** The primary result code: the low byte of the extended one. */
  readonly code: number;
  readonly extendedCode: number;

  constructor(extendedCode: number, message: string) {
    super(message);
    this.code = extendedCode & 0xff;
    this.extendedCode = extendedCode;
  }
}

interface Driver {
  prepare(sql: string): {
    run(...values: Value[]): { changes: number | bigint };
    all(...values: Value[]): unknown[];
  };
  exec(sql: string): void;
  close(): void;
  /** Only later releases of node:sqlite have it. */
  enableDefensive?(active: boolean): void;
}

/**
 * Opens a database file. SQLite opens it read-only if this process may read it but not write it. The file is not trusted:
 * https://www.sqlite.org/security.html#untrusted_sqlite_database_files.
 *
 * @throws SqliteError, here and in every method
 * @throws CredstashError UNEXPECTED if this runtime has no SQLite and `libsql` is not installed
 */
export function openDatabase(path: string): Database {
  const Driver = loadDriver();
  // libsql sets no code if it cannot open a file. 14 is SQLITE_CANTOPEN.
  const driver = withSqliteError(() => new Driver(path), 14);
  withSqliteError(() => {
    driver.enableDefensive?.(true);
    driver.exec('PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0');
  });
  return {
    exec: (sql) => {
      withSqliteError(() => {
        driver.exec(sql);
      });
    },
    run: (sql, ...values) =>
      withSqliteError(() => Number(driver.prepare(sql).run(...values).changes)),
    all: (sql, ...values) =>
      withSqliteError(() => (driver.prepare(sql).all(...values) as RawRow[]).map(toUint8Arrays)),
    close: () => {
      driver.close();
    },
  };
}

/**
 * Runs `work` as one transaction, and returns its result. An error rolls the transaction back.
 *
 * @param kind IMMEDIATE takes the write lock at once; DEFERRED is for `work` that only reads
 */
export function inTransaction<T>(
  database: Database,
  work: () => T,
  kind: 'IMMEDIATE' | 'DEFERRED' = 'IMMEDIATE',
): T {
  database.exec(`BEGIN ${kind}`);
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    try {
      database.exec('ROLLBACK');
    } catch (other) {
      // SQLite rolls back by itself on a full disk. The first error is the one to report.
      if (!(other instanceof SqliteError)) throw other;
    }
    throw error;
  }
}

type RawRow = Record<string, Value | ArrayBuffer>;

/** libsql returns blobs as ArrayBuffer. */
function toUint8Arrays(row: RawRow): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      value instanceof ArrayBuffer ? new Uint8Array(value) : value,
    ]),
  );
}

function loadDriver(): new (path: string) => Driver {
  return loadNodeSqlite() ?? loadLibsql();
}

function loadNodeSqlite(): (new (path: string) => Driver) | undefined {
  // Suppresses the ExperimentalWarning of Node.js 22 and 24. It is emitted during this synchronous call, so that no other
  // warning is lost.
  const emitWarning = process.emitWarning.bind(process);
  process.emitWarning = () => undefined;
  try {
    const sqlite = process.getBuiltinModule('node:sqlite') as
      | { DatabaseSync: new (path: string) => Driver }
      | undefined;
    return sqlite?.DatabaseSync;
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** How many files libsql opens to load and to open a database. If it cannot, it ends the process in a panic. */
const LIBSQL_FILES = 7;

function loadLibsql(): new (path: string) => Driver {
  if (!canOpenFiles(LIBSQL_FILES)) throw Object.assign(new Error('EMFILE'), { code: 'EMFILE' });
  try {
    return requireLibsql();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_DLOPEN_DISABLED') {
      throw new CredstashError(
        'UNEXPECTED',
        'the local vault needs the addon libsql, and Node.js runs without addons',
        {
          hint: 'run it without --no-addons, or with --allow-addons if Node.js has its permission model on, or use Node.js 22.13 or later',
          cause,
        },
      );
    }
    throw new CredstashError(
      'UNEXPECTED',
      'the local vault needs SQLite, which this Node.js lacks',
      {
        hint: 'use Node.js 22.13 or later, or install the optional dependency: npm install libsql',
        cause,
      },
    );
  }
}

/**
 * Loads `libsql` from the `node_modules` that this file, or the bundle that it is in, has access to. A bundler must not follow
 * this: it cannot bundle a native addon. So `createRequire` is not imported.
 */
function requireLibsql(): new (path: string) => Driver {
  const { createRequire } = process.getBuiltinModule('node:module');
  // In a bundle in CommonJS `import.meta` is empty, or has the path of the machine that built it.
  const file = typeof __filename === 'string' ? __filename : import.meta.url;
  return createRequire(file)('libsql') as new (path: string) => Driver;
}

function withSqliteError<T>(call: () => T, otherwise = 0): T {
  try {
    return call();
  } catch (error) {
    // The extended result code is `errcode` in node:sqlite, `rawCode` in libsql.
    const { errcode, rawCode } = error as { errcode?: unknown; rawCode?: unknown };
    const code = typeof errcode === 'number' ? errcode : rawCode;
    throw new SqliteError(
      typeof code === 'number' ? code : otherwise,
      error instanceof Error ? error.message : String(error),
    );
  }
}
