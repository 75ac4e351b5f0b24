import { isDeepStrictEqual } from 'node:util';
import type { AnyItem, Entry, EntryHeader } from '../../model/entry.ts';
import { checkItemSize, encodeItem, parseHeader, parseItem } from '../../model/item.ts';
import { compareUtf8 } from '../../util/utf8.ts';
import {
  conflict,
  type EntryStore,
  type Found,
  severalLabelled,
  versionExists,
  versionNotFound,
} from '../entry-store.ts';

/** Items by the JSON of their name and version, encoded as a table holds them. */
export type MemoryItems = Map<string, AnyItem>;

/** Entries in a Map. They are encoded and parsed as a table's are, so that nobody shares an array with the store. */
export class MemoryEntryStore implements EntryStore {
  readonly location = 'memory';
  readonly #items: MemoryItems;
  readonly #signal: AbortSignal | undefined;

  constructor(items: MemoryItems, signal?: AbortSignal) {
    this.#items = items;
    this.#signal = signal;
  }

  withSignal(signal: AbortSignal): EntryStore {
    return new MemoryEntryStore(this.#items, signal);
  }

  create(entry: Entry): Promise<void> {
    return this.#run(() => {
      checkItemSize(entry);
      if (this.#items.has(idOf(entry))) throw versionExists(entry, this.location);
      this.#items.set(idOf(entry), copyItem(encodeItem(entry)));
    });
  }

  replace(entry: Entry, was: Entry): Promise<void> {
    return this.#run(() => {
      checkItemSize(entry);
      this.#move(entry, was);
    });
  }

  renumber(entry: Entry, was: Entry): Promise<void> {
    return this.#run(() => {
      checkItemSize(entry);
      if (this.#items.has(idOf(was)) && this.#items.has(idOf(entry))) {
        throw versionExists(entry, this.location);
      }
      this.#move(entry, was);
    });
  }

  /** Puts `entry` in the place of `was`. The labels, and attributes that the format does not name, go along. */
  #move(entry: Entry, was: Entry): void {
    const found = this.#items.get(idOf(was));
    const before = was.stored ?? encodeItem(was);
    if (!found || !FORMAT.every((name) => isSame(found[name], before[name]))) {
      throw conflict(was, this.location);
    }
    const kept = Object.entries(found).filter(([name]) => !FORMAT.includes(name));
    this.#items.delete(idOf(was));
    this.#items.set(idOf(entry), {
      ...Object.fromEntries(kept),
      ...copyItem(encodeItem(entry)),
    });
  }

  has(name: string, version: string): Promise<boolean> {
    return this.#run(() => this.#items.has(idOf({ name, version })));
  }

  latest(name: string): Promise<Entry | undefined> {
    return this.#run(() => {
      const item = this.#versionsOf(name).at(-1);
      return item && parse(item);
    });
  }

  newestHeader(name: string): Promise<EntryHeader | undefined> {
    return this.#run(() => {
      const item = this.#versionsOf(name).at(-1);
      return item && parseHeader(item);
    });
  }

  get(name: string, version: string): Promise<Entry | undefined> {
    return this.#run(() => {
      const item = this.#items.get(idOf({ name, version }));
      return item && parse(item);
    });
  }

  async *scan(prefixes: readonly string[] = ['']): AsyncGenerator<Found> {
    for (const item of await this.#run(() => [...this.#items.values()])) {
      const header = parseHeader(item);
      if (!prefixes.some((prefix) => header.name.startsWith(prefix))) continue;
      yield { ...header, read: () => parse(item) };
    }
  }

  async *headers(name?: string): AsyncGenerator<EntryHeader> {
    const items = await this.#run(() =>
      name === undefined ? [...this.#items.values()] : this.#versionsOf(name),
    );
    for (const item of items) yield parseHeader(item);
  }

  remove(
    name: string,
    version: string,
    { unlabelled = false }: { readonly unlabelled?: boolean } = {},
  ): Promise<boolean> {
    return this.#run(() => {
      const id = idOf({ name, version });
      const item = this.#items.get(id);
      if (!item || (unlabelled && parseHeader(item).labels)) return false;
      return this.#items.delete(id);
    });
  }

  getByLabel(name: string, label: string): Promise<Entry | undefined> {
    return this.#run(() => {
      const [item, other] = this.#versionsOf(name).filter((each) => hasLabel(each, label));
      if (other) throw severalLabelled(name, label, this.location);
      return item && parse(item);
    });
  }

  moveLabel(name: string, label: string, version: string | undefined): Promise<string[]> {
    return this.#run(() => {
      const items = this.#versionsOf(name).map((item) => ({ item, ...parseHeader(item) }));
      if (version !== undefined && !items.some((each) => each.version === version)) {
        throw versionNotFound(name, version, this.location);
      }
      const before = items.filter(({ item }) => hasLabel(item, label));
      for (const { item, labels: had = [], ...header } of items) {
        const { labels: _, ...rest } = item;
        const labels = had.filter((each) => each !== label);
        if (header.version === version) labels.push(label);
        const moved = labels.length > 0 ? { ...rest, labels: { SS: labels } } : rest;
        this.#items.set(idOf(header), moved);
      }
      return before.map((each) => each.version);
    });
  }

  /** The items of one name, the lowest version first. */
  #versionsOf(name: string): AnyItem[] {
    return [...this.#items.values()]
      .map((item) => ({ item, ...parseHeader(item) }))
      .filter((each) => each.name === name)
      .sort((a, b) => compareUtf8(a.version, b.version))
      .map(({ item }) => item);
  }

  /** The promise of what is done at once: what `work` throws rejects. */
  #run<T>(work: () => T): Promise<T> {
    return new Promise((resolve) => {
      this.#signal?.throwIfAborted();
      resolve(work());
    });
  }
}

/** The attributes that an entry is made of. Labels are not one of them: they move by themselves. */
const FORMAT = [
  ...['name', 'version', 'cipher', 'digest', 'created', 'comment'],
  ...['key', 'contents', 'hmac'],
];

function idOf({ name, version }: { readonly name: string; readonly version: string }): string {
  return JSON.stringify([name, version]);
}

function hasLabel(item: AnyItem, label: string): boolean {
  return parseHeader(item).labels?.includes(label) ?? false;
}

/** The caller's own entry: what it does with the bytes changes nothing here. */
function parse(item: AnyItem): Entry {
  return parseItem(copyItem(item));
}

/** Copies each attribute with its bytes. */
function copyItem(item: AnyItem): AnyItem {
  return structuredClone(item);
}

function isSame(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(structuredClone(a), structuredClone(b));
}
