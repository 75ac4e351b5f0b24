import { CredstashError } from '../../errors.ts';
import { type Database, inTransaction, type Row } from './sqlite.ts';
import { RESTORE_HINT } from './errors.ts';

/*
 * The tables of a vault. Their version, SQLite's `user_version`, grows by one with each change. A vault of an unknown later
 * version is refused, because it could be misread.
 *
 * 1. `entries`.
 * 2. adds the column `labels` to `entries`.
 * 3. adds the table `key_check`.
 */

export const SCHEMA_VERSION = 3;
/** The first version in which entries can have labels. */
export const WITH_LABELS = 2;
/** The first version in which the vault stores a check value of its master key. */
export const WITH_KEY_CHECK = 3;

// Untyped columns: an attribute of type S is stored as TEXT, of type B as BLOB, a missing one as NULL. Labels are one TEXT
// with a space before, between and after them. The columns of listings come first, so that SQLite need not read the large ones.
const entriesSql = (labels: string): string => `CREATE TABLE entries (
    name NOT NULL, version NOT NULL, cipher, digest, created, comment, key, contents, hmac,${labels}
    PRIMARY KEY (name, version)
  )`;
const ENTRIES = entriesSql(' labels,');
const KEY_CHECK = 'CREATE TABLE key_check (value NOT NULL)';

/** A row of `sqlite_schema`: an object's type, name, table and SQL. */
type SchemaObject = readonly [type: string, name: string, table: string, sql: string];

const INDEX: SchemaObject = ['index', 'sqlite_autoindex_entries_1', 'entries', ''];
const OBJECTS: Readonly<Record<number, readonly SchemaObject[]>> = {
  1: [INDEX, ['table', 'entries', 'entries', entriesSql('')]],
  2: [INDEX, ['table', 'entries', 'entries', ENTRIES]],
  3: [
    INDEX,
    ['table', 'entries', 'entries', ENTRIES],
    ['table', 'key_check', 'key_check', KEY_CHECK],
  ],
};

/** Creates the tables of a new vault. */
export function createSchema(database: Database, keyCheck: Uint8Array): void {
  database.exec(ENTRIES);
  createKeyCheck(database, keyCheck);
}

/** Adds the column of labels to a vault of version 1, unless another process has just done so. */
export function addLabels(database: Database): void {
  inTransaction(database, () => {
    if (readSchemaVersion(database) >= WITH_LABELS) return;
    addLabelsColumn(database);
    database.exec(`PRAGMA user_version = ${WITH_LABELS}`);
  });
}

/**
 * Stores the check value of the master key in an older vault, unless another process has just done so.
 *
 * @param ifEmpty whether to store it only if the vault has no entries
 */
export function addKeyCheck(database: Database, keyCheck: Uint8Array, ifEmpty: boolean): void {
  inTransaction(database, () => {
    const version = readSchemaVersion(database);
    if (version >= WITH_KEY_CHECK) return;
    if (ifEmpty && database.all('SELECT 1 FROM entries LIMIT 1').length > 0) return;
    if (version < WITH_LABELS) addLabelsColumn(database);
    createKeyCheck(database, keyCheck);
  });
}

function createKeyCheck(database: Database, keyCheck: Uint8Array): void {
  // A literal, because libsql takes a single Uint8Array for an object of named parameters, and ends the process.
  const literal = `x'${Buffer.from(keyCheck).toString('hex')}'`;
  database.exec(
    `${KEY_CHECK}; INSERT INTO key_check VALUES (${literal}); PRAGMA user_version = ${WITH_KEY_CHECK}`,
  );
}

function addLabelsColumn(database: Database): void {
  database.exec('ALTER TABLE entries ADD COLUMN labels');
}

/** Reads the version of a vault's tables. */
export function readSchemaVersion(database: Database): number {
  return Number(database.all('PRAGMA user_version')[0]?.['user_version']);
}

/** Reads the check value of a vault of version 3. @throws CredstashError INTEGRITY if it is missing or damaged */
export function readKeyCheck(database: Database, folder: string): Uint8Array {
  const rows = database.all('SELECT CAST(value AS BLOB) value FROM key_check LIMIT 2');
  const value = rows[0]?.['value'];
  if (rows.length === 1 && value instanceof Uint8Array) return value;
  throw new CredstashError(
    'INTEGRITY',
    `the vault ${folder} is damaged: it has ${rows.length === 0 ? 'no check value' : 'several check values'} of its master key`,
    { hint: RESTORE_HINT },
  );
}

/**
 * Checks that the database has exactly the tables that credstash creates. Any other view, trigger, index, default or
 * generated column would run SQL that the author of the file chose.
 *
 * @returns the version of the tables
 * @throws CredstashError INTEGRITY if the version is unknown or an object differs
 */
export function checkSchema(database: Database, folder: string): number {
  // One transaction, so that all three reads see the same state: another process may upgrade the vault meanwhile.
  const found = inTransaction(
    database,
    () => ({
      version: readSchemaVersion(database),
      encoding: database.all('PRAGMA encoding')[0]?.['encoding'],
      // Bytes, because libsql ends the process on a text that is not UTF-8.
      rows: database.all(
        `SELECT CAST(type AS BLOB) type, CAST(name AS BLOB) name, CAST(tbl_name AS BLOB) tbl, CAST(sql AS BLOB) sql
         FROM sqlite_schema LIMIT ${MAX_OBJECTS}`,
      ),
    }),
    'DEFERRED',
  );
  const expected = OBJECTS[found.version];
  if (!expected) {
    throw new CredstashError(
      'INTEGRITY',
      `the vault ${folder} has schema ${found.version}, this credstash knows ${SCHEMA_VERSION}`,
    );
  }
  const objects = found.rows.map(toSchemaObject);
  const isKnown = (object: SchemaObject): boolean =>
    expected.some((each) => isSameObject(each, object));
  const strange = objects
    .filter((object) => !isKnown(object))
    .map(([type, name]) => `${type} ${name}`);
  const isWhole = expected.every((each) => objects.some((object) => isSameObject(each, object)));
  if (isWhole && objects.length === expected.length && found.encoding === 'UTF-8') {
    return found.version;
  }
  throw new CredstashError(
    'INTEGRITY',
    strange.length === 0
      ? `the vault ${folder} is damaged: its tables are not those of schema ${found.version}`
      : `the vault ${folder} holds what credstash did not make: ${strange.join(', ')}`,
    { hint: `${RESTORE_HINT}, and do not trust it until you know who wrote to it` },
  );
}

/** More objects than any vault has. */
const MAX_OBJECTS = 8;

function toSchemaObject(row: Row): SchemaObject {
  const text = (column: string): string => {
    const bytes = row[column];
    return bytes instanceof Uint8Array ? Buffer.from(bytes).toString() : '';
  };
  return [text('type'), text('name'), text('tbl'), text('sql')];
}

/** Compares two objects. White space does not count, because it has no meaning in SQL. */
function isSameObject(one: SchemaObject, other: SchemaObject): boolean {
  return one.every((each, i) => collapseSpaces(each) === collapseSpaces(other[i] ?? ''));
}

function collapseSpaces(sql: string): string {
  return sql.replace(/\s+/g, ' ').replace(/\( | (?=\))/g, (match) => match.trim());
}
