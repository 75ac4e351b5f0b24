import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Credstash } from '../../src/credstash.ts';
import { CredStash } from '../../src/nodecredstash/index.ts';
import { type KmsServer, startKmsServer } from '../support/kms-server.ts';
import { type Recorder, startRecorder } from '../support/recorder.ts';
import { builtCommand, run, type RunOptions } from '../support/run.ts';
import { testCredential } from '../support/sigv4.ts';
import { startStsServer, type StsServer } from '../support/sts-server.ts';
import { shell } from './shell.ts';
import {
  awsPlace,
  dynalite,
  type Ended,
  failed,
  ok,
  type Place,
  type Running,
  runHere,
  stored,
} from './backends.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { v } from '../support/version.ts';

/*
 * What the client trusts by itself: a reader whose policy lets it decrypt with any key is fed an entry under a stranger's
 * key, and one in the original format in the place of a current one. KMS here lets everybody use every key.
 */

const folder = temporaryFolder();
let running: Running;
let kms: KmsServer;
let recorder: Recorder;
let sts: StsServer;
/** The ARNs of alias/credstash, of alias/second, and of a key of another account. */
let mine: string;
let second: string;
let strangers: string;

beforeAll(async () => {
  running = await dynalite.start();
  if (!running.kms || running.dynamo === undefined) throw new Error('not AWS');
  kms = running.kms;
  [recorder, sts] = await Promise.all([
    startRecorder({ DynamoDB: running.dynamo, KMS: kms.url }),
    startStsServer(),
  ]);
  mine = kms.keys()[0]?.arn ?? '';
  second = kms.addKey('alias/second');
  strangers = kms.addStrangersKey();
  kms.nameKey('alias/strangers', strangers);
});
afterAll(async () => {
  await Promise.all([running.close(), recorder.close(), sts.close()]);
});
beforeEach(() => {
  kms.requests.length = 0;
  recorder.requests.length = 0;
});

/** A table of its own, whose requests the recorder sees. */
async function newPlace(): Promise<Place> {
  const { args } = await running.place();
  return awsPlace(recorder.url, recorder.url, args[1] ?? '', runHere);
}

/** The actions of KMS that were asked for since the last look. */
function asked(): string[] {
  return kms.requests.splice(0).map(({ action }) => action);
}

let homes = 0;
/** A home folder with this `~/.credstash`. */
function homeWith(config: unknown): { HOME: string } {
  const HOME = join(folder, `home-${++homes}`);
  mkdirSync(HOME);
  writeFileSync(join(HOME, '.credstash'), JSON.stringify(config));
  return { HOME };
}

/** A table with a genuine secret, of which a newer version is an attacker's: sealed as `put` says. */
async function attacked(...put: string[]): Promise<Place> {
  const place = await newPlace();
  expect(await place.cs(['put', 'db', 'genuine'])).toEqual(stored('db'));
  const elsewhere = await newPlace();
  expect(await elsewhere.cs(['put', 'db', 'planted', '-v', '2', ...put])).toEqual(stored('db'));
  for (const item of await elsewhere.items()) await place.plant(item);
  asked();
  return place;
}

/** Every way to read a secret, as command lines; with each the version that it opens. */
function readers(
  vault: string,
  target: Place,
): [name: string, args: string[], options?: RunOptions][] {
  const template = join(folder, 'template');
  writeFileSync(template, 'password: {{ credstash://db }}\n');
  return [
    ['get', ['get', 'db']],
    ['get of a version', ['get', 'db', '-v', '2']],
    ['get of a glob', ['get', 'd*']],
    ['get --json', ['get', '--json', 'db']],
    ['get --default', ['get', 'db', '--default', 'x']],
    ['getall', ['getall']],
    ['getall for a shell', ['getall', '-f', 'shell']],
    ['render', ['render', template]],
    ['exec of a name', ['exec', 'db', '--', 'env']],
    ['exec of a glob', ['exec', 'd*', '--', 'env']],
    ['exec --env', ['exec', '--env', 'DB=db', '--', 'env']],
    ['exec of a reference', ['exec', '--', 'env'], { env: { DB: 'credstash://db' } }],
    [
      'putall --skip-unchanged',
      ['putall', '-', '-a', '--skip-unchanged'],
      { input: '{"db":"new"}' },
    ],
    ['rollback', ['rollback', 'db', '-v', '2']],
    ['rekey', ['rekey', 'db', '-k', 'alias/credstash']],
    ['prune', ['prune', 'db', '--keep', '1']],
    ['copy to a vault', ['copy', `--to-local=${vault}`, '--latest']],
    ['copy to a table', ['copy', '--to-table', target.args[1] ?? '', '--latest']],
  ];
}

