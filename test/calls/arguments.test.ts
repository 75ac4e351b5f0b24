import { createContext, runInContext } from 'node:vm';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { Credstash } from '../../src/credstash.ts';
import { CredstashError } from '../../src/errors.ts';
import { SecretCache } from '../../src/secret-cache.ts';

/*
 * What callers without TypeScript give. Each wrong use is USAGE before any request, names the argument and what came, and never
 * quotes a value.
 */

const CANARY = 'canary-9f3b';
let requests = 0;
/** A backend that counts each use. */
const counting = (): never =>
  new Proxy(
    {},
    {
      get: () => () => {
        requests += 1;
        throw new Error('a request');
      },
    },
  ) as never;

/** Bytes that another thread has now. */
function transferred(): Uint8Array {
  const bytes = new TextEncoder().encode(CANARY);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  return bytes;
}

class Settings {
  env = 'prod';
}

/** Any argument, as a caller without types gives it. */
type Loose = Record<string, (...args: unknown[]) => unknown>;
const credstash = Credstash.over({ keys: counting(), entries: counting() });
const loose = credstash as unknown as Loose;
const Static = Credstash as unknown as Loose;
const cache = credstash.createCache();
const looseCache = cache as unknown as Loose;
const wrong = (options: unknown): unknown => new Credstash(options as never);

