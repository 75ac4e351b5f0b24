import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Credstash } from '../../src/credstash.ts';
import { CredstashError, type ErrorCode } from '../../src/errors.ts';
import { type CacheOptions, SecretCache } from '../../src/secret-cache.ts';

let caches: SecretCache[];
/** How often the source was asked. */
let asked: number;
/** What the source gives now. */
let answer: () => Promise<Uint8Array>;

const make = (options: CacheOptions = {}): SecretCache => {
  const cache = new SecretCache(() => {
    asked += 1;
    return answer();
  }, options);
  caches.push(cache);
  return cache;
};
const gives = (text: string) => (): Promise<Uint8Array> =>
  Promise.resolve(new TextEncoder().encode(text));
const fails = (code: ErrorCode) => (): Promise<never> =>
  Promise.reject(new CredstashError(code, 'as the test says'));

beforeEach(() => {
  vi.useFakeTimers();
  caches = [];
  asked = 0;
  answer = gives('one');
});
afterEach(() => {
  for (const cache of caches) cache.close();
  vi.useRealTimers();
});

describe('maxAge and forceFetch', () => {
  it('maxAge takes no older value, also while AWS is down', async () => {
    const cache = make({ maxStale: 3_600_000 });
    expect(await cache.getText('n')).toBe('one');
    answer = gives('two');
    await vi.advanceTimersByTimeAsync(5000);
    expect(await cache.getText('n', { maxAge: 10_000 })).toBe('one');
    expect(await cache.getText('n', { maxAge: 5000 })).toBe('two');
    await vi.advanceTimersByTimeAsync(600_000);
    answer = fails('UNREACHABLE');
    await expect(cache.get('n', { maxAge: 60_000 })).rejects.toMatchObject({ code: 'UNREACHABLE' });
    // Without it the stale value is given.
    expect(await cache.getText('n')).toBe('two');
  });

  it('forceFetch and maxAge 0 ask whatever is kept, and keep what they get', async () => {
    const cache = make();
    await cache.get('n');
    answer = gives('two');
    expect(await cache.getText('n', { forceFetch: true })).toBe('two');
    answer = gives('three');
    expect(await cache.getText('n', { maxAge: 0 })).toBe('three');
    expect(await cache.getText('n')).toBe('three');
    expect(asked).toBe(3);
  });

  it('maxAge does not join a request that began too long ago', async () => {
    const cache = make();
    let release: (value: Uint8Array) => void = () => undefined;
    answer = () =>
      new Promise((resolve) => {
        release = resolve;
      });
    const old = cache.getText('n');
    await vi.advanceTimersByTimeAsync(2000);
    const young = cache.getText('n', { maxAge: 1000 });
    answer = gives('new');
    release(new TextEncoder().encode('old'));
    expect([await old, await young]).toEqual(['old', 'new']);
  });
});

describe('a missing secret', () => {
  it.each<ErrorCode>(['SECRET_NOT_FOUND', 'VERSION_NOT_FOUND'])(
    '%s is remembered for five seconds',
    async (code) => {
      const cache = make();
      answer = fails(code);
      for (let i = 0; i < 10; i += 1) {
        await expect(cache.get('n')).rejects.toMatchObject({ code });
      }
      expect(await cache.getOptional('n')).toBeUndefined();
      expect(asked).toBe(1);
      answer = gives('stored');
      await vi.advanceTimersByTimeAsync(5000);
      expect(await cache.getText('n')).toBe('stored');
    },
  );

  it('is asked for by forceFetch, by refresh and under another name', async () => {
    const cache = make();
    answer = fails('SECRET_NOT_FOUND');
    await expect(cache.get('n')).rejects.toMatchObject({ code: 'SECRET_NOT_FOUND' });
    answer = gives('stored');
    expect(await cache.getText('other')).toBe('stored');
    expect(await cache.getText('n', { forceFetch: true })).toBe('stored');
    expect(await cache.getText('n')).toBe('stored');
    expect(asked).toBe(3);
  });

  it('is not remembered with missingTtl 0, nor is another error', async () => {
    const cache = make({ missingTtl: 0 });
    answer = fails('SECRET_NOT_FOUND');
    for (let i = 0; i < 3; i += 1) await cache.getOptional('n');
    expect(asked).toBe(3);
    answer = fails('ACCESS_DENIED');
    const denied = make();
    for (let i = 0; i < 3; i += 1) await denied.get('n').catch(() => undefined);
    expect(asked).toBe(6);
  });
});