/** Matches a command that opened nothing of the attacker's, and says which entry, and the setting that refuses. */
function refused(status: number, ...said: (string | RegExp)[]): unknown {
  const stderr: unknown = expect.toSatisfy(
    (text: string) =>
      text.startsWith('credstash: error: ') &&
      said.every((each) => (typeof each === 'string' ? text.includes(each) : each.test(text))),
    `an error that says ${said.join(' and ')}`,
  );
  const stdout: unknown = expect.not.stringContaining('planted');
  return { status, stdout, stderr };
}

describe('an entry under a stranger’s key', () => {
  test('opens without the setting, as it always did', async () => {
    const place = await attacked('-k', 'alias/strangers');
    expect(await place.cs(['get', 'db'])).toEqual(ok('planted\n'));
    for (const CREDSTASH_TRUSTED_KEYS of ['', undefined]) {
      const env = CREDSTASH_TRUSTED_KEYS === undefined ? {} : { CREDSTASH_TRUSTED_KEYS };
      expect(await place.cs(['get', 'db'], { env })).toEqual(ok('planted\n'));
    }
  });

  test.each<[string, () => string]>([
    ['one trusted key', () => mine],
    ['several', () => `${second},${mine}`],
  ])('is refused by every reader: with %s', async (_, trusted) => {
    const place = await attacked('-k', 'alias/strangers');
    const { items } = place;
    const before = await items();
    const target = await newPlace();
    const CREDSTASH_TRUSTED_KEYS = trusted();
    const isOne = CREDSTASH_TRUSTED_KEYS === mine;
    const vault = join(folder, `vault-of-${String(isOne)}-${homes++}`);
    const why = isOne
      ? `version ${v(2)} of db: it is not under ${mine}, the only key that CREDSTASH_TRUSTED_KEYS lists`
      : `version ${v(2)} of db: it is under the KMS key ${strangers}, which CREDSTASH_TRUSTED_KEYS does not list`;
    for (const [name, args, options] of readers(vault, target)) {
      const env = { ...options?.env, CREDSTASH_TRUSTED_KEYS };
      const ended = await place.cs(args, { ...options, env });
      expect(ended, name).toEqual(refused(5, why));
      // Of rekey both versions.
      expect(new Set(asked()), name).toEqual(new Set([name === 'rekey' ? 'ReEncrypt' : 'Decrypt']));
      expect(await items(), name).toEqual(before);
    }
    expect(await target.items()).toEqual([]);
    // The genuine one still opens.
    const env = { CREDSTASH_TRUSTED_KEYS };
    expect(await place.cs(['get', 'db', '-v', '1'], { env })).toEqual(ok('genuine\n'));
    expect(asked()).toEqual(['Decrypt']);
  });

  test('is refused, however the keys are separated', async () => {
    const place = await attacked('-k', 'alias/strangers');
    for (const CREDSTASH_TRUSTED_KEYS of [`${second},${mine}`, `  ${mine} \n ${second} `]) {
      const ended = await place.cs(['get', 'db'], { env: { CREDSTASH_TRUSTED_KEYS } });
      expect(ended).toEqual(
        refused(
          5,
          `version ${v(2)} of db: it is under the KMS key ${strangers}, which CREDSTASH_TRUSTED_KEYS does not list`,
        ),
      );
    }
  });

  test('is refused by copy before it reaches another table, and by migrate', async () => {
    const place = await attacked('-k', 'alias/strangers', '--cipher', 'AES-256-CTR');
    const target = await newPlace();
    const env = { CREDSTASH_TRUSTED_KEYS: mine };
    const copied = await place.cs(['copy', '--to-table', target.args[1] ?? '', '--latest'], {
      env,
    });
    expect(copied).toEqual(refused(5, 'db version 2', 'CREDSTASH_TRUSTED_KEYS'));
    expect((await target.items()).map((item) => item['version'])).toEqual([]);
    const before = await place.items();
    expect(await place.cs(['migrate', 'db'], { env })).toEqual(
      refused(5, 'db version 2', 'CREDSTASH_TRUSTED_KEYS'),
    );
    expect(await place.items()).toEqual(before);
  });

  test('is refused by copy at its target, too', async () => {
    const place = await newPlace();
    await place.cs(['put', 'db', 'genuine']);
    const target = await newPlace();
    await target.cs(['put', 'db', 'genuine', '-k', 'alias/strangers']);
    const copy = ['copy', '--to-table', target.args[1] ?? ''];
    for (const CREDSTASH_TRUSTED_KEYS of [mine, `${mine} ${second}`]) {
      const env = { CREDSTASH_TRUSTED_KEYS };
      const said = ['CREDSTASH_TRUSTED_KEYS', 'db version 1'];
      expect(await place.cs(copy, { env })).toEqual(refused(5, ...said));
    }
    expect(await place.cs(copy)).toMatchObject({ status: 0 });
  });

  test('is refused by a cache, which gives what it had no more', async () => {
    const place = await newPlace();
    expect(await place.cs(['put', 'db', 'genuine'])).toEqual(stored('db'));
    const planted = await (await attacked('-k', 'alias/strangers')).items();
    const credstash = new Credstash({
      region: 'us-east-1',
      endpoint: recorder.url,
      credentials: testCredential,
      table: place.args[1] ?? '',
      trustedKeys: [mine],
    });
    const cache = credstash.createCache();
    expect(await cache.getText('db')).toBe('genuine');
    for (const item of planted) await place.plant(item);
    const stranger = {
      code: 'ENTRY_NOT_TRUSTED',
      hint: expect.stringContaining('to trustedKeys') as string,
    };
    await expect(cache.refresh('db')).rejects.toMatchObject(stranger);
    await expect(cache.get('db')).rejects.toMatchObject(stranger);
    expect(await cache.getText('db', { version: '1' })).toBe('genuine');
    cache.close();
    await credstash.close();
  });

  test('leaves getall and putall the others, and a newer put stands before it', async () => {
    const place = await attacked('-k', 'alias/strangers');
    const env = { CREDSTASH_TRUSTED_KEYS: mine };
    await place.cs(['put', 'other', 'x']);
    expect(await place.cs(['getall', '--skip-undecryptable'], { env })).toMatchObject({
      status: 0,
      stdout: expect.not.stringContaining('planted') as string,
      stderr: expect.stringMatching(
        /^credstash: warning: db is left out: .*CREDSTASH_TRUSTED_KEYS/,
      ) as string,
    });
    const secrets = '{"db":"planted","other":"x","third":"y"}';
    const put = await place.cs(['putall', '-', '-a', '--skip-unchanged'], { env, input: secrets });
    expect(put).toMatchObject({ status: 5, stdout: 'other is unchanged\nthird has been stored\n' });
    expect(await place.cs(['put', '-a', 'db', 'newer'], { env })).toEqual(stored('db'));
    expect(await place.cs(['get', 'db'], { env })).toEqual(ok('newer\n'));
  });

  test('the hint helps: once its key is listed, it opens', async () => {
    const place = await attacked('-k', 'alias/strangers');
    const env = homeWith({ 'trusted-keys': [mine, second] });
    const first = await place.cs(['get', 'db'], { env });
    expect(first).toEqual(
      failed(
        5,
        `under the KMS key ${strangers}, which trusted-keys in ~/.credstash does not list`,
        'hint: if it is under another key of yours, add the ARN of that key to trusted-keys in ~/.credstash',
      ),
    );
    const config = join(env.HOME, '.credstash');
    const named = /under the KMS key (\S+),/.exec(first.stderr)?.[1];
    const { 'trusted-keys': keys } = JSON.parse(readFileSync(config, 'utf8')) as Record<
      string,
      string[]
    >;
    writeFileSync(config, JSON.stringify({ 'trusted-keys': [...(keys ?? []), named] }));
    expect(await place.cs(['get', 'db'], { env })).toEqual(ok('planted\n'));
  });
});

