import { afterAll, beforeAll, expect, test } from 'vitest';
import CredStash from '../../src/nodecredstash/index.ts';
import { fromJson, originals, ports } from '../seal/vectors.ts';
import { putManyRaw, type RawItem } from '../support/dynamo.ts';
import { dynalite, ok, type Place, type Running } from './backends.ts';
import { v } from '../support/version.ts';

/*
 * Entries as ports of the original write them: those of test/vectors/ports.json, and what the original wrote in every
 * encoding that a port has been seen to use. Each command reads all of them.
 */

type Attributes = Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;

const lines = (text: string, length: number, end: string): string =>
  text.replace(RegExp(`.{1,${length}}`, 'g'), (line) => line + end);
const textOf = (value: Readonly<Record<string, unknown>> | undefined): string =>
  Buffer.from((value?.['B'] ?? value?.['S']) as string).toString('latin1');
const inBoth = (
  item: Attributes,
  encode: (text: string) => string,
): Record<'key' | 'contents', { S: string }> => ({
  key: { S: encode(textOf(item['key'])) },
  contents: { S: encode(textOf(item['contents'])) },
});

/** What a port writes of an item of the original. */
const ENCODINGS: Readonly<Record<string, (item: Attributes) => Attributes>> = {
  ruby: (item) => ({
    ...item,
    ...inBoth(item, (text) => lines(text, 60, '\n')),
    hmac: { S: textOf(item['hmac']) },
  }),
  mime: (item) => ({ ...item, ...inBoth(item, (text) => lines(text, 76, '\r\n')) }),
  unpadded: (item) => ({ ...item, ...inBoth(item, (text) => text.replace(/=+$/, '')) }),
  upper: (item) => ({ ...item, hmac: { S: textOf(item['hmac']).toUpperCase() } }),
  'upper-bytes': (item) => ({
    ...item,
    hmac: { B: Buffer.from(textOf(item['hmac']).toUpperCase()) },
  }),
  lower: (item) => ({ ...item, digest: { S: textOf(item['digest']).toLowerCase() } }),
  null: (item) => ({ ...item, comment: { NULL: true } }),
  // No reader of the original looks at the comment.
  'odd-comment': (item) => ({ ...item, comment: { N: '5' } }),
  'no-digest': (item) =>
    textOf(item['digest']) === 'SHA256' ? { ...item, digest: { NULL: true } } : item,
  openssl: (item) => ({ ...item, ...inBoth(item, (text) => lines(text, 64, '\n')) }),
  indented: (item) => ({
    ...item,
    ...inBoth(item, (text) => `\n${lines(text, 40, '\r\n\t  ')}`),
    hmac: { S: `${textOf(item['hmac'])}\n` },
  }),
  more: (item) => ({
    ...item,
    created: { S: 'yesterday' },
    expires: { N: '1800000000' },
    tags: { SS: ['a', 'b'] },
  }),
};

interface Planted {
  readonly name: string;
  readonly item: RawItem;
  readonly secret: string;
}

let running: Running;
/** What the original wrote, each in every encoding, and what ports wrote. */
const all: Planted[] = [];
/** What ports wrote, and a quarter of the others: still every entry of the original, and every encoding. */
const some: Planted[] = [];

beforeAll(async () => {
  running = await dynalite.start();
  // Those under a context are tried by row 47 of docs/reference/compatibility.md; a command has one context for all.
  const found = [...ports, ...originals].filter(({ context }) => Object.keys(context).length === 0);
  for (const [i, { item, context, dataKey, secret }] of found.entries()) {
    const attributes = fromJson(item) as Attributes;
    const key = Buffer.from(textOf(attributes['key']), 'base64');
    running.kms?.importDataKey(key, context, Buffer.from(dataKey, 'base64'));
    const isPort = ports.some((each) => each.item === item);
    const encodings = Object.entries(isPort ? { as: () => attributes } : ENCODINGS);
    for (const [j, [encoding, encode]] of encodings.entries()) {
      const name = `${encoding}.${textOf(attributes['name'])}.${textOf(attributes['version'])}`;
      if (Buffer.byteLength(name) > 255 || secret.length > 10_000) continue;
      const planted = {
        name,
        item: { ...encode(attributes), name: { S: name } } as RawItem,
        secret,
      };
      all.push(planted);
      if (isPort || (i + j) % 4 === 0) some.push(planted);
    }
  }
  expect(all.length).toBeGreaterThan(100);
});
afterAll(async () => {
  await running.close();
});

