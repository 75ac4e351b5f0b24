import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer, type Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Credstash, type CredstashOptions } from '../../../src/index.ts';
import { testCredential } from '../../support/sigv4.ts';
import { listening, portOf } from '../../support/tls.ts';

/*
 * An answer that comes a byte at a time and never ends. Size limits: test/process/answers.test.ts.
 */

let server: Server;
let options: CredstashOptions;
const tried: string[] = [];

beforeEach(async () => {
  tried.length = 0;
  server = await listening(
    createServer((request, response) => {
      tried.push(request.url ?? '');
      request.resume();
      response.writeHead(200);
      // Faster than any limit on a pause between two bytes.
      const drip = async (): Promise<void> => {
        while (!response.destroyed) {
          response.write('x');
          await sleep(5);
        }
      };
      void drip();
    }),
  );
  options = {
    region: 'us-east-1',
    endpoint: `http://127.0.0.1:${portOf(server)}`,
    credentials: testCredential,
  };
});

/** Resolves when a client in this process has read the header of an answer. */
function firstAnswer(): Promise<void> {
  const channel = 'http.client.response.finish';
  return new Promise((resolve) => {
    const read = (): void => {
      unsubscribe(channel, read);
      resolve();
    };
    subscribe(channel, read);
  });
}

afterEach(() => {
  vi.useRealTimers();
  server.closeAllConnections();
  server.close();
});

it.each<
  [service: string, more: CredstashOptions, call: (credstash: Credstash) => Promise<unknown>]
>([
  ['DynamoDB', {}, (credstash) => credstash.get('n')],
  ['KMS', {}, (credstash) => credstash.put('n', Buffer.from('x'))],
  ['STS', { roleArn: 'arn:aws:iam::123456789012:role/reader' }, (credstash) => credstash.get('n')],
])('of %s ends after a minute, and is not asked for again', async (service, more, call) => {
  const credstash = new Credstash({ ...options, ...more });
  const answered = firstAnswer();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  let outcome: unknown;
  const called = call(credstash).catch((error: unknown) => {
    outcome = error;
  });
  // The answer's begin has been read: that is what ends the SDK's own limits.
  await answered;
  await sleep(50);
  await vi.advanceTimersByTimeAsync(59_000);
  await sleep(100);
  expect(outcome).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1000);
  await called;
  expect(outcome).toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringMatching(RegExp(`^${service} took longer than 60 s`)) as string,
  });
  expect(tried).toHaveLength(1);
  await credstash.close();
});
