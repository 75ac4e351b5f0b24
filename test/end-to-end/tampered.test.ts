import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Item } from '../../src/model/item.ts';
import { createTable, dynamoLocalMissing } from '../support/dynamo.ts';
import type { KmsServer } from '../support/kms-server.ts';
import { awsError, type Recorder, startRecorder } from '../support/recorder.ts';
import {
  awsPlace,
  type Backend,
  dynamoLocal,
  failed,
  ok,
  type Place,
  runHere,
  type Running,
  stored,
  vault,
  vaultPlace,
} from './backends.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { v } from '../support/version.ts';

/*
 * prune, migrate, copy and rekey on a table that somebody tampered with, and on services that answer what nobody foresaw.
 */
const engines: readonly Backend[] = [
  vault,
  // dynalite has no transactions, by which labels move.
  ...(dynamoLocalMissing() === undefined ? [dynamoLocal] : []),
];

const CTR = ['--cipher', 'AES-256-CTR'];

/** One item of a place, by its name and version. */
async function item({ items }: Place, name: string, version = 1): Promise<Item> {
  const wanted = JSON.stringify([name, v(version)]);
  const found = (await items()).find((each) => placeOf(each) === wanted);
  if (!found) throw new Error(`there is no version ${version} of ${name}`);
  return found;
}

function placeOf({ name, version }: Item): string {
  return JSON.stringify([name, version].map((each) => each && 'S' in each && each.S));
}

/** Every item, in an order of its own. */
async function all(place: Place): Promise<Item[]> {
  return (await place.items()).sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
}

/** An item as it would stand under another name or version. */
function moved(item: Item, name: string, version: number): Item {
  return { ...item, name: { S: name }, version: { S: v(version) } };
}

function withBytes(item: Item, attribute: string, change: (bytes: Buffer) => Buffer): Item {
  const value = item[attribute];
  if (value && 'B' in value) {
    return { ...item, [attribute]: { B: change(Buffer.from(value.B)) } };
  }
  const bytes = Buffer.from(value?.S ?? '', 'base64');
  return { ...item, [attribute]: { S: change(bytes).toString('base64') } };
}

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(0) ^ 1, 0);
  return copy;
}

/** Stores versions 1, 2, … of a secret. */
async function versions(
  { cs }: Place,
  name: string,
  values: readonly string[],
  ...more: string[]
): Promise<void> {
  for (const value of values) {
    expect(await cs(['put', '-a', name, value, ...more])).toEqual(stored(name));
  }
}

/** Stores versions 1, 2, … of several secrets: each line holds a version of each. */
async function versionsOfAll(
  { cs }: Place,
  lines: readonly Readonly<Record<string, string>>[],
  ...more: string[]
): Promise<void> {
  for (const line of lines) {
    expect(await cs(['putall', '-a', JSON.stringify(line), ...more])).toMatchObject({
      status: 0,
      stderr: '',
    });
  }
}

const numbers = async ({ cs }: Place, name: string): Promise<number[]> => {
  const { stdout } = await cs(['list', name, '--json']);
  return (JSON.parse(stdout) as { version: string }[]).map(({ version }) => Number(version));
};

const linesOf = (stderr: string, kind: string): string[] =>
  stderr.split('\n').filter((line) => line.startsWith(`credstash: ${kind}: `));

/** Runs the command that a hint ends with, as a person would type it. */
async function follow({ cs }: Place, stderr: string): Promise<void> {
  const [, advice = ''] = /^credstash: hint: .*?: credstash ([^;\n]+)/m.exec(stderr) ?? [];
  expect(advice, stderr).not.toBe('');
  expect(await cs(advice.split(' ').map((word) => word.replace(/^'(.*)'$/, '$1')))).toMatchObject({
    status: 0,
  });
}

