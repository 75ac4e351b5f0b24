import {
  type Attribute,
  encodeItem,
  type Entry,
  type EntryHeader,
  parseHeader,
  parseItem,
} from '../../entry.ts';
import { conflict, type EntryStore, type Found, versionExists } from '../entry-store.ts';
import type { Row, Value } from './driver.ts';
import { settle } from './settle.ts';
import type { Vault } from './vault.ts';

const HEADER = ['name', 'version', 'cipher', 'digest', 'created', 'comment'];
const COLUMNS = [...HEADER, 'key', 'contents', 'hmac'];

/** Rows to hold at once: a page of the largest entries takes 13 MB. */
const PAGE = 32;
const HEADER_PAGE = 1000;

/**
 * The entries of a vault. Each statement is a transaction of its own. Reads go page by page and hold no cursor, and
 * so no lock, between pages: a slow reader never keeps a writer waiting, and may write between two entries.
 */
export class LocalEntryStore implements EntryStore {
  readonly location: string;
  readonly #vault: Vault;

  constructor(vault: Vault) {
    this.location = `the vault ${vault.folder}`;
    this.#vault = vault;
  }

  create(entry: Entry): Promise<void> {
    return settle(() => {
      const changed = this.#vault.withDatabase((database) =>
        database.run(
          `INSERT INTO entries (${COLUMNS.join()}) VALUES (${COLUMNS.map(() => '?').join()})
           ON CONFLICT DO NOTHING`,
          ...values(entry),
        ),
      );
      if (changed === 0) throw versionExists(entry, this.location);
    });
  }

  replace(entry: Entry, was: Entry): Promise<void> {
    return settle(() => {
      const changed = this.#vault.withDatabase((database) =>
        database.run(
          `UPDATE entries SET ${COLUMNS.map((column) => `${column} = ?`).join()}
           WHERE ${COLUMNS.map((column) => `${column} IS ?`).join(' AND ')}`,
          ...values(entry),
          ...values(was),
        ),
      );
      if (changed === 0) throw conflict(was, this.location);
    });
  }

  latest(name: string): Promise<Entry | undefined> {
    return settle(() => {
      const [row] = this.#select(COLUMNS, 'name = ? ORDER BY version DESC LIMIT 1', name);
      return row && parseItem(item(row));
    });
  }

  at(name: string, version: string): Promise<Entry | undefined> {
    return settle(() => {
      const [row] = this.#select(COLUMNS, 'name = ? AND version = ?', name, version);
      return row && parseItem(item(row));
    });
  }

  async *versions(name: string): AsyncGenerator<Entry> {
    const below = 'name = ? AND (? IS NULL OR version < ?) ORDER BY version DESC LIMIT ?';
    let last: Value = null;
    for (;;) {
      const rows = await settle(() => this.#select(COLUMNS, below, name, last, last, PAGE));
      for (const row of rows) yield parseItem(item(row));
      if (rows.length < PAGE) return;
      last = rows.at(-1)?.['version'] ?? null;
    }
  }

  async *all(prefix = ''): AsyncGenerator<Found> {
    // Names are in the order of their bytes: those with the prefix stand together, from the prefix on.
    for await (const row of this.#scan(COLUMNS, PAGE, { from: prefix })) {
      const found = item(row);
      const { name, version } = parseHeader(found);
      if (!name.startsWith(prefix)) return;
      yield { name, version, read: () => parseItem(found) };
    }
  }

  async *headers(name?: string): AsyncGenerator<EntryHeader> {
    for await (const row of this.#scan(HEADER, HEADER_PAGE, name === undefined ? {} : { name })) {
      yield parseHeader(item(row));
    }
  }

  remove(name: string, version: string): Promise<boolean> {
    return settle(
      () =>
        this.#vault.withDatabase((database) =>
          database.run('DELETE FROM entries WHERE name = ? AND version = ?', name, version),
        ) > 0,
    );
  }

  /** @param where the one name, or the first of the names */
  async *#scan(
    columns: string[],
    page: number,
    where: { readonly name?: string; readonly from?: string },
  ): AsyncGenerator<Row> {
    const { name, from = '' } = where;
    const after = `(name, version) > (?, ?) ${name === undefined ? '' : 'AND name = ?'}
                   ORDER BY name, version LIMIT ?`;
    let last: Value[] = [name ?? from, ''];
    for (;;) {
      const rows = await settle(() =>
        this.#select(columns, after, ...last, ...(name === undefined ? [] : [name]), page),
      );
      yield* rows;
      const end = rows.at(-1);
      if (rows.length < page || !end) return;
      last = [end['name'] ?? '', end['version'] ?? ''];
    }
  }

  #select(columns: string[], where: string, ...bind: Value[]): Row[] {
    return this.#vault.withDatabase((database) =>
      database.all(`SELECT ${columns.join()} FROM entries WHERE ${where}`, ...bind),
    );
  }
}

function values(entry: Entry): Value[] {
  const encoded = encodeItem(entry);
  return COLUMNS.map((column) => {
    const value = encoded[column];
    if (value === undefined) return null;
    return 'S' in value ? value.S : value.B;
  });
}

function item(row: Row): Record<string, Attribute> {
  const attributes: Record<string, Attribute> = {};
  for (const [column, value] of Object.entries(row)) {
    if (typeof value === 'string') attributes[column] = { S: value };
    else if (value instanceof Uint8Array) attributes[column] = { B: value };
  }
  return attributes;
}
