import { execFileSync } from 'node:child_process';
import { createServer, request as httpRequest, type Server } from 'node:http';
import {
  connect,
  createServer as createNetServer,
  type Server as NetServer,
  type Socket,
} from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { nodeUnderTest, standaloneUnderTest } from '../support/run.ts';
import { CLOSED, listening, makeCertificate, portOf, tlsFront } from '../support/tls.ts';
import {
  awsPlace,
  dynalite,
  failed,
  ok,
  type Place,
  type Running,
} from '../end-to-end/backends.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * What boto takes from the environment of a company's network: a proxy, and certificates of its own.
 */

const folder = temporaryFolder();
let certificate: string;
const through: string[] = [];
let running: Running;
let tls: NetServer;
let proxy: Server;
let table: string;
/** On the services as they are, over HTTP. */
let plain: Place;
/** On DynamoDB behind TLS. */
let secure: Place;

beforeAll(async () => {
  const made = makeCertificate(folder);
  certificate = made.path;
  running = await dynalite.start();
  const place = await running.place();
  table = place.args[1] ?? '';
  const kms = running.kms?.url ?? '';
  const dynamo = running.dynamo ?? '';
  tls = await tlsFront(made, dynamo);
  proxy = createServer((request, response) => {
    through.push(`${request.method ?? ''} ${request.url ?? ''}`);
    const { method, headers } = request;
    request.pipe(
      httpRequest(request.url ?? '', { method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      }),
    );
  });
  proxy.on('connect', (request, socket) => {
    through.push(`CONNECT ${request.url ?? ''}`);
    socket.on('error', () => socket.destroy());
    const onward = connect(Number(request.url?.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
  });
  await listening(proxy);
  plain = awsPlace(dynamo, kms, table);
  secure = awsPlace(`https://127.0.0.1:${portOf(tls)}`, kms, table);
  expect((await plain.cs(['put', 'db', 'secret'])).status).toBe(0);
});
afterAll(async () => {
  proxy.closeAllConnections();
  proxy.close();
  tls.close();
  await running.close();
});
beforeEach(() => {
  through.length = 0;
});

const [major = 0, minor = 0] = execFileSync(nodeUnderTest(), ['-p', 'process.versions.node'])
  .toString()
  .split('.')
  .map(Number);
/** Whether the Node.js that runs the command has `proxyEnv`. The single file uses a proxy always. */
const usesProxy =
  standaloneUnderTest() !== undefined ||
  major > 24 ||
  (major === 24 && minor >= 5) ||
  (major === 22 && minor >= 21);

test('AWS_CA_BUNDLE names the certificates to trust [compat 50]', async () => {
  expect(await secure.cs(['get', 'db'])).toEqual(failed(7, 'DynamoDB cannot be reached', 'CERT'));
  const env = { AWS_CA_BUNDLE: certificate };
  expect(await secure.cs(['get', 'db'], { env })).toEqual(ok('secret\n'));
  const missing = { env: { AWS_CA_BUNDLE: join(folder, 'none.pem') } };
  expect(await secure.cs(['get', 'db'], missing)).toEqual(failed(2, 'none.pem cannot be read'));
});

test('a proxy of the environment is used where Node.js can, else told when nothing else is reached [compat 50]', async () => {
  const url = `http://127.0.0.1:${portOf(proxy)}`;
  const env = { HTTP_PROXY: url, HTTPS_PROXY: url, AWS_CA_BUNDLE: certificate };
  const targets = [`CONNECT 127.0.0.1:${portOf(tls)}`, `POST ${running.kms?.url ?? ''}/`];
  expect(await secure.cs(['get', 'db'], { env })).toEqual(ok('secret\n'));
  expect(through).toEqual(usesProxy ? targets : []);
  through.length = 0;
  expect(await plain.cs(['get', 'db'], { env: { ...env, NO_PROXY: '127.0.0.1' } })).toEqual(
    ok('secret\n'),
  );
  expect(through).toEqual([]);

  // Through the proxy, it is the proxy that cannot reach it.
  const nowhere = awsPlace(CLOSED, running.kms?.url ?? '', table);
  expect(await nowhere.cs(['get', 'db'], { env: { HTTP_PROXY: CLOSED } })).toEqual(
    failed(
      7,
      'DynamoDB cannot be reached',
      usesProxy ? 'check the network' : 'is used by Node.js 22.21',
    ),
  );
});

test('what a proxy leads to must show a valid certificate too', async () => {
  const url = `http://127.0.0.1:${portOf(proxy)}`;
  const env = { HTTPS_PROXY: url };
  expect(await secure.cs(['get', 'db'], { env })).toEqual(
    failed(7, 'DynamoDB', 'CERT', 'with AWS_CA_BUNDLE'),
  );
  const connect = `CONNECT 127.0.0.1:${portOf(tls)}`;
  expect(new Set(through)).toEqual(new Set(usesProxy ? [connect] : []));
});

test('a proxy that never ends its answer holds nobody up', async () => {
  const answers: Record<string, (socket: Socket) => void> = {
    'a byte at a time': (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      const timer = setInterval(() => socket.write('x'), 100);
      socket.on('close', () => {
        clearInterval(timer);
      });
    },
    'all at once': (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      const block = Buffer.alloc(2 ** 16, 'x');
      const pour = (): void => {
        while (socket.writable && socket.write(block));
      };
      socket.on('drain', pour);
      pour();
    },
    'a tunnel that leads nowhere': (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
    },
    'no answer': () => undefined,
  };
  await Promise.all(
    Object.entries(answers).map(async ([name, answer]) => {
      const endless = await listening(
        createNetServer((socket) => {
          socket
            .on('error', () => undefined)
            .once('data', () => {
              answer(socket);
            });
        }),
      );
      const env = {
        HTTPS_PROXY: `http://127.0.0.1:${portOf(endless)}`,
        AWS_CA_BUNDLE: certificate,
      };
      const expected = usesProxy ? failed(7, 'DynamoDB cannot be reached') : ok('secret\n');
      expect(await secure.cs(['get', 'db', '--quiet'], { env }), name).toEqual(expected);
      endless.close();
    }),
  );
});

test('a proxy without a scheme is one of HTTP, and any other is told [compat 50]', async () => {
  const address = `127.0.0.1:${portOf(proxy)}`;
  const without = { HTTP_PROXY: address, AWS_CA_BUNDLE: certificate };
  expect(await plain.cs(['get', 'db'], { env: without })).toEqual(ok('secret\n'));
  expect(through).toHaveLength(usesProxy ? 2 : 0);
  const other = { HTTPS_PROXY: `socks5://me:p4ss@${address}` };
  const refused = await plain.cs(['get', 'db'], { env: other });
  expect(refused).toEqual(failed(2, 'HTTPS_PROXY is not the URL of an HTTP proxy'));
  expect(refused.stderr).not.toContain('p4ss');
});
