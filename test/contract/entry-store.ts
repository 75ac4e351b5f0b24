import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { EntryStore } from '../../src/backend/entry-store.ts';
import type { Entry } from '../../src/model/entry.ts';
import { encodeItem } from '../../src/model/item.ts';
import { collect } from '../support/collect.ts';
import { v } from '../support/version.ts';

/** What every entry store must do. */
export interface StoreUnderTest {
  /** The store, on whatever the suite's hooks started. */
  open(): EntryStore;
  /** Puts an item past the store, as somebody else who can write to the table would. */
  putRaw(item: Record<string, { S: string } | { B: Uint8Array } | { SS: string[] }>): Promise<void>;
  /** Where the engine has no transactions, labels cannot be moved on it. */
  readonly hasTransactions: boolean;
}

let count = 0;

/** A name that no other test uses: the suites share a table. */
function freshName(): string {
  count += 1;
  return `name ${count}/ü 🔑`;
}

function entryOf(name: string, version: string, changed: Partial<Entry> = {}): Entry {
  return {
    name,
    version,
    cipher: 'AES-256-GCM',
    digest: 'SHA256',
    created: '2026-11-23T10:00:00Z',
    key: new Uint8Array(randomBytes(100)),
    contents: new Uint8Array(randomBytes(40)),
    hmac: new Uint8Array(randomBytes(32)),
    ...changed,
  };
}

