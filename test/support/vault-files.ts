import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDatabase } from '../../src/backend/local/sqlite.ts';

/*
 * Vaults that somebody made or changed past credstash.
 */

/** Runs SQL on the database of the vault in `folder`. */
export function execute(folder: string, sql: string): void {
  const database = openDatabase(join(folder, 'vault.db'));
  database.exec(sql);
  database.close();
}

/** Makes a vault one of an earlier release. */
export function makeOlder(folder: string, version: 1 | 2): void {
  if (version === 1) execute(folder, 'ALTER TABLE entries DROP COLUMN labels');
  execute(folder, `DROP TABLE key_check; PRAGMA user_version = ${version}`);
}

/** Puts a copy of the vault in `from` into the new folder `to`. */
export function copyVault(from: string, to: string): void {
  mkdirSync(to, { mode: 0o700 });
  for (const file of readdirSync(from)) copyFileSync(join(from, file), join(to, file));
}

/**
 * Copies the vault in `from`, as it is on the disk when a writer is killed in the middle of a commit: with a journal that the
 * next one to open it plays back.
 */
export function copyInCommit(from: string, to: string): void {
  const database = openDatabase(join(from, 'vault.db'));
  // A cache of one page spills into the file before the commit, and the journal reaches the disk before that.
  database.exec('PRAGMA cache_size = 1; BEGIN');
  database.exec('UPDATE entries SET comment = hex(zeroblob(40000)), contents = zeroblob(40000)');
  copyVault(from, to);
  database.exec('ROLLBACK');
  database.close();
}

/** Appends the name of a super-journal to a journal, as a transaction over several databases does. */
export function nameSuperJournal(journal: string, path: string): void {
  const name = Buffer.from(path);
  const end = Buffer.alloc(16);
  end.writeUInt32BE(name.length, 0);
  end.writeUInt32BE(
    name.reduce((sum, byte) => sum + byte, 0),
    4,
  );
  Buffer.from('d9d505f920a163d7', 'hex').copy(end, 8);
  // The page of the lock byte, at 1 GB, which no journal has the content of.
  const page = Buffer.alloc(4);
  page.writeUInt32BE(0x40000000 / 4096 + 1);
  writeFileSync(journal, Buffer.concat([readFileSync(journal), page, name, end]));
}

/** What runs for ever, unless it is refused. */
const ENDLESS = 'WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i) SELECT n FROM i';

/** SQL that leaves a vault with what credstash does not make, by what it is. */
export const FOREIGN: Readonly<Record<string, string>> = {
  'a view in the place of the table': `ALTER TABLE entries RENAME TO real;
    CREATE VIEW entries AS SELECT n name, n version, n cipher, n digest, n created, n comment, n key, n contents, n hmac, n labels
      FROM (${ENDLESS})`,
  'a view beside it': `CREATE VIEW other AS ${ENDLESS}`,
  "a view with the name of one of SQLite's own tables": `CREATE VIEW pragma_user_version AS ${ENDLESS}`,
  'a trigger that adds a row': `CREATE TRIGGER t AFTER INSERT ON entries BEGIN
    INSERT INTO entries (name, version) SELECT n, n FROM (${ENDLESS}); END`,
  'a trigger that deletes': `CREATE TRIGGER t AFTER UPDATE ON entries BEGIN DELETE FROM entries; END`,
  'a trigger before a delete': `CREATE TRIGGER t BEFORE DELETE ON entries BEGIN SELECT RAISE(IGNORE); END`,
  'another table': 'CREATE TABLE other (x)',
  'the statistics of ANALYZE': 'ANALYZE',
  'a virtual table': 'CREATE VIRTUAL TABLE other USING fts5(x)',
  'an index': 'CREATE INDEX other ON entries (comment)',
  'an index over an expression': 'CREATE INDEX other ON entries (abs(length(name)))',
  'a partial index': "CREATE UNIQUE INDEX other ON entries (name) WHERE comment LIKE '%x%'",
  'another column': 'ALTER TABLE entries ADD COLUMN other',
  'a column with a default': 'ALTER TABLE entries ADD COLUMN other DEFAULT 5',
  'a generated column': 'ALTER TABLE entries ADD COLUMN other AS (hex(zeroblob(900000000)))',
  'a table with a check': `ALTER TABLE entries RENAME TO old; CREATE TABLE entries (
    name NOT NULL, version NOT NULL, cipher, digest, created, comment, key, contents, hmac, labels,
    PRIMARY KEY (name, version), CHECK (length(hex(zeroblob(9))) > 0)
  ); INSERT INTO entries SELECT * FROM old; DROP TABLE old`,
  'a table without rowids': `ALTER TABLE entries RENAME TO old; CREATE TABLE entries (
    name NOT NULL, version NOT NULL, cipher, digest, created, comment, key, contents, hmac, labels,
    PRIMARY KEY (name, version)
  ) WITHOUT ROWID; INSERT INTO entries SELECT * FROM old; DROP TABLE old`,
  'columns of other collations': `ALTER TABLE entries RENAME TO old; CREATE TABLE entries (
    name NOT NULL COLLATE NOCASE, version NOT NULL, cipher, digest, created, comment, key, contents, hmac, labels,
    PRIMARY KEY (name, version)
  ); INSERT INTO entries SELECT * FROM old; DROP TABLE old`,
  'no check value of its key': 'DROP TABLE key_check',
  'the schema of an older version, and labels': 'DROP TABLE key_check; PRAGMA user_version = 1',
  'a check value that is a view': `DROP TABLE key_check; CREATE VIEW key_check AS SELECT n value FROM (${ENDLESS})`,
};
