import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { type EntryStore, versionExists } from '../src/backend/entry-store.ts';
import { type KeyService, wrongContext } from '../src/backend/key-service.ts';
import { type Context, checkContext, encodeContext } from '../src/model/context.ts';
import { Credstash } from '../src/credstash.ts';
import type { Entry, EntryHeader } from '../src/model/entry.ts';
import { measureItem, MAX_ITEM_BYTES } from '../src/model/item.ts';
import { CredstashError } from '../src/errors.ts';
import type { DeleteOutcome } from '../src/operations/index.ts';
import { compareUtf8 } from '../src/util/utf8.ts';
import { outcomesOf } from './support/outcomes.ts';

/** Every data key that was handed out, to see that it was wiped. */
let handedOut: Uint8Array[];
let stored: Map<string, Entry>;
let calls: string[];

const wrappings = new Map<string, { key: Uint8Array; context: string }>();

function sameContext(context: Context): string {
  return Buffer.from(encodeContext(context)).toString('hex');
}

const keys: KeyService = {
  generate: (context) => {
    calls.push('generate');
    const plaintext = new Uint8Array(randomBytes(64));
    const wrapped = new Uint8Array(randomBytes(32));
    wrappings.set(Buffer.from(wrapped).toString('hex'), {
      key: Uint8Array.from(plaintext),
      context: sameContext(context),
    });
    handedOut.push(plaintext);
    return Promise.resolve({ plaintext, wrapped });
  },
  unwrap: (wrapped, context) => {
    calls.push('unwrap');
    const found = wrappings.get(Buffer.from(wrapped).toString('hex'));
    if (found?.context !== sameContext(context))
      return Promise.reject(wrongContext('the fake', context));
    const plaintext = Uint8Array.from(found.key);
    handedOut.push(plaintext);
    return Promise.resolve(plaintext);
  },
  warmUp: () => undefined,
  wrap: () => Promise.reject(new Error('not here')),
  rewrap: (wrapped) => Promise.resolve(wrapped),
  withSignal: () => keys,
};

function of(name?: string): Entry[] {
  return [...stored.values()]
    .filter((entry) => name === undefined || entry.name === name)
    .sort((a, b) => compareUtf8(b.version, a.version));
}

async function* each<T>(items: T[]): AsyncGenerator<T> {
  for (const item of items) yield await Promise.resolve(item);
}

const entries: EntryStore = {
  location: 'the fake',
  create: (entry) => {
    calls.push(`create ${entry.version}`);
    const id = `${entry.name} ${entry.version}`;
    if (stored.has(id)) return Promise.reject(versionExists(entry, 'the fake'));
    stored.set(id, entry);
    return Promise.resolve();
  },
  replace: () => Promise.resolve(),
  renumber: () => Promise.resolve(),
  has: (name, version) => Promise.resolve(stored.has(`${name} ${version}`)),
  latest: (name) => {
    calls.push('latest');
    return Promise.resolve(of(name)[0]);
  },
  newestHeader: (name) => {
    calls.push('newest header');
    return Promise.resolve(of(name)[0]);
  },
  get: (name, version) => {
    calls.push(`at ${version}`);
    return Promise.resolve(stored.get(`${name} ${version}`));
  },
  scan: async function* (prefixes = ['']) {
    calls.push(`all ${prefixes.join()}`);
    for await (const entry of each(of())) {
      if (prefixes.some((prefix) => entry.name.startsWith(prefix)))
        yield { ...entry, read: () => entry };
    }
  },
  headers: (name) => {
    calls.push('headers');
    return each(of(name));
  },
  remove: (name, version) => {
    calls.push(`remove ${version}`);
    return Promise.resolve(stored.delete(`${name} ${version}`));
  },
  getByLabel: () => Promise.resolve(undefined),
  moveLabel: () => Promise.resolve([]),
  withSignal: () => entries,
};

const credstash = Credstash.over({ keys: keys, entries: entries });
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array): string => Buffer.from(value).toString();
const v = (n: number): string => String(n).padStart(19, '0');

beforeEach(() => {
  handedOut = [];
  stored = new Map();
  calls = [];
});

function plant(name: string, version: string): void {
  stored.set(`${name} ${version}`, {
    name,
    version,
    cipher: 'AES-256-GCM',
    key: new Uint8Array(),
    contents: new Uint8Array(),
    hmac: new Uint8Array(),
  });
}

