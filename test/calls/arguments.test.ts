import { createContext, runInContext } from 'node:vm';
import { beforeAll, describe, expect, it } from 'vitest';
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
  // eslint-disable-next-line no-sparse-arrays
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
  [() => (loose['headers']?.(5) as AsyncGenerator).next(), /glob must be a string/],
  [() => loose['history']?.(1), /name must be a string/],
  [() => loose['rollback']?.('n', { version: 1 }), /options\.version/],
  [() => loose['label']?.('n', { label: 'x' }), /label must be a string, not an object/],
  [() => loose['unlabel']?.('n'), /label must be a string, not undefined/],
  [() => loose['delete']?.('n', { dryrun: true }), /dryrun/, /did you mean dryRun\?/],
  [() => loose['delete']?.('n', { confirm: true }), /options\.confirm must be a function/],
  [() => loose['prune']?.(), /options must be an object, not undefined/],
  [() => loose['prune']?.({}), /options\.keep must be a whole number/],
  [() => loose['prune']?.({ keep: 1.5 }), /options\.keep must be a whole number from 1 on/],
  [() => loose['prune']?.({ keep: 1, olderThan: '90d' }), /options\.olderThan must be a number/],
  [() => loose['rekey']?.('app.*'), /options must be an object/],
  [() => loose['rekey']?.({ rate: 0 }), /options\.rate must be a number above 0/],
  [() => loose['migrate']?.({ cipher: 1 }), /options\.cipher must be a string/],
  [() => loose['padVersions']?.({ maxConcurrency: 0 }), /options\.maxConcurrency must be a whole/],
  [() => loose['copy']?.({ table: 'x' }), /to is not a Credstash/],
  [() => loose['copy']?.('vault'), /to must be an object, not a string/],
  [() => loose['setup']?.({ tags: { team: 5 } }), /options\.tags\.team must be a string/],
  [() => (loose['doctor']?.({ write: 1 }) as AsyncGenerator).next(), /options\.write/],
  [() => loose['policy']?.('Admin'), /role must be one of 'reader'/],
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
      const { openInMemory } = await import('../../src/session.ts');
      return openInMemory();
    });
    /* eslint-disable @typescript-eslint/unbound-method -- what this is about */
    const { put, getText, names, createCache, close } = ours;
    await put('app.n', 'x');
    expect(await getText('n')).toBe('x');
    expect(await names()).toEqual(['app.n']);
    const { get, close: closeCache } = createCache();
    expect(Buffer.from(await get('app.n')).toString()).toBe('x');
    closeCache();
    await close();
    /* eslint-enable @typescript-eslint/unbound-method */
  });
});
