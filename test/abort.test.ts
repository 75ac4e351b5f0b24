import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SecretReader } from '../src/calls/secret-reader.ts';
import { Credstash } from '../src/credstash.ts';
import { eventually } from './support/eventually.ts';
import { createTable, type Dynamo, startDynalite } from './support/dynamo.ts';
import { type KmsServer, startKmsServer } from './support/kms-server.ts';
import { type Recorder, startRecorder } from './support/recorder.ts';
import { testCredential } from './support/sigv4.ts';
import { temporaryFolder } from './support/temporary-folder.ts';

/*
 * A signal ends every method: before it begins, and in a request to a service that does not answer.
 */

const value = Buffer.from('secret');

async function drain(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items);
}

/** Every method, with a signal. `n` has two versions. */
const METHODS: Readonly<
  Record<string, (credstash: Credstash, signal: AbortSignal) => Promise<unknown>>
> = {
  put: (credstash, signal) => credstash.put('new', value, { signal }),
  'put --if-missing': (credstash, signal) => credstash.put('n', value, { ifMissing: true, signal }),
  'put -a': (credstash, signal) => credstash.put('n', value, { autoversion: true, signal }),
  get: (credstash, signal) => credstash.get('n', { signal }),
  'get of a version': (credstash, signal) => credstash.get('n', { version: '1', signal }),
  'get by label': (credstash, signal) => credstash.get('n', { label: 'l', signal }),
  getText: (credstash, signal) => credstash.getText('n', { signal }),
  getJson: (credstash, signal) => credstash.getJson('n', { signal }),
  getOptional: (credstash, signal) => credstash.getOptional('n', { signal }),
  putField: (credstash, signal) => credstash.putField('new', 'f', 'x', { signal }),
  removeField: (credstash, signal) => credstash.removeField('n', 'f', { signal }),
  putJson: (credstash, signal) => credstash.putJson('new', {}, { signal }),
  getMany: (credstash, signal) => credstash.getMany([{ name: 'n' }], { signal }),
  resolveReferences: (credstash, signal) =>
    credstash.resolveReferences({ A: 'credstash://n' }, { signal }),
  render: (credstash, signal) =>
    credstash.render(Buffer.from('{{ credstash://n }} ${credstash:n}'), { signal }),
  getAll: (credstash, signal) => credstash.getAll({ signal }),
  find: (credstash, signal) => credstash.find('x', { signal }),
  putAll: (credstash, signal) => credstash.putAll([{ name: 'new', value }], { signal }),
  'putAll of what is unchanged': (credstash, signal) =>
    credstash.putAll([{ name: 'n', value }], { skipUnchanged: true, signal }),
  names: (credstash, signal) => credstash.names({ signal }),
  list: (credstash, signal) => credstash.list('*', { signal }),
  headers: (credstash, signal) => drain(credstash.headers('*', { signal })),
  watch: (credstash, signal) => drain(credstash.watch([{ name: 'n' }], { signal })),
  follow: (credstash, signal) => {
    const fetch = () => credstash.getMany([{ name: 'n' }], { signal });
    const sets = credstash.follow([{ name: 'n' }], { signal }, { fetch, secretsOf: (set) => set });
    return drain(sets);
  },
  history: (credstash, signal) => credstash.history('n', { signal }),
  newestVersion: (credstash, signal) => credstash.newestVersion('n', { signal }),
  expectNoVersion: (credstash, signal) => credstash.expectNoVersion('n', { signal }),
  rollback: (credstash, signal) => credstash.rollback('n', { signal }),
  label: (credstash, signal) => credstash.label('n', 'l', { signal }),
  unlabel: (credstash, signal) => credstash.unlabel('n', 'l', { signal }),
  prune: (credstash, signal) => credstash.prune({ keep: 1, signal }),
  rekey: (credstash, signal) => credstash.rekey({ signal }),
  migrate: (credstash, signal) => credstash.migrate({ signal }),
  padVersions: (credstash, signal) => credstash.padVersions({ signal }),
  copy: (credstash, signal) => credstash.copy(other, { signal }),
  delete: (credstash, signal) => credstash.delete('n', { signal }),
  'createCache, get': (credstash, signal) =>
    withCache(credstash, (cache) => cache.get('n', { signal })),
  'createCache, getText': (credstash, signal) =>
    withCache(credstash, (cache) => cache.getText('n', { signal })),
  'createCache, refresh': (credstash, signal) =>
    withCache(credstash, (cache) => cache.refresh('n', { signal })),
};

async function withCache(
  credstash: Credstash,
  use: (cache: ReturnType<Credstash['createCache']>) => Promise<unknown>,
): Promise<unknown> {
  const cache = credstash.createCache();
  try {
    return await use(cache);
  } finally {
    cache.close();
  }
}