describe('put', () => {
  it('stores version 1, and get gives it back with two requests', async () => {
    const header = await credstash.put('n', bytes('secret'), { comment: 'c' });
    expect(header).toMatchObject({
      name: 'n',
      version: v(1),
      cipher: 'AES-256-GCM',
      digest: 'SHA256',
      comment: 'c',
    });
    expect(header.created).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(calls).toEqual(['generate', `create ${v(1)}`]);
    calls = [];
    expect(text(await credstash.get('n'))).toBe('secret');
    expect(calls).toEqual(['latest', 'unwrap']);
  });

  it('writes what the original reads: the context as it is, no created [rule 19]', async () => {
    const context = checkContext([['env', 'prod']]);
    await credstash.put('n', bytes('secret'), { cipher: 'AES-256-CTR', context });
    const [entry] = stored.values();
    expect(entry).toMatchObject({ cipher: 'AES-256-CTR', digest: 'SHA256' });
    expect(entry).not.toHaveProperty('created');
    expect([...wrappings.values()].at(-1)?.context).toBe(sameContext(context));
    expect(text(await credstash.get('n', { context }))).toBe('secret');
  });

  it.each([
    ['an empty name', '', {}],
    ['a long name', 'x'.repeat(2049), {}],
    ['an empty version', 'n', { version: '' }],
    ['an unknown cipher', 'n', { cipher: 'toString' }],
    ['MD5', 'n', { digest: 'MD5' }],
    ['SHA', 'n', { digest: 'SHA' }],
    ['SHA224', 'n', { digest: 'SHA224' }],
    ['an unknown digest', 'n', { digest: 'constructor' }],
    ['a comment that is no text', 'n', { comment: '\ud800' }],
    [
      'a context that leaves no room for the name',
      'n',
      { context: checkContext([['k', 'v'.repeat(8191)]]) },
    ],
  ])('refuses %s before any request [rule 17]', async (_, name, options) => {
    await expect(credstash.put(name, bytes('s'), options)).rejects.toMatchObject({ code: 'USAGE' });
    expect(calls).toEqual([]);
  });

  it.each(['AES-256-GCM', 'AES-256-CTR'])(
    'takes the largest value that fits and no byte more (%s) [rule 7]',
    async (cipher) => {
      let [fits, tooLarge] = [0, MAX_ITEM_BYTES];
      while (tooLarge - fits > 1) {
        const length = (fits + tooLarge) >> 1;
        calls = [];
        try {
          await credstash.put(`n${length}`, new Uint8Array(length), { cipher });
          fits = length;
        } catch (error) {
          expect(error).toMatchObject({ code: 'TOO_LARGE', exitStatus: 2 });
          expect(calls).toEqual([]);
          tooLarge = length;
        }
      }
      const entry = stored.get(`n${fits} ${v(1)}`);
      expect(entry).toBeDefined();
      // 512 bytes are kept for a wrapped key, of which the fake takes 32, and 64 for an HMAC.
      const size = entry ? measureItem(entry) : 0;
      expect(size).toBeLessThanOrEqual(MAX_ITEM_BYTES);
      expect(size).toBeGreaterThan(MAX_ITEM_BYTES - 1000);
      expect(fits).toBeGreaterThan(290_000);
    },
  );

  it.each([
    { 'credstash:name': 'other' },
    { 'credstash:x': '1' },
    { k: '' },
    { k: 'v'.repeat(8192) },
  ])('checks a context that is a plain object of an application', async (pairs) => {
    const context: Record<string, string> = { ...pairs };
    const refused = expect.objectContaining({ code: 'USAGE' }) as Error;
    for (const cipher of ['AES-256-GCM', 'AES-256-CTR']) {
      await expect(credstash.put('n', bytes('s'), { context, cipher })).rejects.toThrow(refused);
    }
    await expect(credstash.get('n', { context })).rejects.toThrow(refused);
    expect(calls).toEqual([]);
  });

  it.each([{ env: 'prod', ENV: 'test' }, { 'Credstash:Name': 'x' }])(
    'refuses to seal with keys that IAM takes for others, and opens original entries that have them: %j',
    async (pairs) => {
      const context: Record<string, string> = pairs;
      const refused = expect.objectContaining({ code: 'USAGE' }) as Error;
      const secret = { name: 'n', value: bytes('s') };
      for (const cipher of ['AES-256-GCM', 'AES-256-CTR']) {
        await expect(credstash.put('n', bytes('s'), { context, cipher })).rejects.toThrow(refused);
        await expect(credstash.putAll([secret], { context, cipher })).rejects.toThrow(refused);
        await expect(credstash.migrate({ context, cipher })).rejects.toThrow(refused);
      }
      await expect(credstash.rollback('n', { context })).rejects.toThrow(refused);
      expect(calls).toEqual([]);
      // As the original stores it: its data key is wrapped under the pairs as they are.
      await credstash.put('n', bytes('s'), { cipher: 'AES-256-CTR' });
      const [wrapped = ''] = [...wrappings.keys()].slice(-1);
      const wrapping = wrappings.get(wrapped);
      wrappings.set(wrapped, { key: bytes(''), ...wrapping, context: sameContext(context) });
      expect(text(await credstash.get('n', { context }))).toBe('s');
      expect(
        (await credstash.getMany([{ name: 'n', context }])).map(({ value }) => text(value)),
      ).toEqual(['s']);
      expect((await credstash.getAll({ context })).secrets).toHaveLength(1);
      const query = new URLSearchParams(context).toString();
      const reference = `credstash://n?${query}`;
      expect((await credstash.resolveReferences({ A: reference })).get('A')).toEqual(bytes('s'));
      expect(text(await credstash.render(bytes(`{{${reference}}}`)))).toBe('s');
      expect(await credstash.rekey({ context })).toHaveLength(1);
      // A current entry has no such pairs, which hides nothing of those that open.
      await credstash.put('current', bytes('s'));
      await expect(credstash.get('current', { context })).rejects.toMatchObject({
        code: 'WRONG_CONTEXT',
      });
      const { secrets, leftOut } = await credstash.getAll({ context, skipUndecryptable: true });
      expect([secrets.length, leftOut.length]).toEqual([1, 1]);
    },
  );

  it('counts on from the newest version', async () => {
    plant('n', v(41));
    await credstash.put('n', bytes('s'), { autoversion: true, version: '7' });
    expect([...stored.keys()]).toContain(`n ${v(42)}`);
  });

  it('tries again when somebody else was quicker, with one data key', async () => {
    const create = entries.create.bind(entries);
    const others = vi.spyOn(entries, 'create').mockImplementation((entry) => {
      if (stored.size < 3) plant('n', v(stored.size + 1));
      return create(entry);
    });
    await credstash.put('n', bytes('s'), { autoversion: true });
    others.mockRestore();
    expect([...stored.keys()]).toEqual([1, 2, 3, 4].map((n) => `n ${v(n)}`));
    expect(calls.filter((call) => call === 'generate')).toHaveLength(1);
    expect(text(await credstash.get('n'))).toBe('s');
  });

  it('gives up when a version is refused that the newest never reaches', async () => {
    vi.spyOn(entries, 'create').mockImplementation((entry) =>
      Promise.reject(versionExists(entry, 'x')),
    );
    await expect(credstash.put('n', bytes('s'), { autoversion: true })).rejects.toMatchObject({
      code: 'VERSION_EXISTS',
    });
    vi.restoreAllMocks();
  });

  it('refuses to count on from a version that is no number, before a data key is made', async () => {
    plant('n', '00000000000000.1.9.1');
    const put = credstash.put('n', bytes('s'), { autoversion: true });
    await expect(put).rejects.toMatchObject({ code: 'VERSION_NOT_NUMERIC' });
    expect(calls).toEqual(['newest header']);
  });

  it('says when the version is there', async () => {
    plant('n', v(1));
    await expect(credstash.put('n', bytes('s'))).rejects.toMatchObject({
      code: 'VERSION_EXISTS',
      exitStatus: 4,
    });
  });
});

