import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Opened, openTable, openVault } from '../../src/calls/open-backends.ts';
import { Credstash } from '../../src/credstash.ts';
import type { Item } from '../../src/model/item.ts';
import { dynamoLocalMissing } from '../support/dynamo.ts';
import { fromJson, originals } from '../seal/vectors.ts';
import {
  asText,
  type Backend,
  dynamoLocal,
  ok,
  type Place,
  runHere,
  type Running,
  vault,
} from './backends.ts';
import { v } from '../support/version.ts';
import { CLOSED } from '../support/tls.ts';

/*
 * Versions that sort as text, of tables of before 2015 and of other programs. dynalite has no transactions, by which an entry
 * gets another version.
 */
const engines: readonly Backend[] = [
  vault,
  ...(dynamoLocalMissing() === undefined ? [dynamoLocal] : []),
];

describe.each(engines)('migrate --pad-versions on $name', ({ start }) => {
  let running: Running;
  let place: Place;

  beforeAll(async () => {
    running = await start();
  });
  afterAll(async () => {
    await running.close();
  });
  beforeEach(async () => {
    place = await running.place();
  });

  const versions = async (name: string): Promise<string[]> =>
    (await place.items())
      .filter((item) => textOf(item, 'name') === name)
      .map((item) => textOf(item, 'version') ?? '')
      .sort();

  /** Gives what was put under a padded version another one, as a program that pads none would have stored it. */
  async function unpad(name: string, values: Readonly<Record<string, string>>): Promise<void> {
    for (const [version, value] of Object.entries(values)) {
      await place.cs([
        'put',
        name,
        value,
        '-v',
        version,
        '-c',
        `c${version}`,
        '-d',
        'SHA512',
        ...ctr,
      ]);
      const padded = (await place.items()).find(
        (item) => textOf(item, 'name') === name && textOf(item, 'version') === v(Number(version)),
      ) as Item;
      await place.cs(['delete', name, '-v', version]);
      await place.plant({ ...padded, version: { S: version } });
    }
  }
  const ctr = ['--cipher', 'AES-256-CTR'];

  test('the newest is the highest number, and comment, digest and labels stay', async () => {
    await unpad('app', { 1: 'one', 2: 'two', 10: 'ten' });
    await place.cs(['label', 'app', 'live', '-v', '2']);
    expect(await place.cs(['get', 'app'])).toEqual(ok('two\n'));

    // The advice of put -a, followed to its end.
    const refused = await place.cs(['put', '-a', 'app', 'eleven']);
    expect(refused).toMatchObject({ status: 2 });
    const advice = /hint: .*: credstash (.*migrate --pad-versions app)\n$/.exec(
      refused.stderr,
    )?.[1];
    // It names the table or vault, which nothing else does.
    const args = advice?.split(' ') ?? [];
    const follow = async (...more: string[]): Promise<unknown> =>
      asText(await runHere([...args, ...more], { env: place.env }));

    const planned = await follow('--dry-run');
    expect(planned).toEqual(
      ok(
        'would pad app -- version 1\nwould pad app -- version 10\nwould pad app -- version 2\n3 to pad, 0 skipped, 0 failed\n',
      ),
    );
    expect(await versions('app')).toEqual(['1', '10', '2']);
    expect(await follow()).toMatchObject({ status: 0, stderr: '' });
    expect(await versions('app')).toEqual([v(1), v(2), v(10)]);
    expect(await place.cs(['get', 'app'])).toEqual(ok('ten\n'));
    expect(await place.cs(['get', 'app', '-v', '1'])).toEqual(ok('one\n'));
    expect(await place.cs(['get', 'app', '--label', 'live'])).toEqual(ok('two\n'));
    const newest = (await place.items()).find((item) => textOf(item, 'version') === v(10));
    expect(newest).toMatchObject({ comment: { S: 'c10' }, digest: { S: 'SHA512' } });
    expect(await place.cs(['put', '-a', 'app', 'eleven'])).toMatchObject({ status: 0 });
    expect(await place.cs(['get', 'app'])).toEqual(ok('eleven\n'));
    // Nothing is left to do.
    expect(await follow()).toEqual(ok('0 padded, 0 skipped, 0 failed\n'));
  });

  test('doctor tells of them, and its remedy works', async () => {
    const env = { AWS_ENDPOINT_URL_STS: CLOSED };
    const look = async (): Promise<string[]> =>
      (await place.cs(['doctor'], { env })).stdout
        .split('\n')
        .map((line) => line.trim().replace(/ {2,}/g, ' | '));
    await place.cs(['put', 'fine', 'x']);
    expect(await look()).toContain('ok | versions | no unpadded numbers among all entries');
    await unpad('app', { 1: 'one', 2: 'two', 10: 'ten' });
    const lines = await look();
    const at = lines.findIndex((line) => line.startsWith('warning | versions'));
    expect(lines[at]).toContain('unpadded numbers among all entries: 3; they sort as text');
    const [, advice = ''] =
      /^pad them: credstash (\S.*--pad-versions)\b/.exec(lines[at + 1] ?? '') ?? [];
    const followed = await runHere(advice.split(' '), { env: place.env });
    expect(followed.stdout.toString()).toContain('3 padded');
    expect(await look()).toContain('ok | versions | no unpadded numbers among all entries');
  });

  test('a name that has a version in both forms keeps both, and a reader gets no older value', async () => {
    await unpad('app', { 3: 'three', 4: 'four' });
    await place.cs(['put', 'app', 'other three', '-v', '3']);
    await unpad('other', { 7: 'seven' });
    const { status, stdout, stderr } = await place.cs(['migrate', '--pad-versions']);
    expect(status).toBe(4);
    expect(stdout).toBe('padded other -- version 7\n1 padded, 0 skipped, 2 failed\n');
    expect(stderr).toContain(`app has both version 3 and version ${v(3)}`);
    expect(stderr).toContain('was not tried, because version 3 failed');
    expect(await versions('app')).toEqual([v(3), '3', '4']);
    expect(await place.cs(['get', 'app'])).toEqual(ok('four\n'));
    // As it is advised: one of the two is deleted.
    await place.cs(['delete', 'app', '-v', '3']);
    expect(await place.cs(['migrate', '--pad-versions'])).toMatchObject({ status: 0 });
    expect(await versions('app')).toEqual([v(3), v(4)]);
    expect(await place.cs(['get', 'app', '-v', '3'])).toEqual(ok('three\n'));
  });

  test('what is no number of few digits stays, and --cipher is another change', async () => {
    const [vector] = originals;
    for (const version of ['v1', '1.9.1', '0'.repeat(18) + '77', '20150422T120000Z']) {
      const item = { ...fromJson(vector?.item ?? {}), name: { S: 'n' }, version: { S: version } };
      await place.plant(item);
    }
    const before = await versions('n');
    expect(before).toHaveLength(4);
    expect(await place.cs(['migrate', '--pad-versions', 'n'])).toEqual(
      ok('0 padded, 0 skipped, 0 failed\n'),
    );
    expect(await versions('n')).toEqual(before);
    const both = await place.cs(['migrate', '--pad-versions', '--cipher', 'AES-256-CTR']);
    expect(both).toMatchObject({ status: 2, stdout: '' });
  });

  test('at no moment does a reader get an older value', async () => {
    const numbers = Array.from({ length: 12 }, (_, i) => i + 1);
    await unpad('app', Object.fromEntries(numbers.map((n) => [n, String(n)])));
    const { keys, entries, close } = await open();
    const credstash = Credstash.over({ keys, entries });
    const seen: string[] = [];
    const look = async (): Promise<void> => {
      seen.push(await credstash.getText('app'));
    };
    // A reader looks right before and right after each write.
    const renumber = entries.renumber.bind(entries);
    vi.spyOn(entries, 'renumber').mockImplementation(async (...change) => {
      await look();
      await renumber(...change);
      await look();
    });
    const changes = await credstash.padVersions();
    close();
    expect(changes.map(({ done }) => done)).toEqual(numbers.map(() => 'changed'));
    // As text, 9 is the last of them, and it is padded last.
    expect(seen).toEqual([...Array<string>(23).fill('9'), '12']);
    expect(await place.cs(['get', 'app'])).toEqual(ok('12\n'));
  });

  function open(): Promise<Opened> {
    const { dynamo, kms } = running;
    if (dynamo === undefined) return openVault(place.where.replace('the vault ', ''), {});
    const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } =
      place.env;
    return openTable({
      table: place.args[1] ?? '',
      region: 'us-east-1',
      credentials: { accessKeyId, secretAccessKey },
      clientOptions: { dynamodb: { endpoint: dynamo }, kms: { endpoint: kms?.url ?? '' } },
    });
  }
});

function textOf(item: Item, attribute: string): string | undefined {
  const value = item[attribute];
  return value && 'S' in value ? value.S : undefined;
}
