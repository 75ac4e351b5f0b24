import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { openMemory } from '../../src/backend/memory/index.ts';
import { Credstash } from '../../src/credstash.ts';
import { CredstashError, type Outcome } from '../../src/errors.ts';
import { openOwn } from '../../src/calls/open-backends.ts';
import { eventually } from '../support/eventually.ts';

let backend: Backend;
let credstash: Credstash;

beforeEach(async () => {
  backend = openMemory();
  credstash = Credstash.over(backend);
  for (const version of ['1', '2', '3']) await credstash.put('n', version, { version });
});

const versions = async (): Promise<string[]> =>
  (await credstash.history('n')).map(({ version }) => version.replace(/^0+/, '')).reverse();

describe('operations on many secrets', () => {
  it.each<[string, () => Promise<Outcome[]>, string[]]>([
    ['delete', () => credstash.delete('n'), ['deleted', 'deleted', 'deleted']],
    [
      'delete in a dry run',
      () => credstash.delete('n', { dryRun: true }),
      Array(3).fill('planned') as string[],
    ],
    ['putAll', () => credstash.putAll([{ name: 'a', value: 'x' }]), ['stored']],
    ['prune', () => credstash.prune({ keep: 1 }), ['changed', 'changed']],
    ['rekey', () => credstash.rekey(), ['changed', 'changed', 'changed']],
    [
      'migrate',
      () => credstash.migrate({ cipher: 'AES-256-CTR' }),
      ['changed', 'changed', 'changed'],
    ],
    ['padVersions', () => credstash.padVersions(), []],
    ['copy', () => credstash.copy(Credstash.inMemory()), ['changed', 'changed', 'changed']],
  ])('%s starts at the call, and resolves to all outcomes', async (_, start, expected) => {
    const outcomes = await start();
    expect(outcomes.map(({ done }) => done)).toEqual(expected);
  });

  it('are no iterables, so that nobody waits for one that does nothing', () => {
    const promise = credstash.rekey();
    expect(promise).toBeInstanceOf(Promise);
    expect(Symbol.asyncIterator in promise).toBe(false);
  });

  it('delete starts although nobody awaits it', async () => {
    void credstash.delete('n', { version: '1' });
    await eventually(async () => {
      expect(await versions()).toEqual(['2', '3']);
    });
  });

  it('onOutcome is called in order, and waited for', async () => {
    const told: string[] = [];
    const onOutcome = async ({ version }: Outcome): Promise<void> => {
      await Promise.resolve();
      told.push(`${version?.slice(-1) ?? ''} of ${(await versions()).length}`);
    };
    await credstash.delete('n', { onOutcome }).catch((error: unknown) => {
      // The last one is told when the secret is gone.
      expect(error).toMatchObject({ code: 'SECRET_NOT_FOUND' });
    });
    expect(told).toEqual(['1 of 2', '2 of 1']);
  });

  it('what onOutcome throws stops the operation', async () => {
    const stop = new Error('stop');
    const onOutcome = (): never => {
      throw stop;
    };
    await expect(credstash.delete('n', { onOutcome })).rejects.toBe(stop);
    expect(await versions()).toEqual(['2', '3']);
  });

  it('a signal stops the operation with its reason, and onOutcome has told what was done', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const told: Outcome[] = [];
    const onOutcome = (outcome: Outcome): void => {
      told.push(outcome);
      controller.abort(reason);
    };
    const stopped = credstash.delete('n', { onOutcome, signal: controller.signal });
    await expect(stopped).rejects.toBe(reason);
    expect(told).toHaveLength(1);
    expect(await versions()).toEqual(['2', '3']);
  });
});