describe('get', () => {
  it('finds a version padded and not padded [rule 5]', async () => {
    await credstash.put('n', bytes('three'), { version: '3' });
    expect(text(await credstash.get('n', { version: '3' }))).toBe('three');
    expect(text(await credstash.get('n', { version: v(3) }))).toBe('three');
    const [entry] = stored.values();
    stored.clear();
    // As a table of before 2015 has it; the original format does not bind the version.
    await credstash.put('old', bytes('four'), { cipher: 'AES-256-CTR', version: '4' });
    const [old] = stored.values();
    stored.clear();
    if (old) stored.set('old 4', { ...old, version: '4' });
    expect(text(await credstash.get('old', { version: '4' }))).toBe('four');
    // The current one does.
    if (entry) stored.set('n 3', { ...entry, version: '3' });
    await expect(credstash.get('n', { version: '3' })).rejects.toMatchObject({ code: 'INTEGRITY' });
  });

  it('tells an absent secret from an absent version', async () => {
    await expect(credstash.get('n')).rejects.toMatchObject({
      code: 'SECRET_NOT_FOUND',
      exitStatus: 3,
    });
    await expect(credstash.get('n', { version: '2' })).rejects.toMatchObject({
      code: 'SECRET_NOT_FOUND',
    });
    await credstash.put('n', bytes('s'));
    await expect(credstash.get('n', { version: '2' })).rejects.toMatchObject({
      code: 'VERSION_NOT_FOUND',
      exitStatus: 3,
    });
  });

  it('refuses bad input before any request', async () => {
    await expect(credstash.get('')).rejects.toMatchObject({ code: 'USAGE' });
    await expect(credstash.get('n', { version: '' })).rejects.toMatchObject({ code: 'USAGE' });
    const context = checkContext([['k', 'v'.repeat(8191)]]);
    await expect(credstash.get('n', { context })).rejects.toMatchObject({ code: 'USAGE' });
    expect(calls).toEqual([]);
  });

  it('names the entry that does not open', async () => {
    await credstash.put('n', bytes('s'));
    const get = credstash.get('n', { context: checkContext([['env', 'prod']]) });
    await expect(get).rejects.toMatchObject({ code: 'WRONG_CONTEXT', exitStatus: 6 });
    await expect(get).rejects.toThrow(`version ${v(1)} of n: `);
  });
});

