import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { eventually } from './support/eventually.ts';
import { type CacheOptions, SecretCache } from '../src/secret-cache.ts';
import { Credstash } from '../src/credstash.ts';
import { CredstashError, type ErrorCode, hasCode } from '../src/errors.ts';
import type { GetOptions } from '../src/operations/options.ts';
import { createTable, type Dynamo, startDynalite } from './support/dynamo.ts';
import { type KmsServer, startKmsServer } from './support/kms-server.ts';
import { awsError, type Meddle, type Recorder, startRecorder } from './support/recorder.ts';
import { testCredential } from './support/sigv4.ts';
import { text } from './support/bytes.ts';

const MINUTE = 60_000;

describe('with a clock of its own', () => {
  interface Asked {
    readonly name: string;
    readonly options: GetOptions;
    readonly answer: (value: string) => void;
    readonly fail: (code: ErrorCode) => void;
  }

  /** What was asked of the source, and is still to be answered by the test. */
  let asked: Asked[];
  /** Every array that the source gave, to see that it is wiped. */
  let given: Uint8Array[];
  let errors: [name: string, code: unknown][];
  let caches: SecretCache[];

  const source = (name: string, options: GetOptions): Promise<Uint8Array> =>
    new Promise((resolve, reject) => {
      asked.push({
        name,
        options,
        answer: (value) => {
          const bytes = new TextEncoder().encode(value);
          given.push(bytes);
          resolve(bytes);
        },
        fail: (code) => {
          reject(new CredstashError(code, 'as the test says'));
        },
      });
      options.signal?.addEventListener('abort', () => {
        reject(options.signal?.reason as Error);
      });
    });
  const make = (options: CacheOptions = {}): SecretCache => {
    const cache = new SecretCache(source, {
      ttl: MINUTE,
      maxStale: 5 * MINUTE,
      onError: (name, error) => errors.push([name, (error as CredstashError).code]),
      ...options,
    });
    caches.push(cache);
    return cache;
  };
  const last = (): Asked => asked.at(-1) as Asked;
  /** Gets a secret that is not kept. */
  const fill = async (cache: SecretCache, value: string, name = 'n'): Promise<void> => {
    const got = cache.get(name);
    last().answer(value);
    expect(text(await got)).toBe(value);
  };
  const isWiped = (bytes: Uint8Array | undefined): boolean =>
    bytes !== undefined && bytes.length > 0 && bytes.every((byte) => byte === 0);
  const code = (error: unknown): unknown => (error as CredstashError).code;
  /** How a promise stands, without a wait. */
  const now = async (promise: Promise<Uint8Array>): Promise<string> => {
    const settled = promise.then(text, (error: unknown) => `rejects: ${String(code(error))}`);
    await vi.advanceTimersByTimeAsync(0);
    return Promise.race([settled, Promise.resolve('waits')]);
  };

  beforeEach(() => {
    vi.useFakeTimers();
    asked = [];
    given = [];
    errors = [];
    caches = [];
  });
  afterEach(() => {
    for (const cache of caches) cache.close();
    expect(given.every(isWiped)).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  it('asks once for many at the same time, and gives each its own copy', async () => {
    const cache = make();
    const gets = Array.from({ length: 20 }, () => cache.get('n'));
    expect(asked).toHaveLength(1);
    last().answer('secret');
    const values = await Promise.all(gets);
    values[0]?.fill(0);
    expect(values.slice(1).map(text)).toEqual(Array(19).fill('secret'));
    expect(text(await cache.get('n'))).toBe('secret');
    expect(new Set([...values, ...given]).size).toBe(21);
    expect(asked).toHaveLength(1);
  });

  it('a version, a label and a context are another secret', async () => {
    const cache = make();
    const options = [
      {},
      { version: '1' },
      { label: '1' },
      { context: { a: 'b' } },
      { context: { a: 'c' } },
    ];
    const gets = options.map((each) => cache.get('n', each));
    expect(asked).toHaveLength(options.length);
    for (const [i, each] of asked.entries()) each.answer(String(i));
    expect((await Promise.all(gets)).map(text)).toEqual(['0', '1', '2', '3', '4']);
    const again = await Promise.all(options.map((each) => cache.get('n', each)));
    expect(again.map(text)).toEqual(['0', '1', '2', '3', '4']);
    expect(asked[1]?.options).toMatchObject({ version: '1' });
    expect(asked[3]?.options).toMatchObject({ context: { a: 'b' } });
  });

  it('the order of the pairs of a context makes no difference', async () => {
    const cache = make();
    const one = cache.get('n', { context: { a: '1', b: '2' } });
    const other = cache.get('n', { context: { b: '2', a: '1' } });
    expect(asked).toHaveLength(1);
    last().answer('x');
    await Promise.all([one, other]);
  });

  it('bad input is refused before anything is asked', async () => {
    const cache = make();
    await expect(cache.get('')).rejects.toMatchObject({ code: 'USAGE' });
    await expect(cache.get('n', { version: '1', label: 'l' })).rejects.toMatchObject({
      code: 'USAGE',
    });
    await expect(cache.refresh('')).rejects.toMatchObject({ code: 'USAGE' });
    expect(asked).toEqual([]);
  });

  it.each<CacheOptions>([
    { ttl: -1 },
    { ttl: NaN },
    { ttl: Infinity },
    { maxStale: -1 },
    { ttl: 2 ** 30, maxStale: 2 ** 30 },
    { maxEntries: 0 },
    { maxEntries: 1.5 },
  ])('%o is refused', (options) => {
    expect(() => new SecretCache(source, options)).toThrow(
      expect.objectContaining({ code: 'USAGE' }),
    );
  });

  it('the last tenth of the ttl: the old value with no wait, and the new one once it is there', async () => {
    const cache = make();
    await fill(cache, 'old');
    await vi.advanceTimersByTimeAsync(0.9 * MINUTE - 1);
    expect(await now(cache.get('n'))).toBe('old');
    expect(asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await now(cache.get('n'))).toBe('old');
    expect(await now(cache.get('n'))).toBe('old');
    expect(asked).toHaveLength(2);
    last().answer('new');
    await vi.advanceTimersByTimeAsync(0);
    expect(await now(cache.get('n'))).toBe('new');
    expect(isWiped(given[0])).toBe(true);
    expect(asked).toHaveLength(2);
  });

  it('over the ttl, a get has the new value, and never the old one', async () => {
    const cache = make();
    await fill(cache, 'old');
    await vi.advanceTimersByTimeAsync(MINUTE);
    const got = cache.get('n');
    expect(await now(got)).toBe('waits');
    expect(asked).toHaveLength(2);
    last().answer('new');
    expect(await now(got)).toBe('new');
  });

  it('the age counts from when the request began', async () => {
    const cache = make();
    const got = cache.get('n');
    await vi.advanceTimersByTimeAsync(0.9 * MINUTE);
    last().answer('slow');
    expect(await now(got)).toBe('slow');
    expect(asked).toHaveLength(1);
    expect(await now(cache.get('n'))).toBe('slow');
    expect(asked).toHaveLength(2);
  });

  describe.each(['THROTTLED', 'UNREACHABLE'] as const)('AWS is down: %s', (down) => {
    it('the stale value at once when it fails, then with no request for 10 seconds', async () => {
      const cache = make();
      await fill(cache, 'old');
      await vi.advanceTimersByTimeAsync(MINUTE);
      const got = cache.get('n');
      expect(await now(got)).toBe('waits');
      last().fail(down);
      expect(await now(got)).toBe('old');
      expect(errors).toEqual([['n', down]]);
      await vi.advanceTimersByTimeAsync(9999);
      expect(await now(cache.get('n'))).toBe('old');
      expect(asked).toHaveLength(2);
      await vi.advanceTimersByTimeAsync(1);
      const next = cache.get('n');
      expect(asked).toHaveLength(3);
      last().answer('new');
      expect(await now(next)).toBe('new');
      expect(await now(cache.get('n'))).toBe('new');
    });

    it('for maxStale over the ttl, to the millisecond; then the error, and the value is wiped', async () => {
      const cache = make();
      await fill(cache, 'old');
      await vi.advanceTimersByTimeAsync(6 * MINUTE - 1);
      const got = cache.get('n');
      last().fail(down);
      expect(await now(got)).toBe('old');
      expect(isWiped(given[0])).toBe(false);
      await vi.advanceTimersByTimeAsync(1);
      expect(isWiped(given[0])).toBe(true);
      const late = cache.get('n');
      expect(await now(late)).toBe('waits');
      last().fail(down);
      expect(await now(late)).toBe(`rejects: ${down}`);
    });

    it('with no maxStale there is no stale value', async () => {
      const cache = make({ maxStale: undefined });
      await fill(cache, 'old');
      await vi.advanceTimersByTimeAsync(MINUTE - 1);
      // Still young enough.
      const young = cache.get('n');
      last().fail(down);
      expect(await now(young)).toBe('old');
      await vi.advanceTimersByTimeAsync(1);
      expect(isWiped(given[0])).toBe(true);
      const got = cache.get('n');
      last().fail(down);
      expect(await now(got)).toBe(`rejects: ${down}`);
    });

    it('a refresh tells, and leaves the value that is kept', async () => {
      const cache = make();
      await fill(cache, 'old');
      const refreshed = cache.refresh('n').catch(code);
      last().fail(down);
      expect(await refreshed).toBe(down);
      expect(errors).toEqual([]);
      expect(await now(cache.get('n'))).toBe('old');
    });
  });

  it('AWS does not answer: a get waits for one second from the request on', async () => {
    const cache = make();
    await fill(cache, 'old');
    await vi.advanceTimersByTimeAsync(MINUTE);
    const first = cache.get('n');
    await vi.advanceTimersByTimeAsync(600);
    const second = cache.get('n');
    await vi.advanceTimersByTimeAsync(399);
    expect(await now(first)).toBe('waits');
    expect(await now(second)).toBe('waits');
    await vi.advanceTimersByTimeAsync(1);
    expect(await now(first)).toBe('old');
    expect(await now(second)).toBe('old');
    expect(await now(cache.get('n'))).toBe('old');
    expect(asked).toHaveLength(2);
    last().answer('new');
    await vi.advanceTimersByTimeAsync(0);
    expect(await now(cache.get('n'))).toBe('new');
  });

  it.each<ErrorCode>([
    'SECRET_NOT_FOUND',
    'VERSION_NOT_FOUND',
    'ACCESS_DENIED',
    'INTEGRITY',
    'WRONG_CONTEXT',
    'KEY_UNUSABLE',
    'CREDENTIALS_REFUSED',
    'NO_CREDENTIALS',
    'TABLE_NOT_FOUND',
    'UNEXPECTED',
  ])('%s is never hidden by a stale value, nor by a young one once it is known', async (other) => {
    const cache = make();
    await fill(cache, 'old');
    await vi.advanceTimersByTimeAsync(MINUTE);
    const got = cache.get('n');
    last().fail(other);
    expect(await now(got)).toBe(`rejects: ${other}`);
    expect(isWiped(given[0])).toBe(true);
    expect(errors).toEqual([]);
    // In the background, nobody is told but onError, and the next get asks again.
    await fill(cache, 'back');
    await vi.advanceTimersByTimeAsync(0.95 * MINUTE);
    expect(await now(cache.get('n'))).toBe('back');
    last().fail(other);
    await vi.advanceTimersByTimeAsync(0);
    expect(errors).toEqual([['n', other]]);
    expect(isWiped(given[1])).toBe(true);
    const next = cache.get('n');
    last().fail(other);
    expect(await now(next)).toBe(`rejects: ${other}`);
  });

  it('refresh fetches now, and does not trust what was under way before it', async () => {
    const cache = make();
    const got = cache.get('n');
    const refreshes = [cache.refresh('n'), cache.refresh('n')];
    expect(asked).toHaveLength(1);
    last().answer('before');
    expect(await now(got)).toBe('before');
    // One for both, which began after the two calls.
    expect(asked).toHaveLength(2);
    last().answer('after');
    await Promise.all(refreshes);
    expect(await now(cache.get('n'))).toBe('after');
    expect(asked).toHaveLength(2);
  });

  it('the signal of one caller ends the wait of that one alone', async () => {
    const cache = make();
    const reason = new Error('enough');
    const controller = new AbortController();
    const one = cache.get('n', { signal: controller.signal });
    const other = cache.get('n');
    const refreshed = cache.refresh('n', { signal: controller.signal });
    controller.abort(reason);
    await expect(one).rejects.toBe(reason);
    await expect(refreshed).rejects.toBe(reason);
    await expect(cache.get('n', { signal: controller.signal })).rejects.toBe(reason);
    last().answer('x');
    expect(await now(other)).toBe('x');
    expect(asked).toHaveLength(1);
  });

  it('keeps so many; what was not asked for the longest is wiped first', async () => {
    const cache = make({ maxEntries: 2 });
    await fill(cache, 'a', 'a');
    await fill(cache, 'b', 'b');
    await cache.get('a');
    await fill(cache, 'c', 'c');
    expect(given.map(isWiped)).toEqual([false, true, false]);
    expect(await now(cache.get('a'))).toBe('a');
    expect(await now(cache.get('b'))).toBe('waits');
    expect(asked.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'b']);
  });

  it('all that are answered at once are given, though one alone is kept', async () => {
    const cache = make({ maxEntries: 1 });
    const gets = ['a', 'b', 'c'].map((name) => cache.get(name));
    for (const each of asked) each.answer(each.name);
    expect((await Promise.all(gets)).map(text)).toEqual(['a', 'b', 'c']);
    expect(given.map(isWiped)).toEqual([true, true, false]);
  });

  it('close wipes all, ends what is under way, and nothing is kept after it', async () => {
    const cache = make();
    await fill(cache, 'a', 'a');
    const waiting = cache.get('b');
    const refreshed = cache.refresh('a').catch(code);
    cache.close();
    expect(isWiped(given[0])).toBe(true);
    expect(await now(waiting)).toBe('rejects: USAGE');
    expect(await refreshed).toBe('USAGE');
    expect(asked.map(({ options }) => options.signal?.aborted)).toEqual([true, true, true]);
    await expect(cache.get('a')).rejects.toThrow('the cache is closed');
    await expect(cache.refresh('a')).rejects.toThrow('the cache is closed');
    expect(asked).toHaveLength(3);
    cache.close();
  });

  it('what comes although the cache was closed is wiped', async () => {
    const value = new TextEncoder().encode('late');
    let answer = (): void => undefined;
    const cache = new SecretCache(
      () =>
        new Promise((resolve) => {
          answer = () => {
            resolve(value);
          };
        }),
    );
    const got = cache.get('n').catch(code);
    cache.close();
    answer();
    expect(await got).toBe('USAGE');
    await vi.advanceTimersByTimeAsync(0);
    expect(isWiped(value)).toBe(true);
  });

  it('the machine slept, and the timers with it: a value is as old as the wall clock says', async () => {
    const cache = make({ maxStale: 0 });
    await fill(cache, 'old');
    // The wall clock goes on, and neither the other one nor the timers do.
    vi.setSystemTime(Date.now() + MINUTE);
    const got = cache.get('n');
    expect(await now(got)).toBe('waits');
    last().answer('new');
    expect(await now(got)).toBe('new');
  });

  it('text is the secret as it is, and bytes that are none are an error', async () => {
    const cache = make();
    const got = cache.getText('n');
    last().answer('\ufeff grüße \n');
    expect(await got).toBe('\ufeff grüße \n');
    expect(await cache.getText('n')).toBe('\ufeff grüße \n');
    const bytes = new SecretCache(() => Promise.resolve(Uint8Array.of(0xff, 0x41)));
    await expect(bytes.getText('n')).rejects.toMatchObject({
      code: 'USAGE',
      message: 'the secret n is not UTF-8 text',
    });
    bytes.close();
  });
});

describe('on AWS, behind the proxy that breaks it', () => {
  let dynamo: Dynamo;
  let kms: KmsServer;
  let proxy: Recorder;
  let credstash: Credstash;
  let cache: SecretCache;
  let failures: unknown[];

  beforeAll(async () => {
    [dynamo, kms] = await Promise.all([startDynalite(), startKmsServer()]);
    proxy = await startRecorder({ DynamoDB: dynamo.url, KMS: kms.url });
    await createTable(dynamo.url, 'credential-store');
    // Else a table that throttles is waited for.
    vi.stubEnv('AWS_MAX_ATTEMPTS', '2');
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await Promise.all([proxy.close(), dynamo.close(), kms.close()]);
  });
  beforeEach(async () => {
    proxy.meddle = undefined;
    failures = [];
    credstash = new Credstash({
      region: 'us-east-1',
      endpoint: proxy.url,
      credentials: testCredential,
    });
    // Each value is over its ttl at once, and may be stale.
    cache = credstash.createCache({
      ttl: 0,
      maxStale: MINUTE,
      onError: (_, error) => failures.push(error),
    });
    await credstash.put('n', Buffer.from('one'), { autoversion: true });
    expect(await cache.getText('n')).toBe('one');
  });
  afterEach(async () => {
    cache.close();
    await credstash.close();
  });

  const refuse =
    (action: string, code: string, status = 400): Meddle =>
    (each) =>
      Promise.resolve(each === action ? awsError(code, '', status) : undefined);

  it.each<[string, Meddle, ErrorCode]>([
    [
      'DynamoDB throttles',
      refuse('DynamoDB.Query', 'ProvisionedThroughputExceededException'),
      'THROTTLED',
    ],
    ['DynamoDB fails', refuse('DynamoDB.Query', 'InternalServerError', 500), 'UNREACHABLE'],
    ['KMS throttles', refuse('KMS.Decrypt', 'ThrottlingException'), 'THROTTLED'],
    ['KMS is not there', refuse('KMS.Decrypt', 'ServiceUnavailable', 503), 'UNREACHABLE'],
    [
      'connections break',
      () => Promise.resolve({ status: 200, body: '', delivery: 'reset' }),
      'UNREACHABLE',
    ],
    [
      'a captive portal',
      () => Promise.resolve({ status: 200, body: '<!doctype html>' }),
      'UNREACHABLE',
    ],
  ])('%s: stale, and onError is told', async (_, meddle, code) => {
    proxy.meddle = meddle;
    expect(await cache.getText('n')).toBe('one');
    // A get gives up after a second, and the request may take longer.
    await eventually(() => {
      expect(failures).toHaveLength(1);
    });
    expect(hasCode(failures[0], code)).toBe(true);
    proxy.meddle = undefined;
    await credstash.put('n', Buffer.from('two'), { autoversion: true });
    // Still in the pause; a refresh does not wait for its end.
    expect(await cache.getText('n')).toBe('one');
    await cache.refresh('n');
    expect(await cache.getText('n')).toBe('two');
  });

  it('nothing answers: stale after a second, and close ends the request', async () => {
    proxy.meddle = () => Promise.resolve({ status: 200, body: '', delivery: 'never' });
    expect(await cache.getText('n')).toBe('one');
    expect(failures).toEqual([]);
    const refreshed = cache.refresh('n').catch((error: unknown) => error);
    cache.close();
    expect(await refreshed).toMatchObject({ code: 'USAGE', message: 'the cache is closed' });
  });

  it.each<[string, Meddle, ErrorCode]>([
    ['no access', refuse('KMS.Decrypt', 'AccessDeniedException'), 'ACCESS_DENIED'],
    ['expired', refuse('DynamoDB.Query', 'ExpiredTokenException'), 'CREDENTIALS_REFUSED'],
    ['no table', refuse('DynamoDB.Query', 'ResourceNotFoundException'), 'TABLE_NOT_FOUND'],
    ['key disabled', refuse('KMS.Decrypt', 'DisabledException'), 'KEY_UNUSABLE'],
  ])('%s: the error, and no stale value after it', async (_, meddle, code) => {
    proxy.meddle = meddle;
    await expect(cache.get('n')).rejects.toMatchObject({ code });
    proxy.meddle = refuse('DynamoDB.Query', 'InternalServerError', 500);
    await expect(cache.get('n')).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });

  it.each([
    ['NO_CREDENTIALS', Object.assign(new Error('canary'), { code: 'ECONNREFUSED' })],
    ['CREDENTIALS_REFUSED', Object.assign(new Error('canary'), { name: 'ExpiredToken' })],
  ])(
    "the application's provider fails after it worked: %s, and no stale value",
    async (code, thrown) => {
      let isDown = false;
      const provided = new Credstash({
        region: 'us-east-1',
        endpoint: proxy.url,
        // Credentials that end soon are asked for again with each request.
        credentials: () =>
          isDown
            ? Promise.reject(thrown)
            : Promise.resolve({ ...testCredential, expiration: new Date(Date.now() + 1000) }),
      });
      const kept = provided.createCache({ ttl: 0, maxStale: MINUTE });
      expect(await kept.getText('n')).toBe('one');
      isDown = true;
      for (let i = 0; i < 2; i += 1) {
        const error: unknown = await kept.get('n').catch((reason: unknown) => reason);
        expect(error).toMatchObject({ code, cause: thrown });
        expect(JSON.stringify(error)).not.toContain('canary');
      }
      isDown = false;
      expect(await kept.getText('n')).toBe('one');
      kept.close();
      await provided.close();
    },
  );

  it('a secret that was deleted is not found, and one that was altered does not verify', async () => {
    await credstash.put('gone', Buffer.from('x'));
    expect(await cache.getText('gone')).toBe('x');
    await credstash.delete('gone');
    await expect(cache.get('gone')).rejects.toMatchObject({ code: 'SECRET_NOT_FOUND' });
    proxy.meddle = async (action, answer) => {
      if (action !== 'DynamoDB.Query') return undefined;
      const { status, body } = await answer();
      return { status, body: body.replace(/"SHA256"/, '"SHA512"') };
    };
    await expect(cache.get('n')).rejects.toMatchObject({ code: 'INTEGRITY' });
  });
});
