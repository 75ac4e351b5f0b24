import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Item } from '../../src/model/item.ts';
import { type KmsServer, startKmsServer } from '../support/kms-server.ts';
import { run, type RunOptions } from '../support/run.ts';
import {
  asText,
  awsEnv,
  dynalite,
  type Ended,
  failed,
  ok,
  type Place,
  runHere,
  type Running,
  stored,
} from './backends.ts';
import { awsError, type Recorder, startRecorder } from '../support/recorder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { CLOSED } from '../support/tls.ts';
import { v } from '../support/version.ts';

let running: Running;
let kms: KmsServer;
let place: Place;
let table: string;
let recorder: Recorder;

/** A KMS that never answers, and a command that was told to use it. */
let hanging: KmsServer;
let waiting: Promise<Ended>;
const folder = temporaryFolder();

beforeAll(async () => {
  running = await dynalite.start();
  if (!running.kms || running.dynamo === undefined) throw new Error('not AWS');
  kms = running.kms;
  hanging = await startKmsServer();
  hanging.fault('hang');
  place = await running.place();
  table = place.args[1] ?? '';
  // It takes most of a minute, in which the other tests run.
  waiting = run(['-t', table, '--quiet', 'put', 'waits', 'x'], {
    env: awsEnv(running.dynamo, hanging.url),
  }).then(asText);
  recorder = await startRecorder({ DynamoDB: running.dynamo, KMS: kms.url });
  expect(await place.cs(['put', 'db', 'secret'])).toEqual(stored('db'));
});
afterAll(async () => {
  await Promise.all([running.close(), hanging.close(), recorder.close()]);
});
beforeEach(() => {
  recorder.requests.length = 0;
  kms.requests.length = 0;
});
afterEach(() => {
  kms.clear();
  recorder.meddle = undefined;
});

/** Runs the command with everything it sends passing the recorder. */
async function recorded(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const env = { ...awsEnv(recorder.url, recorder.url), ...options.env };
  return asText(await runHere(args, { ...options, env }));
}

describe('credentials', () => {
  test('none: exit 6, and the hint names --local', async () => {
    const env = { AWS_REGION: 'us-east-1', AWS_ENDPOINT_URL: recorder.url };
    for (const args of [['setup'], ['put', 'a', 'x'], ['get', 'a'], ['list'], ['delete', 'a']]) {
      const ended = asText(await runHere(args, { env }));
      expect(ended, args.join(' ')).toEqual(failed(6, 'no AWS credentials', /hint: .*--local/));
    }
    expect(recorder.requests).toEqual([]);
  });

  test('expired, as KMS and as DynamoDB say it', async () => {
    kms.fault('expired-token');
    const byKms = failed(6, 'KMS refused the AWS credentials: they have expired', 'hint: renew');
    expect(await place.cs(['get', 'db'])).toEqual(byKms);
    recorder.meddle = (action) =>
      Promise.resolve(
        action.startsWith('DynamoDB') ? awsError('ExpiredTokenException') : undefined,
      );
    const byDynamo = failed(6, 'DynamoDB refused the AWS credentials: they have expired');
    expect(await recorded(['get', 'db', '-t', table])).toEqual(byDynamo);
  });

  test('a wrong secret key, and a key nobody knows', async () => {
    const wrong = { env: { AWS_SECRET_ACCESS_KEY: 'wrong' } };
    const signature = failed(6, 'KMS refused the AWS credentials (InvalidSignatureException)');
    expect(await place.cs(['get', 'db'], wrong)).toEqual(signature);
    const unknown = { env: { AWS_ACCESS_KEY_ID: 'AKIDUNKNOWN' } };
    const refused = failed(6, 'KMS refused the AWS credentials (UnrecognizedClientException)');
    expect(await place.cs(['get', 'db'], unknown)).toEqual(refused);
  });
});