describe('a missing secret that its own instance stores', () => {
  beforeEach(() => {
    vi.useRealTimers();
  });

  it.each<[string, (memory: Credstash) => Promise<unknown>]>([
    ['put', (memory) => memory.put('n', 'stored')],
    ['putJson', (memory) => memory.putJson('n', 'stored')],
    ['putAll', (memory) => memory.putAll([{ name: 'n', value: 'stored' }])],
    [
      'copy',
      async (memory) => {
        const other = Credstash.inMemory();
        await other.put('n', 'stored');
        return other.copy(memory);
      },
    ],
  ])('is found after a %s of the same instance', async (_, store) => {
    const memory = Credstash.inMemory();
    const cache = memory.createCache();
    expect(await cache.getOptional('n')).toBeUndefined();
    await store(memory);
    expect(await cache.getText('n')).toContain('stored');
    cache.close();
  });

  it('is found after label, rollback, and while a request that missed it is under way', async () => {
    const memory = Credstash.inMemory();
    const cache = memory.createCache();
    for (const version of ['1', '2']) await memory.put('n', version, { version });
    expect(await cache.getOptional('n', { label: 'live' })).toBeUndefined();
    await memory.label('n', 'live', { version: '1' });
    expect(await cache.getText('n', { label: 'live' })).toBe('1');
    expect(await cache.getOptional('n', { version: '3' })).toBeUndefined();
    await memory.rollback('n');
    expect(await cache.getText('n', { version: '3' })).toBe('1');
    const missed = cache.getOptional('m');
    await memory.put('m', 'stored');
    expect(await cache.getText('m')).toBe('stored');
    await missed;
    cache.close();
  });
});

describe('sources of an application', () => {
  it.each([
    ['a Buffer of its own', Buffer.from('secret')],
    ["a Buffer of Node.js's pool", Buffer.allocUnsafe(6).fill('secret')],
  ])('%s stays as it is, whoever wipes what the cache gave', async (_, owned) => {
    answer = () => Promise.resolve(owned);
    const cache = make();
    (await cache.get('n')).fill(0);
    expect(await cache.getText('n')).toBe('secret');
    cache.close();
    expect(owned.toString()).toBe('secret');
    const again = make();
    expect(await again.getText('n')).toBe('secret');
    owned.fill(0);
    expect(await again.getText('n')).toBe('secret');
  });

  it('one that throws at once is an error of the get, and not a get without an end', async () => {
    const thrown = new Error('at once');
    answer = () => {
      throw thrown;
    };
    await expect(make().get('n')).rejects.toBe(thrown);
  });

  it('one that gives a text is told so', async () => {
    answer = () => Promise.resolve('secret' as never);
    await expect(make().get('n')).rejects.toMatchObject({
      code: 'USAGE',
      message: "the cache's source must give bytes (a Uint8Array)",
    });
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('of onError');
      },
    ],
    ['rejects', () => Promise.reject(new Error('of onError'))],
  ])('an onError that %s is no unhandled rejection', async (_, onError) => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    try {
      const cache = make({ ttl: 1000, maxStale: 10_000, onError });
      await cache.get('n');
      answer = fails('UNREACHABLE');
      await vi.advanceTimersByTimeAsync(950);
      expect(await cache.getText('n')).toBe('one');
      vi.useRealTimers();
      await new Promise((resolve) => setImmediate(resolve));
      expect(asked).toBe(2);
      expect(unhandled).not.toHaveBeenCalled();
    } finally {
      process.off('unhandledRejection', unhandled);
    }
  });

  it('TIMEOUT counts as AWS being down, and timeoutMs of a get ends the wait of that one only', async () => {
    const cache = make({ ttl: 1000, maxStale: 10_000 });
    await cache.get('n');
    answer = fails('TIMEOUT');
    await vi.advanceTimersByTimeAsync(1500);
    expect(await cache.getText('n')).toBe('one');
    answer = () => new Promise(() => undefined);
    const [short] = [cache.get('m', { timeoutMs: 10 }).catch((error: unknown) => error)];
    await vi.advanceTimersByTimeAsync(10);
    expect(await short).toMatchObject({ code: 'TIMEOUT' });
  });
});
