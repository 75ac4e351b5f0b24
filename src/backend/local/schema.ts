import { CredstashError } from '../../errors.ts';
import { type Database, inTransaction, type Row } from './sqlite.ts';
import { RESTORE_HINT } from './errors.ts';

/*
 * The tables of a vault. Its version, SQLite's `user_version`, grows by one with each change; a vault of a later version is
 * refused rather than misread.
 *
 * 1. `entries`.
 * 2. `entries` with the column `labels`.
 * 3. `key_check` too.
 */

export const SCHEMA_VERSION = 3;
/** The version from which on entries can have labels. */
export const WITH_LABELS = 2;
/** The version from which on the vault can tell its master key from another one. */
export const WITH_KEY_CHECK = 3;

// Untyped columns: an attribute of type S is stored as TEXT, of type B as BLOB, a missing one as NULL; labels as a TEXT
// with a space before, between and after them. The columns of listings come before the large ones, so that SQLite need not fetch those.
const entriesSql = (labels: string): string => `CREATE TABLE entries (
    name NOT NULL, version NOT NULL, cipher, digest, created, comment, key, contents, hmac,${labels}
    PRIMARY KEY (name, version)
  )`;
const ENTRIES = entriesSql(' labels,');
const KEY_CHECK = 'CREATE TABLE key_check (value NOT NULL)';

/** An object of a database: its type, name, table and SQL, as `sqlite_schema` has them. */
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

/** Makes the tables of a new vault. */
export function createSchema(database: Database, keyCheck: Uint8Array): void {
  database.exec(ENTRIES);
  createKeyCheck(database, keyCheck);
}

/** Makes room for labels in a vault of version 1, unless somebody else has done it meanwhile. */
export function addLabels(database: Database): void {
  inTransaction(database, () => {
    if (readSchemaVersion(database) >= WITH_LABELS) return;
    addLabelsColumn(database);
    database.exec(`PRAGMA user_version = ${WITH_LABELS}`);
  });
}

/**
 * Stores the check value of the master key in an older vault, unless somebody else has done it meanwhile.
 *
 * @param ifEmpty whether to do so only if the vault has no entry
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
  // A literal: libsql takes one Uint8Array by itself for an object of named parameters, and ends the process.
  const literal = `x'${Buffer.from(keyCheck).toString('hex')}'`;
  database.exec(
    `${KEY_CHECK}; INSERT INTO key_check VALUES (${literal}); PRAGMA user_version = ${WITH_KEY_CHECK}`,
  );
}

function addLabelsColumn(database: Database): void {
  database.exec('ALTER TABLE entries ADD COLUMN labels');
}

/** The version of a vault's tables. */
export function readSchemaVersion(database: Database): number {
  return Number(database.all('PRAGMA user_version')[0]?.['user_version']);
}

/** The check value of a vault of version 3. @throws CredstashError INTEGRITY if it is damaged */
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
 * The version of a vault's tables, which are exactly those that credstash makes. A view, a trigger, an index, a default or a
 * generated column would run what the author of the file wrote into it.
 *
 * @throws CredstashError INTEGRITY
 */
export function checkSchema(database: Database, folder: string): number {
  // A reader sees the database as it is at one moment: another process may change it from one version to the next.
  const found = inTransaction(
    database,
    () => ({
      version: readSchemaVersion(database),
      encoding: database.all('PRAGMA encoding')[0]?.['encoding'],
      // As bytes, because libsql ends the process on a text that is not UTF-8.
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

/** More than any vault has. */
const MAX_OBJECTS = 8;

function toSchemaObject(row: Row): SchemaObject {
  const text = (column: string): string => {
    const bytes = row[column];
    return bytes instanceof Uint8Array ? Buffer.from(bytes).toString() : '';
  };
  return [text('type'), text('name'), text('tbl'), text('sql')];
}

/** White space means nothing in SQL. */
function isSameObject(one: SchemaObject, other: SchemaObject): boolean {
  return one.every((each, i) => collapseSpaces(each) === collapseSpaces(other[i] ?? ''));
}

function collapseSpaces(sql: string): string {
  return sql.replace(/\s+/g, ' ').replace(/\( | (?=\))/g, (match) => match.trim());
}
