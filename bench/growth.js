import { execFileSync, spawn } from 'node:child_process';
import { createServer, request } from 'node:http';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer as createTcpServer } from 'node:net';
import { dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as later } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  BatchWriteItemCommand,
  CreateTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { rolldown } from 'rolldown';
import { memoryHook } from './memory.js';

/*
 * Measures the costs of a table as it grows: requests, read and write units, bytes and memory, on DynamoDB Local (npm run
 * test:tools) behind a proxy that counts. DynamoDB Local reports the units itself (ReturnConsumedCapacity). The wrapped
 * data keys have the form that bench/servers.js unwraps.
 */

/** The size of each table: its number of secrets, versions of each secret, and bytes of each value. */
const TABLES = [
  { secrets: 10, versions: 3, bytes: 64 },
  { secrets: 100, versions: 20, bytes: 4096 },
  { secrets: 1000, versions: 3, bytes: 1024 },
  { secrets: 3000, versions: 3, bytes: 4096 },
];
export const FIRST_SECTION = '## As the table grows';
const SERVICES = 3;
/** About the length of a data key of 64 bytes once KMS has encrypted it. */
const WRAPPED_BYTES = 216;
const ROUNDS = 7;
const cache = join(import.meta.dirname, '..', '.cache', 'dynamodb-local');

/** @param {string} path @returns {string} the commit that is checked out in its folder */
function commitOf(path) {
  const args = ['-C', dirname(path), 'rev-parse', '--short', 'HEAD'];
  return execFileSync('git', args).toString().trim();
}

/** @returns {Promise<number>} a free port */
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
 * @param {string | undefined} options.before the command of an older build, to compare with
 * @param {number} options.kms port of bench/servers.js
 * @returns {Promise<string[]>} sections of the results
 */
