/** The memory backend for unit tests of operations: records each call, and keeps each data key that it hands out. */
import { randomBytes } from 'node:crypto';
import type { Backend } from '../../src/backend/backend.ts';
import type { EntryStore } from '../../src/backend/entry-store.ts';
import type { KeyService } from '../../src/backend/key-service.ts';
import { openMemory } from '../../src/backend/memory/index.ts';
import type { Entry } from '../../src/model/entry.ts';

/** To let a call fail, override one method of `keys` or `entries` with `vi.spyOn`. */
export class RecordedBackend implements Backend {
  /** What was called, in order: `generate`, `create 0000000000000000001`. A test sets it to `[]` to start anew. */
  calls: string[] = [];
  /** Every data key that was handed out, to see that it was wiped. */
  handedOut: Uint8Array[] = [];
  /** The same backend without a record, for what a test itself looks up and changes. */
  readonly memory = openMemory();
  readonly keys: KeyService = this.#recordKeys(this.memory.keys);
  readonly entries: EntryStore = this.#recordEntries(this.memory.entries);

  /** Stores an entry that no key opens. */
  async plant(name: string, version: string): Promise<void> {
    await this.memory.entries.create({
      name,
      version,
      cipher: 'AES-256-GCM',
      digest: 'SHA256',
      created: '2026-01-01T00:00:00Z',
      key: randomBytes(92),
      contents: randomBytes(28),
      hmac: randomBytes(32),
    });
  }

  /** Lists name and version of each entry, the oldest write first. */
  async listIds(): Promise<string[]> {
    const ids: string[] = [];
    for await (const { name, version } of this.memory.entries.scan())
      ids.push(`${name} ${version}`);
    return ids;
  }

  /** The entry as it is stored. */
  async read(name: string, version: string): Promise<Entry> {
    const entry = await this.memory.entries.get(name, version);
    if (!entry) throw new Error(`${name} ${version} is not stored`);
    return entry;
  }

  /** Removes an entry, and returns it. */
  async take(name: string, version: string): Promise<Entry> {
    const entry = await this.read(name, version);
    await this.memory.entries.remove(name, version);
    return entry;
  }

  /** Changes attributes of an entry, as somebody who can write to the table. */
  async tamper(name: string, version: string, changes: Partial<Entry>): Promise<void> {
    const entry = await this.read(name, version);
    await this.memory.entries.replace({ ...entry, ...changes }, entry);
  }

  #recordKeys(keys: KeyService): KeyService {
    const recorded: KeyService = {
      warmUp: () => {
        keys.warmUp();
      },
      generate: async (context) => {
        this.calls.push('generate');
        const dataKey = await keys.generate(context);
        this.handedOut.push(dataKey.plaintext);
        return dataKey;
      },
      unwrap: async (wrapped, context) => {
        this.calls.push('unwrap');
        const plaintext = await keys.unwrap(wrapped, context);
        this.handedOut.push(plaintext);
        return plaintext;
      },
      wrap: (plaintext, context) => {
        this.calls.push('wrap');
        return keys.wrap(plaintext, context);
      },
      rewrap: (wrapped, context) => {
        this.calls.push('rewrap');
        return keys.rewrap(wrapped, context);
      },
      // Nothing in memory waits, so that a signal has nothing to end; and what a test overrides stays overridden.
      withSignal: () => recorded,
    };
    return recorded;
  }

  #recordEntries(entries: EntryStore): EntryStore {
    const record = (call: string): EntryStore => {
      this.calls.push(call);
      return entries;
    };
    const recorded: EntryStore = {
      location: entries.location,
      create: (entry) => record(`create ${entry.version}`).create(entry),
      replace: (entry, was) => record(`replace ${was.version}`).replace(entry, was),
      renumber: (entry, was) => record(`renumber ${was.version}`).renumber(entry, was),
      has: (name, version) => record(`has ${version}`).has(name, version),
      latest: (name) => record('latest').latest(name),
      newestHeader: (name) => record('newest header').newestHeader(name),
      get: (name, version) => record(`at ${version}`).get(name, version),
      scan: (prefixes = ['']) => record(`all ${prefixes.join()}`).scan(prefixes),
      headers: (name) => record('headers').headers(name),
      remove: (name, version, options) =>
        record(`remove ${version}`).remove(name, version, options),
      getByLabel: (name, label) => record(`label ${label}`).getByLabel(name, label),
      moveLabel: (name, label, version) => record(`move ${label}`).moveLabel(name, label, version),
      withSignal: () => recorded,
    };
    return recorded;
  }
}