describe('an original entry in the place of a current one', () => {
  const original = ['--cipher', 'AES-256-CTR'];
  const CREDSTASH_FORMATS = 'AES-256-GCM';

  test('opens without the setting, and where both formats are listed', async () => {
    const place = await attacked(...original);
    for (const env of [
      {},
      { CREDSTASH_FORMATS: '' },
      { CREDSTASH_FORMATS: 'AES-256-CTR AES-256-GCM' },
    ]) {
      expect(await place.cs(['get', 'db'], { env })).toEqual(ok('planted\n'));
    }
  });

  test('is refused by every reader, before KMS is asked', async () => {
    const place = await attacked(...original);
    const before = await place.items();
    const [vault, target] = [join(folder, 'vault-of-formats'), await newPlace()];
    const why = `version ${v(2)} of db: it is sealed with AES-256-CTR, which CREDSTASH_FORMATS does not list`;
    for (const [name, args, options] of readers(vault, target)) {
      const env = { ...options?.env, CREDSTASH_FORMATS };
      const ended = await place.cs(args, { ...options, env });
      expect(ended, name).toEqual(refused(5, why));
      // Of rekey the genuine version.
      expect(asked(), name).toEqual(name === 'rekey' ? ['ReEncrypt'] : []);
      expect(await place.items(), name).toEqual(before);
    }
    expect(await place.cs(['migrate'], { env: { CREDSTASH_FORMATS } })).toEqual(refused(5, why));
    expect(asked()).toEqual([]);
    expect(await place.items()).toEqual(before);
    expect(await place.cs(['get', 'db', '-v', '1'], { env: { CREDSTASH_FORMATS } })).toEqual(
      ok('genuine\n'),
    );
  });

  test('is not written either: a usage error before any request', async () => {
    const place = await attacked(...original);
    const env = { CREDSTASH_FORMATS };
    const usage = failed(2, 'AES-256-CTR, which CREDSTASH_FORMATS does not list', 'hint: ');
    recorder.requests.length = 0;
    for (const args of [
      ['put', 'new', 'x', ...original],
      ['putall', '{"new":"x"}', ...original],
      ['rollback', 'db', ...original],
      ['migrate', ...original],
    ]) {
      expect(await place.cs(args, { env }), args.join(' ')).toEqual(usage);
    }
    for (const where of [
      { CREDSTASH_CIPHER: 'AES-256-CTR' },
      homeWith({ cipher: 'AES-256-CTR' }),
    ]) {
      expect(await place.cs(['put', 'new', 'x'], { env: { ...env, ...where } })).toEqual(usage);
    }
    expect(recorder.requests).toEqual([]);
    expect(await place.cs(['put', 'new', 'x'], { env })).toEqual(stored('new'));
  });

  test('the hint helps: it is the very line that seals it anew', async () => {
    const place = await attacked(...original, 'env=prod');
    const env = homeWith({ formats: ['AES-256-GCM'] });
    const ended = await place.cs(['get', 'db', 'env=prod'], { env });
    expect(ended).toEqual(failed(5, 'which formats in ~/.credstash does not list', 'hint: '));
    const line = /seal it anew: (.*)/.exec(ended.stderr)?.[1] ?? '';
    expect(line).toMatch(/ KEY=VALUE…$/);
    const typed = line.replace('KEY=VALUE…', 'env=prod');
    // The genuine version was put without the pair, and is in the current format.
    expect(await shell({ ...place, env: { ...place.env, ...env } }, typed)).toMatchObject({
      status: 0,
      stdout: `migrated db -- version ${v(2)}\n1 migrated, 0 skipped, 0 failed\n`,
    });
    expect(await place.cs(['get', 'db', 'env=prod'], { env })).toEqual(ok('planted\n'));
  });
});

