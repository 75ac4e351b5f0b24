import { spawn } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer as createProxy, type Server as HttpServer } from 'node:http';
import { createServer, type Server } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { describeUnless } from '../support/needed.ts';
import { RUNTIMES } from '../support/project.ts';
import {
  type Certificate,
  listening,
  makeAuthority,
  makeCertificate,
  portOf,
} from '../support/tls.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * The built library under NODE_TLS_REJECT_UNAUTHORIZED=0, against servers whose certificates are wrong. The same calls on a
 * server with a right certificate show that each way really ends at the server.
 */

const root = join(import.meta.dirname, '../..');
const folder = temporaryFolder();
const program = join(folder, 'program.mjs');

const authority = makeAuthority(folder);
const RIGHT = 'a right certificate';
const certificates: Record<string, Certificate> = {
  [RIGHT]: authority.issue(),
  'a certificate that nobody signed': makeCertificate(folder),
  'a certificate of another host': authority.issue('DNS:dynamodb.us-east-1.amazonaws.com'),
  'an expired certificate': authority.issue('IP:127.0.0.1', -1),
};
const WRONG = Object.keys(certificates).filter((each) => each !== RIGHT);

const servers: Record<string, Server> = {};
const tlsProxies: Record<string, Server> = {};
let proxy: HttpServer;
/** What arrived at any server, each with its own service's name. */
const arrived: string[] = [];
/** The targets that a proxy was asked for, each behind the proxy's name. */
const through: string[] = [];

const portOfServer = (name: string): number => portOf(servers[name] as Server);

