import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, createServer as createTcpServer } from 'node:net';
import { setTimeout } from 'node:timers';

/*
 * DynamoDB and KMS on loopback, as quick as they can be, so that the benchmark measures the command. They check nothing and
 * keep only items, in memory. They run in their own process, so that they can use a second core:
 *
 *     node bench/servers.js [KEY CERTIFICATE DELAY]
 *
 * prints one line of JSON, its port. The path of a request sets a delay: /10 waits for 10 ms before the answer. The region `down` has an outage. With a key
 * and a certificate it speaks TLS, and everything that is sent to it takes DELAY ms to arrive.
 */

const PAGE_BYTES = 1024 * 1024;

/** @typedef {Record<string, { S?: string, B?: string }>} Item */
/**
 * A table: its items by name and version, in the order of a scan, and the versions of a name, in theirs.
 *
 * @typedef {{ items: Map<string, Item>, versions: Map<string, string[]> }} Table
 */
/** @type {Map<string, Table>} */
const tables = new Map();

/** @param {string} name @returns {Table} */
function tableOf(name) {
  const known = tables.get(name) ?? { items: new Map(), versions: new Map() };
  tables.set(name, known);
  return known;
}

/** @param {Item} item */
const keyOf = (item) => JSON.stringify([item.name?.S, item.version?.S]);

/** @param {Table} table @param {Item} item */
function store({ items, versions }, item) {
  const name = item.name?.S ?? '';
  const known = versions.get(name) ?? [];
  known.push(item.version?.S ?? '');
  versions.set(name, known.sort());
  items.set(keyOf(item), item);
}

/** @param {Item} item */
const sizeOf = (item) =>
  Object.entries(item).reduce(
    (sum, [name, { S, B }]) => sum + name.length + (S?.length ?? ((B?.length ?? 0) * 3) / 4),
    0,
  );

/** @param {any} input */
function page(input) {
  const { items } = tableOf(input.TableName);
  /** @type {Item[]} */
  const found = [];
  const names = Object.values(input.ExpressionAttributeNames ?? {});
  const wanted = input.ProjectionExpression ? names : undefined;
  const prefixes = Object.values(input.ExpressionAttributeValues ?? { '': { S: '' } });
  const { Segment = 0, TotalSegments = 1 } = input;
  let bytes = 0;
  let at = 0;
  let started = input.ExclusiveStartKey === undefined;
  const start = started ? '' : keyOf(input.ExclusiveStartKey);
  for (const [key, item] of items) {
    // A segment is a run of items.
    if (Math.floor((at++ * TotalSegments) / items.size) !== Segment) continue;
    if (!started) {
      started = key === start;
      continue;
    }
    bytes += sizeOf(item);
    if (prefixes.some(({ S }) => item.name?.S?.startsWith(S))) {
      found.push(
        wanted
          ? Object.fromEntries(Object.entries(item).filter(([name]) => wanted.includes(name)))
          : item,
      );
    }
    if (bytes > PAGE_BYTES) {
      return { Items: found, LastEvaluatedKey: { name: item.name, version: item.version } };
    }
  }
  return { Items: found };
}

/** @type {Record<string, (input: any) => object>} */
const actions = {
  'DynamoDB_20120810.PutItem': ({ TableName, Item }) => {
    const table = tableOf(TableName);
    if (table.items.has(keyOf(Item))) return { __type: 'ConditionalCheckFailedException' };
    store(table, Item);
    return {};
  },
  'DynamoDB_20120810.GetItem': ({ TableName, Key }) => ({
    Item: tableOf(TableName).items.get(keyOf(Key)),
  }),
  'DynamoDB_20120810.Query': ({
    TableName,
    ExpressionAttributeValues,
    ScanIndexForward,
    Limit,
  }) => {
    const { items, versions } = tableOf(TableName);
    const name = Object.values(/** @type {Item} */ (ExpressionAttributeValues))[0]?.S ?? '';
    const found = [...(versions.get(name) ?? [])];
    if (ScanIndexForward === false) found.reverse();
    return {
      Items: found.slice(0, Limit).map((version) => items.get(JSON.stringify([name, version]))),
    };
  },
  'DynamoDB_20120810.Scan': page,
  'TrentService.GenerateDataKey': ({ NumberOfBytes }) => {
    const key = randomBytes(NumberOfBytes).toString('base64');
    return { Plaintext: key, CiphertextBlob: key };
  },
  // The wrapped key is the data key itself, perhaps with more bytes, so that a measurement can fill a table without requests.
  'TrentService.Decrypt': ({ CiphertextBlob }) => ({
    Plaintext: Buffer.from(CiphertextBlob, 'base64').subarray(0, 64).toString('base64'),
  }),
};

/** @type {import('node:http').RequestListener} */
function serve(request, response) {
  /** @type {Buffer[]} */
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  // The region that a request is signed for; this one has an outage.
  if (/^[^/]*\/\d+\/down\//.test(request.headers.authorization?.split('Credential=')[1] ?? '')) {
    request.socket.destroy();
    return;
  }
  request.on('end', () => {
    const action = actions[String(request.headers['x-amz-target'])];
    const input = JSON.parse(Buffer.concat(chunks).toString());
    const answer = action ? action(input) : { __type: 'UnknownOperationException' };
    const body = Buffer.from(JSON.stringify(answer));
    const headers = { 'content-type': 'application/x-amz-json-1.0', 'content-length': body.length };
    const delay = Number(request.url?.split('/')[1] ?? 0);
    setTimeout(
      () => response.writeHead('__type' in answer ? 400 : 200, headers).end(body),
      delay,
    ).ref();
  });
}

/** @param {import('node:net').Server} server @param {(port: number) => void} listening */
function listen(server, listening) {
  server.listen(0, '127.0.0.1', () => {
    listening(/** @type {import('node:net').AddressInfo} */ (server.address()).port);
  });
}

/** @param {number} port */
const tell = (port) => process.stdout.write(`${JSON.stringify({ port })}\n`);

const [key, cert, delay = '0'] = process.argv.slice(2);
if (key === undefined || cert === undefined) {
  listen(createServer(serve), tell);
} else {
  listen(createTlsServer({ key, cert }, serve), (inner) => {
    // As far away as that: what a client sends takes so long to arrive, in a handshake as well.
    const front = createTcpServer((client) => {
      const server = connect(inner, '127.0.0.1');
      client.on('data', (chunk) => setTimeout(() => server.write(chunk), Number(delay)));
      client.on('close', () => setTimeout(() => server.destroy(), Number(delay)));
      server.pipe(client);
      for (const each of [client, server]) each.on('error', () => undefined);
    });
    listen(front, tell);
  });
}
