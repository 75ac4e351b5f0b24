import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startRecorder } from '../support/recorder.ts';
import { builtCommand } from '../support/run.ts';
import { type Certificate, makeCertificate, portOf, tlsFront } from '../support/tls.ts';
import {
  awsPlace,
  dynalite,
  failed,
  ok,
  type Place,
  type Running,
  stored,
} from '../end-to-end/backends.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * Connections to both services over TLS: opened early, so that the handshakes overlap, and never for nothing.
 */

const folder = temporaryFolder();
let certificate: Certificate;
let running: Running;
let fronts: Server[];
let place: Place;
const met = { DynamoDB: 0, KMS: 0 };
/** Told of each connection to KMS. */
let onKms: () => void = () => undefined;
/** What DynamoDB's answers wait for. */
let hold: () => Promise<void> = () => Promise.resolve();
/** How many connections to KMS are cut off once they stand. */
let cuts = 0;

beforeAll(async () => {
  certificate = makeCertificate(folder);
  running = await dynalite.start();
  const plain = await running.place();
  const kms = running.kms?.url ?? '';
  fronts = [
    await tlsFront(
      certificate,
      running.dynamo ?? '',
      () => {
        met.DynamoDB += 1;
      },
      () => hold(),
    ),
    await tlsFront(certificate, kms, (socket) => {
      met.KMS += 1;
      if (cuts > 0) {
        cuts -= 1;
        socket.destroy();
      }
      onKms();
    }),
  ];
  const [dynamo = '', service = ''] = fronts.map((each) => `https://127.0.0.1:${portOf(each)}`);
  place = awsPlace(dynamo, service, plain.args[1] ?? '');
  expect(await cs('put', 'db', 'secret')).toEqual(stored('db'));
});
afterAll(async () => {
  for (const each of fronts) each.close();
  await running.close();
});
beforeEach(() => {
  Object.assign(met, { DynamoDB: 0, KMS: 0 });
  hold = () => Promise.resolve();
  onKms = () => undefined;
  cuts = 0;
});

function cs(...args: string[]): ReturnType<Place['cs']> {
  return place.cs(args, { env: { AWS_CA_BUNDLE: certificate.path } });
}

test.each([['get', 'db'], ['getall'], ['put', 'next', 'x', '-a']])(
  '%s: KMS is connected to while the table is read',
  async (...args) => {
    const connected = new Promise<string>((resolve) => {
      onKms = () => {
        resolve('connected first');
      };
    });
    const outcomes: string[] = [];
    // Without a connection the answer comes all the same: the command must not fail for it, but this test.
    const late = sleep(60_000, 'answered first', { ref: false });
    hold = async () => {
      outcomes.push(await Promise.race([connected, late]));
    };
    expect((await cs(...args)).status).toBe(0);
    expect(outcomes[0]).toBe('connected first');
    expect(met).toEqual({ DynamoDB: 1, KMS: 1 });
  },
);

test('KMS is loaded while the table is read, and AES while KMS answers, over HTTP too', async () => {
  const loaded = join(folder, 'loaded');
  const hook = join(folder, 'hook.cjs');
  // A file for each chunk of the bundle, once it is about to be run.
  writeFileSync(
    hook,
    `const { writeFileSync } = require('node:fs');
    const vm = require('node:vm');
    const { basename } = require('node:path');
    vm.Script = class extends vm.Script {
      constructor(source, options) {
        super(source, options);
        writeFileSync(${JSON.stringify(loaded)} + '.' + basename(options.filename).split('-')[0], '');
      }
    };`,
  );
  const recorder = await startRecorder({
    DynamoDB: running.dynamo ?? '',
    KMS: running.kms?.url ?? '',
  });
  const outcomes: string[] = [];
  recorder.meddle = async (action) => {
    const chunk = action === 'KMS.Decrypt' ? 'seal' : 'kms';
    for (let ms = 0; ms < 60_000 && !existsSync(`${loaded}.${chunk}`); ms += 10) await sleep(10);
    outcomes.push(
      `${action}: ${existsSync(`${loaded}.${chunk}`) ? 'loaded first' : 'answered first'}`,
    );
    return undefined;
  };
  const { args } = place;
  const plain = awsPlace(recorder.url, recorder.url, args[1] ?? '');
  // The single file has its modules inside.
  const options = { env: { NODE_OPTIONS: `--require ${hook}` }, executable: builtCommand };
  expect(await plain.cs(['get', 'db'], options)).toEqual(ok('secret\n'));
  expect(outcomes).toEqual(['DynamoDB.Query: loaded first', 'KMS.Decrypt: loaded first']);
  await recorder.close();
});