describe('getText', () => {
  it('is the text as it was stored: nothing is trimmed, and a byte order mark stays', async () => {
    for (const value of ['', '\ufeff grüße 🔑\r\n', '\0']) {
      await credstash.put('n', bytes(value), { autoversion: true });
      expect(await credstash.getText('n')).toBe(value);
    }
    expect(await credstash.getText('n', { version: '1' })).toBe('');
  });

  it.each([[[0xff]], [[0x41, 0xc0, 0x80]], [[0xed, 0xa0, 0x80]], [[0xe2, 0x82]]])(
    'the bytes %j are no text, and no part of the error',
    async (value) => {
      await credstash.put('n', Uint8Array.from(value));
      const error = await credstash.getText('n').catch((error: unknown) => error);
      expect(error).toMatchObject({
        code: 'USAGE',
        message: 'the secret n is not UTF-8 text',
      });
      expect(error).not.toHaveProperty('cause');
    },
  );
});

describe('headers', () => {
  it('has what list has, of the names that match, in no order', async () => {
    for (const name of ['b', 'a', 'ab']) plant(name, v(1));
    plant('a', v(2));
    const headers: EntryHeader[] = [];
    for await (const header of credstash.headers('a*')) headers.push(header);
    expect(headers).toHaveLength(3);
    expect(headers).toEqual(expect.arrayContaining(await credstash.list('a*')));
    await expect(credstash.headers('x'.repeat(2049)).next()).rejects.toMatchObject({
      code: 'USAGE',
    });
  });
});

describe('list', () => {
  it('orders by name and version, by their bytes', async () => {
    for (const [name, version] of [
      ['b', v(1)],
      ['a', v(10)],
      ['a', v(9)],
      ['\u{10000}', v(1)],
      ['\uffff', v(1)],
    ] as const) {
      plant(name, version);
    }
    const listed = (await credstash.list()).map(({ name, version }) => [name, version]);
    expect(listed).toEqual([
      ['a', v(9)],
      ['a', v(10)],
      ['b', v(1)],
      ['\uffff', v(1)],
      ['\u{10000}', v(1)],
    ]);
    expect(await credstash.list('a*')).toHaveLength(2);
  });
});

describe('delete', () => {
  const versionsOf = async (removed: Promise<DeleteOutcome[]>): Promise<string[]> =>
    (await removed).map(({ version }) => version);

  it('removes every version, the oldest first', async () => {
    for (const version of [v(3), v(1), v(2)]) plant('n', version);
    plant('other', v(1));
    expect(await versionsOf(credstash.delete('n'))).toEqual([v(1), v(2), v(3)]);
    expect(calls.filter((call) => call.startsWith('remove'))).toEqual(
      [1, 2, 3].map((n) => `remove ${v(n)}`),
    );
    expect([...stored.keys()]).toEqual([`other ${v(1)}`]);
  });

  it('removes one version, padded or not', async () => {
    plant('n', v(1));
    plant('n', '2');
    expect(await versionsOf(credstash.delete('n', { version: '1' }))).toEqual([v(1)]);
    expect(await versionsOf(credstash.delete('n', { version: '2' }))).toEqual(['2']);
  });

  it('says when there is nothing to delete', async () => {
    await expect(versionsOf(credstash.delete('n'))).rejects.toMatchObject({
      code: 'SECRET_NOT_FOUND',
    });
    plant('n', v(1));
    await expect(versionsOf(credstash.delete('n', { version: '9' }))).rejects.toMatchObject({
      code: 'VERSION_NOT_FOUND',
    });
    expect(stored.size).toBe(1);
  });
});

