import { spawn } from 'node:child_process';
import { createServer, request } from 'node:http';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  BatchWriteItemCommand,
  CreateTableCommand,
  DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { rolldown } from 'rolldown';
import { memoryHook } from './memory.js';

/*
 * What a table costs as it grows: requests, bytes and memory, on DynamoDB Local (npm run test:tools), behind a proxy that
 * counts. Data keys are what bench/servers.js takes for one.
 */
const VERSIONS = 10;
const SIZES = [10, 1000, 10_000];
const cache = join(import.meta.dirname, '..', '.cache', 'dynamodb-local');

/** @returns {Promise<number>} a port that nobody listens on */
function freePort() {
  return new Promise((resolve) => {
    const server = createTcpServer().listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}

/**
 * @param {object} options
 * @param {Record<string, string>} options.env
 * @param {string} options.folder
 * @param {string} options.built
 * @param {number} options.kms port of bench/servers.js
 * @returns {Promise<string>} a section of the results
 */
export async function growth({ env, folder, built, kms }) {
  const dynamo = await freePort();
  const java = spawn(
    'java',
    [
      '-Djava.library.path=DynamoDBLocal_lib',
      '-jar',
      'DynamoDBLocal.jar',
      '-inMemory',
      '-disableTelemetry',
      '-port',
      String(dynamo),
    ],
    { cwd: cache, stdio: 'ignore' },
  );
  const count = { DynamoDB: 0, KMS: 0, sent: 0, received: 0 };
  const proxy = createServer((incoming, response) => {
    const isKms = String(incoming.headers['x-amz-target']).startsWith('Trent');
    count[isKms ? 'KMS' : 'DynamoDB'] += 1;
    const onward = request(
      { port: isKms ? kms : dynamo, host: '127.0.0.1', method: 'POST', headers: incoming.headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.on('data', (chunk) => {
          count.received += chunk.length;
        });
        answer.pipe(response);
      },
    );
    incoming.on('data', (chunk) => {
      count.sent += chunk.length;
    });
    incoming.pipe(onward);
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (proxy.address());
  const client = new DynamoDBClient({
    endpoint: `http://127.0.0.1:${dynamo}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' },
  });
  const report = join(folder, 'growth');
  const hook = join(folder, 'growth.cjs');
  writeFileSync(hook, memoryHook(report));

  /** @param {string[]} args */
  const run = async (args) => {
    Object.assign(count, { DynamoDB: 0, KMS: 0, sent: 0, received: 0 });
    const child = spawn(process.execPath, [built, ...args], {
      env: {
        ...env,
        NODE_OPTIONS: `--require ${hook}`,
        AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const status = await new Promise((resolve) => child.on('exit', resolve));
    if (status !== 0) throw new Error(`${args.join(' ')} ended in ${status}`);
    return { ...count, memory: Number(readFileSync(report, 'utf8')) / 1024 };
  };

  try {
    for (let tries = 0; ; tries += 1) {
      try {
        await create(client, 'growth-0');
        break;
      } catch (error) {
        if (tries > 60) throw error;
        await sleep(500);
      }
    }
    const lines = [];
    for (const size of SIZES) {
      const table = `growth-${size}`;
      await create(client, table);
      await fill(client, table, size, folder);
      for (const args of [
        ['get', 'app.secret-00005'],
        ['put', 'app.secret-00005', 'x', '-v', '99'],
        ['put', 'app.secret-00005', 'x', '-a'],
        ['list'],
        ['getall'],
      ]) {
        await run(['-t', table, 'list', 'nothing']);
        const { DynamoDB, KMS, sent, received, memory } = await run(['-t', table, ...args]);
        const what = args.filter((arg) => !arg.startsWith('app.') && arg !== 'x').join(' ');
        lines.push(
          `| ${what} | ${size.toLocaleString('en')} | ${DynamoDB.toLocaleString('en')} | ${KMS.toLocaleString('en')} | ${(sent / 1000).toFixed(1)} | ${(received / 1000).toFixed(1)} | ${memory.toFixed(0)} |`,
        );
      }
    }
    return `## As the table grows

Secrets of 64 bytes in ${VERSIONS} versions each, on DynamoDB Local.

| command | secrets | requests to DynamoDB | to KMS | kB sent | kB received | peak MB |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
${lines.join('\n')}
`;
  } finally {
    client.destroy();
    java.kill();
    proxy.close();
    proxy.closeAllConnections();
  }
}

/** @param {DynamoDBClient} client @param {string} table */
async function create(client, table) {
  await client.send(
    new CreateTableCommand({
      TableName: table,
      KeySchema: [
        { AttributeName: 'name', KeyType: 'HASH' },
        { AttributeName: 'version', KeyType: 'RANGE' },
      ],
      AttributeDefinitions: ['name', 'version'].map((each) => ({
        AttributeName: each,
        AttributeType: 'S',
      })),
      BillingMode: 'PAY_PER_REQUEST',
    }),
  );
}

/**
 * What is no part of the library: how an entry is sealed and encoded.
 *
 * @param {string} folder
 */
async function sources(folder) {
  const bundle = await rolldown({
    input: { entry: 'src/entry.ts', seal: 'src/seal/index.ts' },
    cwd: join(import.meta.dirname, '..'),
    platform: 'node',
  });
  const dir = join(folder, 'sources');
  await bundle.write({ dir, entryFileNames: '[name].mjs', chunkFileNames: '[name].mjs' });
  await bundle.close();
  const { encodeItem } = /** @type {typeof import('../src/entry.ts')} */ (
    await import(join(dir, 'entry.mjs'))
  );
  const { FORMATS } = /** @type {typeof import('../src/seal/index.ts')} */ (
    await import(join(dir, 'seal.mjs'))
  );
  return { encodeItem, FORMATS };
}

/** @param {DynamoDBClient} client @param {string} table @param {number} size @param {string} folder */
async function fill(client, table, size, folder) {
  const { encodeItem, FORMATS } = await sources(folder);
  const { seal } = await FORMATS['AES-256-GCM'].load();
  const secret = Buffer.alloc(64, 'x');
  const key = Buffer.alloc(64, 1);
  /** @type {object[]} */
  let batch = [];
  /** @type {Promise<unknown>[]} */
  let sending = [];
  const send = async () => {
    sending.push(client.send(new BatchWriteItemCommand({ RequestItems: { [table]: batch } })));
    batch = [];
    if (sending.length >= 16) {
      await Promise.all(sending);
      sending = [];
    }
  };
  for (let i = 0; i < size; i += 1) {
    for (let version = 1; version <= VERSIONS; version += 1) {
      const header = {
        name: `app.secret-${String(i).padStart(5, '0')}`,
        version: String(version).padStart(19, '0'),
        cipher: /** @type {const} */ ('AES-256-GCM'),
        digest: 'SHA256',
        created: '2026-11-25T00:00:00Z',
      };
      // Only the newest is ever opened.
      const sealed =
        version === VERSIONS
          ? seal(header, key, secret)
          : { contents: Buffer.alloc(92, 2), hmac: Buffer.alloc(32, 3) };
      batch.push({ PutRequest: { Item: encodeItem({ ...header, key, ...sealed }) } });
      if (batch.length === 25) await send();
    }
  }
  if (batch.length > 0) await send();
  await Promise.all(sending);
}
