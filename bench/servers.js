import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { setTimeout } from 'node:timers';

/*
 * DynamoDB and KMS on loopback, as quick as they can be: what is measured is the command. They check nothing, and keep
 * nothing but items in memory. Run as a process of their own, so that they have a core of their own where there are two:
 *
 *     node bench/servers.js
 *
 * prints one line of JSON, its address. What stands in the path of an address chooses how it answers: /10 waits for
 * 10 ms before each answer.
 */

const PAGE_BYTES = 1024 * 1024;

/** @typedef {Record<string, { S?: string, B?: string }>} Item */
/** @type {Map<string, Item>} by name and version, in the order of a scan */
const items = new Map();
/** @type {Map<string, string[]>} the versions of a name, in their order */
const versions = new Map();

/** @param {Item} item */
const keyOf = (item) => JSON.stringify([item.name?.S, item.version?.S]);

/** @param {Item} item */
function store(item) {
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
  /** @type {Item[]} */
  const found = [];
  const names = Object.values(input.ExpressionAttributeNames ?? {});
  const wanted = input.ProjectionExpression ? names : undefined;
  const prefix = input.ExpressionAttributeValues?.[':prefix']?.S ?? '';
  let bytes = 0;
  let started = input.ExclusiveStartKey === undefined;
  const start = started ? '' : keyOf(input.ExclusiveStartKey);
  for (const [key, item] of items) {
    if (!started) {
      started = key === start;
      continue;
    }
    bytes += sizeOf(item);
    if (item.name?.S?.startsWith(prefix)) {
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
  'DynamoDB_20120810.PutItem': ({ Item }) => {
    if (items.has(keyOf(Item))) return { __type: 'ConditionalCheckFailedException' };
    store(Item);
    return {};
  },
  'DynamoDB_20120810.BatchWriteItem': ({ RequestItems }) => {
    for (const requests of Object.values(RequestItems)) {
      for (const { PutRequest } of requests) store(PutRequest.Item);
    }
    return { UnprocessedItems: {} };
  },
  'DynamoDB_20120810.GetItem': ({ Key }) => ({ Item: items.get(keyOf(Key)) }),
  'DynamoDB_20120810.Query': ({ ExpressionAttributeValues, ScanIndexForward, Limit }) => {
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
  // What is wrapped is the data key itself: whoever fills a table for a measurement needs no request for each.
  'TrentService.Decrypt': ({ CiphertextBlob }) => ({ Plaintext: CiphertextBlob }),
};

/** @type {import('node:http').RequestListener} */
function serve(request, response) {
  /** @type {Buffer[]} */
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
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

const [key, cert] = process.argv.slice(2);
const server =
  key === undefined || cert === undefined
    ? createServer(serve)
    : createTlsServer({ key, cert }, serve);
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  process.stdout.write(`${JSON.stringify({ port })}\n`);
});
