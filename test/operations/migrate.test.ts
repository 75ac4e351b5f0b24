import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import type { EntryStore } from '../../src/backend/entry-store.ts';
import type { KeyService } from '../../src/backend/key-service.ts';
import { openLocal } from '../../src/backend/local/index.ts';
import type { Change } from '../../src/operations/options.ts';
import type { Entry } from '../../src/model/entry.ts';
import { CredstashError } from '../../src/errors.ts';
import { Credstash } from '../../src/credstash.ts';
import { outcomesOf } from '../support/outcomes.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { v } from '../support/version.ts';

let folder: string;
let vault: ReturnType<typeof openLocal>;
let credstash: Credstash;

beforeEach(async () => {
  folder = temporaryFolder();
  vault = openLocal(join(folder, 'vault'), { create: true });
  credstash = over({});
  for (const name of ['a', 'b', 'c']) {
    await credstash.put(name, Buffer.from(`of ${name}`), { cipher: 'AES-256-CTR' });
  }
});
afterEach(() => {
  vault.vault.close();
});

/** A `Credstash` over the vault, with some of it replaced. */
function over({
  keys = {},
  entries = {},
}: {
  keys?: Partial<KeyService>;
  entries?: Partial<EntryStore>;
}): Credstash {
  const proxy = <T extends object>(target: T, own: object): T =>
    new Proxy(target, {
      get: (_, name) => {
        const member: unknown = Reflect.get(name in own ? own : target, name);
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      },
    });
  const backend: Backend = {
    keys: proxy(vault.keys, keys),
    entries: proxy(vault.entries, entries),
  };
  return Credstash.over(backend);
}

async function all(): Promise<Entry[]> {
  const found: Entry[] = [];
  for await (const each of vault.entries.scan()) found.push(each.read());
  return found;
}

async function outcomes(changes: Promise<Change[]>): Promise<string[]> {
  return (await outcomesOf(changes)).map(
    ({ name, done, error }) => `${name} ${error?.code ?? done}`,
  );
}

it('migrate replaces nothing by what cannot be opened here', async () => {
  const before = await all();
  const wrapped = before.map(({ key }) => Buffer.from(key).toString('hex'));
  // As of somebody who may wrap under the new key, and not unwrap.
  const unwrap: Backend['keys']['unwrap'] = (key, context) =>
    wrapped.includes(Buffer.from(key).toString('hex'))
      ? vault.keys.unwrap(key, context)
      : Promise.reject(new CredstashError('ACCESS_DENIED', 'on purpose'));
  expect(await outcomes(over({ keys: { unwrap } }).migrate())).toEqual([
    'a ACCESS_DENIED',
    'b ACCESS_DENIED',
    'c ACCESS_DENIED',
  ]);
  expect(await all()).toEqual(before);
});

it('migrate puts back what does not read back, and stops', async () => {
  const before = await all();
  // The table gives something else than what was written to it.
  const at: Backend['entries']['get'] = async (name, version) => {
    const entry = await vault.entries.get(name, version);
    return entry?.cipher === 'AES-256-GCM' ? { ...entry, comment: 'another' } : entry;
  };
  expect(await outcomes(over({ entries: { get: at } }).migrate())).toEqual([
    'a UNEXPECTED',
    'b UNEXPECTED',
    'c UNEXPECTED',
  ]);
  expect(await all()).toEqual(before);
});

it('copy takes no old version where the newest one failed', async () => {
  await credstash.put('a', Buffer.from('newer'), { autoversion: true });
  const newest = (await vault.entries.latest('a')) as Entry;
  await vault.entries.replace({ ...newest, comment: 'changed' }, newest);
  const there = openLocal(join(folder, 'there'), { create: true });
  const to = Credstash.over(there);
  expect(await outcomes(credstash.copy(to))).toEqual([
    'a INTEGRITY',
    'a INTEGRITY',
    'b changed',
    'c changed',
  ]);
  expect(await to.names()).toEqual(['b', 'c']);
  there.vault.close();
});

it('migrate takes its format from its own option only', async () => {
  const originals = Credstash.over(vault, { cipher: 'AES-256-CTR' });
  await credstash.put('new', Buffer.from('of new'));
  expect(await outcomes(originals.migrate())).toEqual(['a changed', 'b changed', 'c changed']);
  const back = originals.migrate({ glob: 'new', cipher: 'AES-256-CTR' });
  expect(await outcomes(back)).toEqual(['new changed']);
});

it('rollback keeps how the hmac of another port stands', async () => {
  await credstash.put('port', Buffer.from('one'), { cipher: 'AES-256-CTR', hmacAsText: true });
  await credstash.put('port', Buffer.from('two'), { autoversion: true });
  await credstash.rollback('port');
  expect(await vault.entries.latest('port')).toMatchObject({
    cipher: 'AES-256-CTR',
    hmacAsText: true,
  });
});