describe.each(engines)('$name', ({ start }) => {
  let running: Running;
  const folder = temporaryFolder();
  beforeAll(async () => {
    running = await start();
  });
  afterAll(async () => {
    await running.close();
  });

  describe('prune', () => {
    test('deletes no genuine version for garbage that is planted on top of it', async () => {
      const place = await running.place();
      await versionsOfAll(place, [
        { a: 'one', b: '1' },
        { a: 'two', b: '2' },
        { a: 'three', b: '3' },
      ]);
      const newest = await item(place, 'a', 3);
      await place.plant(moved(newest, 'a', 4));
      await place.plant(moved(newest, 'a', 5));
      for (const [more, done] of [
        [['--dry-run'], `would delete b -- version ${v(1)}\n1 to delete, 0 skipped, 3 failed\n`],
        [[], `deleted b -- version ${v(1)}\n1 deleted, 0 skipped, 3 failed\n`],
      ] as const) {
        const pruned = await place.cs(['prune', '--keep', '2', ...more]);
        expect(pruned).toMatchObject({ status: 5, stdout: done });
        expect(linesOf(pruned.stderr, 'error')).toEqual([
          expect.stringContaining('3 of 4 entries have not been deleted in the ') as string,
          expect.stringMatching(
            /a version 1 and 2 more: not deleted, because of a version that would stay: version 0+5 of a: /,
          ) as string,
        ]);
        expect(await numbers(place, 'a')).toEqual([1, 2, 3, 4, 5]);
      }
      // The hint, followed until there is none.
      for (const left of [4, 3]) {
        await follow(place, (await place.cs(['prune', '--keep', '2'])).stderr);
        expect(await numbers(place, 'a')).toHaveLength(left);
      }
      expect(await place.cs(['prune', '--keep', '2'])).toEqual(
        ok(`deleted a -- version ${v(1)}\n1 deleted, 0 skipped, 0 failed\n`),
      );
      expect(await place.cs(['get', 'a'])).toEqual(ok('three\n'));
    });

    test('opens all that stays: also a labelled version, and one that is young', async () => {
      const place = await running.place();
      await versionsOfAll(
        place,
        ['1', '2', '3'].map((value) => ({ labelled: value, young: value, fine: value })),
      );
      await place.cs(['label', 'labelled', 'live', '-v', '2']);
      const spoilt = { ...(await item(place, 'labelled', 2)), comment: { S: 'changed' } };
      // A vault keeps no labels of what is planted.
      await place.plant({ ...spoilt, labels: { SS: ['live'] } } as unknown as Item);
      await place.cs(['label', 'labelled', 'live', '-v', '2']);
      for (const name of ['young', 'fine']) {
        const old = await item(place, name, 1);
        await place.plant({ ...old, created: { S: '2020-01-01T00:00:00Z' } });
      }
      await place.plant({ ...(await item(place, 'young', 2)), comment: { S: 'changed' } });
      const labelled = await place.cs(['prune', 'labelled', '--keep', '1']);
      expect(labelled).toMatchObject({ status: 5, stdout: '0 deleted, 0 skipped, 1 failed\n' });
      expect(labelled.stderr).toContain(`would stay: version ${v(2)} of labelled`);
      const young = await place.cs(['prune', '*n*', '--keep', '1', '--older-than', '90d']);
      expect(young).toMatchObject({
        status: 5,
        stdout: `deleted fine -- version ${v(1)}\n1 deleted, 0 skipped, 1 failed\n`,
      });
      expect(young.stderr).toContain(`would stay: version ${v(2)} of young`);
    });

    test('leaves a secret of another encryption context alone, and says so', async () => {
      const place = await running.place();
      await versions(place, 'a', ['1', '2'], 'env=prod');
      await versions(place, 'b', ['1', '2']);
      const pruned = await place.cs(['prune', '--keep', '1']);
      expect(pruned).toMatchObject({
        status: 6,
        stdout: `deleted b -- version ${v(1)}\n1 deleted, 0 skipped, 1 failed\n`,
      });
      expect(pruned.stderr).toMatch(/^credstash: error: a version 1: not deleted.*context/m);
      expect(pruned.stderr).toMatch(
        /^credstash: hint: give the same KEY=VALUE arguments as the put; /m,
      );
      expect(await place.cs(['prune', 'a', '--keep', '1', 'env=prod'])).toEqual(
        ok(`deleted a -- version ${v(1)}\n1 deleted, 0 skipped, 0 failed\n`),
      );
      expect(await place.cs(['prune', '--keep', '1', 'env=prod', 'env'])).toEqual(
        failed(2, 'not of the form KEY=VALUE'),
      );
    });

    test('--no-verify asks for no key, wants what stays to be well-formed, and says what that means', async () => {
      const place = await running.place();
      await versions(place, 'a', ['1', '2', '3'], 'env=prod');
      const asked = running.kms?.requests.length;
      const note = expect.stringMatching(
        /^credstash: warning: --no-verify does not open the versions to keep[^\n]*\n$/,
      ) as unknown;
      expect(await place.cs(['prune', '--keep', '2', '--no-verify'])).toEqual({
        status: 0,
        stdout: `deleted a -- version ${v(1)}\n1 deleted, 0 skipped, 0 failed\n`,
        stderr: note,
      });
      expect(running.kms?.requests.length).toBe(asked);
      // Garbage that is well-formed is what this does not see.
      await place.plant(moved(await item(place, 'a', 3), 'a', 4));
      expect(await place.cs(['prune', '--keep', '1', '--no-verify'])).toMatchObject({ status: 0 });
      expect(await numbers(place, 'a')).toEqual([4]);
    });

    test('takes no copy of another secret for a newer version, where the format does not tell', async () => {
      const place = await running.place();
      await versions(place, 'a', ['one', 'two'], ...CTR);
      await versions(place, 'b', ['of b'], ...CTR);
      await place.plant(moved(await item(place, 'b'), 'a', 3));
      expect(await place.cs(['get', 'a'])).toEqual(ok('of b\n'));
      const pruned = await place.cs(['prune', '--keep', '1']);
      expect(pruned).toMatchObject({ status: 5, stdout: '0 deleted, 0 skipped, 2 failed\n' });
      expect(pruned.stderr).toContain(
        `version ${v(3)} of a has the same sealed bytes as version ${v(1)} of b`,
      );
      await follow(place, pruned.stderr);
      expect(await place.cs(['prune', '--keep', '1'])).toEqual(
        ok(`deleted a -- version ${v(1)}\n1 deleted, 0 skipped, 0 failed\n`),
      );
      expect(await place.cs(['get', 'a'])).toEqual(ok('two\n'));
    });
  });

  describe('migrate', () => {
    test('makes no copy of an original entry genuine, wherever the other one is', async () => {
      const place = await running.place();
      const names = ['app.a', 'app.b', 'app.c', 'other'];
      const values = Object.fromEntries(names.map((name) => [name, `value of ${name}`]));
      await versionsOfAll(place, [values], ...CTR);
      // app.b is now what app.a is, and app.c has the key of a secret that the glob does not match.
      await place.plant(moved(await item(place, 'app.a'), 'app.b', 1));
      const { key } = await item(place, 'other');
      await place.plant({ ...(await item(place, 'app.c')), ...(key && { key }) });
      await versions(place, 'app.d', ['fine'], ...CTR);
      const before = await all(place);
      for (const [more, done] of [
        [['--dry-run'], `would migrate app.d -- version ${v(1)}\n1 to migrate`],
        [[], `migrated app.d -- version ${v(1)}\n1 migrated`],
      ] as const) {
        const migrated = await place.cs(['migrate', 'app.*', ...more]);
        expect(migrated).toMatchObject({ status: 5, stdout: `${done}, 0 skipped, 3 failed\n` });
        for (const [copy, genuine] of [
          ['app.a', 'app.b'],
          ['app.b', 'app.a'],
          ['app.c', 'other'],
        ]) {
          expect(migrated.stderr).toContain(
            `${copy} version 1: version ${v(1)} of ${copy} has the same sealed bytes as version ${v(1)} of ${genuine}: `,
          );
        }
      }
      const untouched = (each: Item): boolean => placeOf(each) !== placeOf(moved(each, 'app.d', 1));
      expect((await all(place)).filter(untouched)).toEqual(before.filter(untouched));
      // Once the copies are gone, the genuine ones are migrated.
      for (const name of ['app.b', 'app.c']) await place.cs(['delete', name]);
      expect(await place.cs(['migrate'])).toEqual(
        ok(
          `migrated app.a -- version ${v(1)}\nmigrated other -- version ${v(1)}\n2 migrated, 0 skipped, 0 failed\n`,
        ),
      );
      expect(await place.cs(['get', 'app.a'])).toEqual(ok('value of app.a\n'));
    });

    test('names every place of a copy up to three, and counts the rest', async () => {
      const place = await running.place();
      await versions(place, 'a', ['a value'], ...CTR);
      const genuine = await item(place, 'a');
      for (let version = 2; version <= 6; version += 1) {
        await place.plant(moved(genuine, 'a', version));
      }
      const migrated = await place.cs(['migrate']);
      expect(migrated).toMatchObject({ status: 5, stdout: '0 migrated, 0 skipped, 6 failed\n' });
      expect(migrated.stderr).toContain(
        `version ${v(1)} of a has the same sealed bytes as version ${v(2)} of a, version ${v(3)} of a, version ${v(4)} of a, 2 more: `,
      );
    });

    test('takes empty and short secrets, whose ciphertexts are the same by chance, for no copies', async () => {
      const place = await running.place();
      const flags = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`flag.${i}`, '1']));
      await place.cs([
        'putall',
        JSON.stringify({ ...flags, 'empty.a': '', 'empty.b': '' }),
        ...CTR,
      ]);
      expect((await place.cs(['migrate'])).stdout).toContain('42 migrated, 0 skipped, 0 failed\n');
      expect(JSON.parse((await place.cs(['get', 'flag.*'])).stdout)).toEqual(flags);
    });

    test('goes back to the original format only where the command line says so', async () => {
      const place = await running.place();
      await versions(place, 'new', ['1']);
      await versions(place, 'old', ['2'], ...CTR);
      const home = join(folder, `home-${randomBytes(4).toString('hex')}`);
      mkdirSync(home);
      writeFileSync(join(home, '.credstash'), '{"cipher": "AES-256-CTR"}');
      for (const env of [{ CREDSTASH_CIPHER: 'AES-256-CTR' }, { HOME: home }]) {
        expect(await place.cs(['migrate', 'new'], { env })).toEqual(
          ok('0 migrated, 0 skipped, 0 failed\n'),
        );
      }
      const env = { CREDSTASH_CIPHER: 'AES-256-CTR' };
      expect(await place.cs(['migrate'], { env })).toEqual(
        ok(`migrated old -- version ${v(1)}\n1 migrated, 0 skipped, 0 failed\n`),
      );
      expect((await place.cs(['migrate', 'new', ...CTR])).stdout).toContain('1 migrated');
      expect(JSON.parse((await place.cs(['list', '--json'])).stdout)).toMatchObject([
        { name: 'new', cipher: 'AES-256-CTR' },
        { name: 'old', cipher: 'AES-256-GCM' },
      ]);
    });
  });

  describe('copy', () => {
    test.each<[string, (item: Item) => Item]>([
      ['data key', (item) => withBytes(item, 'key', flipped)],
      ['contents', (item) => withBytes(item, 'contents', flipped)],
      ['HMAC', (item) => withBytes(item, 'hmac', flipped)],
      ['comment', (item) => ({ ...item, comment: { S: 'changed' } })],
    ])(
      'a copy whose %s was damaged is a failure, and is made anew once it is gone',
      async (what, damage) => {
        const place = await running.place();
        await versions(place, 'a', ['one', 'two'], 'env=prod');
        await versions(place, 'b', ['other'], 'env=prod');
        const target = vaultPlace(
          join(folder, `${what} ${running.dynamo ?? ''}`.replaceAll('/', '')),
          runHere,
        );
        const to = ['copy', '--to-local', target.where.replace('the vault ', ''), 'env=prod'];
        expect(await place.cs(to)).toMatchObject({ status: 0 });
        await target.plant(damage(await item(target, 'a', 2)));
        for (const [more, summary] of [
          [['--dry-run'], '0 to copy, 2 skipped, 1 failed\n'],
          [[], '0 copied, 2 skipped, 1 failed\n'],
        ] as const) {
          const again = await place.cs([...to, ...more]);
          expect(again).toMatchObject({ status: 5, stdout: summary });
          expect(again.stderr).toContain(`a version 2: in ${target.where}: version ${v(2)} of a: `);
        }
        expect(await target.cs(['delete', 'a', '-v', '2'])).toMatchObject({ status: 0 });
        expect((await place.cs(to)).stdout).toContain('1 copied, 2 skipped, 0 failed\n');
        expect(await target.cs(['get', 'a', 'env=prod'])).toEqual(ok('two\n'));
      },
    );

    test('under wrong pairs the pairs are wrong, and not the copy', async () => {
      const place = await running.place();
      await versions(place, 'a', ['one'], 'env=prod');
      const to = join(folder, `pairs ${running.dynamo ? 'aws' : 'vault'}`);
      await place.cs(['copy', '--to-local', to, 'env=prod']);
      const again = await place.cs(['copy', '--to-local', to]);
      expect(again).toMatchObject({ status: 6, stdout: '0 copied, 0 skipped, 1 failed\n' });
      expect(again.stderr).toMatch(
        /^credstash: hint: give the same KEY=VALUE arguments as the put; /m,
      );
    });

    test('what does not open there keeps no older version from being copied', async () => {
      const place = await running.place();
      await versions(place, 'a', ['one', 'two', 'three']);
      const target = vaultPlace(join(folder, `older ${running.dynamo ? 'aws' : 'vault'}`), runHere);
      const to = ['copy', '--to-local', target.where.replace('the vault ', '')];
      await place.cs([...to, '--latest']);
      await target.plant({ ...(await item(target, 'a', 3)), comment: { S: 'changed' } });
      expect(await place.cs(to)).toMatchObject({
        status: 5,
        stdout: expect.stringContaining('2 copied, 0 skipped, 1 failed\n') as unknown,
      });
      expect(await target.cs(['get', 'a', '-v', '2'])).toEqual(ok('two\n'));
    });
  });

  test('put -a, putall -a and rollback say so where an original entry follows a current one', async () => {
    const { cs } = await running.place();
    const warning = (name: string, after: number): string =>
      `credstash: warning: version ${after + 1} of ${name} is an original entry (AES-256-CTR) after a current one, version ${after}: nothing binds it to its name\n`;
    // Nothing is said of the first one, nor of one after its like, nor of the way back.
    for (const args of [['one', ...CTR], ['two', ...CTR], ['three'], ['four']]) {
      expect(await cs(['put', '-a', 'a', ...args])).toEqual(stored('a'));
    }
    expect(await cs(['put', '-a', 'a', 'five', ...CTR])).toEqual({
      ...stored('a'),
      stderr: warning('a', 4),
    });
    expect(await cs(['put', 'a', 'ten', '-v', '10'])).toEqual(stored('a'));
    expect(await cs(['rollback', 'a', '-v', '1'])).toMatchObject({
      status: 0,
      stderr: warning('a', 10),
    });
    expect(await cs(['put', 'b', 'x'])).toEqual(stored('b'));
    const env = { CREDSTASH_CIPHER: 'AES-256-CTR' };
    expect(await cs(['putall', '-a', '{"a": "1", "b": "2", "c": "3"}'], { env })).toMatchObject({
      status: 0,
      stderr: warning('b', 1),
    });
  });

  test('--rate counts changes: what is only read is as fast as it can be', async () => {
    const place = await running.place();
    const lines = ['1', '2'].map((value) => ({ a: value, b: value, c: value, d: value, e: value }));
    await versionsOfAll(place, lines, ...CTR);
    const to = ['copy', '--to-local', join(folder, `rate ${running.dynamo ? 'aws' : 'vault'}`)];
    await place.cs(to);
    // Were these ten entries paced, they would take hours.
    const rate = ['--rate', '0.001'];
    for (const [args, said] of [
      [['prune', '--keep', '1', '--dry-run'], '5 to delete'],
      [['prune', '--keep', '2'], '0 deleted'],
      [['migrate', '--dry-run'], '10 to migrate'],
      [[...to, '--dry-run'], '0 to copy, 10 skipped'],
      [to, '0 copied, 10 skipped'],
    ] as const) {
      expect((await place.cs([...args, ...rate])).stdout).toContain(said);
    }
  });

  test('a long list of failures is cut at twenty, those that do not verify first; a log file has all', async () => {
    const place = await running.place();
    const secrets = Array.from({ length: 30 }, (_, i) => [
      `s${String(i).padStart(2, '0')}`,
      `${i}`,
    ]);
    await place.cs(['putall', JSON.stringify(Object.fromEntries(secrets)), 'env=prod', ...CTR]);
    const last = await item(place, 's29');
    await place.plant(moved(last, 's31', 1));
    const log = join(folder, `log ${running.dynamo ? 'aws' : 'vault'}`);
    const migrated = await place.cs(['--log-file', log, 'migrate']);
    expect(migrated).toMatchObject({ status: 5, stdout: '0 migrated, 0 skipped, 31 failed\n' });
    const errors = linesOf(migrated.stderr, 'error');
    expect(errors).toHaveLength(22);
    expect(errors[0]).toContain('31 of 31 entries have not been migrated');
    expect(errors[1]).toContain('s29 version 1: ');
    expect(errors[2]).toContain('s31 version 1: ');
    expect(errors[21]).toBe('credstash: error: and 11 more: --log-file FILE takes all');
    for (const [name] of secrets)
      expect(readFileSync(log, 'utf8')).toContain(`${name} version 1: `);
  });
});