describe('a key to seal under', () => {
  test('that is not trusted is refused by every writer, and nothing is stored', async () => {
    const place = await newPlace();
    await place.cs(['put', 'db', 'one']);
    await place.cs(['put', '-a', 'db', 'two', '--cipher', 'AES-256-CTR']);
    const before = await place.items();
    const target = await newPlace();
    asked();
    const writers = (key: string): [string[], string][] => [
      [['put', 'new', 'x', '-k', key], 'GenerateDataKey'],
      [['put', '-a', 'db', 'x', '-k', key], 'GenerateDataKey'],
      [['putall', '{"a":"x","b":"y"}', '-k', key], 'GenerateDataKey'],
      [['rollback', 'db', '-k', key], 'GenerateDataKey'],
      [['migrate', '-k', key], 'GenerateDataKey'],
      [['rekey', '-k', key], 'ReEncrypt'],
      [['copy', '--to-table', target.args[1] ?? '', '--to-key', key], 'Encrypt'],
    ];
    for (const CREDSTASH_TRUSTED_KEYS of [mine, `${mine} ${second}`]) {
      const env = { CREDSTASH_TRUSTED_KEYS };
      // An ARN or an id says by itself that it is not one of them.
      const id = strangers.split('/')[1] ?? '';
      for (const key of [strangers, id]) {
        for (const [args] of writers(key)) {
          recorder.requests.length = 0;
          expect(await place.cs(args, { env }), args.join(' ')).toEqual(
            failed(6, `the key ${key} is not in CREDSTASH_TRUSTED_KEYS`, 'hint: ', '-k'),
          );
          expect(recorder.requests, args.join(' ')).toEqual([]);
        }
      }
      for (const [args, action] of writers('alias/strangers')) {
        expect(await place.cs(args, { env }), args.join(' ')).toEqual(
          refused(
            6,
            `the key alias/strangers is ${strangers}, which CREDSTASH_TRUSTED_KEYS does not list`,
          ),
        );
        expect(asked(), args.join(' ')).toContain(action);
      }
      expect(await place.items()).toEqual(before);
      expect(await target.items()).toEqual([]);
    }
  });

  test('that is trusted is taken, by its alias, its id and its ARN', async () => {
    const place = await newPlace();
    const env = { CREDSTASH_TRUSTED_KEYS: second };
    for (const [i, key] of ['alias/second', second, second.split('/')[1] ?? ''].entries()) {
      expect(await place.cs(['put', `s${i}`, 'x', '-k', key], { env })).toEqual(stored(`s${i}`));
      expect(await place.cs(['get', `s${i}`], { env })).toEqual(ok('x\n'));
    }
    expect(await place.cs(['put', 'new', 'x'], { env })).toEqual(
      failed(6, `alias/credstash is ${mine}`),
    );
    const both = { CREDSTASH_TRUSTED_KEYS: `${mine} ${second}` };
    expect(await place.cs(['rekey', '-k', 'alias/credstash'], { env: both })).toMatchObject({
      status: 0,
    });
    expect(await place.cs(['get', 's0'], { env })).toEqual(
      failed(5, 's0', 'CREDSTASH_TRUSTED_KEYS'),
    );
  });
});