/** Buffers and plain arrays of the same bytes are the same entry. */
function plain(entry: Entry | undefined): unknown {
  return (
    entry && { ...entry, key: hex(entry.key), contents: hex(entry.contents), hmac: hex(entry.hmac) }
  );
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Its methods about labels, as functions. */
function bound(store: EntryStore): Pick<EntryStore, 'moveLabel' | 'getByLabel'> {
  return { moveLabel: store.moveLabel.bind(store), getByLabel: store.getByLabel.bind(store) };
}

export function describeEntryStore(name: string, store: StoreUnderTest): void {
  describe(`the entry store ${name}`, () => {
    it('gives back an entry as it was created', async () => {
      const entries = [
        entryOf(freshName(), v(1)),
        entryOf(freshName(), v(1), { comment: 'a comment', digest: 'SHA512' }),
        entryOf(freshName(), v(1), { contents: new Uint8Array(randomBytes(290_000)) }),
        entryOf(freshName(), v(1), {
          cipher: 'AES-256-CTR',
          hmacAsText: true,
          contents: new Uint8Array(),
        }),
        entryOf(freshName(), v(1), {
          cipher: 'AES-256-CTR',
          contents: new Uint8Array(randomBytes(200_000)),
        }),
      ].map((entry) => {
        if (entry.cipher === 'AES-256-GCM') return entry;
        const { created: _, ...original } = entry;
        return original;
      });
      for (const entry of entries) {
        await store.open().create(entry);
        expect(plain(await store.open().get(entry.name, entry.version))).toEqual(plain(entry));
        expect(plain(await store.open().latest(entry.name))).toEqual(plain(entry));
      }
    });

    it('never overwrites [rule 8]', async () => {
      const first = entryOf(freshName(), v(1));
      await store.open().create(first);
      const second = store.open().create(entryOf(first.name, v(1)));
      await expect(second).rejects.toMatchObject({ code: 'VERSION_EXISTS', exitStatus: 4 });
      expect(plain(await store.open().get(first.name, v(1)))).toEqual(plain(first));
    });

    it('lets one of 24 writers of a version win', async () => {
      const entries = Array.from({ length: 24 }, () => entryOf('contended', v(1)));
      const results = await Promise.allSettled(entries.map((entry) => store.open().create(entry)));
      const winners = entries.filter((_, i) => results[i]?.status === 'fulfilled');
      expect(winners).toHaveLength(1);
      expect(plain(await store.open().get('contended', v(1)))).toEqual(plain(winners[0]));
    });

    it('finds nothing where nothing is', async () => {
      const absent = freshName();
      expect(await store.open().latest(absent)).toBeUndefined();
      expect(await store.open().newestHeader(absent)).toBeUndefined();
      expect(await store.open().get(absent, v(1))).toBeUndefined();
      expect(await collect(store.open().headers(absent))).toEqual([]);
      expect(await store.open().remove(absent, v(1))).toBe(false);
    });

    it('renumbers an entry in one step, with its labels, and only as it was read', async () => {
      if (!store.hasTransactions) return;
      const open = (): EntryStore => store.open();
      const name = freshName();
      const was = entryOf(name, '2');
      await open().create(was);
      await open().moveLabel(name, 'live', '2');
      const entry = { ...entryOf(name, v(2)), comment: 'padded' };
      const changed = { ...was, hmac: new Uint8Array(32) };
      await expect(open().renumber(entry, changed)).rejects.toMatchObject({ code: 'CONFLICT' });
      await open().renumber(entry, was);
      expect(plain(await open().getByLabel(name, 'live'))).toEqual({
        ...(plain(entry) as object),
        labels: ['live'],
      });
      expect(await open().has(name, '2')).toBe(false);
      expect(await open().has(name, v(2))).toBe(true);
      await expect(open().renumber(entry, was)).rejects.toMatchObject({ code: 'CONFLICT' });
      const other = entryOf(name, '2');
      await open().create(other);
      await expect(open().renumber(entry, other)).rejects.toMatchObject({
        code: 'VERSION_EXISTS',
      });
      expect(plain(await open().get(name, '2'))).toEqual(plain(other));
    });

    it('orders versions by their bytes [rule 4]', async () => {
      const secret = freshName();
      for (const version of [v(10), v(9), '00000000000000.1.9.1', v(2), '3']) {
        await store.open().create(entryOf(secret, version));
      }
      expect((await store.open().latest(secret))?.version).toBe('3');
      expect((await store.open().newestHeader(secret))?.version).toBe('3');
      const versions: string[] = [];
      for (;;) {
        const newest = await store.open().newestHeader(secret);
        if (!newest) break;
        versions.push(newest.version);
        await store.open().remove(secret, newest.version);
      }
      expect(versions).toEqual(['3', v(10), v(9), v(2), '00000000000000.1.9.1']);
    });

    it('walks over all entries, or over those whose name has a prefix', async () => {
      const base = freshName();
      const names = [`${base}a`, `${base}a.b`, `${base}a*`, `${base}b`, `${base}aé😀`, `${base}á`];
      for (const name of names) await store.open().create(entryOf(name, v(1)));
      const under = async (prefix: string): Promise<string[]> =>
        (await collect(store.open().scan([prefix]))).map(({ name }) => name).sort();
      for (const prefix of [base, `${base}a`, `${base}a.`, `${base}a*`, `${base}aé`, `${base}x`]) {
        expect(await under(prefix)).toEqual(names.filter((name) => name.startsWith(prefix)).sort());
      }
      expect(await under('')).toEqual(expect.arrayContaining(names));
    });

    it('walks once over the entries of several prefixes, up to a hundred', async () => {
      const base = freshName();
      const names = ['a', 'a.b', 'b.c', 'bé😀', 'd'].map((each) => `${base}${each}`);
      for (const name of names) await store.open().create(entryOf(name, v(1)));
      const under = async (...prefixes: string[]): Promise<string[]> =>
        (await collect(store.open().scan(prefixes))).map(({ name }) => name).sort();
      expect(await under(`${base}a`, `${base}b`)).toEqual(names.slice(0, 4));
      // What two of them match comes once.
      expect(await under(`${base}a`, `${base}a.`, `${base}x`)).toEqual(names.slice(0, 2));
      const hundred = Array.from({ length: 100 }, (_, i) => `${base}${'d'.repeat(i + 1)}`);
      expect(await under(...hundred)).toEqual(names.slice(4));
      expect(await under(`${base}a`, '')).toEqual(expect.arrayContaining(names));
    });

    it('lists every entry with what a listing needs, and no more', async () => {
      const entry = entryOf(freshName(), v(1), { comment: 'ü' });
      await store.open().create(entry);
      const { key: _, contents: __, hmac: ___, ...header } = entry;
      const headers = await collect(store.open().headers());
      expect(headers).toContainEqual(header);
      expect(new Set(headers.map((each) => `${each.name} ${each.version}`)).size).toBe(
        headers.length,
      );
      expect(await collect(store.open().headers(entry.name))).toEqual([header]);
    });

    it('replaces an entry only if it is unchanged', async () => {
      const was = entryOf(freshName(), v(1), { comment: 'before' });
      await store.open().create(was);
      const { comment: _, ...rest } = entryOf(was.name, v(1));
      await store.open().replace(rest, was);
      expect(plain(await store.open().get(was.name, v(1)))).toEqual(plain(rest));
      const late = store.open().replace(entryOf(was.name, v(1)), was);
      await expect(late).rejects.toMatchObject({ code: 'CONFLICT', exitStatus: 4 });
      expect(plain(await store.open().get(was.name, v(1)))).toEqual(plain(rest));
    });

    it('replaces an original entry by a current one, and back', async () => {
      const { created: _, ...original } = entryOf(freshName(), v(1), { cipher: 'AES-256-CTR' });
      const current = entryOf(original.name, v(1));
      await store.open().create(original);
      await store.open().replace(current, original);
      expect(plain(await store.open().get(original.name, v(1)))).toEqual(plain(current));
      await store.open().replace(original, current);
      expect(plain(await store.open().get(original.name, v(1)))).toEqual(plain(original));
    });

    it('does not replace what is not there', async () => {
      const absent = entryOf(freshName(), v(1));
      await expect(store.open().replace(absent, absent)).rejects.toMatchObject({
        code: 'CONFLICT',
      });
      expect(await store.open().get(absent.name, v(1))).toBeUndefined();
    });

    it('removes one version, and says whether it was there', async () => {
      const secret = freshName();
      for (const version of [v(1), v(2)]) await store.open().create(entryOf(secret, version));
      expect(await store.open().remove(secret, v(2))).toBe(true);
      expect(await store.open().remove(secret, v(2))).toBe(false);
      expect((await store.open().latest(secret))?.version).toBe(v(1));
    });

    it('throws for a broken entry, and still lists and removes it [rule 24]', async () => {
      const secret = freshName();
      await store.open().create(entryOf(secret, v(1)));
      await store.putRaw({
        name: { S: secret },
        version: { S: v(2) },
        cipher: { S: 'ROT13' },
        comment: { B: Uint8Array.of(1) },
      });
      const integrity = { code: 'INTEGRITY', message: expect.stringContaining(secret) as string };
      await expect(store.open().latest(secret)).rejects.toMatchObject(integrity);
      expect(await store.open().newestHeader(secret)).toEqual({
        name: secret,
        version: v(2),
        cipher: 'ROT13',
      });
      await expect(store.open().get(secret, v(2))).rejects.toMatchObject(integrity);
      const [whole, broken] = (await collect(store.open().scan([secret]))).sort((a, b) =>
        a.version < b.version ? -1 : 1,
      );
      expect(whole?.read().version).toBe(v(1));
      expect(broken).toMatchObject({ name: secret, version: v(2) });
      expect(() => broken?.read()).toThrow(expect.objectContaining(integrity) as Error);
      const headers = await collect(store.open().headers(secret));
      expect(headers).toContainEqual({ name: secret, version: v(2), cipher: 'ROT13' });
      expect(headers).toHaveLength(2);
      await expect(store.open().create(entryOf(secret, v(2)))).rejects.toMatchObject({
        code: 'VERSION_EXISTS',
      });
      expect(await store.open().remove(secret, v(2))).toBe(true);
    });

    it('ends with the reason of a signal that is aborted', async () => {
      const entry = entryOf(freshName(), v(1));
      await store.open().create(entry);
      const during = store.open().withSignal(AbortSignal.abort('enough'));
      for (const call of [
        () => during.latest(entry.name),
        () => during.get(entry.name, v(1)),
        () => during.create(entryOf(entry.name, v(2))),
        () => during.replace(entry, entry),
        () => during.remove(entry.name, v(1)),
        () => during.getByLabel(entry.name, 'live'),
        () => during.moveLabel(entry.name, 'live', v(1)),
        () => collect(during.headers(entry.name)),
        () => collect(during.scan()),
      ]) {
        await expect(call()).rejects.toBe('enough');
      }
      expect(await collect(store.open().headers(entry.name))).toHaveLength(1);
    });

    // What is large comes last, because every scan reads it.
    it('goes through all pages of versions that are large', async () => {
      const secret = freshName();
      const entries = Array.from({ length: 40 }, (_, i) =>
        entryOf(secret, v(i + 1), { contents: new Uint8Array(randomBytes(60_000)) }),
      );
      for (const entry of entries) await store.open().create(entry);
      expect(await collect(store.open().headers(secret))).toHaveLength(40);
      const all = (await collect(store.open().scan())).filter(({ name }) => name === secret);
      const versionOf = ({ version }: { version: string }): string => version;
      all.sort((a, b) => (versionOf(a) < versionOf(b) ? -1 : 1));
      expect(all.map((found) => plain(found.read()))).toEqual(entries.map(plain));
    });

    it('walks once over every entry of a table of many pages', async () => {
      const base = freshName();
      const names = Array.from({ length: 60 }, (_, i) => `${base}${i}`);
      const contents = new Uint8Array(randomBytes(80_000));
      for (const name of names) await store.open().create(entryOf(name, v(1), { contents }));
      const mine = (found: { name: string }[]): string[] =>
        found.map(({ name }) => name).filter((name) => name.startsWith(base));
      expect(mine(await collect(store.open().headers())).sort()).toEqual([...names].sort());
      expect(mine(await collect(store.open().scan([base]))).sort()).toEqual([...names].sort());
    });

    if (!store.hasTransactions) return;
    describe('labels', () => {
      async function secret(versions: number): Promise<string> {
        const name = freshName();
        for (let i = 1; i <= versions; i += 1) await store.open().create(entryOf(name, v(i)));
        return name;
      }
      async function labelsOf(name: string): Promise<Record<string, readonly string[]>> {
        const headers = await collect(store.open().headers(name));
        return Object.fromEntries(
          headers.flatMap(({ version, labels }) => (labels ? [[version, labels]] : [])),
        );
      }

      it('stand on one version, move, and go', async () => {
        const name = await secret(3);
        const { moveLabel: label, getByLabel: labelled } = bound(store.open());
        expect(await labelled(name, 'live')).toBeUndefined();
        expect(await label(name, 'live', v(2))).toEqual([]);
        expect(await labelled(name, 'live')).toMatchObject({ version: v(2), labels: ['live'] });
        expect(await label(name, 'live', v(2))).toEqual([v(2)]);
        expect(await label(name, 'canary', v(3))).toEqual([]);
        expect(await label(name, 'live', v(3))).toEqual([v(2)]);
        expect(await labelsOf(name)).toEqual({ [v(3)]: ['canary', 'live'] });
        expect((await store.open().latest(name))?.labels).toEqual(['canary', 'live']);
        for await (const found of store.open().scan([name])) {
          expect(found.labels).toEqual(found.version === v(3) ? ['canary', 'live'] : undefined);
        }
        // A label that is a part of another is another.
        expect(await labelled(name, 'liv')).toBeUndefined();
        expect(await label(name, 'canary', undefined)).toEqual([v(3)]);
        expect(await label(name, 'canary', undefined)).toEqual([]);
        expect(await label(name, 'live', v(1))).toEqual([v(3)]);
        expect(await labelsOf(name)).toEqual({ [v(1)]: ['live'] });
        expect(await label(name, 'live', undefined)).toEqual([v(1)]);
        expect(await labelsOf(name)).toEqual({});
      });

      it('are of one name, and of a version that is there', async () => {
        const [one, other] = [await secret(1), await secret(1)];
        const { moveLabel: label } = bound(store.open());
        await label(one, 'live', v(1));
        expect(await labelsOf(other)).toEqual({});
        await expect(label(one, 'live', v(9))).rejects.toMatchObject({ code: 'VERSION_NOT_FOUND' });
        await expect(label('nobody', 'live', v(1))).rejects.toMatchObject({
          code: 'VERSION_NOT_FOUND',
        });
        expect(await label('nobody', 'live', undefined)).toEqual([]);
        expect(await labelsOf(one)).toEqual({ [v(1)]: ['live'] });
        expect(await collect(store.open().headers('nobody'))).toEqual([]);
      });

      it('stay where an entry is replaced, and go with one that is removed', async () => {
        const name = await secret(2);
        const { moveLabel: label, getByLabel: labelled } = bound(store.open());
        await label(name, 'live', v(1));
        const was = (await store.open().get(name, v(1))) as Entry;
        await store.open().replace({ ...was, key: new Uint8Array(randomBytes(100)) }, was);
        expect((await labelled(name, 'live'))?.version).toBe(v(1));
        expect(await store.open().remove(name, v(1), { unlabelled: true })).toBe(false);
        expect(await store.open().remove(name, v(2), { unlabelled: true })).toBe(true);
        expect(await store.open().remove(name, v(1))).toBe(true);
        expect(await labelled(name, 'live')).toBeUndefined();
      });

      it('on several versions are refused, and one move puts it right [rule 28]', async () => {
        const name = freshName();
        for (const version of [v(1), v(2)]) {
          const item = encodeItem(entryOf(name, version));
          await store.putRaw({ ...item, labels: { SS: ['live'] } });
        }
        const { moveLabel: label, getByLabel: labelled } = bound(store.open());
        await expect(labelled(name, 'live')).rejects.toMatchObject({
          code: 'CONFLICT',
          exitStatus: 4,
        });
        expect(await label(name, 'live', v(2))).toEqual([v(1), v(2)]);
        expect((await labelled(name, 'live'))?.version).toBe(v(2));
      });

      it('stand on one version whoever moves them at once [rule 27]', async () => {
        const name = await secret(8);
        for (let round = 0; round < 3; round += 1) {
          const moved = Array.from({ length: 8 }, (_, i) =>
            store.open().moveLabel(name, 'live', v(i + 1)),
          );
          const before = (await Promise.all(moved)).flat();
          expect(Object.values(await labelsOf(name))).toEqual([['live']]);
          // Each was moved from where another one had moved it.
          expect(new Set(before).size).toBe(before.length);
          await store.open().moveLabel(name, 'live', undefined);
        }
      });
    });
  });
}
