import { beforeEach, describe, expect, it, vi } from 'vitest';
import { versionExists } from '../../src/backend/entry-store.ts';
import { Credstash } from '../../src/credstash.ts';
import { checkContext } from '../../src/model/context.ts';
import { MAX_ITEM_BYTES, measureItem } from '../../src/model/item.ts';
import { bytes, text } from '../support/bytes.ts';
import { RecordedBackend } from '../support/recorded-backend.ts';
import { v } from '../support/version.ts';

let backend: RecordedBackend;
let credstash: Credstash;

beforeEach(() => {
  backend = new RecordedBackend();
  credstash = Credstash.over(backend);
});

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
    expect(backend.calls).toEqual(['generate', `create ${v(1)}`]);
    backend.calls = [];
    expect(text(await credstash.get('n'))).toBe('secret');
    expect(backend.calls).toEqual(['latest', 'unwrap']);
  });

  it('writes what the original reads: the context as it is, no created [rule 19]', async () => {
    const context = checkContext([['env', 'prod']]);
    await credstash.put('n', bytes('secret'), { cipher: 'AES-256-CTR', context });
    const entry = await backend.read('n', v(1));
    expect(entry).toMatchObject({ cipher: 'AES-256-CTR', digest: 'SHA256' });
    expect(entry).not.toHaveProperty('created');
    expect(await backend.memory.keys.unwrap(entry.key, context)).toHaveLength(64);
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
    expect(backend.calls).toEqual([]);
  });

  it.each([{ version: '2' }, { autoversion: true }, { label: 'live' }])(
    'refuses ifMissing with %j before any request',
    async (options) => {
      const put = credstash.put('n', bytes('s'), { ...options, ifMissing: true });
      await expect(put).rejects.toMatchObject({ code: 'USAGE' });
      expect(backend.calls).toEqual([]);
    },
  );

  it('stores version 1 with ifMissing, and nothing if any version exists', async () => {
    const options = { ifMissing: true };
    const stored = await credstash.put('n', bytes('one'), options);
    expect(stored).toMatchObject({ name: 'n', version: v(1) });
    expect(stored).not.toHaveProperty('existed');
    await credstash.put('n', bytes('two'), { version: '7', context: { env: 'prod' } });
    await credstash.delete('n', { version: '1' });
    await backend.tamper('n', v(7), { hmac: bytes('x'.repeat(32)) });
    backend.calls = [];
    expect(await credstash.put('n', bytes('three'), options)).toMatchObject({
      ...{ name: 'n', version: v(7), existed: true },
    });
    expect(backend.calls).toEqual(['newest header']);
    await credstash.delete('n');
    expect(await credstash.put('n', bytes('four'), options)).toMatchObject({ version: v(1) });
    expect(text(await credstash.get('n'))).toBe('four');
  });

  it('succeeds with ifMissing if another writer was first meanwhile', async () => {
    const create = backend.entries.create.bind(backend.entries);
    vi.spyOn(backend.entries, 'create').mockImplementationOnce(async (entry) => {
      await credstash.put('n', bytes('first'));
      return create(entry);
    });
    expect(await credstash.put('n', bytes('late'), { ifMissing: true })).toMatchObject({
      ...{ version: v(1), existed: true },
    });
    expect(text(await credstash.get('n'))).toBe('first');
    expect(await credstash.history('n')).toHaveLength(1);
  });

  it.each(['AES-256-GCM', 'AES-256-CTR'])(
    'takes the largest value that fits and no byte more (%s) [rule 7]',
    async (cipher) => {
      let [fits, tooLarge] = [0, MAX_ITEM_BYTES];
      while (tooLarge - fits > 1) {
        const length = (fits + tooLarge) >> 1;
        backend.calls = [];
        try {
          await credstash.put(`n${length}`, new Uint8Array(length), { cipher });
          fits = length;
        } catch (error) {
          expect(error).toMatchObject({ code: 'TOO_LARGE', exitStatus: 2 });
          expect(backend.calls).toEqual([]);
          tooLarge = length;
        }
      }
      // 512 bytes are kept for a wrapped key, of which the key in memory takes 92, and 64 for an HMAC.
      const size = measureItem(await backend.read(`n${fits}`, v(1)));
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
    expect(backend.calls).toEqual([]);
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
      expect(backend.calls).toEqual([]);
      // As the original stores it: its data key is wrapped under the pairs as they are.
      await credstash.put('n', bytes('s'), { cipher: 'AES-256-CTR' });
      const { keys } = backend.memory;
      const dataKey = await keys.unwrap((await backend.read('n', v(1))).key, {});
      await backend.tamper('n', v(1), { key: await keys.wrap(dataKey, context) });
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
    await backend.plant('n', v(41));
    await credstash.put('n', bytes('s'), { autoversion: true, version: '7' });
    expect(await backend.listIds()).toContain(`n ${v(42)}`);
  });

  it('tries again when somebody else was quicker, with one data key', async () => {
    const { entries } = backend;
    const create = entries.create.bind(entries);
    vi.spyOn(entries, 'create').mockImplementation(async (entry) => {
      const { length } = await backend.listIds();
      if (length < 3) await backend.plant('n', v(length + 1));
      return create(entry);
    });
    await credstash.put('n', bytes('s'), { autoversion: true });
    expect(await backend.listIds()).toEqual([1, 2, 3, 4].map((n) => `n ${v(n)}`));
    expect(backend.calls.filter((call) => call === 'generate')).toHaveLength(1);
    expect(text(await credstash.get('n'))).toBe('s');
  });

  it('gives up when a version is refused that the newest never reaches', async () => {
    vi.spyOn(backend.entries, 'create').mockImplementation((entry) =>
      Promise.reject(versionExists(entry, 'x')),
    );
    await expect(credstash.put('n', bytes('s'), { autoversion: true })).rejects.toMatchObject({
      code: 'VERSION_EXISTS',
    });
  });

  it('refuses to count on from a version that is no number, before a data key is made', async () => {
    await backend.plant('n', '00000000000000.1.9.1');
    const put = credstash.put('n', bytes('s'), { autoversion: true });
    await expect(put).rejects.toMatchObject({ code: 'VERSION_NOT_NUMERIC' });
    expect(backend.calls).toEqual(['newest header']);
  });

  it('says when the version is there', async () => {
    await backend.plant('n', v(1));
    await expect(credstash.put('n', bytes('s'))).rejects.toMatchObject({
      code: 'VERSION_EXISTS',
      exitStatus: 4,
    });
  });
});

it('has the HMAC of an original entry as text where it is asked to', async () => {
  await credstash.put('n', bytes('s'), { cipher: 'AES-256-CTR', hmacAsText: true });
  await credstash.put('m', bytes('s'), { cipher: 'AES-256-CTR' });
  expect((await backend.read('n', v(1))).hmacAsText).toBe(true);
  expect((await backend.read('m', v(1))).hmacAsText).toBeUndefined();
  expect(text(await credstash.get('n'))).toBe('s');
});