describe('refused', () => {
  test('access denied: exit 6, with the action and what it was meant for', async () => {
    kms.fault('deny');
    const decrypt = failed(6, 'access denied', 'kms:Decrypt', `version ${v(1)} of db`, 'us-east-1');
    expect(await place.cs(['get', 'db'])).toEqual(decrypt);
    const generate = failed(6, 'access denied: kms:GenerateDataKey on the key alias/credstash');
    expect(await place.cs(['put', 'denied', 'x'])).toEqual(generate);
    const actions: [string, string[]][] = [
      ['dynamodb:Query', ['get', 'db']],
      ['dynamodb:GetItem', ['get', 'db', '-v', '1']],
      ['dynamodb:Scan', ['list']],
      ['dynamodb:DeleteItem', ['delete', 'db', '-v', '1']],
      ['dynamodb:Query', ['delete', 'db']],
      ['dynamodb:PutItem', ['put', 'denied', 'x']],
      // Of a table that is there, nothing more is wanted.
      ['dynamodb:CreateTable', ['setup', '-t', 'none-such']],
    ];
    kms.clear();
    for (const [action, args] of actions) {
      const refused = action.replace('dynamodb:', 'DynamoDB.');
      recorder.meddle = (asked) =>
        Promise.resolve(
          asked === refused ? awsError('AccessDeniedException', 'because') : undefined,
        );
      const where = args.at(-1) === 'none-such' ? 'none-such' : table;
      const denied = failed(
        6,
        RegExp(
          `^credstash: error: access denied: ${action} on the table ${where} in us-east-1$`,
          'm',
        ),
        /^credstash: service says: because$/m,
      );
      expect(await recorded(['-t', table, ...args])).toEqual(denied);
    }
  });

  test('no table: exit 3, with the region it looked in, and a hint at setup [compat 45]', async () => {
    const missing = failed(
      3,
      'there is no table none-such in eu-west-3',
      'hint: create it with credstash -r eu-west-3 -t none-such setup, or name its region',
    );
    const args = ['-t', 'none-such', '-r', 'eu-west-3'];
    for (const command of [
      ['get', 'db'],
      ['get', 'db', '-v', '1'],
      ['get', 'db', '--default', 'x'],
      ['list'],
      ['put', 'db', 'x'],
      ['put', 'db', 'x', '-a'],
      ['delete', 'db'],
      ['delete', 'db', '-v', '1'],
    ]) {
      expect(await place.cs([...command, ...args]), command.join(' ')).toEqual(missing);
    }
    expect(await place.cs(['list', '-t', 'no good'])).toEqual(
      failed(2, 'the table is neither a name'),
    );
  });

  test('no such alias, and no such key: exit 6', async () => {
    const alias = failed(6, 'KMS cannot find the key alias/none in us-west-2', /hint: .*-k/);
    const args = ['put', 'keyless', 'x', '--kms-region', 'us-west-2', '-k'];
    expect(await place.cs([...args, 'alias/none'])).toEqual(alias);
    const id = '00000000-0000-4000-8000-000000000000';
    expect(await place.cs([...args, id])).toEqual(failed(6, `cannot find the key ${id}`));
    expect(await place.cs(['list', 'keyless'])).toEqual(ok(''));
  });

  test('a disabled key: exit 6, for put and for get', async () => {
    kms.addKey('alias/doomed');
    expect(await place.cs(['put', 'doomed', 'x', '-k', 'alias/doomed'])).toEqual(stored('doomed'));
    kms.disableKey('alias/doomed');
    const put = failed(6, 'KMS cannot use the key alias/doomed', 'DisabledException', 'enabled');
    expect(await place.cs(['put', 'doomed', 'x', '-a', '-k', 'alias/doomed'])).toEqual(put);
    const get = failed(6, `version ${v(1)} of doomed: KMS cannot use`, 'DisabledException');
    expect(await place.cs(['get', 'doomed'])).toEqual(get);
  });
});