describe('getAll', () => {
  const all = async (options = {}): Promise<Record<string, string>> => {
    const { secrets } = await credstash.getAll(options);
    return Object.fromEntries(secrets.map(({ name, value }) => [name, text(value)]));
  };

  it('opens the newest version of each name, by name, and wipes the data keys', async () => {
    for (const version of ['2', '10', '9']) await credstash.put('b', bytes(version), { version });
    await credstash.put('a', bytes('one'));
    await credstash.put('\u{10000}', bytes('last'));
    await credstash.put('\uffff', bytes('before it'), { cipher: 'AES-256-CTR' });
    calls = [];
    handedOut = [];
    const { secrets, leftOut } = await credstash.getAll();
    expect(secrets.map(({ name, value }) => [name, text(value)])).toEqual([
      ['a', 'one'],
      ['b', '10'],
      ['\uffff', 'before it'],
      ['\u{10000}', 'last'],
    ]);
    expect(leftOut).toEqual([]);
    expect(calls).toEqual(['all ', 'unwrap', 'unwrap', 'unwrap', 'unwrap']);
    expect(handedOut).toHaveLength(4);
    expect(handedOut.every((key) => key.every((byte) => byte === 0))).toBe(true);
  });

  it('reads what the glob begins with, and opens what matches', async () => {
    for (const name of ['app.a', 'app.b', 'apple']) await credstash.put(name, bytes(name));
    calls = [];
    expect(await all({ glob: 'app.*' })).toEqual({ 'app.a': 'app.a', 'app.b': 'app.b' });
    expect(calls).toEqual(['all app.', 'unwrap', 'unwrap']);
    calls = [];
    expect(await all({ glob: ['apple', 'app.*', '*.b'] })).toEqual({
      'app.a': 'app.a',
      'app.b': 'app.b',
      apple: 'apple',
    });
    expect(calls).toEqual(['all ', 'unwrap', 'unwrap', 'unwrap']);
    calls = [];
    expect(await all({ glob: ['app.*', 'x*', 'app.a*'] })).toEqual({
      'app.a': 'app.a',
      'app.b': 'app.b',
    });
    expect(calls).toEqual(['all app.,x', 'unwrap', 'unwrap']);
    calls = [];
    expect(await all({ glob: [] })).toEqual({});
    expect(calls).toEqual([]);
    expect(await all({ glob: 'apple' })).toEqual({ apple: 'apple' });
    expect(await all({ glob: 'x*' })).toEqual({});
  });

  it('takes the padded spelling of a version before the unpadded one, whatever comes first', async () => {
    await credstash.put('n', bytes('padded'), { version: '3', cipher: 'AES-256-CTR' });
    const padded = stored.get(`n ${v(3)}`);
    if (!padded) throw new Error('not stored');
    await credstash.put('m', bytes('unpadded'), { version: '3', cipher: 'AES-256-CTR' });
    const unpadded = stored.get(`m ${v(3)}`);
    if (!unpadded) throw new Error('not stored');
    stored.delete(`m ${v(3)}`);
    stored.set('m 3', { ...unpadded, version: '3' });
    stored.set('n 3', { ...unpadded, name: 'n', version: '3' });
    expect(await all({ version: '3' })).toEqual({ m: 'unpadded', n: 'padded' });
    stored = new Map([...stored].reverse());
    expect(await all({ version: '3' })).toEqual({ m: 'unpadded', n: 'padded' });
  });

  it('gives all or none, and names each that does not open', async () => {
    await credstash.put('a', bytes('a'));
    await credstash.put('b', bytes('b'), { context: checkContext([['env', 'prod']]) });
    plant('c', v(1));
    const error: unknown = await credstash.getAll().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'WRONG_CONTEXT', exitStatus: 6 });
    expect((error as CredstashError).failures.map(({ name }) => name)).toEqual(['b', 'c']);
    const { secrets, leftOut } = await credstash.getAll({ skipUndecryptable: true });
    expect(secrets.map(({ name }) => name)).toEqual(['a']);
    expect(leftOut.map(({ name, error: { code } }) => [name, code])).toEqual([
      ['b', 'WRONG_CONTEXT'],
      ['c', 'WRONG_CONTEXT'],
    ]);
  });

  it('hints at what failed', async () => {
    const hint = (options = {}): Promise<unknown> =>
      credstash.getAll(options).then(
        () => undefined,
        (error: unknown) => (error as CredstashError).hint,
      );
    const leave = 'leave out what does not open with `skipUndecryptable`';
    await credstash.put('a', bytes('a'));
    expect(await hint({ version: '2' })).toBe(leave);
    const entry = stored.get(`a ${v(1)}`);
    if (entry) stored.set(`a ${v(1)}`, { ...entry, comment: 'tampered' });
    expect(await hint()).toBe(`find out who wrote what does not verify, or ${leave}`);
    await credstash.put('b', bytes('b'), { context: checkContext([['env', 'prod']]) });
    expect(await hint()).toBe(
      `give the encryption context that they share, or find out who wrote what does not verify, or ${leave}`,
    );
  });

  it('is stopped by no entry whose name is too long for the context', async () => {
    await credstash.put('a', bytes('a'), { context: { k: 'x'.repeat(7000) } });
    const [entry] = stored.values();
    const name = 'n'.repeat(2048);
    if (entry) stored.set(`${name} ${v(1)}`, { ...entry, name });
    const options = { context: { k: 'x'.repeat(7000) }, skipUndecryptable: true };
    const { secrets, leftOut } = await credstash.getAll(options);
    expect(secrets.map((each) => each.name)).toEqual(['a']);
    expect(leftOut).toMatchObject([{ name, error: { code: 'WRONG_CONTEXT' } }]);
  });

  it('is told of a bad version or context before the first request', async () => {
    const glob = 'x'.repeat(2049);
    await expect(credstash.getAll({ glob })).rejects.toMatchObject({ code: 'USAGE' });
    await expect(credstash.list(glob)).rejects.toMatchObject({ code: 'USAGE' });
    await expect(credstash.getAll({ version: '' })).rejects.toMatchObject({ code: 'USAGE' });
    const context = { '': 'x' };
    await expect(credstash.getAll({ context })).rejects.toMatchObject({ code: 'USAGE' });
    expect(calls).toEqual([]);
  });
});