test('nodecredstash’s class takes both settings as options', async () => {
  const place = await attacked('-k', 'alias/strangers');
  const table = place.args[1] ?? '';
  const awsOpts = { region: 'us-east-1', endpoint: recorder.url, credentials: testCredential };
  const open = (options: object): CredStash => new CredStash({ table, awsOpts, ...options });
  const [all, trusting, current] = [
    open({}),
    open({ trustedKeys: [mine] }),
    open({ formats: ['AES-256-GCM'], trustedKeys: [mine, second] }),
  ];
  expect(await all.getSecret({ name: 'db' })).toBe('planted');
  const stranger = { code: 'ENTRY_NOT_TRUSTED' };
  await expect(trusting.getSecret({ name: 'db' })).rejects.toMatchObject(stranger);
  await expect(trusting.getAllVersions({ name: 'db' })).rejects.toMatchObject(stranger);
  await expect(current.getAllSecrets()).rejects.toMatchObject(stranger);
  const strangersKey = { name: 'new', secret: 'x', kmsKey: 'alias/strangers' };
  await expect(trusting.putSecret(strangersKey)).rejects.toMatchObject({ code: 'KEY_NOT_TRUSTED' });

  await trusting.putSecret({ name: 'new', secret: 'old format' });
  await expect(current.getSecret({ name: 'new' })).rejects.toMatchObject(stranger);
  // What it may write is what it writes.
  await current.putSecret({ name: 'new', secret: 'new format', version: 2 });
  expect(await current.getSecret({ name: 'new' })).toBe('new format');
  const contrary = open({ formats: ['AES-256-GCM'], cipher: 'AES-256-CTR' });
  const put = contrary.putSecret({ name: 'new', secret: 'x', version: 3 });
  await expect(put).rejects.toMatchObject({ code: 'USAGE' });
  for (const wrong of [{ trustedKeys: ['alias/credstash'] }, { formats: [] }]) {
    await expect(open(wrong).getSecret({ name: 'db' })).rejects.toMatchObject({ code: 'USAGE' });
  }
  await Promise.all([all, trusting, current].map((each) => each.close()));
});