describe('failures', () => {
  /** The error of a promise that rejects. */
  const failure = async (promise: Promise<unknown>): Promise<CredstashError> => {
    const error = await promise.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(CredstashError);
    return error as CredstashError;
  };

  it('putAll rejects with every outcome, and the others are stored', async () => {
    const secrets = ['a', 'n', 'z'].map((name) => ({ name, value: name }));
    const error = await failure(credstash.putAll(secrets));
    expect(error).toMatchObject({
      code: 'VERSION_EXISTS',
      outcomes: [
        { name: 'a', done: 'stored' },
        { name: 'n', done: 'failed', error: { code: 'VERSION_EXISTS' } },
        { name: 'z', done: 'stored' },
      ],
      failures: [{ name: 'n' }],
      retryable: false,
    });
    expect(error.message).toMatch(/^1 of 3 secrets have not been stored in memory; n: /);
    expect(await credstash.getText('z')).toBe('z');
  });

  it('delete stops at a version that fails: a newer one must not go before it', async () => {
    const down = new CredstashError('UNREACHABLE', 'down');
    const remove = backend.entries.remove.bind(backend.entries);
    vi.spyOn(backend.entries, 'remove').mockImplementation((name, version) =>
      version.endsWith('2') ? Promise.reject(down) : remove(name, version),
    );
    const error = await failure(credstash.delete('n'));
    expect(error).toMatchObject({ code: 'UNREACHABLE', retryable: true });
    expect(error.outcomes.map(({ done }) => done)).toEqual(['deleted', 'failed', 'failed']);
    expect(error.outcomes[1]?.error).toBe(down);
    expect(error.outcomes[2]?.error).toMatchObject({ message: 'was not tried' });
    expect(await versions()).toEqual(['2', '3']);
  });

  it('the error of the only one is that one, with its outcome', async () => {
    const error = await failure(credstash.putAll([{ name: 'n', value: 'x' }]));
    expect(error.message).toMatch(/^version 0*1 of n is already in memory$/);
    expect(error.outcomes).toMatchObject([{ name: 'n', done: 'failed' }]);
  });

  it('an error that ends the operation comes with what was done before it', async () => {
    const scan = new CredstashError('TABLE_NOT_FOUND', 'gone');
    vi.spyOn(backend.entries, 'headers').mockImplementation(() => {
      throw scan;
    });
    expect(await failure(credstash.prune({ keep: 1 }))).toBe(scan);
    expect(scan.outcomes).toEqual([]);
  });

  it('is an error without onOutcome too that nobody loses: prune names each version', async () => {
    vi.spyOn(backend.entries, 'remove').mockRejectedValue(
      new CredstashError('ACCESS_DENIED', 'access denied: dynamodb:DeleteItem'),
    );
    const error = await failure(credstash.prune({ keep: 1 }));
    expect(error.code).toBe('ACCESS_DENIED');
    expect(error.failures.map(({ name }) => name)).toEqual(['n version 1', 'n version 2']);
  });
});