describe('getMany', () => {
  const prod = checkContext([['env', 'prod']]);
  const failure = async (...wanted: Parameters<typeof credstash.getMany>): Promise<unknown> =>
    credstash.getMany(...wanted).catch((reason: unknown) => reason);

  it('gives each in the order wanted, and reads and unwraps what is the same once', async () => {
    await credstash.put('a', bytes('a1'));
    await credstash.put('a', bytes('a2'), { version: '2' });
    await credstash.put('b', bytes('b'), { context: { env: 'prod', team: 'x' } });
    calls = [];
    handedOut = [];
    const got = await credstash.getMany([
      { name: 'b', context: { env: 'prod', team: 'x' } },
      { name: 'a' },
      { name: 'a', version: '1' },
      { name: 'b', context: { team: 'x', env: 'prod' }, place: 'B' },
      { name: 'a', version: undefined, context: {} },
    ]);
    expect(got.map(({ name, value }) => [name, text(value)])).toEqual([
      ['b', 'b'],
      ['a', 'a2'],
      ['a', 'a1'],
      ['b', 'b'],
      ['a', 'a2'],
    ]);
    expect(got[3]?.place).toBe('B');
    expect(calls.sort()).toEqual([`at ${v(1)}`, 'latest', 'latest', 'unwrap', 'unwrap', 'unwrap']);
    expect(handedOut.every((key) => key.every((byte) => byte === 0))).toBe(true);
  });

  it('makes no request for none', async () => {
    expect(await credstash.getMany([])).toEqual([]);
    expect(calls).toEqual([]);
  });

  it('checks all of them before the first request', async () => {
    await credstash.put('a', bytes('a'));
    calls = [];
    for (const bad of [
      { name: '' },
      { name: 'a', version: '' },
      { name: 'a', context: { '': 'x' } },
      { name: 'a'.repeat(2048), context: { k: 'v'.repeat(6200) } },
    ]) {
      expect(await failure([{ name: 'a' }, bad])).toMatchObject({ code: 'USAGE' });
    }
    expect(calls).toEqual([]);
  });

  it('gives all or none, and names each that it cannot give by its place', async () => {
    await credstash.put('a', bytes('a'));
    await credstash.put('b', bytes('b'), { context: prod });
    const wanted = [
      { name: 'none', place: 'line 1' },
      { name: 'a' },
      { name: 'b' },
      { name: 'a', version: '9' },
      { name: 'none', place: 'line 2' },
    ];
    const error = (await failure(wanted)) as CredstashError;
    expect(error).toMatchObject({ code: 'SECRET_NOT_FOUND', exitStatus: 3 });
    expect(error.message).toBe('4 of 5 secrets cannot be got from the fake, so none is given');
    expect(error.hint).toBe('give each the encryption context that it was put with');
    expect(error.failures.map(({ name, error: { code } }) => [name, code])).toEqual([
      ['line 1', 'SECRET_NOT_FOUND'],
      ['b', 'WRONG_CONTEXT'],
      ['a', 'VERSION_NOT_FOUND'],
      ['line 2', 'SECRET_NOT_FOUND'],
    ]);
    const entry = stored.get(`a ${v(1)}`);
    if (entry) stored.set(`a ${v(1)}`, { ...entry, comment: 'tampered' });
    expect(await failure(wanted)).toMatchObject({ code: 'INTEGRITY', exitStatus: 5 });
  });

  it('ends at once for what every other secret would meet too', async () => {
    const down = new CredstashError('UNREACHABLE', 'down');
    const latest = vi.spyOn(entries, 'latest').mockRejectedValue(down);
    const wanted = Array.from({ length: 100 }, (_, i) => ({ name: `n${i}` }));
    expect(await failure(wanted)).toBe(down);
    expect(latest.mock.calls.length).toBeLessThan(100);
    vi.restoreAllMocks();
  });
});