export async function growth({ env, folder, built, before, kms }) {
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
  const proxy = await startProxy(dynamo, kms);
  const client = new DynamoDBClient({
    endpoint: `http://127.0.0.1:${dynamo}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' },
  });
  const report = join(folder, 'growth');
  const hook = join(folder, 'growth.cjs');
  writeFileSync(hook, memoryHook(report));

  /** @param {string[]} args @param {string} [command] */
  const run = async (args, command = built) => {
    const count = proxy.reset();
    const start = performance.now();
    const child = spawn(process.execPath, [command, ...args], {
      env: {
        ...env,
        NODE_OPTIONS: `--require ${hook}`,
        AWS_ENDPOINT_URL: proxy.url,
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const status = await new Promise((resolve) => child.on('exit', resolve));
    if (status !== 0) throw new Error(`${args.join(' ')} ended in ${status}`);
    const milliseconds = performance.now() - start;
    return { ...count, milliseconds, memory: Number(readFileSync(report, 'utf8')) / 1024 };
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
    for (const { secrets, versions, bytes } of TABLES) {
      const table = `growth-${secrets}`;
      await create(client, table);
      await fill(client, table, { secrets, versions, bytes }, folder);
      const { Table } = await client.send(new DescribeTableCommand({ TableName: table }));
      const megabytes = ((Table?.TableSizeBytes ?? 0) / 1e6).toFixed(2);
      for (const [what, ...args] of [
        ['get', 'get', 'svc1.00004'],
        ['exec, a reference', 'exec', '--env', 'A=svc1.00004', '--', 'true'],
        ['exec, a pattern', 'exec', 'svc1.0000*', '--', 'true'],
        ['exec, three patterns', 'exec', 'svc0.0000*', 'svc1.0000*', 'svc2.0000*', '--', 'true'],
        ['getall', 'getall'],
        ['list', 'list'],
        ['put -a', 'put', 'svc1.00004', 'x', '-a'],
      ]) {
        await run(['-t', table, 'get', 'svc1.00004']);
        const used = await run(['-t', table, ...args]);
        const cells = [used.DynamoDB, used.read, used.write, used.KMS, used.received / 1000];
        lines.push(
          `| ${what} | ${secrets.toLocaleString('en')} | ${versions} | ${bytes.toLocaleString('en')} | ${megabytes} | ${cells.map((each) => Math.ceil(each).toLocaleString('en')).join(' | ')} | ${used.memory.toFixed(0)} |`,
        );
      }
    }
    const sections = [
      `${FIRST_SECTION}

Secrets of three services, \`svc0\` to \`svc2\`, in tables of DynamoDB Local, which counts the read and write units; a pattern
matches four secrets of a service at most. Every read is strongly consistent.

| command | secrets | versions | bytes each | table, MB | requests to DynamoDB | read units | write units | requests to KMS | kB received | peak MB |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${lines.join('\n')}
`,
    ];
    /** @type {[string, string][]} */
    const builds = [['this build', built]];
    if (before !== undefined) builds.unshift([commitOf(before), before]);
    const patterns = ['svc0.0000*', 'svc1.0000*', 'svc2.0000*'];
    const rows = [];
    for (const delay of [0, 10]) {
      for (const [what, ...args] of [
        ['exec, a pattern', 'exec', 'svc1.0000*', '--', 'true'],
        ['exec, three patterns', 'exec', ...patterns, '--', 'true'],
        ['list', 'list'],
      ]) {
        /** @type {Map<string, number[]>} */
        const times = new Map(builds.map(([name]) => [name, []]));
        const used = new Map();
        for (const [name, command] of builds) {
          used.set(name, await run(['-t', 'growth-3000', ...args], command));
        }
        proxy.delay = delay;
        for (let round = 0; round < ROUNDS; round += 1) {
          for (const [name, command] of builds) {
            const { milliseconds } = await run(['-t', 'growth-3000', ...args], command);
            times.get(name)?.push(milliseconds);
          }
        }
        proxy.delay = undefined;
        for (const [name] of builds) {
          const sorted = (times.get(name) ?? []).sort((a, b) => a - b);
          const { DynamoDB, read } = used.get(name);
          rows.push(
            `| ${what} | ${name} | ${delay} | ${DynamoDB} | ${Math.ceil(read).toLocaleString('en')} | ${sorted
              .map((each) => each.toFixed(0))
              .filter((_, i) => [0, ROUNDS >> 1, ROUNDS - 1].includes(i))
              .join(' | ')} |`,
          );
        }
      }
    }
    sections.push(`## 3,000 secrets in 3 versions of 4 KB, by pattern

The same table, read by whole processes, ${ROUNDS} rounds in which the builds take turns; a proxy holds each answer back for so many ms.

| command | build | ms held back | requests to DynamoDB | read units | min ms | median ms | max ms |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |
${rows.join('\n')}
`);
    return sections;
  } finally {
    client.destroy();
    java.kill();
    proxy.close();
  }
}

/**
 * Passes requests on to DynamoDB and KMS, and counts them. With a `delay` it does not count, and delays each answer by so many milliseconds.
 *
 * @param {number} dynamo
 * @param {number} kms
 */