describe('retries', () => {
  test('a throttled request is sent again, until it succeeds', async () => {
    kms.fault('throttle', { times: 2 });
    expect(await place.cs(['get', 'db'])).toEqual(ok('secret\n'));
    expect(kms.requests.map(({ action }) => action)).toEqual(['Decrypt', 'Decrypt', 'Decrypt']);
  });

  test('throttled for longer than the SDK tries: waited for', async () => {
    kms.fault('throttle', { times: 3 });
    expect(await place.cs(['get', 'db'])).toEqual(ok('secret\n'));
    expect(kms.requests).toHaveLength(4);
  });

  test('throttled for good: exit 7', async () => {
    kms.fault('throttle');
    const thrice = { env: { AWS_MAX_ATTEMPTS: '3' } };
    expect(await place.cs(['get', 'db'], thrice)).toEqual(
      failed(7, 'KMS throttled', 'hint: try again'),
    );
    expect(kms.requests).toHaveLength(3);
    const once = { env: { AWS_MAX_ATTEMPTS: '1' } };
    expect(await place.cs(['get', 'db'], once)).toEqual(failed(7, 'KMS throttled'));
    expect(kms.requests).toHaveLength(4);
    recorder.meddle = () => Promise.resolve(awsError('ProvisionedThroughputExceededException'));
    const dynamo = failed(7, `DynamoDB throttled the request on the table ${table} in us-east-1`);
    expect(await recorded(['get', 'db', '-t', table], once)).toEqual(dynamo);
  });

  test.each(['error500', 'unavailable503', 'reset', 'half-answer', 'not-json'] as const)(
    'KMS fails with %s: exit 7, nothing stored; once only, and nobody notices',
    async (fault) => {
      kms.fault(fault);
      expect(await place.cs(['get', 'db'])).toEqual(failed(7, 'KMS'));
      expect(await place.cs(['put', 'broken', 'x'])).toEqual(failed(7, 'KMS'));
      expect(await place.cs(['list', 'broken'])).toEqual(ok(''));
      kms.clear();
      // A page of HTML that says 200 is nothing to try again for.
      if (fault === 'not-json') return;
      kms.fault(fault, { times: 1 });
      expect(await place.cs(['get', 'db'])).toEqual(ok('secret\n'));
    },
  );

  test('a put whose answer was lost is stored once, and is no conflict', async () => {
    let lost = 0;
    recorder.meddle = async (action, answer) => {
      if (action !== 'DynamoDB.PutItem' || lost++ > 0) return undefined;
      await answer();
      return awsError('InternalServerError', '', 500);
    };
    expect(await recorded(['put', 'lost', 'x', '-t', table])).toEqual(stored('lost'));
    expect(await recorded(['get', 'lost', '-t', table])).toEqual(ok('x\n'));
  });

  test('nobody listens: exit 7', async () => {
    const noKms = failed(7, 'KMS cannot be reached', 'ECONNREFUSED', 'us-east-1', 'hint: check');
    const env = { AWS_ENDPOINT_URL_KMS: CLOSED };
    expect(await place.cs(['get', 'db'], { env })).toEqual(noKms);
    const noDynamo = failed(7, `DynamoDB cannot be reached, for the table ${table} in us-east-1`);
    const dynamo = { env: { AWS_ENDPOINT_URL_DYNAMODB: CLOSED } };
    expect(await place.cs(['get', 'db'], dynamo)).toEqual(noDynamo);
    const setup = failed(7, 'DynamoDB cannot be reached');
    expect(await place.cs(['setup'], dynamo)).toEqual(setup);
  });
});