/** Answers CONNECT with a connection to that server, and nothing else. */
function tunnel<T extends HttpServer | Server>(name: string, server: T): T {
  server.on('connect', (request, socket) => {
    through.push(`${name}: ${request.url}`);
    socket.on('error', () => socket.destroy());
    const onward = connect(Number(request.url?.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
  });
  return server;
}

beforeAll(async () => {
  for (const [name, { key, cert }] of Object.entries(certificates)) {
    servers[name] = await listening(
      createServer({ key, cert }, ({ headers, url }, response) => {
        arrived.push(String(headers['x-amz-target'] ?? url));
        response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' });
        response.end('{"__type":"AccessDeniedException"}');
      }),
    );
    tlsProxies[name] = await listening(tunnel(name, createServer({ key, cert })));
  }
  proxy = await listening(tunnel('without TLS', createProxy()));

  // What the SDK's providers of credentials read.
  const cache = join(folder, '.aws', 'sso', 'cache');
  mkdirSync(cache, { recursive: true });
  const digest = (algorithm: string, text: string): string =>
    createHash(algorithm).update(text).digest('hex');
  const token = { accessToken: 'token', expiresAt: '2999-01-01T00:00:00Z' };
  writeFileSync(join(cache, `${digest('sha1', 'https://start')}.json`), JSON.stringify(token));
  const renewed = {
    ...{ accessToken: 'token', expiresAt: new Date(Date.now() + 60_000).toISOString() },
    ...{ clientId: 'id', clientSecret: 'secret', refreshToken: 'refresh' },
  };
  // A process tries to renew a session's token twice a minute at most: each server has a session of its own.
  const names = [...WRONG.keys()].map((i) => `session-${i}`);
  for (const name of names) {
    writeFileSync(join(cache, `${digest('sha1', name)}.json`), JSON.stringify(renewed));
  }
  const login = {
    accessToken: {
      ...{ accessKeyId: 'a', secretAccessKey: 's', sessionToken: 't', accountId: '123456789012' },
      expiresAt: '2001-01-01T00:00:00Z',
    },
    ...{ tokenType: 'urn', clientId: 'id', refreshToken: 'refresh', identityToken: 'identity' },
    dpopKey: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey.export({
      format: 'pem',
      type: 'sec1',
    }),
  };
  writeFileSync(join(folder, `${digest('sha256', 'login')}.json`), JSON.stringify(login));
  writeFileSync(join(folder, 'token'), 'header.payload.signature');
  const account = 'sso_account_id = 123456789012\nsso_role_name = reader\n';
  const signOn = 'sso_start_url = https://start\nsso_region = us-east-1\n';
  const sessions = names.map(
    (name) =>
      `[profile ${name}]\nsso_session = ${name}\n${account}[sso-session ${name}]\n${signOn}`,
  );
  writeFileSync(
    join(folder, 'config'),
    `[profile keys]
aws_access_key_id = AKIAKEYS
aws_secret_access_key = secret
[profile role]
role_arn = arn:aws:iam::123456789012:role/reader
source_profile = keys
[profile web]
role_arn = arn:aws:iam::123456789012:role/reader
web_identity_token_file = ${join(folder, 'token')}
[profile sso]
${signOn}${account}${sessions.join('')}[profile login]
login_session = login
`,
  );
  writeFileSync(
    program,
    `import { createRequire } from 'node:module';
import https from 'node:https';
const require = createRequire(${JSON.stringify(join(root, 'package.json'))});
const { Credstash } = await import(${JSON.stringify(pathToFileURL(join(root, 'dist/lib/index.js')).href)});
const { NodeHttpHandler } = require('@smithy/node-http-handler');
const { DynamoDBClient } = require('@aws-sdk/client-dynamodb');
const { off, runs } = JSON.parse(process.argv[2]);
if (off) process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
const credentials = { accessKeyId: 'AKIA', secretAccessKey: 'secret' };
let endpoint;
let plain;
let session;
// What the two libraries would try again is the SDK's affair, and takes long.
const once = { maxAttempts: 1 };
const with_ = (requestHandler) => ({ ...plain, clientOptions: { dynamodb: { ...once, requestHandler } } });
const profile = (name) => ({ region: 'us-east-1', profile: name });
const CALLS = {
  'the library': () => plain,
  'with a timeout': () => with_({ requestTimeout: 5000 }),
  'with options of an agent': () => with_({ httpsAgent: { keepAlive: false } }),
  'with an agent': () => with_({ httpsAgent: new https.Agent({ keepAlive: true }) }),
  'with an agent that verifies': () => with_({ httpsAgent: new https.Agent({ rejectUnauthorized: true }) }),
  'with options that do not verify': () => with_({ httpsAgent: { rejectUnauthorized: false } }),
  'with an agent that does not verify': () => with_({ httpsAgent: new https.Agent({ rejectUnauthorized: false }) }),
  'with a handler': () => with_(new NodeHttpHandler({})),
  'with a client': () => ({ clients: { dynamodb: new DynamoDBClient({ ...plain, ...once }) } }),
  'a role': () => ({ ...plain, roleArn: 'arn:aws:iam::123456789012:role/reader' }),
  'a role of a profile': () => profile('role'),
  'a web identity': () => {
    process.env.AWS_ROLE_ARN = 'arn:aws:iam::123456789012:role/reader';
    process.env.AWS_WEB_IDENTITY_TOKEN_FILE = ${JSON.stringify(join(folder, 'token'))};
    return { region: 'us-east-1' };
  },
  'a web identity of a profile': () => profile('web'),
  'single sign-on': () => profile('sso'),
  'a session of single sign-on that is renewed': () => profile(session),
  'a login that is renewed': () => profile('login'),
  'a container': () => {
    process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI = endpoint + '/container';
    return { region: 'us-east-1' };
  },
};
const ended = [];
for (const [i, { port, proxy, calls }] of runs.entries()) {
  endpoint = 'https://127.0.0.1:' + port;
  plain = { region: 'us-east-1', endpoint, credentials };
  session = 'session-' + i;
  for (const each of ['STS', 'SSO', 'SSO_OIDC', 'SIGNIN', 'DYNAMODB']) process.env['AWS_ENDPOINT_URL_' + each] = endpoint;
  if (proxy !== undefined) process.env.HTTPS_PROXY = proxy;
  const outcomes = {};
  for (const name of calls ?? Object.keys(CALLS)) {
    const before = { ...process.env };
    const credstash = new Credstash(CALLS[name]());
    outcomes[name] = await credstash.get('n').then(() => 'got it', ({ code, message, cause }) => [code, message, cause?.message].join(' | '));
    await credstash.close();
    for (const each of Object.keys(process.env)) if (!(each in before)) delete process.env[each];
  }
  ended.push(outcomes);
}
console.log(JSON.stringify(ended));
`,
  );
});
afterAll(() => {
  for (const each of [...Object.values(servers), ...Object.values(tlsProxies), proxy]) {
    each.closeAllConnections();
    each.close();
  }
});
beforeEach(() => {
  arrived.length = 0;
  through.length = 0;
});

/** How NODE_TLS_REJECT_UNAUTHORIZED=0 is set: for the process, by the application, or not at all. */
type Off = 'environment' | 'application' | 'not';

/** Calls of the library on one server. */
interface Run {
  readonly server: string;
  /** HTTPS_PROXY. Where one run of a process has it, each has. */
  readonly proxy?: string;
  /** Which of them; all unless given. */
  readonly calls?: readonly string[];
}

/** Makes the calls of every run in one process. @returns what each call ended in, by run */
function callLibrary(
  node: string,
  off: Off,
  runs: readonly Run[],
): Promise<Record<string, string>[]> {
  const given = runs.map(({ server, ...run }) => ({ ...run, port: portOfServer(server) }));
  const child = spawn(
    node,
    [program, JSON.stringify({ off: off === 'application', runs: given })],
    {
      env: {
        PATH: process.env['PATH'],
        HOME: folder,
        AWS_CONFIG_FILE: join(folder, 'config'),
        AWS_LOGIN_CACHE_DIRECTORY: folder,
        AWS_EC2_METADATA_DISABLED: 'true',
        AWS_MAX_ATTEMPTS: '1',
        AWS_CA_BUNDLE: authority.path,
        NODE_EXTRA_CA_CERTS: authority.path,
        ...(off === 'environment' ? { NODE_TLS_REJECT_UNAUTHORIZED: '0' } : {}),
      },
      timeout: 120_000,
    },
  );
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (said.stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (said.stderr += String(chunk)));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => {
      if (status === 0) resolve(JSON.parse(said.stdout) as Record<string, string>[]);
      else reject(new Error(`it ended with ${status}: ${said.stderr}`));
    });
  });
}