test('a get is one Query and one Decrypt, whatever is trusted', async () => {
  const place = await newPlace();
  await place.cs(['put', 'db', 'x']);
  for (const env of [
    {},
    { CREDSTASH_TRUSTED_KEYS: mine },
    { CREDSTASH_TRUSTED_KEYS: `${mine} ${second}` },
    homeWith({ 'trusted-keys': mine, formats: ['AES-256-GCM'] }),
  ]) {
    recorder.requests.length = 0;
    expect(await place.cs(['get', 'db'], { env })).toEqual(ok('x\n'));
    expect(recorder.requests.map(({ action }) => action)).toEqual([
      'DynamoDB.Query',
      'KMS.Decrypt',
    ]);
  }
});

test('a multi-Region key counts in the region that KMS is asked in', async () => {
  const place = await newPlace();
  const primary = kms.addMultiRegionKey();
  const other = kms.addMultiRegionKey();
  const elsewhere = await startKmsServer({ region: 'eu-west-1' });
  const replica = elsewhere.replicate(primary);
  elsewhere.replicate(other);
  await place.cs(['put', 'db', 'x', '-k', primary.arn]);
  await place.cs(['put', 'stranger', 'x', '-k', other.arn]);
  const there = { AWS_ENDPOINT_URL_KMS: elsewhere.url };
  for (const trusted of [primary.arn, replica, `${mine} ${primary.arn}`]) {
    const options = { env: { ...there, CREDSTASH_TRUSTED_KEYS: trusted } };
    elsewhere.requests.length = 0;
    expect(await place.cs(['--kms-region', 'eu-west-1', 'get', 'db'], options)).toEqual(ok('x\n'));
    const KeyId = trusted.includes(' ') ? undefined : replica;
    expect(elsewhere.requests.map(({ action, body }) => [action, body['KeyId']])).toEqual([
      ['Decrypt', KeyId],
    ]);
    const stranger = await place.cs(['--kms-region', 'eu-west-1', 'get', 'stranger'], options);
    expect(stranger).toEqual(failed(5, 'CREDSTASH_TRUSTED_KEYS'));
  }
  await elsewhere.close();
});

