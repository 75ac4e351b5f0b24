import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { Server } from 'node:net';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listening, makeCertificate, portOf, tlsFront } from '../support/tls.ts';
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
 * Answers without end, of each service: an error, and no more memory than a large answer takes.
 */

const folder = temporaryFolder();
const certificate = makeCertificate(folder);
const BLOCK = Buffer.alloc(2 ** 16, 'x');
/** 1 GB that is 1 MB on the wire: members of a gzip file, which are expanded one after the other. */
const BOMB = Buffer.concat(
  Array<Buffer>(64).fill(gzipSync(Buffer.alloc(2 ** 24, ' '), { level: 9 })),
);
const SMALL_CHUNKS = Buffer.from(`10\r\n${'x'.repeat(16)}\r\n`.repeat(5000));

/** Writes for as long as the other side reads. */
async function pour(stream: Writable, block: Uint8Array): Promise<void> {
  while (!stream.destroyed) {
    if (stream.write(block)) continue;
    await Promise.race([once(stream, 'drain'), once(stream, 'close')]).catch(() => undefined);
  }
}

const ENDLESS: Readonly<Record<string, (response: ServerResponse) => unknown>> = {
  'in chunks': (response) => pour(response.writeHead(200), BLOCK),
  // Each of them arrives by itself: what is kept for it must not take more room than it has.
  'in chunks of 16 bytes': ({ socket }) => {
    if (!socket) return undefined;
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
    return pour(socket, SMALL_CHUNKS);
  },
  'of a length that is told': (response) =>
    pour(response.writeHead(200, { 'content-length': 2 ** 40 }), BLOCK),
  'of an error': (response) => pour(response.writeHead(400), BLOCK),
  'of a failure of the service': (response) => pour(response.writeHead(500), BLOCK),
};

let answer: (response: ServerResponse) => unknown;
let running: Running;
let good: Place;
let hostile: Server;
let front: Server;
/** Each service's own hostile place, over HTTP and over HTTPS. */
let places: Record<string, { place: Place; args: readonly string[] }>;

beforeAll(async () => {
  running = await dynalite.start();
  good = await running.place();
  expect(await good.cs(['put', 'db', 'secret'])).toEqual(stored('db'));
  hostile = await listening(
    createServer((request, response) => {
      response.on('error', () => undefined);
      request.resume().on('end', () => {
        void answer(response);
      });
    }),
  );
  const plain = `http://127.0.0.1:${portOf(hostile)}`;
  front = await tlsFront(certificate, plain);
  const secure = `https://127.0.0.1:${portOf(front)}`;
  const [table = '', dynamo = '', kms = ''] = [good.args[1], running.dynamo, running.kms?.url];
  const role = ['--arn', 'arn:aws:iam::123456789012:role/reader'];
  places = {};
  for (const [protocol, url] of [['HTTP', plain] as const, ['HTTPS', secure] as const]) {
    const ofSts = awsPlace(dynamo, kms, table);
    const env = { ...ofSts.env, AWS_ENDPOINT_URL_STS: url };
    places[`DynamoDB over ${protocol}`] = { place: awsPlace(url, kms, table), args: [] };
    places[`KMS over ${protocol}`] = { place: awsPlace(dynamo, url, table), args: [] };
    places[`STS over ${protocol}`] = {
      place: {
        ...ofSts,
        cs: (args, options) => ofSts.cs(args, { ...options, env: { ...env, ...options?.env } }),
      },
      args: role,
    };
  }
});
afterAll(async () => {
  for (const each of [hostile, front]) each.close();
  await running.close();
});

/** Runs a get, and tells the most memory that it had, in MB. */
async function get(place: Place, args: readonly string[] = []) {
  const peak = join(folder, 'peak');
  const script = `import resource, subprocess, sys
status = subprocess.call(sys.argv[2:])
open(sys.argv[1], 'w').write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(status)`;
  const ended = await place.cs(['get', 'db', ...args], {
    env: { AWS_CA_BUNDLE: certificate.path },
    under: ['python3', '-c', script, peak],
  });
  return { ended, megabytes: Number(readFileSync(peak, 'utf8')) / 1024 };
}

/** What one large answer may cost: its bytes, the buffer that they grow out of, and what the collector has not seen. */
const ROOM_MB = 160;

describe('an answer without end', () => {
  let usual: number;
  beforeAll(async () => {
    const { ended, megabytes } = await get(good);
    expect(ended).toEqual(ok('secret\n'));
    usual = megabytes;
  });

  for (const service of ['DynamoDB', 'KMS', 'STS']) {
    for (const protocol of ['HTTP', 'HTTPS']) {
      // Over HTTPS the same bytes come another way: one kind shows that they are counted there.
      const kinds = Object.entries(ENDLESS).slice(0, protocol === 'HTTP' ? undefined : 1);
      test.each(kinds)(`of ${service} over ${protocol}, %s`, async (_, endless) => {
        answer = endless;
        const { place, args } = places[`${service} over ${protocol}`] ?? {
          place: good,
          args: [],
        };
        const { ended, megabytes } = await get(place, args);
        expect(ended).toEqual(
          failed(7, `${service} sent an answer larger than`, 'check the network'),
        );
        expect(megabytes).toBeLessThan(usual + ROOM_MB);
      });
    }

    test(`of ${service}, compressed: it is not even expanded`, async () => {
      answer = (response) => {
        response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': BOMB.length });
        response.end(BOMB);
      };
      const { place, args } = places[`${service} over HTTP`] ?? { place: good, args: [] };
      const { ended, megabytes } = await get(place, args);
      expect(ended).toEqual(failed(7, service));
      expect(megabytes).toBeLessThan(usual + ROOM_MB);
    });
  }
});
