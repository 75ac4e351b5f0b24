import type { Entry, EntryHeader } from '../../model/entry.ts';
import { parseHeader, parseItem, encodeItem } from '../../model/item.ts';
import {
  conflict,
  type EntryStore,
  type Found,
  severalLabelled,
  versionExists,
  versionNotFound,
} from '../entry-store.ts';
import { CredstashError } from '../../errors.ts';
import { decodeUtf8 } from '../../util/utf8.ts';
import { inTransaction, type Row, type Value } from './sqlite.ts';
import { RESTORE_HINT } from './errors.ts';
import type { Vault } from './vault.ts';

// Over 250 lines: every method of EntryStore, each a transaction or a query of SQLite.

/** The columns of an entry. The first six are enough for a listing; `#select` adds the labels. */
const COLUMNS = [
  'name',
  'version',
  'cipher',
  'digest',
  'created',
  'comment',
  'key',
  'contents',
  'hmac',
];
const HEADER = COLUMNS.slice(0, 6);

/** Rows that are held at once: a page of the largest entries takes 13 MB. */
const PAGE = 32;
const HEADER_PAGE = 1000;

/**
 * The entries of a vault. Each statement is a transaction of its own. Reads go page by page and hold no cursor between
 * pages, hence no lock: a slow reader never keeps a writer waiting, and can write between two entries itself.
 */
export class LocalEntryStore implements EntryStore {
  readonly location: string;
  readonly #vault: Vault;
  readonly #signal: AbortSignal | undefined;

  constructor(vault: Vault, signal?: AbortSignal) {
    this.location = `the vault ${vault.folder}`;
    this.#vault = vault;
    this.#signal = signal;
  }

