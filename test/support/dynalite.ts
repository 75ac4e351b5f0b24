import type { Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import type { Dynamo } from './dynamo.ts';

/** The part of dynalite 4 used here; the package has no types. */
type Dynalite = (options: { createTableMs?: number; deleteTableMs?: number }) => Server;

/** Starts dynalite in this process: milliseconds, no Java, but an imitation of DynamoDB. */
export async function startDynalite(): Promise<Dynamo> {
  const dynalite = createRequire(import.meta.url)('dynalite') as Dynalite;
  const server = dynalite({ createTableMs: 0, deleteTableMs: 0 });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => {
          if (error) reject(error);
          else resolve();
        });
        server.closeAllConnections();
      }),
  };
}