describe('settings of trust', () => {
  const alias = 'arn:aws:kms:us-east-1:123456789012:alias/credstash';
  const id = '11111111-2222-3333-4444-555555555555';
  const cases: [string, () => Record<string, string>, string][] = [
    ...[
      ['an alias', 'alias/credstash'],
      ['the ARN of an alias', alias],
      ['an id', id],
      ['a pattern', '*'],
      ['no word at all', ' , '],
    ].map(([name = '', value = '']): (typeof cases)[number] => [
      `${name} as a key`,
      () => ({ CREDSTASH_TRUSTED_KEYS: value }),
      'CREDSTASH_TRUSTED_KEYS',
    ]),
    ...[
      ['an unknown format', 'AES-256-GCM,AES-128-GCM'],
      ['the original format alone', 'AES-256-CTR'],
      ['no format at all', ','],
    ].map(([name = '', value = '']): (typeof cases)[number] => [
      name,
      () => ({ CREDSTASH_FORMATS: value }),
      'CREDSTASH_FORMATS',
    ]),
    ...[
      ['an empty list', []],
      ['an empty text', ''],
      ['null', null],
      ['true', true],
      ['an object', {}],
      ['a list of numbers', [1]],
      ['an alias', [alias]],
      ['one of two', [id]],
    ].map(([name, value]): (typeof cases)[number] => [
      `${name as string} in the file`,
      () => homeWith({ 'trusted-keys': value }),
      'trusted-keys in ~/.credstash',
    ]),
    ['an empty list of formats', () => homeWith({ formats: [] }), 'formats in ~/.credstash'],
    ['no formats', () => homeWith({ formats: null }), 'formats in ~/.credstash'],
    ...['trustedKeys', 'trusted_keys', 'trusted-key', 'Trusted-Keys', 'format', 'FORMATS'].map(
      (name): (typeof cases)[number] => [
        `${name} for what it is called`,
        () => homeWith({ [name]: [] }),
        `${name} in ~/.credstash`,
      ],
    ),
  ];

  test.each(cases)('%s: a usage error before any request', async (_, settings, setting) => {
    const place = await running.place();
    const env = {
      ...settings(),
      AWS_ENDPOINT_URL_DYNAMODB: recorder.url,
      AWS_ENDPOINT_URL_KMS: recorder.url,
    };
    const usage = failed(2, setting, 'hint: ');
    for (const args of [
      ['get', 'db'],
      ['put', 'db', 'x'],
      ['getall'],
      ['rekey', '-k', 'alias/x'],
    ]) {
      expect(await place.cs(args, { env }), args.join(' ')).toEqual(
        setting.includes('is not') ? usage : failed(2, setting),
      );
    }
    const vault = ['--local', 'get', 'db'];
    expect(await runHere(vault, { env: settings() })).toMatchObject({ status: 2 });
    expect(recorder.requests).toEqual([]);
  });

  test('of the environment come before the file, and an empty variable leaves it to the file', async () => {
    const place = await attacked('-k', 'alias/strangers');
    const home = homeWith({ 'trusted-keys': [mine, second], formats: ['AES-256-GCM'] });
    const get = (env: Record<string, string>): Promise<Ended> =>
      place.cs(['get', 'db'], { env: { ...home, ...env } });
    expect(await get({ CREDSTASH_TRUSTED_KEYS: strangers })).toEqual(ok('planted\n'));
    expect(await get({ CREDSTASH_TRUSTED_KEYS: '' })).toEqual(
      failed(5, 'trusted-keys in ~/.credstash'),
    );
    expect(await get({})).toEqual(failed(5, 'trusted-keys in ~/.credstash'));
    // Also where the file's would be wrong.
    const wrong = homeWith({ 'trusted-keys': ['alias/credstash'] });
    expect(await get({ ...wrong, CREDSTASH_TRUSTED_KEYS: strangers })).toEqual(ok('planted\n'));
  });

  test('of keys are for AWS: a vault has one of its own', async () => {
    const home = homeWith({ 'trusted-keys': [mine], formats: ['AES-256-GCM'] });
    const env = { ...home, CREDSTASH_TRUSTED_KEYS: second };
    const local = [`--local=${join(folder, 'own-key')}`];
    const here = async (...args: string[]): Promise<Ended> => {
      const { status, stdout, stderr } = await runHere([...local, ...args], { env });
      return { status, stdout: stdout.toString(), stderr };
    };
    expect(await here('put', 'a', 'x')).toEqual(stored('a'));
    expect(await here('get', 'a')).toEqual(ok('x\n'));
    expect(await here('put', 'b', 'x', '--cipher', 'AES-256-CTR')).toEqual(
      failed(2, 'formats in ~/.credstash'),
    );
  });

  test('are read with the others: each command reads ~/.credstash once', async () => {
    const hook = join(folder, 'hook.cjs');
    const report = join(folder, 'reads');
    writeFileSync(
      hook,
      `const fs = require('node:fs');
const { readFileSync } = fs;
let reads = 0;
fs.readFileSync = (path, ...rest) => {
  if (String(path).endsWith('/.credstash')) reads += 1;
  return readFileSync(path, ...rest);
};
process.on('exit', () => fs.writeFileSync(process.env.REPORT, String(reads)));
`,
    );
    const place = await newPlace();
    const home = homeWith({
      'trusted-keys': [mine],
      formats: ['AES-256-GCM'],
      'kms-region': 'us-east-1',
    });
    for (const args of [
      ['put', 'a', 'x'],
      ['get', 'a'],
      ['put', '-a', 'a', 'y'],
      ['rollback', 'a'],
      ['doctor'],
    ]) {
      const env = { ...place.env, ...home, NODE_OPTIONS: `--require ${hook}`, REPORT: report };
      await run([...place.args, ...args], { env, executable: builtCommand });
      expect(readFileSync(report, 'utf8'), args.join(' ')).toBe('1');
    }
  });
});