describe.each(engines.filter(({ name }) => name === dynamoLocal.name))(
  'services, $name',
  ({ start }) => {
    let running: Running;
    let kms: KmsServer;
    let recorder: Recorder;
    let count = 0;
    beforeAll(async () => {
      running = await start();
      if (!running.kms || running.dynamo === undefined) throw new Error('no AWS');
      kms = running.kms;
      kms.addKey('alias/new');
      recorder = await startRecorder({ DynamoDB: running.dynamo, KMS: kms.url });
    });
    afterAll(async () => {
      await Promise.all([running.close(), recorder.close()]);
    });
    beforeEach(() => {
      recorder.meddle = undefined;
    });

    const newTable = async (): Promise<Place> => {
      const table = `odd-${++count}`;
      await createTable(running.dynamo ?? '', table);
      return awsPlace(recorder.url, recorder.url, table, runHere);
    };
    const tableOf = (place: Place): string => place.args[1] ?? '';

    /** Answers so the one request of an action that is about the secret b: by its name, or by the context of its data key. */
    const answerForB = (action: string, code: string, status: number): void => {
      recorder.meddle = (asked, _, sent) => {
        const isIt = asked === action && /"(?:credstash:)?name":(?:"b"|\{"S":"b"\})/.test(sent);
        return Promise.resolve(isIt ? awsError(code, 'Something new', status) : undefined);
      };
    };

    const COMMANDS: Readonly<Record<string, readonly string[]>> = {
      rekey: ['rekey', '-k', 'alias/new'],
      migrate: ['migrate'],
      copy: ['copy', '--to-table', 'OTHER'],
      prune: ['prune', '--keep', '1'],
    };

    test.each([
      ['rekey', 'KMS.ReEncrypt', 400],
      ['rekey', 'KMS.ReEncrypt', 500],
      ['rekey', 'DynamoDB.UpdateItem', 400],
      ['migrate', 'KMS.GenerateDataKey', 400],
      ['migrate', 'DynamoDB.GetItem', 500],
      ['copy', 'KMS.Decrypt', 400],
      ['copy', 'KMS.Encrypt', 400],
      ['copy', 'DynamoDB.PutItem', 500],
      ['prune', 'KMS.Decrypt', 400],
      ['prune', 'DynamoDB.DeleteItem', 400],
    ])(
      '%s goes on behind an entry for which %s answers, with HTTP %i, what nobody foresaw',
      async (verb, action, status) => {
        const [place, other] = [await newTable(), await newTable()];
        const args = (COMMANDS[verb] ?? []).map((arg) => (arg === 'OTHER' ? tableOf(other) : arg));
        for (const value of verb === 'prune' ? ['1', '2'] : ['1']) {
          const secrets = { a: value, b: value, c: value, d: value };
          await place.cs([
            'putall',
            '-a',
            JSON.stringify(secrets),
            ...(verb === 'migrate' ? CTR : []),
          ]);
        }
        answerForB(action, 'BrandNewException', status);
        const ended = await place.cs(args);
        expect(ended.stdout).toMatch(/\n3 \w+, 0 skipped, 1 failed\n$/);
        expect(ended.status).toBe(status === 400 ? 1 : 7);
        const errors = linesOf(ended.stderr, 'error');
        expect(errors).toHaveLength(2);
        expect(errors[1]).toMatch(/^credstash: error: b version 1: /);
        expect(errors[1]).toContain(`(BrandNewException, HTTP ${status}`);
        recorder.meddle = undefined;
        const rest = await place.cs(args);
        expect(rest.status, rest.stderr).toBe(0);
      },
    );

    test('a table to copy to that does not exist is one error, and its hint creates it', async () => {
      const place = await newTable();
      await versionsOfAll(
        place,
        ['1', '2'].map((value) => ({ a: value, b: value, c: value })),
      );
      const missing = `missing-${++count}`;
      const copy = ['copy', '--to-table', missing];
      for (const more of [[], ['--dry-run'], ['--latest']]) {
        const ended = await place.cs([...copy, ...more]);
        expect(ended).toEqual(
          failed(
            3,
            `there is no table ${missing} in us-east-1`,
            `create it first: credstash setup -t ${missing}`,
          ),
        );
      }
      const { stderr } = await place.cs(copy);
      const [, setup = ''] = /create it first: credstash ([^\n]+)/.exec(stderr) ?? [];
      expect(await runHere(setup.split(' '), { env: place.env })).toMatchObject({ status: 0 });
      expect((await place.cs(copy)).stdout).toContain('6 copied, 0 skipped, 0 failed\n');
    });

    test('the hint names a table by its name where it was given by its ARN, and turns off a vault of the environment', async () => {
      const place = await newTable();
      await versions(place, 'a', ['1']);
      const arn = 'arn:aws:dynamodb:us-east-1:000000000000:table/by-arn';
      // DynamoDB Local knows no ARNs.
      recorder.meddle = (_, __, sent) =>
        Promise.resolve(sent.includes(arn) ? awsError('ResourceNotFoundException') : undefined);
      expect((await place.cs(['copy', '--to-table', arn])).stderr).toContain(
        'credstash setup -t by-arn -r us-east-1\n',
      );
      const folder = temporaryFolder();
      const local = vaultPlace(join(folder, 'vault'), runHere);
      await versions(local, 'a', ['1']);
      const env = { ...place.env, CREDSTASH_LOCAL: join(folder, 'vault') };
      const { stderr } = await runHere(['copy', '--to-table', 'nowhere-at-all'], { env });
      expect(stderr).toContain('env -u CREDSTASH_LOCAL credstash setup -t nowhere-at-all\n');
    });

    test('the hint has the profile and the region of the target', async () => {
      const place = await newTable();
      await versions(place, 'a', ['1']);
      const folder = temporaryFolder();
      const config = join(folder, 'config');
      writeFileSync(
        config,
        '[profile there]\naws_access_key_id = AKIDOTHER\naws_secret_access_key = x\n',
      );
      const copy = [
        '--to-table',
        'missing-there',
        '--to-profile',
        'there',
        '--to-region',
        'eu-west-1',
      ];
      const { stderr } = await place.cs(['copy', ...copy], { env: { AWS_CONFIG_FILE: config } });
      expect(stderr).toContain('credstash setup -t missing-there -r eu-west-1 -p there\n');
    });

    test('prune --no-verify leaves a secret alone of which a version that would stay is malformed', async () => {
      const place = await newTable();
      await versions(place, 'a', ['1', '2']);
      await place.plant({ name: { S: 'a' }, version: { S: v(3) }, cipher: { S: 'AES-256-GCM' } });
      const pruned = await place.cs(['prune', '--keep', '1', '--no-verify']);
      expect(pruned).toMatchObject({ status: 5, stdout: '0 deleted, 0 skipped, 2 failed\n' });
      expect(pruned.stderr).toContain(`would stay: version ${v(3)} of a is malformed`);
      await follow(place, pruned.stderr);
      expect(await place.cs(['prune', '--keep', '1', '--no-verify'])).toMatchObject({ status: 0 });
    });

    test('prune hints at --no-verify where it may not decrypt', async () => {
      const place = await newTable();
      await versions(place, 'a', ['1', '2', '3']);
      recorder.meddle = (action) =>
        Promise.resolve(action === 'KMS.Decrypt' ? awsError('AccessDeniedException') : undefined);
      const pruned = await place.cs(['prune', '--keep', '1']);
      expect(pruned).toMatchObject({ status: 6, stdout: '0 deleted, 0 skipped, 2 failed\n' });
      expect(pruned.stderr).toMatch(
        /^credstash: hint: a role that may not decrypt prunes with --no-verify; /m,
      );
      expect(await place.cs(['prune', '--keep', '1', '--no-verify'])).toMatchObject({
        status: 0,
        stdout: expect.stringContaining('2 deleted, 0 skipped, 0 failed\n') as unknown,
      });
    });

    test('a key to copy to that does not exist stops at once, and its hint creates it', async () => {
      const [place, other] = [await newTable(), await newTable()];
      const names = Array.from({ length: 20 }, (_, i) => `s${i}`);
      await place.cs([
        'putall',
        JSON.stringify(Object.fromEntries(names.map((name) => [name, 'x']))),
      ]);
      const copy = ['copy', '--to-table', tableOf(other), '--to-key', 'alias/not-yet'];
      const before = recorder.requests.length;
      const ended = await place.cs(copy);
      expect(ended).toMatchObject({ status: 6, stdout: '0 copied, 0 skipped, 20 failed\n' });
      const encrypts = recorder.requests
        .slice(before)
        .filter(({ action }) => action === 'KMS.Encrypt');
      expect(encrypts.length).toBeLessThanOrEqual(8);
      expect(linesOf(ended.stderr, 'error').at(-1)).toMatch(/ and \d+ more: was not tried$/);
      const [, setup = ''] = /or create it: credstash ([^;\n]+)/.exec(ended.stderr) ?? [];
      expect(await runHere(setup.split(' '), { env: place.env })).toMatchObject({ status: 0 });
      expect((await place.cs(copy)).stdout).toContain('20 copied, 0 skipped, 0 failed\n');
    });
  },
);