it('rollback takes the version as it stands, where another spelling of it is there too', async () => {
  for (const version of ['3', '4']) {
    await credstash.put('spelled', Buffer.from(`plain ${version}`), {
      version,
      exactVersion: true,
    });
  }
  await credstash.put('spelled', Buffer.from('padded 3'), { version: '3' });
  // By their bytes, `3` and `4` come after the padded one.
  await expect(credstash.rollback('spelled')).rejects.toMatchObject({
    code: 'VERSION_NOT_NUMERIC',
  });
  await credstash.put('spelled', Buffer.from('newest'), { version: '5'.repeat(19) });
  const { from } = await credstash.rollback('spelled', { version: '4' });
  expect(from).toBe('4');
  expect(Buffer.from(await credstash.get('spelled')).toString()).toBe('plain 4');
});

describe('original entries that stand twice', () => {
  const copyOf = async (name: string, to: string, version: number): Promise<Entry> => {
    const entry = (await vault.entries.latest(name)) as Entry;
    return { ...entry, name: to, version: v(version) };
  };

  it('are refused however many there are, without comparing each with each', async () => {
    await credstash.put('long', Buffer.from('a long value'), { cipher: 'AES-256-CTR' });
    const one = await copyOf('long', 'z', 1);
    const copies = Array.from({ length: 20_000 }, (_, i) => ({ ...one, version: String(i + 1) }));
    const entries: Partial<Backend['entries']> = {
      scan: async function* () {
        await Promise.resolve();
        for (const entry of copies) yield { ...entry, read: () => entry };
      },
      get: (_, version) => Promise.resolve(copies[Number(version) - 1]),
    };
    const found = await outcomesOf(over({ entries }).migrate());
    expect(found).toHaveLength(20_000);
    const messages = found.map(({ done, error }) => error?.message ?? done);
    expect(messages.every((message) => message.includes(', 19996 more: '))).toBe(true);
  });

  it('are seen as they were when the table was read: what was changed since is a conflict', async () => {
    const swapped = await copyOf('a', 'b', 1);
    let reads = 0;
    // Somebody puts the bytes of a in the place of b after the scan, and takes them away from a.
    const at: Backend['entries']['get'] = async (name, version) => {
      if (reads++ === 0) {
        const b = (await vault.entries.latest('b')) as Entry;
        await vault.entries.remove('a', swapped.version);
        await vault.entries.replace(swapped, b);
      }
      return vault.entries.get(name, version);
    };
    expect(await outcomes(over({ entries: { get: at } }).migrate())).toEqual([
      'a skipped',
      'b CONFLICT',
      'c changed',
    ]);
    expect(await vault.entries.latest('b')).toMatchObject({ cipher: 'AES-256-CTR' });
  });

  it('are each on its own where only the data key is the same, or only the contents', async () => {
    const long = Buffer.from('a value of more than eight bytes');
    for (const name of ['d', 'e', 'f']) await credstash.put(name, long, { cipher: 'AES-256-CTR' });
    const [d, e, f] = await Promise.all(
      ['d', 'e', 'f'].map(async (name) => (await vault.entries.latest(name)) as Entry),
    );
    if (!d || !e || !f) throw new Error('not stored');
    await vault.entries.replace({ ...e, key: d.key }, e);
    await vault.entries.replace({ ...f, contents: d.contents }, f);
    expect(await outcomes(credstash.migrate({ glob: 'd' }))).toEqual(['d INTEGRITY']);
    expect(await outcomes(credstash.migrate())).toEqual([
      'a changed',
      'b changed',
      'c changed',
      'd INTEGRITY',
      'e INTEGRITY',
      'f INTEGRITY',
    ]);
  });
});

it('prune deletes nothing where a version that stays was deleted after the listing', async () => {
  for (const value of ['2', '3'])
    await credstash.put('a', Buffer.from(value), { autoversion: true });
  let reads = 0;
  const at: Backend['entries']['get'] = async (name, version) => {
    if (reads++ === 0) await vault.entries.remove(name, version);
    return vault.entries.get(name, version);
  };
  expect(await outcomes(over({ entries: { get: at } }).prune({ keep: 1, glob: 'a' }))).toEqual([
    'a CONFLICT',
    'a CONFLICT',
  ]);
  expect(await credstash.history('a')).toHaveLength(2);
});

it('prune of a table whose key service does not answer ends there', async () => {
  for (const name of ['a', 'b']) await credstash.put(name, Buffer.from('x'), { autoversion: true });
  const unwrap = vi.fn(() => Promise.reject(new CredstashError('UNREACHABLE', 'on purpose')));
  const options = { keep: 1, maxConcurrency: 1 };
  expect(await outcomes(over({ keys: { unwrap } }).prune(options))).toEqual([
    'a UNREACHABLE',
    'b UNREACHABLE',
  ]);
  expect(unwrap).toHaveBeenCalledTimes(1);
});
