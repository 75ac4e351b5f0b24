import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An HTTP server on 127.0.0.1 that a test can end at any moment, whatever hangs in it. */
export interface HttpServer {
  readonly url: string;
  readonly close: () => Promise<void>;
}

export type Handler = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

/** Reads the whole request; undefined when the caller went away first (a killed process does). */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch (error) {
    if (!request.complete) return undefined;
    throw error;
  }
  return Buffer.concat(chunks);
}

/**
 * Starts a server on a free port. What the handler throws is left to become an unhandled rejection,
 * so that a mistake in a test server fails the test run instead of looking like a network fault.
 */
export async function startHttpServer(handler: Handler): Promise<HttpServer> {
  const server = createServer((request, response) => {
    void readBody(request).then((body) => {
      if (body !== undefined) handler(request, response, body);
    });
  });
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