  withSignal(signal: AbortSignal): EntryStore {
    return new LocalEntryStore(this.#vault, signal);
  }

  create(entry: Entry): Promise<void> {
    return this.#run(() => {
      this.#vault.addKeyCheck();
      const changed = this.#vault.withDatabase((database) =>
        database.run(
          `INSERT INTO entries (${COLUMNS.join()}) VALUES (${COLUMNS.map(() => '?').join()})
           ON CONFLICT DO NOTHING`,
          ...toColumns(entry),
        ),
      );
      if (changed === 0) throw versionExists(entry, this.location);
    });
  }

  replace(entry: Entry, was: Entry): Promise<void> {
    return this.#run(() => {
      this.#vault.addKeyCheck();
      const changed = this.#vault.withDatabase((database) =>
        database.run(
          `UPDATE entries SET ${COLUMNS.map((column) => `${column} = ?`).join()}
           WHERE ${COLUMNS.map((column) => `${column} IS ?`).join(' AND ')}`,
          ...toColumns(entry),
          ...toColumns(was),
        ),
      );
      if (changed === 0) throw conflict(was, this.location);
    });
  }

  renumber(entry: Entry, was: Entry): Promise<void> {
    return this.#run(() => {
      const changed = this.#vault.withDatabase((database) =>
        database.run(
          `UPDATE OR IGNORE entries SET ${COLUMNS.map((column) => `${column} = ?`).join()}
           WHERE ${COLUMNS.map((column) => `${column} IS ?`).join(' AND ')}`,
          ...toColumns(entry),
          ...toColumns(was),
        ),
      );
      if (changed > 0) return;
      const isTaken =
        this.#exists(was.name, was.version) && this.#exists(entry.name, entry.version);
      throw isTaken ? versionExists(entry, this.location) : conflict(was, this.location);
    });
  }

  has(name: string, version: string): Promise<boolean> {
    return this.#run(() => this.#exists(name, version));
  }

  #exists(name: string, version: string): boolean {
    return this.#select(['version'], 'name = ? AND version = ?', name, version).length > 0;
  }

  latest(name: string): Promise<Entry | undefined> {
    return this.#run(() => {
      const [row] = this.#select(COLUMNS, 'name = ? ORDER BY entries.version DESC LIMIT 1', name);
      return row && parseItem(toItem(row));
    });
  }

  newestHeader(name: string): Promise<EntryHeader | undefined> {
    return this.#run(() => {
      const [row] = this.#select(HEADER, 'name = ? ORDER BY entries.version DESC LIMIT 1', name);
      return row && parseHeader(toItem(row));
    });
  }

  get(name: string, version: string): Promise<Entry | undefined> {
    return this.#run(() => {
      const [row] = this.#select(COLUMNS, 'name = ? AND version = ?', name, version);
      return row && parseItem(toItem(row));
    });
  }

  async *scan(prefixes: readonly string[] = ['']): AsyncGenerator<Found> {
    const condition = `(${prefixes.map(() => 'substr(name, 1, length(?)) = ?').join(' OR ')})`;
    const filter = prefixes.includes('')
      ? []
      : [condition, ...prefixes.flatMap((prefix) => [prefix, prefix])];
    for await (const row of this.#scan(COLUMNS, PAGE, ...filter)) {
      const found = toItem(row);
      yield { ...parseHeader(found), read: () => parseItem(found) };
    }
  }

  async *headers(name?: string): AsyncGenerator<EntryHeader> {
    const filter = name === undefined ? [] : ['name = ?', name];
    for await (const row of this.#scan(HEADER, HEADER_PAGE, ...filter)) {
      yield parseHeader(toItem(row));
    }
  }

  remove(
    name: string,
    version: string,
    { unlabelled = false }: { readonly unlabelled?: boolean } = {},
  ): Promise<boolean> {
    return this.#run(() => {
      const labels = this.#vault.hasLabels() ? 'labels' : 'NULL';
      const condition = unlabelled ? ` AND ${labels} IS NULL` : '';
      return (
        this.#vault.withDatabase((database) =>
          database.run(
            `DELETE FROM entries WHERE name = ? AND version = ?${condition}`,
            name,
            version,
          ),
        ) > 0
      );
    });
  }

  getByLabel(name: string, label: string): Promise<Entry | undefined> {
    return this.#run(() => {
      if (!this.#vault.hasLabels()) return undefined;
      const rows = this.#select(COLUMNS, 'name = ? AND instr(labels, ?) > 0', name, ` ${label} `);
      if (rows.length > 1) throw severalLabelled(name, label, this.location);
      return rows[0] && parseItem(toItem(rows[0]));
    });
  }

  moveLabel(name: string, label: string, version: string | undefined): Promise<string[]> {
    return this.#run(() => {
      this.#vault.addLabels();
      const mark = ` ${label} `;
      return this.#vault.withDatabase((database) =>
        inTransaction(database, () => {
          const rows = database.all(
            `SELECT CAST(version AS BLOB) version, coalesce(instr(labels, ?), 0) > 0 has
             FROM entries WHERE name = ? AND typeof(version) = 'text' ORDER BY entries.version`,
            mark,
            name,
          );
          if (version !== undefined && !rows.some((row) => readVersion(row) === version)) {
            throw versionNotFound(name, version, this.location);
          }
          database.run(
            `UPDATE entries SET labels = nullif(replace(labels, ?, ' '), ' ') WHERE name = ? AND instr(labels, ?) > 0`,
            mark,
            name,
            mark,
          );
          if (version !== undefined) {
            database.run(
              `UPDATE entries SET labels = coalesce(labels, ' ') || ? WHERE name = ? AND version = ?`,
              mark.slice(1),
              name,
              version,
            );
          }
          return rows.filter((row) => row['has'] === 1).map(readVersion);
        }),
      );
    });
  }

  #run<T>(work: () => T): Promise<T> {
    return runAsPromise(work, this.#signal);
  }

  /**
   * Yields the rows page by page. Pages continue after a rowid, because a row that was tampered with may have no name or
   * version to continue after. The rowid is selected as text, because a driver may fail on a large number.
   */
  async *#scan(
    columns: string[],
    page: number,
    where = 'TRUE',
    ...bind: Value[]
  ): AsyncGenerator<Row> {
    const after = `${where} AND entries.rowid > CAST(? AS INTEGER) ORDER BY entries.rowid LIMIT ?`;
    let last = -(2n ** 63n);
    for (;;) {
      const rows = await this.#run(() => this.#select(columns, after, ...bind, String(last), page));
      for (const row of rows) {
        const rowid = BigInt(String(row['rowid']));
        if (rowid <= last) throw this.#unordered();
        last = rowid;
        yield row;
      }
      if (rows.length < page) return;
    }
  }

  /** The error of a file that somebody crafted so that its rowids do not grow: a scan of it would never end. */
  #unordered(): CredstashError {
    return new CredstashError(
      'INTEGRITY',
      `${this.location} is damaged: its rows are not in order`,
      {
        hint: RESTORE_HINT,
      },
    );
  }

  /** Selects each column as bytes, with its type beside it: libsql ends the process on a text that is not UTF-8. */
  #select(columns: string[], where: string, ...bind: Value[]): Row[] {
    const typed = columns.map(
      (each) => `CAST(${each} AS BLOB) ${each}, typeof(${each}) ${each}_is`,
    );
    typed.push(`CAST(${this.#vault.hasLabels() ? 'labels' : 'NULL'} AS BLOB) labels`);
    return this.#vault.withDatabase((database) =>
      database.all(
        `SELECT CAST(entries.rowid AS TEXT) rowid, ${typed.join()} FROM entries WHERE ${where}`,
        ...bind,
      ),
    );
  }
}

/**
 * Runs a call, and turns its result or error into a promise.
 *
 * @param signal if it is aborted already, the call is not made, and the promise rejects with the signal's reason
 */
export function runAsPromise<T>(call: () => T | Promise<T>, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve) => {
    signal?.throwIfAborted();
    resolve(call());
  });
}

function toColumns(entry: Entry): Value[] {
  const encoded = encodeItem(entry);
  return COLUMNS.map((column) => {
    const value = encoded[column];
    if (value === undefined) return null;
    return 'S' in value ? value.S : value.B;
  });
}

/** Decodes the version of a row, which `#select` gives as bytes. */
function readVersion({ version }: Row): string {
  return (version instanceof Uint8Array ? decodeUtf8(version) : undefined) ?? '';
}

function toItem(row: Row): Record<string, unknown> {
  const attributes: Record<string, unknown> = {};
  for (const column of COLUMNS) {
    const value = row[column];
    if (!(value instanceof Uint8Array)) continue;
    const type = row[`${column}_is`];
    const text = type === 'text' ? decodeUtf8(value) : undefined;
    if (type === 'blob') attributes[column] = { B: value };
    // A number, or text that is not UTF-8: the attribute exists, with a type that no attribute of an entry has.
    else attributes[column] = text === undefined ? {} : { S: text };
  }
  const labels = row['labels'];
  if (labels instanceof Uint8Array)
    attributes['labels'] = { SS: decodeUtf8(labels)?.split(' ') ?? [] };
  return attributes;
}