describe('an exact version', () => {
  const exact = { exactVersion: true } as const;
  it('is stored, got and deleted as it is, beside the padded one', async () => {
    await credstash.put('n', bytes('padded'), { version: '1' });
    expect(await credstash.put('n', bytes('as it is'), { version: '1', ...exact })).toMatchObject({
      version: '1',
    });
    expect(text(await credstash.get('n', { version: '1' }))).toBe('padded');
    expect(text(await credstash.get('n', { version: '1', ...exact }))).toBe('as it is');
    const got = await credstash.getMany([
      { name: 'n', version: '1' },
      { name: 'n', version: '1', ...exact },
    ]);
    expect(got.map(({ value }) => text(value))).toEqual(['padded', 'as it is']);
    const { secrets } = await credstash.getAll({ version: '1', ...exact });
    expect(secrets.map(({ value }) => text(value))).toEqual(['as it is']);
    expect(await credstash.delete('n', { version: '1', ...exact })).toEqual([
      { name: 'n', version: '1', done: 'deleted' },
    ]);
    expect(text(await credstash.get('n', { version: '1' }))).toBe('padded');
  });

  it('is not found in another spelling', async () => {
    await credstash.put('n', bytes('padded'), { version: '1' });
    const absent = { code: 'VERSION_NOT_FOUND' };
    const version = { version: '1', ...exact };
    await expect(credstash.get('n', version)).rejects.toMatchObject(absent);
    await expect(credstash.getAll(version)).rejects.toMatchObject(absent);
    await expect(credstash.delete('n', version)).rejects.toMatchObject(absent);
    expect(
      await credstash.putAll([{ name: 'n', value: bytes('padded') }], {
        ...version,
        skipUnchanged: true,
      }),
    ).toEqual([{ name: 'n', done: 'stored' }]);
  });
});

it('has the HMAC of an original entry as text where it is asked to', async () => {
  await credstash.put('n', bytes('s'), { cipher: 'AES-256-CTR', hmacAsText: true });
  await credstash.put('m', bytes('s'), { cipher: 'AES-256-CTR' });
  expect(of('n')[0]?.hmacAsText).toBe(true);
  expect(of('m')[0]?.hmacAsText).toBeUndefined();
  expect(text(await credstash.get('n'))).toBe('s');
});