const REFUSED = /^USAGE \| .*any TLS certificate/;
const UNVERIFIED = /^UNREACHABLE \| .*\((?:[A-Z_]*CERT[A-Z_]*|ERR_TLS_CERT_ALTNAME_INVALID)\b/;
/** What the providers of single sign-on tell in an error of their own, and the chain of credentials goes on from. */
const NOT_GOT = /^(?:NO_CREDENTIALS|UNREACHABLE) \| /;

for (const { name, node, missing } of RUNTIMES) {
  describeUnless(missing, `the library on ${name}`, () => {
    test('each way ends at a server whose certificate is right', async () => {
      const [outcomes = {}] = await callLibrary(node, 'not', [{ server: RIGHT }]);
      for (const [call, outcome] of Object.entries(outcomes)) {
        if (call.includes('not verify')) expect(outcome, call).toMatch(REFUSED);
        else expect(outcome, call).not.toMatch(/any TLS certificate|CERT/);
      }
      expect(new Set(arrived)).toEqual(
        new Set([
          'DynamoDB_20120810.Query',
          '/',
          '/container',
          '/token',
          '/v1/token',
          expect.stringMatching(/^\/federation\/credentials/) as string,
        ]),
      );
    });

    test.each(['environment', 'application'] as const)(
      'no request arrives at another, with the variable set by the %s',
      async (off) => {
        const ended = await callLibrary(
          node,
          off,
          WRONG.map((server) => ({ server })),
        );
        expect(arrived).toEqual([]);
        const refused = [
          'with an agent',
          'with options that do not verify',
          'with an agent that does not verify',
          'with a handler',
          'with a client',
          'a container',
        ];
        const told = /sign-on|login/;
        for (const [i, wrong] of WRONG.entries()) {
          for (const [call, outcome] of Object.entries(ended[i] ?? {})) {
            const expected = refused.includes(call)
              ? REFUSED
              : told.test(call)
                ? NOT_GOT
                : UNVERIFIED;
            expect(outcome, `${call} at ${wrong}`).toMatch(expected);
          }
        }
        expect(ended.map((outcomes) => Object.keys(outcomes).length)).toEqual([17, 17, 17]);
      },
    );
  });
}

const [, ...PROXIES] = RUNTIMES;
for (const { name, node, missing } of PROXIES) {
  describeUnless(missing, `a proxy, on ${name}`, () => {
    const calls = ['the library', 'with options of an agent', 'a role'];
    const plainProxy = (): string => `http://127.0.0.1:${portOf(proxy)}`;
    const tlsProxy = (certificate: string): string =>
      `https://127.0.0.1:${portOf(tlsProxies[certificate] as Server)}`;

    test('a right certificate is reached through both kinds', async () => {
      const proxies = [plainProxy(), tlsProxy(RIGHT)];
      await callLibrary(
        node,
        'not',
        proxies.map((each) => ({ server: RIGHT, proxy: each, calls: ['the library'] })),
      );
      expect(arrived).toEqual(['DynamoDB_20120810.Query', 'DynamoDB_20120810.Query']);
      const target = `127.0.0.1:${portOfServer(RIGHT)}`;
      expect(through).toEqual([`without TLS: ${target}`, `${RIGHT}: ${target}`]);
    });

    test('a wrong certificate of the service: nothing arrives', async () => {
      const runs = WRONG.map((server) => ({ server, proxy: plainProxy(), calls }));
      const ended = await callLibrary(node, 'environment', runs);
      expect(arrived).toEqual([]);
      for (const [i, wrong] of WRONG.entries()) {
        expect(through).toContain(`without TLS: 127.0.0.1:${portOfServer(wrong)}`);
        const outcomes = Object.values(ended[i] ?? {});
        expect(outcomes, wrong).toEqual(
          calls.map(() => expect.stringMatching(UNVERIFIED) as string),
        );
      }
    });

    test.each([
      ['refused', 'environment', REFUSED],
      ['not verified', 'not', UNVERIFIED],
    ] as const)('a wrong certificate of the proxy: %s, nothing arrives', async (_, off, said) => {
      const runs = WRONG.map((each) => ({ server: RIGHT, proxy: tlsProxy(each), calls }));
      const ended = await callLibrary(node, off, runs);
      for (const [i, wrong] of WRONG.entries()) {
        const outcomes = Object.values(ended[i] ?? {});
        expect(outcomes, wrong).toEqual(calls.map(() => expect.stringMatching(said) as string));
      }
      expect([...arrived, ...through]).toEqual([]);
    });
  });
}