describe('timeoutMs', () => {
  it('ends a call on a backend that does not answer, whether it heeds its signal or not', async () => {
    const { keys, entries } = backend;
    const never = new Promise<never>(() => undefined);
    const silent = { ...keys, unwrap: () => never, generate: () => never, warmUp: () => undefined };
    const hanging = Credstash.over(
      { keys: { ...silent, withSignal: () => silent }, entries },
      { timeoutMs: 20 },
    );
    const timeout = { code: 'TIMEOUT', retryable: true, exitStatus: 7 };
    await expect(hanging.get('n')).rejects.toMatchObject(timeout);
    await expect(hanging.get('n', { timeoutMs: 5 })).rejects.toMatchObject({
      ...timeout,
      message: 'the call did not end within its 5 ms',
    });
    await expect(hanging.put('m', 'x')).rejects.toMatchObject(timeout);
    await expect(hanging.putAll([{ name: 'm', value: 'x' }])).rejects.toMatchObject(timeout);
    expect(await credstash.names()).toEqual(['n']);
    // What needs no data key is in time, however little of the processor this process gets.
    expect(await hanging.names({ timeoutMs: 60_000 })).toEqual(['n']);
  });

  it('ends a setup that does not heed its signal', async () => {
    const opened = { ...openOwn(backend), setup: () => new Promise<never>(() => undefined) };
    const hanging = new Credstash({ timeoutMs: 20 }, () => Promise.resolve(opened));
    await expect(hanging.setup()).rejects.toMatchObject({ code: 'TIMEOUT' });
    const signal = AbortSignal.timeout(5);
    await expect(hanging.setup({ signal })).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  it('and one signal of many requests make Node.js warn of nothing', async () => {
    const warned = vi.fn();
    process.on('warning', warned);
    const own = new AbortController();
    const memory = Credstash.inMemory({ signal: own.signal });
    const names = Array.from({ length: 40 }, (_, i) => ({ name: `n${i}` }));
    const { signal } = new AbortController();
    await memory.putAll(
      names.map(({ name }) => ({ name, value: name })),
      { onOutcome: () => undefined },
    );
    for (const options of [{}, { signal }, { timeoutMs: 60_000 }, { signal, timeoutMs: 60_000 }]) {
      expect(await memory.getMany(names, options)).toHaveLength(40);
      const fast = { ...options, rate: 10_000 };
      expect(await memory.rekey(fast)).toHaveLength(40);
      expect(await memory.copy(Credstash.inMemory(), fast)).toHaveLength(40);
    }
    const cache = memory.createCache();
    await Promise.all(names.map(({ name }) => cache.get(name, { signal })));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', warned);
    expect(warned).not.toHaveBeenCalled();
  });

  it('of a call that ends in time leaves no timer behind', async () => {
    vi.useFakeTimers();
    try {
      expect(await credstash.getText('n', { timeoutMs: 1000 })).toBe('3');
      for await (const _ of credstash.headers('*', { timeoutMs: 1000 }));
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('values', () => {
  it('put takes text, and getJson, putJson and getOptional do what they say', async () => {
    await credstash.put('text', 'grüße 🔑');
    expect(await credstash.getText('text')).toBe('grüße 🔑');
    await credstash.putJson('json', { user: 'app', ports: [1, 2] });
    expect(await credstash.getText('json')).toBe('{"user":"app","ports":[1,2]}');
    const got = await credstash.getJson<{ user: string }>('json');
    expect(got.user).toBe('app');
    expect(await credstash.getOptional('json')).toBeInstanceOf(Uint8Array);
    expect(await credstash.getOptional('missing')).toBeUndefined();
    expect(await credstash.getOptional('json', { version: '9' })).toBeUndefined();
    expect(await credstash.getOptional('json', { label: 'none' })).toBeUndefined();
  });

  it('what is not JSON is told without a word of it', async () => {
    await credstash.put('text', '{canary');
    const error: unknown = await credstash.getJson('text').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'USAGE', message: 'the secret text is not JSON' });
    expect(error).not.toHaveProperty('cause');
    expect(JSON.stringify(error)).not.toContain('canary');
    await credstash.put('marked', '\ufeff{}');
    await expect(credstash.getJson('marked')).rejects.toMatchObject({ hint: /byte order mark/ });
    const circular: Record<string, unknown> = {};
    circular['canary'] = circular;
    const unstored: unknown = await credstash.putJson('x', circular).catch((e: unknown) => e);
    expect(unstored).toMatchObject({ code: 'USAGE' });
    expect(JSON.stringify(unstored)).not.toContain('canary');
  });

  it('await using closes it, and a cache', async () => {
    const close = vi.fn();
    const opened = { ...backend, withSignal: undefined };
    {
      const inMemory = Credstash.over(opened);
      vi.spyOn(inMemory, 'close').mockImplementation(() => Promise.resolve(close()));
      await using own = inMemory;
      expect(await own.names()).toEqual(['n']);
      using cache = own.createCache();
      expect(cache[Symbol.asyncDispose]).toBeTypeOf('function');
    }
    expect(close).toHaveBeenCalledOnce();
  });
});