test.each([['get', 'db'], ['getall'], ['put', 'next', 'x', '-a'], ['list']])(
  '%s: both services are connected to before the SDK is loaded, if they are asked',
  async (...args) => {
    const order = join(folder, `order-${args[0]}`);
    const hook = join(folder, 'order.cjs');
    writeFileSync(
      hook,
      `const { appendFileSync } = require('node:fs');
      const tls = require('node:tls');
      const vm = require('node:vm');
      const { basename } = require('node:path');
      const { connect } = tls;
      const write = (text) => appendFileSync(process.env.ORDER, text + ' ');
      tls.connect = (...given) => {
        write('connect');
        return connect(...given);
      };
      vm.Script = class extends vm.Script {
        constructor(source, options) {
          super(source, options);
          if (basename(options.filename).startsWith('aws-')) write('SDK');
        }
      };`,
    );
    const env = {
      ...{ AWS_CA_BUNDLE: certificate.path, ORDER: order },
      NODE_OPTIONS: `--require ${hook}`,
    };
    // The single file has its modules inside.
    expect(await place.cs(args, { env, executable: builtCommand })).toMatchObject({ status: 0 });
    const expected = args[0] === 'list' ? /^SDK connect $/ : /^connect connect SDK /;
    expect(readFileSync(order, 'utf8')).toMatch(expected);
  },
);

test('a put opens one connection to each', async () => {
  expect(await cs('put', 'one', 'x')).toEqual(stored('one'));
  expect(met).toEqual({ DynamoDB: 1, KMS: 1 });
});

test('what needs no data key connects to no KMS', async () => {
  expect((await cs('list')).status).toBe(0);
  expect((await cs('keys')).status).toBe(0);
  expect((await cs('delete', 'one')).status).toBe(0);
  expect(met).toEqual({ DynamoDB: 3, KMS: 0 });
});

test('bad input, and no credentials, connect to nobody', async () => {
  expect(await cs('get', '')).toEqual(failed(2, 'name'));
  expect(await cs('get', 'db', '-v', '')).toEqual(failed(2, 'version'));
  expect(await cs('get', 'db', `k=${'v'.repeat(9000)}`)).toEqual(failed(2, 'context'));
  expect(await cs('put', 'x'.repeat(2049), 'x')).toEqual(failed(2, 'name'));
  const none = {
    AWS_CA_BUNDLE: certificate.path,
    AWS_ACCESS_KEY_ID: '',
    AWS_SECRET_ACCESS_KEY: '',
  };
  expect(await place.cs(['get', 'db'], { env: none })).toEqual(failed(6, 'no AWS credentials'));
  for (const [name, value] of [
    ['AWS_MAX_ATTEMPTS', 'many'],
    ['AWS_REGION', 'a/b'],
    ['AWS_ENDPOINT_URL_STS', 'none'],
  ] as const) {
    const env = { AWS_CA_BUNDLE: certificate.path, [name]: value };
    expect(await place.cs(['get', 'db'], { env }), name).toMatchObject({ status: 2 });
  }
  const trusted = { CREDSTASH_TRUSTED_KEYS: 'arn:aws:kms:us-east-1:123456789012:key/a' };
  const put = ['put', 'bad', 'x', '-k', 'arn:aws:kms:us-east-1:123456789012:key/b'];
  const env = { AWS_CA_BUNDLE: certificate.path, ...trusted };
  expect(await place.cs(put, { env })).toEqual(failed(6, 'trusted'));
  await sleep(100);
  expect(met).toEqual({ DynamoDB: 0, KMS: 0 });
});

test('a connection that was opened early and lost is opened again', async () => {
  cuts = 1;
  expect(await cs('get', 'db')).toEqual(ok('secret\n'));
  expect(met).toEqual({ DynamoDB: 1, KMS: 2 });
});

test('a secret that is not there leaves nothing open', async () => {
  expect(await cs('get', 'nothing')).toEqual(failed(3, 'there is no secret nothing'));
  expect(met.KMS).toBeLessThanOrEqual(1);
});

test('one that cannot be trusted is told by the request', async () => {
  expect(await place.cs(['get', 'db'])).toEqual(failed(7, 'DynamoDB cannot be reached', 'CERT'));
});

test('one that cannot even be begun keeps no process from ending', async () => {
  const hook = join(folder, 'hook.cjs');
  writeFileSync(
    hook,
    `const tls = require('node:tls');
const { connect } = tls;
tls.connect = (options, ...rest) => {
  if (options.socket) throw new Error('not early');
  return connect(options, ...rest);
};
`,
  );
  const env = { AWS_CA_BUNDLE: certificate.path, NODE_OPTIONS: `--require ${hook}` };
  expect(await place.cs(['get', 'db'], { env })).toEqual(ok('secret\n'));
});
