/*
 * A server that starts with its secrets, or not at all, and keeps one fresh that is rotated.
 *
 *     PORT=8080 node server.js
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { Credstash, CredstashError } from 'credstash-cli';

const credstash = new Credstash();

// All that it cannot work without, before it listens: in one call, so that one error names everything that is missing.
const needed = await credstash
  .getMany([{ name: 'app.session-key' }, { name: 'app.db-password' }], {
    signal: AbortSignal.timeout(30_000),
  })
  .catch((error: unknown) => {
    if (!(error instanceof CredstashError)) throw error;
    console.error(`cannot start: ${error.message}`);
    for (const { name, error: why } of error.failures) console.error(`  ${name}: ${why.message}`);
    process.exit(1);
  });
const [sessionKey, databasePassword] = needed.map(({ value }) => value);
if (!sessionKey || !databasePassword) throw new Error('getMany gives all that is wanted');
// Here the pool of connections would be made, with databasePassword.

// A token that somebody rotates: a minute old at most, and an hour and a minute while AWS is down.
const cache = credstash.createCache({
  ttl: 60_000,
  maxStale: 3_600_000,
  // If it is missing, it is about to be stored: the next request asks for it again.
  missingTtl: 0,
  onError: (name, error) => {
    console.error(`${name} could not be refreshed: ${String(error)}`);
  },
});

/** What an Express handler would be. */
async function isAllowed(authorization: string | undefined): Promise<boolean> {
  const token = await cache.getText('app.api-token', { label: 'current' });
  // Node.js compares a digest in constant time; the texts may differ in length.
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(authorization ?? ''), digest(`Bearer ${token}`));
}

const server = createServer((request, response) => {
  const answer = (status: number, text: string): void => {
    response.writeHead(status, { 'content-type': 'text/plain' }).end(`${text}\n`);
  };
  isAllowed(request.headers.authorization).then(
    (allowed) => {
      if (allowed) answer(200, 'hello');
      else answer(401, 'no');
    },
    (error: unknown) => {
      // The secret cannot be got: the message has no secret in it, and is still none of the client's business.
      console.error(String(error));
      answer(503, 'try again later');
    },
  );
});
server.listen(Number(process.env['PORT'] ?? 8080), '127.0.0.1', () => {
  console.log(`listening on ${JSON.stringify(server.address())}`);
});

process.once('SIGTERM', () => {
  server.close();
  server.closeIdleConnections();
  cache.close();
  sessionKey.fill(0);
  databasePassword.fill(0);
  void credstash.close();
});