/** A wrong use, and what its message names. */
const USES: readonly (readonly [use: () => unknown, message: RegExp, hint?: RegExp])[] = [
  [() => loose['put']?.('n', 5), /^put: value must be bytes .* or a string, not a number$/],
  [() => loose['put']?.('n', { [CANARY]: 1 }), /value must be bytes .*, not an object/, /putJson/],
  [() => loose['put']?.('n', null), /value .*, not null/],
  [() => loose['put']?.('n'), /value .*, not undefined/],
  [() => loose['put']?.('n', [CANARY]), /value .*, not an array/],
  [() => loose['put']?.('n', new Uint16Array(2)), /value .*, not an? Uint16Array/],
  [() => loose['put']?.('n', new ArrayBuffer(2)), /value .*, not an ArrayBuffer/],
  [() => loose['put']?.('n', Promise.resolve('x')), /value .*, not a promise/],
  [() => loose['put']?.('n', `${CANARY}\ud800`), /value must be valid Unicode/],
  [
    () => loose['put']?.({ name: 'n', value: CANARY }),
    /^put: name must be a string, not an object$/,
  ],
  [() => loose['put']?.('n', 'x', '2'), /options must be an object, not a string/, /version/],
  [
    () => loose['put']?.('n', 'x', { version: 2 }),
    /options\.version must be a string, not a number/,
  ],
  [
    () => loose['put']?.('n', 'x', { autoversion: 'yes' }),
    /options\.autoversion must be true or false/,
  ],
  [
    () => loose['put']?.('n', 'x', { commment: CANARY }),
    /commment.*not an option of put/,
    /comment\?/,
  ],
  [() => loose['put']?.('n', 'x', { ctx: { env: 'x' } }), /ctx/, /did you mean context\?/],
  [() => loose['put']?.('n', 'x', { onWarning: CANARY }), /options\.onWarning must be a function/],
  [() => loose['putJson']?.('n', undefined), /JSON cannot hold value/],
  [() => loose['putJson']?.('n', 5n), /JSON cannot hold value/],
  [() => loose['putJson']?.('n', () => CANARY), /JSON cannot hold value/],
  [() => loose['putJson']?.('n', NaN), /JSON cannot hold value/, /finite numbers/],
  [() => loose['putJson']?.('n', { port: Infinity }), /JSON cannot hold value/],
  [() => loose['putJson']?.('n', Promise.resolve(1)), /JSON cannot hold value/],
  [() => loose['putJson']?.('n', { [CANARY]: new Map([[CANARY, 1]]) }), /JSON cannot hold value/],
  [() => loose['putJson']?.('n', [undefined]), /JSON cannot hold value/],
  [() => loose['putJson']?.('n', { run: () => CANARY }), /JSON cannot hold value/],
  [
    () => loose['putJson']?.('n', Buffer.from(CANARY)),
    /JSON cannot hold value/,
    /put stores bytes/,
  ],
  [() => loose['putJson']?.('n', new Error(CANARY)), /JSON cannot hold value/],
  [() => loose['put']?.('n', transferred()), /not bytes that were transferred away/],
  [() => loose['get']?.({ name: 's' }), /^get: name must be a string, not an object$/],
  [() => loose['get']?.(), /name must be a string, not undefined/],
  [() => loose['get']?.(['s']), /name must be a string, not an array/],
  [() => loose['get']?.('s', 'v1'), /options must be an object, not a string/, /version/],
  [() => loose['get']?.('s', null), /options must be an object, not null/],
  [() => loose['get']?.('s', ['v1']), /options must be an object, not an array/],
  [() => loose['get']?.('s', new Map([['version', '1']])), /options must be an object, not a Map/],
  [() => loose['get']?.('s', Promise.resolve({})), /options must be an object, not a promise/],
  [() => loose['get']?.('s', () => ({})), /options must be an object, not a function/],
  [() => loose['get']?.('s', { version: 1 }), /options\.version must be a string/],
  [() => loose['get']?.('s', { version: null }), /options\.version must be a string, not null/],
  [() => loose['get']?.('s', { verison: '1' }), /verison/, /did you mean version\?/],
  [
    () => loose['get']?.('s', {}, CANARY),
    /^get takes 2 arguments, not 3$/,
    /^it is called as get\(name, options\)$/,
  ],
  [() => loose['put']?.('n', 'x', {}, { context: {} }), /^put takes 3 arguments, not 4$/],
  [() => loose['putAll']?.([], {}, []), /^putAll takes 2 arguments, not 3$/],
  [() => loose['delete']?.('n', {}, 'm'), /^delete takes 2 arguments, not 3$/],
  [() => loose['names']?.(undefined, 'app.*'), /^names takes 1 argument, not 2$/],
  [() => loose['list']?.('*', {}, 1), /^list takes 2 arguments, not 3$/],
  [
    () => (loose['headers']?.('*', {}, 1) as AsyncGenerator | undefined)?.next(),
    /^headers takes 2 arguments/,
  ],
  [() => loose['createCache']?.({}, {}), /^createCache takes 1 argument, not 2$/],
  [() => loose['createCache']?.('60s'), /^createCache: options must be an object/],
  [() => Static['inMemory']?.({}, {}), /^Credstash\.inMemory takes 1 argument, not 2$/],
  [() => Static['local']?.('/x', {}, 1), /^Credstash\.local takes 2 arguments, not 3$/],
  [() => new Credstash({}, {} as never), /^new Credstash takes 1 argument, not 2$/],
  [() => new SecretCache(vi.fn(), {}, 1 as never), /^new SecretCache takes 2 arguments, not 3$/],
  [() => looseCache['getText']?.('s', {}, 1), /^cache\.getText takes 2 arguments, not 3$/],
  [() => looseCache['getOptional']?.('s', { maxage: 1 }), /maxage/, /maxAge\?/],
  [() => loose['get']?.('s', { maxAge: 5 }), /maxAge.*not an option of get/, /createCache/],
  [() => loose['get']?.('s', { label: 7 }), /options\.label must be a string/],
  [
    () => loose['get']?.('s', { signal: new AbortController() }),
    /options\.signal must be an AbortSignal/,
    /\.signal/,
  ],
  [
    () => loose['get']?.('s', { signal: 5000 }),
    /options\.signal must be an AbortSignal, not a number/,
  ],
  [
    () => loose['get']?.('s', { timeoutMs: NaN }),
    /options\.timeoutMs must be a number .*, not NaN/,
  ],
  [() => loose['get']?.('s', { timeoutMs: -1 }), /options\.timeoutMs must be a number/],
  [() => loose['get']?.('s', { timeoutMs: '5s' }), /options\.timeoutMs .*, not a string/],
  [() => loose['get']?.('s', { timeoutMs: Infinity }), /options\.timeoutMs/],
  [
    () => loose['get']?.('s', { context: 'env=prod' }),
    /options\.context must be an object of strings/,
  ],
  [() => loose['get']?.('s', { context: ['env'] }), /options\.context .*, not an array/],
  [
    () => loose['get']?.('s', { context: new Map([['env', CANARY]]) }),
    /options\.context .*, not a Map/,
  ],
  [() => loose['get']?.('s', { context: new Settings() }), /options\.context .*, not a Settings/],
  [() => loose['get']?.('s', { context: { port: 80 } }), /options\.context\.port must be a string/],
  [() => loose['get']?.('s', { context: { env: null } }), /options\.context\.env .*, not null/],
  [() => loose['get']?.('s', { context: { env: undefined } }), /options\.context\.env/],
  [() => loose['get']?.('s', { context: null }), /options\.context .*, not null/],
  [() => loose['getText']?.('s', 1), /^getText: options must be an object/],
  [() => loose['getJson']?.(5), /^getJson: name/],
  [
    () => loose['getOptional']?.('s', { exactVersion: 1 }),
    /options\.exactVersion must be true or false/,
  ],
  [() => loose['getMany']?.(['s']), /^getMany: wanted\[0\] must be an object, not a string$/],
  [() => loose['getMany']?.('s'), /wanted must be a list .*, not a string/],
  [() => loose['getMany']?.({ name: 's' }), /wanted must be a list/],
  [() => loose['getMany']?.([{}]), /wanted\[0\]\.name must be a string, not undefined/],
  [
    () => loose['getMany']?.([{ name: 's' }, { name: 's', verison: '1' }]),
    /wanted\[1\] has verison/,
  ],
  [() => loose['getMany']?.([{ name: 's', context: { a: 1 } }]), /wanted\[0\]\.context\.a/],
  // oxlint-disable-next-line no-sparse-arrays
  [() => loose['getMany']?.([{ name: 's' }, ,]), /wanted\[1\]/],
  [() => loose['getAll']?.('app.*'), /options must be an object, not a string/, /glob/],
  [() => loose['getAll']?.({ glob: ['a', 5] }), /options\.glob\[1\] must be a string/],
  [() => loose['getAll']?.({ glob: 5 }), /options\.glob must be a string or a list of strings/],
  [
    () => loose['getAll']?.({ skipUndecryptible: true }),
    /skipUndecryptible/,
    /skipUndecryptable\?/,
  ],
  [() => loose['resolveReferences']?.('credstash://x'), /variables must be an object/],
  [() => loose['resolveReferences']?.(new Map([['A', 'b']])), /variables .*, not a Map/],
  [() => loose['resolveReferences']?.({ A: 5 }), /variables\.A must be a string or undefined/],
  [() => loose['render']?.('{{ credstash://x }}'), /template must be bytes/, /Buffer\.from/],
  [() => loose['putAll']?.({ name: 'a', value: 'b' }), /secrets must be a list/],
  [
    () =>
      loose['putAll']?.([
        { name: 'a', value: 'b' },
        { name: 'c', value: 5 },
      ]),
    /secrets\[1\]\.value/,
  ],
  [() => loose['putAll']?.([{ name: 'a' }]), /secrets\[0\]\.value/],
  [() => loose['putAll']?.([{ name: 'a', value: 'b', version: '2' }]), /secrets\[0\] has version/],
  [() => loose['putAll']?.([], { label: 'x' }), /label.*not an option of putAll/],
  [() => loose['putAll']?.([], { onOutcome: 'x' }), /options\.onOutcome must be a function/],
  [() => loose['names']?.('app.*'), /options must be an object/],
  [() => loose['list']?.({ glob: 'x' }), /glob must be a string, not an object/],
  [() => (loose['headers']?.(5) as AsyncGenerator | undefined)?.next(), /glob must be a string/],
  [() => loose['history']?.(1), /name must be a string/],
  [() => loose['rollback']?.('n', { version: 1 }), /options\.version/],
  [() => loose['label']?.('n', { label: 'x' }), /label must be a string, not an object/],
  [() => loose['unlabel']?.('n'), /label must be a string, not undefined/],
  [() => loose['delete']?.('n', { dryrun: true }), /dryrun/, /did you mean dryRun\?/],
  [() => loose['delete']?.('n', { confirm: true }), /options\.confirm must be a function/],
  [() => loose['prune']?.(), /options must be an object, not undefined/],
  [() => loose['prune']?.({}), /options\.keep must be a whole number/],
  [
    () => loose['prune']?.({ keep: 1.5 }),
    /options\.keep must be a whole number from 1 on, not 1\.5/,
  ],
  [() => loose['prune']?.({ keep: 1, olderThan: '90d' }), /options\.olderThan must be a number/],
  [() => loose['rekey']?.('app.*'), /options must be an object/],
  [() => loose['rekey']?.({ rate: 0 }), /options\.rate must be a number above 0/],
  [() => loose['migrate']?.({ cipher: 1 }), /options\.cipher must be a string/],
  [() => loose['padVersions']?.({ maxConcurrency: 0 }), /options\.maxConcurrency must be a whole/],
  [() => loose['copy']?.({ table: 'x' }), /to is not a Credstash/],
  [() => loose['copy']?.('vault'), /to must be an object, not a string/],
  [() => loose['setup']?.({ tags: { team: 5 } }), /options\.tags\.team must be a string/],
  [() => (loose['doctor']?.({ write: 1 }) as AsyncGenerator | undefined)?.next(), /options\.write/],
  [() => loose['policy']?.('Admin'), /role must be one of 'reader'/, /did you mean admin\?/],
  [() => loose['policy']?.('reader', { names: 'x' }), /names/, /did you mean name\?/],
  [() => wrong({ tabel: 'x' }), /new Credstash: options has tabel/, /did you mean table\?/],
  [() => wrong('eu-west-1'), /options must be an object, not a string/],
  [() => wrong(null), /options must be an object, not null/],
  [() => wrong({ region: 5 }), /options\.region must be a string/],
  [
    () => wrong({ credentials: { accessKeyId: CANARY } }),
    /options\.credentials must be a function/,
  ],
  [() => wrong({ clients: { dynamo: {} } }), /options\.clients has dynamo/],
  [() => wrong({ clients: { dynamodb: {} } }), /options\.clients\.dynamodb must be a client/],
  [
    () => wrong({ clients: { kms: { send: () => CANARY } } }),
    /options\.clients\.kms must be a client/,
    /inMemory/,
  ],
  [() => wrong({ timeoutMs: 0 }), /options\.timeoutMs/],
  [() => wrong({ throttlingTimeoutMs: -1 }), /options\.throttlingTimeoutMs/],
  [() => wrong({ maxConcurrency: NaN }), /options\.maxConcurrency .*, not NaN/],
  [() => wrong({ formats: 'AES-256-GCM' }), /formats/],
  [() => Static['local']?.('relative'), /folder must be an absolute path/],
  [() => Static['local']?.(), /folder must be a string, not undefined/],
  [() => Static['local']?.('/x', { region: 'x' }), /region.*not an option of Credstash\.local/],
  [() => Static['inMemory']?.({ tables: 1 }), /tables/],
  [() => Static['over']?.({ keys: {} }), /backend\.entries must be an object/],
  [() => Static['over']?.(), /backend must be an object/],
  [() => loose['createCache']?.({ ttl: '60s' }), /options\.ttl must be a number/],
  [() => loose['createCache']?.({ maxEntries: 0 }), /options\.maxEntries must be a whole number/],
  [() => loose['createCache']?.({ maxage: 1 }), /maxage/],
  [() => new SecretCache('x' as never), /source must be a function, not a string/],
  [() => looseCache['get']?.('s', { maxAge: 'x' }), /options\.maxAge must be a number/],
  [() => looseCache['get']?.('s', { forcefetch: true }), /forcefetch/, /forceFetch\?/],
  [() => looseCache['getText']?.({}), /name must be a string/],
  [() => looseCache['refresh']?.('s', { maxAge: 5 }), /maxAge/],
];