async function startProxy(dynamo, kms) {
  const count = { DynamoDB: 0, KMS: 0, read: 0, write: 0, received: 0 };
  /** @type {{ delay: number | undefined }} */
  const settings = { delay: undefined };
  const server = createServer((incoming, response) => {
    const target = String(incoming.headers['x-amz-target']);
    const isKms = target.startsWith('Trent');
    count[isKms ? 'KMS' : 'DynamoDB'] += 1;
    /** @type {Buffer[]} */
    const chunks = [];
    incoming.on('data', (chunk) => chunks.push(chunk));
    incoming.on('end', () => {
      const { delay } = settings;
      const isCounted = !isKms && delay === undefined;
      let body = Buffer.concat(chunks);
      if (isCounted) {
        const input = { ...JSON.parse(body.toString()), ReturnConsumedCapacity: 'TOTAL' };
        body = Buffer.from(JSON.stringify(input));
      }
      const headers = { ...incoming.headers, 'content-length': String(body.length) };
      const port = isKms ? kms : dynamo;
      const onward = request({ port, host: '127.0.0.1', method: 'POST', headers }, (answer) => {
        const pass = () => {
          response.writeHead(answer.statusCode ?? 500, answer.headers);
          answer.pipe(response);
        };
        if (!isCounted) {
          later(pass, delay ?? 0);
          return;
        }
        /** @type {Buffer[]} */
        const parts = [];
        answer.on('data', (chunk) => parts.push(chunk));
        answer.on('end', () => {
          const whole = Buffer.concat(parts);
          count.received += whole.length;
          const { ConsumedCapacity } = JSON.parse(whole.toString());
          const kind = /Scan|Query|GetItem/.test(target) ? 'read' : 'write';
          count[kind] += ConsumedCapacity?.CapacityUnits ?? 0;
          response.writeHead(answer.statusCode ?? 500, answer.headers).end(whole);
        });
      });
      onward.end(body);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return Object.assign(settings, {
    url: `http://127.0.0.1:${port}`,
    reset: () => Object.assign(count, { DynamoDB: 0, KMS: 0, read: 0, write: 0, received: 0 }),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  });
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
 * Bundles the functions that seal and encode an entry, which the library does not export.
 *
 * @param {string} folder
 */
async function sources(folder) {
  const bundle = await rolldown({
    input: { item: 'src/model/item.ts', seal: 'src/seal/formats.ts' },
    cwd: join(import.meta.dirname, '..'),
    platform: 'node',
  });
  const dir = join(folder, 'sources');
  await bundle.write({ dir, entryFileNames: '[name].mjs', chunkFileNames: '[name].mjs' });
  await bundle.close();
  const { encodeItem } = /** @type {typeof import('../src/model/item.ts')} */ (
    await import(join(dir, 'item.mjs'))
  );
  const { FORMATS } = /** @type {typeof import('../src/seal/formats.ts')} */ (
    await import(join(dir, 'seal.mjs'))
  );
  return { encodeItem, FORMATS };
}

/**
 * @param {DynamoDBClient} client
 * @param {string} table
 * @param {(typeof TABLES)[number]} size
 * @param {string} folder
 */
async function fill(client, table, { secrets, versions, bytes }, folder) {
  const { encodeItem, FORMATS } = await sources(folder);
  const { seal } = await FORMATS['AES-256-GCM'].load();
  const secret = Buffer.alloc(bytes, 'x');
  const dataKey = Buffer.alloc(64, 1);
  const key = Buffer.alloc(WRAPPED_BYTES, 1);
  /** @type {{ PutRequest: { Item: Record<string, any> } }[]} */
  const requests = [];
  for (let i = 0; i < secrets; i += 1) {
    for (let version = 1; version <= versions; version += 1) {
      const header = {
        name: `svc${i % SERVICES}.${String(i).padStart(5, '0')}`,
        version: String(version).padStart(19, '0'),
        cipher: /** @type {const} */ ('AES-256-GCM'),
        digest: 'SHA256',
        created: '2026-11-25T00:00:00Z',
      };
      // The benchmark opens only the newest version.
      const sealed =
        version === versions
          ? await seal(header, dataKey, secret)
          : { contents: Buffer.alloc(bytes + 28, 2), hmac: Buffer.alloc(32, 3) };
      requests.push({ PutRequest: { Item: encodeItem({ ...header, key, ...sealed }) } });
    }
  }
  const write = async () => {
    for (let batch = requests.splice(0, 25); batch.length > 0; batch = requests.splice(0, 25)) {
      await client.send(new BatchWriteItemCommand({ RequestItems: { [table]: batch } }));
    }
  };
  await Promise.all(Array.from({ length: 8 }, write));
}