async function plant(these: readonly Planted[]): Promise<Place> {
  const place = await running.place();
  const items = these.map(({ item }) => item);
  await putManyRaw(running.dynamo ?? '', place.args[1] ?? '', items);
  return place;
}

function secretsOf(these: readonly Planted[]): Record<string, string> {
  return Object.fromEntries(these.map(({ name, secret }) => [name, secret]));
}

async function expectAllToOpen(these: readonly Planted[], at: Place): Promise<void> {
  const { status, stdout, stderr } = await at.cs(['getall']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(JSON.parse(stdout)).toEqual(secretsOf(these));
}

test('they open in get, getall and exec, and for nodecredstash', async () => {
  const place = await plant(all);
  await expectAllToOpen(all, place);
  for (const { name, secret } of some.filter(({ secret }) => !secret.includes('\0'))) {
    expect(await place.cs(['get', name, '-n']), name).toEqual(ok(secret));
  }
  const print = 'process.stdout.write(JSON.stringify(process.env.SECRET))';
  for (const encoding of ['as.port.ruby.', 'as.port.node.', 'mime.', 'lower.']) {
    const { name = '', secret } =
      all.find((each) => each.name.startsWith(encoding) && each.secret !== '') ?? {};
    const command = ['exec', '--env', `SECRET=${encodeURIComponent(name)}`, '--', process.execPath];
    const { status, stdout } = await place.cs([...command, '-e', print]);
    expect({ name, status, secret: JSON.parse(stdout) as string }).toEqual({
      name,
      status: 0,
      secret,
    });
  }
  const stash = new CredStash({
    table: place.args[1],
    dynamoOpts: { ...sdkOptions(place), endpoint: running.dynamo },
    kmsOpts: { ...sdkOptions(place), endpoint: running.kms?.url },
  });
  expect(await stash.getAllSecrets({})).toEqual(secretsOf(all));
  await stash.close();
});

function sdkOptions({ env }: Place): object {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env;
  return { region: 'us-east-1', credentials: { accessKeyId, secretAccessKey } };
}

test('copy and rekey keep them, and what else their items have', async () => {
  const place = await plant(some);
  const to = await running.place();
  const table = to.args[1] ?? '';
  const copied = await place.cs(['copy', '--to-table', table]);
  expect(copied).toMatchObject({ status: 0, stderr: '' });
  await expectAllToOpen(some, to);

  running.kms?.addKey('alias/new');
  const rekeyed = await place.cs(['rekey', '-k', 'alias/new', '--rate', '10000']);
  expect(rekeyed).toMatchObject({ status: 0, stderr: '' });
  expect(rekeyed.stdout).toContain(`\n${some.length} rekeyed, 0 skipped, 0 failed\n`);
  await expectAllToOpen(some, place);
  const items = await place.items();
  const odd = items.filter((item) => textOf(item['name']).startsWith('odd-comment.'));
  expect(new Set(odd.map((item) => JSON.stringify(item['comment'])))).toEqual(
    new Set(['{"N":"5"}']),
  );
  const more = items.filter((item) => textOf(item['name']).startsWith('more.'));
  const planted = some.filter(({ name }) => name.startsWith('more.'));
  expect(more).toHaveLength(planted.length);
  expect(planted).not.toEqual([]);
  for (const item of more) {
    expect(item).toMatchObject({
      created: { S: 'yesterday' },
      expires: { N: '1800000000' },
      tags: { SS: ['a', 'b'] },
    });
  }
});

test.each([
  ['without contents', { digest: { S: 'SHA256' } }],
  ['with an unknown digest', { digest: { S: 'WHIRLPOOL' }, contents: { S: 'YQ==' } }],
  ['of an unknown cipher', { cipher: { S: 'ROT13' } }],
])('put -a, rollback -v, label and delete need nothing of a newest entry %s', async (_, rest) => {
  const place = await running.place();
  await place.cs(['put', 'app', 'one']);
  await place.plant({ name: { S: 'app' }, version: { S: v(2) }, ...rest });
  expect(await place.cs(['get', 'app'])).toMatchObject({ status: 5, stdout: '' });
  expect(await place.cs(['rollback', 'app', '-v', '1'])).toMatchObject({ status: 0 });
  expect(await place.cs(['get', 'app'])).toEqual(ok('one\n'));
  await place.cs(['delete', 'app', '-v', '3']);
  expect(await place.cs(['put', '-a', 'app', 'three'])).toEqual(ok('app has been stored\n'));
  expect(await place.cs(['get', 'app', '-v', '3'])).toEqual(ok('three\n'));
  expect(await place.cs(['delete', 'app', '-v', '2'])).toMatchObject({ status: 0 });
});