describe('resolveReferences', () => {
  it('gives the variables whose whole value is a reference', async () => {
    await credstash.put('db', bytes('secret'), { context: { env: 'prod', team: 'x' } });
    await credstash.put('key', new Uint8Array([0, 255]), { context: { env: 'test', team: 'x' } });
    const resolved = await credstash.resolveReferences(
      {
        DB: 'credstash://db',
        AGAIN: 'credstash://db?version=1&env=prod',
        KEY: 'credstash://key?env=test',
        URL: 'postgres://u:credstash://db@host',
        PATH: '/bin',
        NONE: undefined,
        __proto: 'x',
      },
      { context: { env: 'prod', team: 'x' } },
    );
    expect(
      [...resolved].map(([name, value]) => [name, Buffer.from(value).toString('hex')]),
    ).toEqual([
      ['DB', Buffer.from('secret').toString('hex')],
      ['AGAIN', Buffer.from('secret').toString('hex')],
      ['KEY', '00ff'],
    ]);
  });

  it('names every variable that fails, the malformed ones before any request', async () => {
    const failing = async (variables: Record<string, string>): Promise<unknown> =>
      credstash.resolveReferences(variables).catch((reason: unknown) => reason);
    expect(
      await failing({ A: 'credstash://', B: 'credstash://b', C: 'credstash://c?x' }),
    ).toMatchObject({ code: 'USAGE', failures: [{ name: 'A' }, { name: 'C' }] });
    expect(calls).toEqual([]);
    expect(await failing({ A: 'credstash://a', B: 'b', C: 'credstash://c' })).toMatchObject({
      code: 'SECRET_NOT_FOUND',
      failures: [{ name: 'A' }, { name: 'C' }],
    });
  });
});

describe('putAll', () => {
  const secrets = ['a', 'b', 'c'].map((name) => ({ name, value: bytes(name) }));
  const putAll = async (
    ...args: Parameters<typeof credstash.putAll>
  ): Promise<Record<string, string>> => {
    const outcomes = await outcomesOf(credstash.putAll(...args));
    return Object.fromEntries(outcomes.map(({ name, done }) => [name, done]));
  };

  it('stores each, and one that fails stops none of the others', async () => {
    plant('b', v(1));
    expect(await putAll(secrets)).toEqual({ a: 'stored', b: 'failed', c: 'stored' });
    expect([...stored.keys()].sort()).toEqual(['a', 'b', 'c'].map((name) => `${name} ${v(1)}`));
    expect(handedOut.every((key) => key.every((byte) => byte === 0))).toBe(true);
  });

  it('leaves alone what is there with the same bytes', async () => {
    await credstash.put('a', bytes('a'));
    await credstash.put('b', bytes('other'));
    const options = { skipUnchanged: true, autoversion: true };
    expect(await putAll(secrets, options)).toEqual({ a: 'unchanged', b: 'stored', c: 'stored' });
    expect(await putAll(secrets, options)).toEqual({
      a: 'unchanged',
      b: 'unchanged',
      c: 'unchanged',
    });
    expect(stored.size).toBe(4);
  });

  it('compares with the version that -v says', async () => {
    await credstash.put('a', bytes('a'));
    await credstash.put('a', bytes('newer'), { version: '2' });
    const one = [{ name: 'a', value: bytes('a') }];
    expect(await putAll(one, { skipUnchanged: true, version: '1' })).toEqual({ a: 'unchanged' });
    expect(await putAll(one, { skipUnchanged: true, version: '2' })).toEqual({ a: 'failed' });
    expect(await putAll(one, { skipUnchanged: true, version: '3' })).toEqual({ a: 'stored' });
  });

  it('checks all of them before the first request', async () => {
    const bad = [...secrets, { name: '', value: bytes('x') }];
    await expect(putAll(bad)).rejects.toMatchObject({ code: 'USAGE' });
    const twice = [...secrets, { name: 'a', value: bytes('x') }];
    await expect(putAll(twice)).rejects.toMatchObject({ code: 'USAGE' });
    const large = [...secrets, { name: 'd', value: new Uint8Array(500_000) }];
    await expect(putAll(large)).rejects.toMatchObject({ code: 'TOO_LARGE' });
    expect(calls).toEqual([]);
  });
});

describe('Credstash.over', () => {
  it('neither sets up nor closes what is not its own', async () => {
    await expect(credstash.setup()).rejects.toMatchObject({ code: 'USAGE' });
    await expect(credstash.policy('reader')).rejects.toMatchObject({ code: 'USAGE' });
    await credstash.put('a', bytes('x'));
    await credstash.close();
    expect(await credstash.getText('a')).toBe('x');
  });

  it('refuses invalid options at once', () => {
    expect(() => Credstash.over({ keys, entries }, { maxConcurrency: 0 })).toThrow(
      expect.objectContaining({ code: 'USAGE' }) as Error,
    );
  });
});
