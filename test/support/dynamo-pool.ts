import { DeleteTableCommand, paginateListTables } from '@aws-sdk/client-dynamodb';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { type Dynamo, withClient } from './dynamo.ts';
import { launchDynamoLocal, POOL_PORT } from './dynamo-local.ts';

/*
 * The instances of DynamoDB Local of one test run, which Vitest starts and ends (`globalSetup`). Forty files need one,
 * four at a time: starting each anew would take longer than most of their tests. A test file asks for one over a
 * connection (`startDynamoLocal`), and has it until the connection ends. The first to ask starts it, so that a run without
 * DynamoDB Local starts none.
 */

const idle: Dynamo[] = [];
const all = new Set<Dynamo>();

async function deleteTables({ url }: Dynamo): Promise<void> {
  await withClient(url, async (client) => {
    for await (const { TableNames = [] } of paginateListTables({ client }, {})) {
      for (const name of TableNames) await client.send(new DeleteTableCommand({ TableName: name }));
    }
  });
}

async function discard(dynamo: Dynamo): Promise<void> {
  all.delete(dynamo);
  await dynamo.close();
}

/** An instance without tables: an idle one, or a new one. */
async function take(): Promise<Dynamo> {
  for (let dynamo = idle.pop(); dynamo !== undefined; dynamo = idle.pop()) {
    try {
      await deleteTables(dynamo);
      return dynamo;
    } catch {
      // A test left it in a state that only a new one is free of, such as a protected table.
      await discard(dynamo);
    }
  }
  const dynamo = await launchDynamoLocal();
  all.add(dynamo);
  return dynamo;
}

async function serve(socket: Socket): Promise<void> {
  // A test process that is killed resets its connection.
  socket.on('error', () => socket.destroy());
  const closed = once(socket, 'close');
  socket.resume();
  const dynamo = await take();
  socket.write(`${dynamo.url}\n`);
  await closed;
  idle.push(dynamo);
}

/** Opens the pool; returns what ends it and every instance. */
export default async function setup(): Promise<() => Promise<void>> {
  const server = createServer((socket) => {
    serve(socket).catch((error: unknown) => {
      process.stderr.write(`the pool of DynamoDB Local: ${String(error)}\n`);
      socket.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.env[POOL_PORT] = String((server.address() as AddressInfo).port);
  return async () => {
    server.close();
    await Promise.all([...all].map((dynamo) => dynamo.close()));
  };
}
