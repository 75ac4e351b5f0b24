import { beforeEach, describe, expect, it } from 'vitest';
import { Credstash } from '../../src/credstash.ts';
import { bytes, text } from '../support/bytes.ts';
import { RecordedBackend } from '../support/recorded-backend.ts';

let backend: RecordedBackend;
let credstash: Credstash;

beforeEach(async () => {
  backend = new RecordedBackend();
  credstash = Credstash.over(backend);
  await credstash.putJson('app', { user: 'me', port: 5432, db: { hosts: ['a', 'b'] } });
  backend.calls = [];
});

const failure = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);

describe.each([
  ['the library', (): Pick<Credstash, 'get' | 'getText' | 'getJson' | 'getOptional'> => credstash],
  ['the cache', () => credstash.createCache()],
])('%s gives a field', (_, source) => {
  it('as bytes, text and JSON', async () => {
    const { get, getText, getJson, getOptional } = source();
    expect(text(await get('app', { field: 'user' }))).toBe('me');
    expect(await getText('app', { field: '/db/hosts' })).toBe('["a","b"]');
    expect(await getJson('app', { field: 'user' })).toBe('me');
    expect(await getJson<number>('app', { field: 'port' })).toBe(5432);
    expect(await getJson('app', { field: 'db' })).toEqual({ hosts: ['a', 'b'] });
    expect(await getOptional('app', { field: '/db/hosts/0' })).toEqual(bytes('a'));
    expect(await getOptional('app', { field: 'none' })).toBeUndefined();
    expect(await getOptional('none', { field: 'none' })).toBeUndefined();
  });

  it('or says why not, and asks nothing for a malformed one', async () => {
    await credstash.put('text', 'canary');
    backend.calls = [];
    const { get, getText, getJson } = source();
    for (const method of [get, getText, getJson]) {
      for (const [field, code] of [
        ['', 'USAGE'],
        ['/~', 'USAGE'],
        [5 as unknown as string, 'USAGE'],
      ] as const) {
        expect(await failure(method('app', { field }))).toMatchObject({ code });
      }
    }
    expect(backend.calls).toEqual([]);
    for (const method of [get, getText, getJson]) {
      expect(await failure(method('app', { field: 'none' }))).toMatchObject({
        code: 'FIELD_NOT_FOUND',
        exitStatus: 3,
      });
      const error = await failure(method('text', { field: 'none' }));
      expect(error).toMatchObject({ code: 'USAGE', exitStatus: 2 });
      expect(JSON.stringify([error, String(error), (error as Error).stack])).not.toContain(
        'canary',
      );
    }
  });
});

describe('one read and one unwrap', () => {
  it('are all that the fields of a secret take in getMany', async () => {
    const got = await credstash.getMany([
      { name: 'app', field: 'user', variable: 'USER' },
      { name: 'app', field: 'port' },
      { name: 'app' },
      { name: 'app', field: '/db/hosts/1' },
    ]);
    expect(got.map(({ value }) => text(value))).toEqual([
      'me',
      '5432',
      '{"user":"me","port":5432,"db":{"hosts":["a","b"]}}',
      'b',
    ]);
    expect(got[0]?.variable).toBe('USER');
    expect(backend.calls).toEqual(['latest', 'unwrap']);
  });

  it('are all that 50 references in a template or in variables take', async () => {
    const template = '{{ credstash://app#user }} {{ credstash://app#/db/hosts/0 }}\n'.repeat(25);
    expect(text(await credstash.render(bytes(template)))).toBe('me a\n'.repeat(25));
    expect(backend.calls).toEqual(['latest', 'unwrap']);
    backend.calls = [];
    const variables = Object.fromEntries(
      Array.from({ length: 50 }, (_, i) => [`V${i}`, 'credstash://app#user']),
    );
    const resolved = await credstash.resolveReferences(variables);
    expect([...resolved.values()].map(text)).toEqual(Array.from({ length: 50 }, () => 'me'));
    expect(backend.calls).toEqual(['latest', 'unwrap']);
  });

  it('are all that the fields of a secret take in the cache, also at once', async () => {
    const cache = credstash.createCache();
    await Promise.all([
      cache.get('app', { field: 'user' }),
      cache.getJson('app', { field: 'port' }),
      cache.getText('app'),
    ]);
    await cache.getText('app', { field: 'db' });
    expect(backend.calls).toEqual(['latest', 'unwrap']);
  });
});

it('getMany says of each place why its field is missing', async () => {
  await credstash.put('text', 'x');
  const error = await failure(
    credstash.getMany([
      { name: 'app', field: 'user' },
      { name: 'app', field: 'none', place: 'A' },
      { name: 'text', field: 'none', place: 'B' },
    ]),
  );
  expect(error).toMatchObject({
    code: 'FIELD_NOT_FOUND',
    failures: [
      { name: 'A', error: { code: 'FIELD_NOT_FOUND' } },
      { name: 'B', error: { code: 'USAGE' } },
    ],
  });
});

it('a watch gives a field', async () => {
  const signal = AbortSignal.timeout(60_000);
  for await (const [secret] of credstash.watch([{ name: 'app', field: 'user' }], { signal })) {
    expect(secret && text(secret.value)).toBe('me');
    break;
  }
});

it('getAll takes no field', async () => {
  const loose = credstash as unknown as { getAll: (options: object) => Promise<unknown> };
  expect(await failure(loose.getAll({ field: 'user' }))).toMatchObject({ code: 'USAGE' });
});