describe('doctor', () => {
  const title = (stdout: string, name: string): string[] =>
    stdout.split('\n').filter((line) => line.slice(9, 22).trim() === name);
  const look = async (args: string[], env: Record<string, string> = {}): Promise<Ended> => {
    const place = await newPlace();
    return place.cs(['doctor', ...args], { env: { AWS_ENDPOINT_URL_STS: sts.url, ...env } });
  };

  test('says what is trusted, and which setting says so', async () => {
    const { stdout } = await look([]);
    expect(title(stdout, 'trust').join()).toContain(
      'entries under any key that KMS lets you use, in both formats',
    );
    const home = homeWith({ formats: ['AES-256-GCM'] });
    const told = await look([], { ...home, CREDSTASH_TRUSTED_KEYS: `${mine},${second}` });
    expect(told).toMatchObject({ status: 0, stderr: '' });
    expect(title(told.stdout, 'trust').join()).toContain(
      `entries under ${mine}, ${second} only, sealed with AES-256-GCM only`,
    );
    const settings = title(told.stdout, 'configuration').join('\n');
    expect(settings).toContain(`trusted keys: ${mine}, ${second} (CREDSTASH_TRUSTED_KEYS)`);
    expect(settings).toContain('formats: AES-256-GCM (~/.credstash)');
    expect(told.stdout).not.toMatch(/^warning {2}key .*list/m);
  });

  test('warns of a key that is not trusted, and fails where a writer is meant', async () => {
    const untrusted = { CREDSTASH_TRUSTED_KEYS: second };
    for (const args of [[], ['-k', mine], ['-k', 'alias/strangers']]) {
      const read = await look(args, untrusted);
      expect(read, args.join()).toMatchObject({ status: 0, stderr: '' });
      expect(read.stdout, args.join()).toMatch(
        /^warning {2}key .* is arn:\S+, which CREDSTASH_TRUSTED_KEYS does not list\n +name a trusted key with -k/m,
      );
      const write = await look([...args, '--write'], untrusted);
      expect(write, args.join()).toMatchObject({ status: 6 });
      expect(write.stdout).not.toContain('canary');
    }
    expect((await look(['-k', 'alias/second', '--write'], untrusted)).status).toBe(0);
  });

  test('tells it also where it may not look at the key', async () => {
    recorder.meddle = (action) =>
      Promise.resolve(
        action === 'KMS.DescribeKey'
          ? { status: 400, body: JSON.stringify({ __type: 'AccessDeniedException' }) }
          : undefined,
      );
    try {
      const untrusted = { CREDSTASH_TRUSTED_KEYS: second };
      const read = await look([], untrusted);
      expect(read).toMatchObject({ status: 0, stderr: '' });
      expect(read.stdout).toMatch(/^warning {2}key .*CREDSTASH_TRUSTED_KEYS/m);
      expect(await look(['--write'], untrusted)).toMatchObject({ status: 6 });
    } finally {
      recorder.meddle = undefined;
    }
  });

  test('a setting that cannot be is a step that failed', async () => {
    const ended = await look([], { CREDSTASH_TRUSTED_KEYS: 'alias/credstash' });
    expect(ended.status).toBe(2);
    expect(ended.stdout).toMatch(
      /^failed +configuration +CREDSTASH_TRUSTED_KEYS takes ARNs of KMS keys, and has an alias\n/m,
    );
    const contrary = await look([], {
      CREDSTASH_FORMATS: 'AES-256-GCM',
      CREDSTASH_CIPHER: 'AES-256-CTR',
    });
    expect(contrary.status).toBe(2);
    expect(contrary.stdout).toMatch(/^failed +configuration .*CREDSTASH_FORMATS/m);
  });
});