describe('an entry that was changed in the table', () => {
  let item: Item;
  const text = (name: string): string => {
    const value = item[name];
    if (!value || !('S' in value)) throw new Error(`${name} is no text`);
    return value.S;
  };
  const flipped = (name: string): Item => {
    const value = item[name];
    if (!value || !('B' in value)) throw new Error(`${name} is no bytes`);
    const bytes = Buffer.from(value.B);
    const at = bytes.length >> 1;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    return { ...item, [name]: { B: bytes } };
  };
  beforeAll(async () => {
    const there = await running.place();
    await there.cs(['put', 'true', 'the truth', '-c', 'comment']);
    const [only] = await there.items();
    if (!only) throw new Error('nothing was stored');
    item = only;
    // The entries stand in the table of every other test, under names of their own.
    await place.plant(item);
    expect(await place.cs(['get', 'true'])).toEqual(ok('the truth\n'));
  });

  test('moved to another name: refused by KMS, exit 6', async () => {
    await place.plant({ ...item, name: { S: 'false' } });
    const moved = failed(6, `version ${v(1)} of false`, 'KMS refused to unwrap');
    expect(await place.cs(['get', 'false'])).toEqual(moved);
  });

  test('contents, hmac, comment, digest, time or version changed: exit 5', async () => {
    expect(text('comment')).toBe('comment');
    const changed: [string, Item][] = [
      ['contents', flipped('contents')],
      ['hmac', flipped('hmac')],
      ['comment', { ...item, comment: { S: 'another' } }],
      ['created', { ...item, created: { S: '2020-01-01T00:00:00Z' } }],
      ['digest', { ...item, digest: { S: 'SHA512' } }],
    ];
    for (const [what, bad] of changed) {
      await place.plant(bad);
      const broken = failed(5, `version ${v(1)} of true: it does not verify`, 'hint: do not trust');
      expect(await place.cs(['get', 'true']), what).toEqual(broken);
      expect(await place.cs(['get', 'true', '--default', 'x']), what).toEqual(broken);
    }
    await place.plant(item);
    expect(await place.cs(['get', 'true'])).toEqual(ok('the truth\n'));
    await place.plant({ ...item, version: { S: v(2) } });
    expect(await place.cs(['get', 'true'])).toEqual(failed(5, `version ${v(2)} of true`));
    expect(await place.cs(['get', 'true', '-v', '1'])).toEqual(ok('the truth\n'));
  });

  test('its wrapped key changed, or that of another entry: exit 6, exit 5', async () => {
    const swapped = { ...item, version: { S: v(3) } };
    await place.plant({ ...swapped, key: flipped('key')['key'] ?? { S: '' } });
    expect(await place.cs(['get', 'true'])).toEqual(failed(6, 'KMS refused to unwrap'));
    await place.cs(['put', 'true', 'other', '-v', '4']);
    const other = (await place.items()).find(({ version }) => {
      return version && 'S' in version && version.S === v(4);
    });
    await place.plant({ ...item, version: { S: v(5) }, key: other?.['key'] ?? { S: '' } });
    expect(await place.cs(['get', 'true'])).toEqual(failed(5, `version ${v(5)} of true`));
  });

  test('attributes missing, of the wrong type, or of another format: exit 5', async () => {
    const without = (name: string): Item =>
      Object.fromEntries(Object.entries(item).filter(([each]) => each !== name));
    const changed: [string, Item][] = [
      ...['key', 'contents', 'hmac', 'digest', 'created'].map((name): [string, Item] => [
        `no ${name}`,
        without(name),
      ]),
      // An entry of the current format that is passed off as an original one.
      ['no cipher', without('cipher')],
      ['contents of type S', { ...item, contents: { S: 'AAAA' } }],
      ['cipher', { ...item, cipher: { S: 'ROT13' } }],
      ['digest', { ...item, digest: { S: 'MD5' } }],
    ];
    for (const [what, bad] of changed) {
      await place.plant({ ...bad, name: { S: 'malformed' } });
      const broken = failed(5, `version ${v(1)} of malformed is malformed`);
      expect(await place.cs(['get', 'malformed']), what).toEqual(broken);
      // One broken entry hides no other from a listing.
      expect((await place.cs(['list', 'malformed'])).stdout).toContain(v(1));
    }
    expect(await place.cs(['delete', 'malformed'])).toMatchObject({ status: 0 });
  });
});