/** What a use throws, or rejects with. */
async function errorOf(use: () => unknown): Promise<unknown> {
  try {
    return await use();
  } catch (error) {
    return error;
  }
}

describe('wrong uses', () => {
  beforeAll(() => {
    requests = 0;
  });

  it.each(USES.map(([use, message, hint]) => ({ use, message, hint, source: String(use) })))(
    '$source',
    async ({ use, message, hint }) => {
      const error = await errorOf(use);
      expect(error).toBeInstanceOf(CredstashError);
      expect(error).toMatchObject({
        code: 'USAGE',
        message: expect.stringMatching(message) as string,
      });
      if (hint) expect((error as CredstashError).hint).toMatch(hint);
      expect(`${String(error)}${JSON.stringify(error)}`).not.toContain(CANARY);
      expect(requests).toBe(0);
    },
  );

  it.each(['get', 'put', 'putAll', 'getMany', 'delete', 'prune', 'policy', 'setup'])(
    '%s rejects, and does not throw',
    async (method) => {
      const promise = loose[method]?.(5, 5, 5);
      expect(promise).toBeInstanceOf(Promise);
      await expect(promise).rejects.toMatchObject({ code: 'USAGE' });
    },
  );
});

describe('right uses that look odd', () => {
  it('close takes what a listener or a promise gives it, and unset arguments count for nothing', async () => {
    const memory = Credstash.inMemory() as unknown as Loose;
    await memory['put']?.('n', 'x', undefined, undefined);
    expect(await memory['getText']?.('n', undefined, undefined)).toBe('x');
    await memory['close']?.('SIGTERM', 15);
    (memory['createCache']?.() as Loose | undefined)?.['close']?.('SIGTERM');
  });

  it('putJson takes unset properties, dates and objects of a class', async () => {
    const memory = Credstash.inMemory();
    const value = { at: new Date(0), unset: undefined, settings: new Settings(), list: [null, 1] };
    await memory.putJson('n', value);
    expect(await memory.getText('n')).toBe(
      '{"at":"1970-01-01T00:00:00.000Z","settings":{"env":"prod"},"list":[null,1]}',
    );
  });

  it('arguments that change while the call is under way change nothing', async () => {
    const memory = Credstash.inMemory();
    const value = Buffer.from('secret');
    const [one, two, three] = [value.subarray(0, 3), Uint8Array.from(value), Buffer.from(value)];
    const template = Buffer.from('{{credstash://one}}');
    const calls = [
      memory.put('one', one),
      memory.putAll([
        { name: 'two', value: two },
        { name: 'three', value: three },
      ]),
    ];
    for (const each of [value, two, three]) each.fill(0);
    await Promise.all(calls);
    const rendered = memory.render(template);
    template.fill(0);
    expect(Buffer.from(await rendered).toString()).toBe('sec');
    expect(await memory.getText('two')).toBe('secret');
    expect(await memory.getText('three')).toBe('secret');
  });

  it.each<[string, (memory: Credstash, context: Record<string, string>) => Promise<unknown>]>([
    ['put', (memory, context) => memory.put('m', 'x', { context })],
    ['get', (memory, context) => memory.get('n', { context })],
    ['getAll', (memory, context) => memory.getAll({ context })],
    ['getMany', (memory, context) => memory.getMany([{ name: 'n', context }])],
    ['rollback', (memory, context) => memory.rollback('n', { context })],
    ['prune', (memory, context) => memory.prune({ keep: 1, context })],
    ['rekey', (memory, context) => memory.rekey({ context })],
    ['migrate', (memory, context) => memory.migrate({ cipher: 'AES-256-CTR', context })],
    ['copy', (memory, context) => memory.copy(Credstash.inMemory(), { context })],
  ])('nor does a context that changes during %s', async (_, call) => {
    const memory = Credstash.inMemory();
    const context = { env: 'prod' };
    for (const version of ['1', '2']) await memory.put('n', version, { version, context });
    const done = call(memory, context);
    context.env = 'test';
    await done;
    expect(await memory.getText('n', { version: '2', context: { env: 'prod' } })).toBe('2');
  });

  it('takes objects and bytes of another realm, as a test runner makes them', async () => {
    const foreign = runInContext(
      `({ options: { context: { env: 'prod' } }, value: new Uint8Array([1, 2]) })`,
      createContext({}),
    ) as { options: { context: Record<string, string> }; value: Uint8Array };
    const memory = Credstash.inMemory();
    await memory.put('n', foreign.value, foreign.options);
    expect([...(await memory.get('n', foreign.options))]).toEqual([1, 2]);
  });

  it('takes unset options, options of a class, null prototypes and the environment', async () => {
    const memory = Credstash.inMemory({ signal: undefined, timeoutMs: undefined });
    class Options {
      version = '1';
    }
    await memory.put('n', 'x', { version: undefined, comment: undefined });
    expect(await memory.getText('n', new Options())).toBe('x');
    const bare = Object.assign(Object.create(null) as object, { context: undefined });
    expect(await memory.getText('n', bare)).toBe('x');
    expect((await memory.resolveReferences(process.env)).size).toBe(0);
  });

  it('getMany carries properties of the application along, and what list gives', async () => {
    const memory = Credstash.inMemory();
    await memory.put('n', 'x', { label: 'live' });
    const [got] = await memory.getMany([{ name: 'n', variable: 'X' }]);
    expect(got).toMatchObject({ name: 'n', variable: 'X' });
    expect(await memory.getMany(await memory.list())).toMatchObject([{ labels: ['live'] }]);
  });

  it('in putAll nothing is stored if anything is wrong', async () => {
    const memory = Credstash.inMemory();
    const secrets = [
      { name: 'a', value: 'x' },
      { name: 'b', value: '\udfff' },
    ];
    await expect(memory.putAll(secrets)).rejects.toMatchObject({ code: 'USAGE' });
    expect(await memory.names()).toEqual([]);
  });

  it('methods work when they are taken off their object, also those of a subclass and of a cache', async () => {
    class Ours extends Credstash {
      override getText(name: string): Promise<string> {
        return super.getText(`app.${name}`);
      }
    }
    const ours = new Ours({}, async () => {
      const { openInMemory } = await import('../../src/calls/open-backends.ts');
      return openInMemory();
    });
    /* oxlint-disable typescript/unbound-method -- what this is about */
    const { put, getText, names, createCache, close } = ours;
    await put('app.n', 'x');
    expect(await getText('n')).toBe('x');
    expect(await names()).toEqual(['app.n']);
    const { get, close: closeCache } = createCache();
    expect(Buffer.from(await get('app.n')).toString()).toBe('x');
    closeCache();
    await close();
    /* oxlint-enable typescript/unbound-method */
  });
});