const folder = temporaryFolder();
/** Where copies go. */
let other: Credstash;
let vault: Credstash;
let aws: Credstash;
let dynamo: Dynamo;
let kms: KmsServer;
let proxy: Recorder;

beforeAll(async () => {
  [dynamo, kms] = await Promise.all([startDynalite(), startKmsServer()]);
  proxy = await startRecorder({ DynamoDB: dynamo.url, KMS: kms.url });
  await createTable(dynamo.url, 'credential-store');
  other = Credstash.local(join(folder, 'other'));
  vault = Credstash.local(join(folder, 'vault'));
  aws = new Credstash({
    region: 'us-east-1',
    endpoint: proxy.url,
    credentials: testCredential,
  });
  for (const credstash of [vault, aws]) {
    for (const version of ['1', '2']) await credstash.put('n', value, { version });
  }
});
afterAll(async () => {
  await Promise.all([other.close(), vault.close(), aws.close()]);
  await Promise.all([proxy.close(), dynamo.close(), kms.close()]);
});
beforeEach(() => {
  proxy.meddle = undefined;
  proxy.requests.length = 0;
});

it('every method is here', () => {
  const methods = [Credstash, SecretReader].flatMap(({ prototype }) =>
    Object.getOwnPropertyNames(prototype),
  );
  // These ask for nothing; doctor tells of what ends it as a step that failed.
  const others = [
    'constructor',
    'readRegionIndex',
    'location',
    'close',
    'policy',
    'setup',
    'doctor',
  ];
  const tested = Object.keys(METHODS).map((each) => each.split(/[ ,]/, 1)[0]);
  expect(new Set(tested)).toEqual(new Set(methods.filter((each) => !others.includes(each))));
});

describe.each(['vault', 'AWS'])('%s', (name) => {
  const of = (): Credstash => (name === 'AWS' ? aws : vault);

  it.each(Object.keys(METHODS))('%s, aborted before, does nothing', async (method) => {
    const reason = new Error('the reason');
    const before = await of().list();
    proxy.requests.length = 0;
    await expect(METHODS[method]?.(of(), AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(proxy.requests).toEqual([]);
    expect(await of().list()).toEqual(before);
  });
});

it('setup ends before it begins, and in the wait for its table', async () => {
  const reason = new Error('the reason');
  for (const credstash of [vault, aws]) {
    await expect(credstash.setup({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  }
  expect(proxy.requests).toEqual([]);
  proxy.meddle = (action) =>
    Promise.resolve(
      action === 'DynamoDB.DescribeTable'
        ? { status: 200, body: JSON.stringify({ Table: { TableStatus: 'CREATING' } }) }
        : undefined,
    );
  const controller = new AbortController();
  const ended = aws.setup({ signal: controller.signal }).catch((error: unknown) => error);
  await eventually(() => {
    expect(proxy.requests.map(({ action }) => action)).toContain('DynamoDB.DescribeTable');
  });
  controller.abort(reason);
  expect(await ended).toBe(reason);
});

describe('AWS that does not answer', () => {
  it.each(Object.keys(METHODS))('%s ends at once', async (method) => {
    const reason = new Error('the reason');
    const controller = new AbortController();
    proxy.meddle = () => Promise.resolve({ status: 200, body: '', delivery: 'never' });
    const ended = METHODS[method]?.(aws, controller.signal).then(
      () => 'resolved',
      (error: unknown) => error,
    );
    // Until all have come that it sends at once.
    let asked = 0;
    await eventually(() => {
      const before = asked;
      asked = proxy.requests.length;
      expect(asked).toBeGreaterThan(0);
      expect(asked).toBe(before);
    }, 100);
    controller.abort(reason);
    expect(await ended).toBe(reason);
    // Nothing is asked again.
    expect(proxy.requests).toHaveLength(asked);
  });

  it.each(['get', 'put', 'getAll', 'getMany', 'render', 'putAll'])(
    '%s ends at once where it is KMS',
    async (method) => {
      const reason = new Error('the reason');
      const controller = new AbortController();
      let hangs = false;
      proxy.meddle = (action) => {
        if (!action.startsWith('KMS.')) return Promise.resolve(undefined);
        hangs = true;
        return Promise.resolve({ status: 200, body: '', delivery: 'never' });
      };
      const ended = METHODS[method]?.(aws, controller.signal).catch((error: unknown) => error);
      await eventually(() => {
        expect(hangs).toBe(true);
      });
      controller.abort(reason);
      expect(await ended).toBe(reason);
    },
  );
});