describe('how much is asked', () => {
  const actions = (): string[] => recorder.requests.map(({ action }) => action);

  test('one get makes exactly two requests [compat 51]', async () => {
    expect(await recorded(['get', 'db', '-t', table])).toEqual(ok('secret\n'));
    expect(actions()).toEqual(['DynamoDB.Query', 'KMS.Decrypt']);
    recorder.requests.length = 0;
    expect(await recorded(['get', 'db', '-v', '1', '-t', table])).toEqual(ok('secret\n'));
    expect(actions()).toEqual(['DynamoDB.GetItem', 'KMS.Decrypt']);
  });

  test('a put makes two, and one more with -a; list and delete need no KMS [compat 51]', async () => {
    await recorded(['put', 'count', 'x', '-t', table]);
    expect(actions().sort()).toEqual(['DynamoDB.PutItem', 'KMS.GenerateDataKey']);
    recorder.requests.length = 0;
    await recorded(['put', 'count', 'x', '-a', '-t', table]);
    expect(actions().sort()).toEqual(['DynamoDB.PutItem', 'DynamoDB.Query', 'KMS.GenerateDataKey']);
    recorder.requests.length = 0;
    await recorded(['list', '-t', table]);
    await recorded(['delete', 'count', '-t', table]);
    expect(actions().filter((action) => !action.startsWith('DynamoDB.'))).toEqual([]);
  });

  test('bad input makes none', async () => {
    writeFileSync(join(folder, 'huge'), Buffer.alloc(409_601));
    for (const args of [
      ['put', '', 'x'],
      ['put', 'a', 'x', '-d', 'MD5'],
      ['put', 'a', 'x', '-v', ''],
      ['put', 'a', 'x', '--cipher', 'x'],
      ['put', 'a', 'x', 'word'],
      ['put', 'a', `@${folder}/huge`],
      ['put', 'a', `@${folder}/none`],
      ['put', 'a', '-a', '-x'],
      ['put', 'a', 'x', '-t', 'not a table'],
      ['get', ''],
      ['get', 'a', 'word'],
      ['get', 'a', '-v', ''],
      ['get', 'a', '-o', folder],
      ['get', 'n'.repeat(2048), `k=${'v'.repeat(6200)}`],
      ['delete', ''],
      ['delete', 'a', '-v', ''],
    ]) {
      expect(await recorded(args), args.join(' ').slice(0, 80)).toEqual(failed(2));
    }
    expect(recorder.requests).toEqual([]);
  });

  test('the local vault reaches no network, and needs nothing of AWS', async () => {
    const env = { AWS_ENDPOINT_URL: recorder.url, HOME: folder };
    for (const settings of [env, { ...env, ...awsEnv(recorder.url, recorder.url) }]) {
      const cs = async (...args: string[]): Promise<Ended> =>
        asText(await runHere(['--local', ...args], { env: settings }));
      expect(await cs('setup')).toMatchObject({ status: 0 });
      expect(await cs('put', 'a', 'x', 'k=v')).toEqual(stored('a'));
      expect(await cs('get', 'a', 'k=v')).toEqual(ok('x\n'));
      expect(await cs('get', 'a')).toEqual(failed(6));
      expect(await cs('list')).toMatchObject({ status: 0 });
      expect(await cs('delete', 'a')).toMatchObject({ status: 0 });
    }
    expect(recorder.requests).toEqual([]);
    expect(await recorded(['list', '-t', table])).toMatchObject({ status: 0 });
    expect(recorder.requests).toHaveLength(1);
  });
});

test('a service that never answers: exit 7 within a minute', async () => {
  expect(await waiting).toEqual(failed(7, 'KMS cannot be reached', 'alias/credstash', 'us-east-1'));
  expect(hanging.requests.map(({ action }) => action)).toContain('GenerateDataKey');
});
