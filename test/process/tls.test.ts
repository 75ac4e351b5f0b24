import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { basename, join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { nodeUnderTest, standaloneUnderTest } from '../support/run.ts';
import { CLOSED, makeAuthority, makeCertificate, portOf, tlsFront } from '../support/tls.ts';
import {
  awsPlace,
  dynalite,
  failed,
  ok,
  type Place,
  type Running,
  stored,
  vaultPlace,
} from '../end-to-end/backends.ts';
import { runInPlace } from '../end-to-end/exec.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * The command against servers whose certificates are wrong: nothing that it is told makes it accept one.
 */

const folder = temporaryFolder();
const authority = makeAuthority(folder);
const trusted = { AWS_CA_BUNDLE: authority.path };
const off = { NODE_TLS_REJECT_UNAUTHORIZED: '0' };
const WRONG = [
  {
    name: 'self-signed',
    certificate: makeCertificate(folder),
    code: 'SELF_SIGNED',
    hint: /^the certificate of HOST is signed by none of those in AWS_CA_BUNDLE/,
  },
  {
    name: 'of another host',
    certificate: authority.issue('DNS:kms.us-east-1.amazonaws.com'),
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    hint: /^the certificate of HOST is for another host/,
  },
  {
    name: 'expired',
    certificate: authority.issue('IP:127.0.0.1', -1),
    code: 'CERT_HAS_EXPIRED',
    hint: /^the certificate of HOST, or of its authority, is out of date/,
  },
] as const;

let running: Running;
let table: string;
let kms: string;
/** On servers whose certificates are right. */
let right: Place;
const fronts: Server[] = [];
/** How many connections stood, and how many of them carried a request. */
const met = { connections: 0, requests: 0 };

async function front(certificate: (typeof WRONG)[number]['certificate'], to: string) {
  const count = (socket: TLSSocket): void => {
    met.connections += 1;
    socket.once('data', () => (met.requests += 1));
  };
  const server = await tlsFront(certificate, to, count);
  fronts.push(server);
  return `https://127.0.0.1:${portOf(server)}`;
}

beforeAll(async () => {
  running = await dynalite.start();
  const plain = await running.place();
  table = plain.args[1] ?? '';
  kms = running.kms?.url ?? '';
  const certificate = authority.issue();
  right = awsPlace(
    await front(certificate, running.dynamo ?? ''),
    await front(certificate, kms),
    table,
  );
  expect(await right.cs(['put', 'db', 'secret'], { env: trusted })).toEqual(stored('db'));
});
afterAll(async () => {
  for (const each of fronts) each.close();
  await running.close();
});
beforeEach(() => {
  Object.assign(met, { connections: 0, requests: 0 });
});

/** Whether the runtime of the command uses the environment's proxy; Node.js 20 does not. */
const usesProxy =
  standaloneUnderTest() !== undefined ||
  !execFileSync(nodeUnderTest(), ['--version']).toString().startsWith('v20.');

/** The hint of an error, with HOST in the place of a server's address. */
function hintOf(stderr: string): string {
  const [, hint = ''] = /^credstash: hint: (.*)$/m.exec(stderr) ?? [];
  return hint.replaceAll(/127\.0\.0\.1:\d+/g, 'HOST');
}

describe.each(WRONG)('a certificate that is $name', ({ certificate, code, hint }) => {
  test('the hint is about the certificate, with and without a proxy of the environment', async () => {
    const place = awsPlace(await front(certificate, running.dynamo ?? ''), kms, table);
    const proxy = { HTTPS_PROXY: CLOSED, NO_PROXY: '127.0.0.1' };
    const refused = await place.cs(['get', 'db'], { env: trusted });
    expect(refused).toEqual(failed(7, 'DynamoDB cannot be reached', code));
    const direct = hintOf(refused.stderr);
    expect(direct).toMatch(hint);
    expect(direct).not.toContain('proxy');
    const hinted = hintOf(
      (await place.cs(['get', 'db'], { env: { ...trusted, ...proxy } })).stderr,
    );
    expect(hinted).toMatch(hint);
    expect(hinted.includes('the proxy of the environment is used by Node.js 22.21')).toBe(
      !usesProxy,
    );
    expect(met.requests).toBe(0);
  });

  test('of DynamoDB: no request', async () => {
    const place = awsPlace(await front(certificate, running.dynamo ?? ''), kms, table);
    const told = failed(7, 'DynamoDB cannot be reached', code);
    for (const args of [['list'], ['delete', 'db']]) {
      expect(await place.cs(args, { env: trusted }), args.join(' ')).toEqual(told);
    }
    expect(met.requests).toBe(0);
    const env = { ...trusted, ...off };
    expect((await runInPlace(place, ['get', 'db'], { env })).status).toBe(2);
  });

  test('of KMS: no request, and nothing is stored', async () => {
    const dynamo = running.dynamo ?? '';
    const place = awsPlace(dynamo, await front(certificate, kms), table);
    const before = await place.items();
    const told = failed(7, 'KMS cannot be reached', code);
    expect(await place.cs(['get', 'db'], { env: trusted })).toEqual(told);
    expect(await place.cs(['put', 'other', 'x'], { env: trusted })).toEqual(told);
    expect(await place.items()).toEqual(before);
    expect(met.requests).toBe(0);
  });
});

test('the hints about certificates work', async () => {
  const [{ certificate }] = WRONG;
  const place = awsPlace(await front(certificate, running.dynamo ?? ''), kms, table);
  expect(hintOf((await place.cs(['get', 'db'])).stderr)).toMatch(
    /^the certificate of HOST is not signed by a trusted authority: .* with AWS_CA_BUNDLE$/,
  );
  const env = { AWS_CA_BUNDLE: certificate.path };
  expect(await place.cs(['get', 'db'], { env })).toEqual(ok('secret\n'));
  // Another bundle, to which the certificate is added.
  const both = join(folder, 'both.pem');
  writeFileSync(
    both,
    [authority.path, certificate.path].map((path) => readFileSync(path)).join(''),
  );
  const added = { AWS_CA_BUNDLE: both };
  expect(await place.cs(['get', 'db'], { env: added })).toEqual(ok('secret\n'));
  expect(await right.cs(['get', 'db'], { env: added })).toEqual(ok('secret\n'));
});

test('a refused certificate of SSO has the same hint, and it works', async () => {
  const home = join(folder, 'home');
  const cache = join(home, '.aws/sso/cache');
  mkdirSync(cache, { recursive: true });
  const start = { sso_start_url: 'https://start.example', sso_region: 'eu-west-1' };
  const profile = { ...start, sso_account_id: '123456789012', sso_role_name: 'reader' };
  const lines = Object.entries(profile).map(([key, value]) => `${key} = ${value}\n`);
  writeFileSync(join(home, '.aws/config'), `[profile sso]\n${lines.join('')}`);
  writeFileSync(
    join(cache, `${createHash('sha1').update(start.sso_start_url).digest('hex')}.json`),
    JSON.stringify({ accessToken: 'token', expiresAt: '2099-01-01T00:00:00Z' }),
  );
  const [{ certificate }] = WRONG;
  // It answers as no SSO does, which is another error.
  const url = await front(certificate, kms);
  const env = { HOME: home, AWS_ENDPOINT_URL_SSO: url };
  const args = ['-p', 'sso', 'get', 'db'];
  expect(await right.cs(args, { env })).toEqual(failed(7, 'SELF_SIGNED', 'with AWS_CA_BUNDLE'));
  const found = { ...env, AWS_CA_BUNDLE: certificate.path };
  const answered = await right.cs(args, { env: found });
  expect(answered.status).not.toBe(0);
  expect(answered.stderr).not.toMatch(/CERT|certificate/);
});

test('SSL_CERT_FILE and SSL_CERT_DIR add nobody who is trusted, on any runtime', async () => {
  const path = join(folder, 'authorities');
  mkdirSync(path);
  writeFileSync(join(path, basename(authority.path)), readFileSync(authority.path));
  execFileSync('openssl', ['rehash', path]);
  for (const env of [{ SSL_CERT_FILE: authority.path }, { SSL_CERT_DIR: path }]) {
    expect(await right.cs(['get', 'db'], { env })).toEqual(failed(7, /CERT|VERIFY/));
    expect(met.requests).toBe(0);
    const both = { ...env, NODE_EXTRA_CA_CERTS: authority.path };
    expect(await right.cs(['get', 'db'], { env: both })).toEqual(ok('secret\n'));
    met.requests = 0;
  }
});

describe('NODE_TLS_REJECT_UNAUTHORIZED=0', () => {
  const env = { ...trusted, ...off };
  const refusal = failed(
    2,
    'NODE_TLS_REJECT_UNAUTHORIZED=0',
    'env -u NODE_TLS_REJECT_UNAUTHORIZED',
  );

  test.each([
    ['get', 'db'],
    ['put', 'more', 'x'],
    ['getall'],
    ['exec', 'db', '--', 'env'],
    ['setup'],
    ['policy', 'reader'],
  ])('%s is refused, and nobody is connected to', async (...args) => {
    expect(await runInPlace(right, args, { env })).toEqual(refusal);
    expect(met.connections).toBe(0);
  });

  test('is refused by the runtime under test before anybody is connected to', async () => {
    expect(await right.cs(['get', 'db'], { env })).toEqual(refusal);
    expect(met.connections).toBe(0);
  });

  test('is refused on a vault too, and help and the version do without', async () => {
    const vault = vaultPlace(`${folder}/vault`);
    expect(await runInPlace(vault, ['put', 'a', 'x'], { env })).toEqual(refusal);
    expect((await runInPlace(right, ['get', '--help'], { env })).status).toBe(0);
    expect((await right.cs(['--version'], { env })).status).toBe(0);
  });

  test('doctor fails on it, and sends nothing', async () => {
    const ended = await right.cs(['doctor'], { env });
    expect(ended.status).toBe(2);
    expect(ended.stdout).toMatch(
      /^failed +runtime +NODE_TLS_REJECT_UNAUTHORIZED=0 .*\n +.*env -u NODE_TLS_REJECT_UNAUTHORIZED/m,
    );
    expect(ended.stderr).toBe('credstash: error: 1 of 2 checks failed: runtime\n');
    expect(met.connections).toBe(0);
  });

  test('its hint works: without it, and with the certificate named', async () => {
    expect(await right.cs(['get', 'db'])).toEqual(failed(7, /CERT|VERIFY/));
    expect(await right.cs(['get', 'db'], { env: trusted })).toEqual(ok('secret\n'));
  });

  test.each(['', '1', 'false'])(
    '%j does not turn it off, and is no reason to refuse',
    async (value) => {
      const other = { NODE_TLS_REJECT_UNAUTHORIZED: value };
      const env = { ...trusted, ...other };
      expect(await right.cs(['get', 'db'], { env })).toEqual(ok('secret\n'));
      expect(await right.cs(['get', 'db'], { env: other })).toEqual(failed(7, /CERT|VERIFY/));
    },
  );
});

// The single file does not read NODE_OPTIONS.
if (standaloneUnderTest() === undefined) {
  test('a warning of Node.js about security is shown, and its notices about itself are not', async () => {
    const plain = awsPlace(running.dynamo ?? '', kms, table);
    const env = { NODE_OPTIONS: '--insecure-http-parser' };
    const { status, stdout, stderr } = await plain.cs(['get', 'db'], { env });
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'secret\n' });
    expect(stderr).toMatch(/^\(node:\d+\) Warning: Using insecure HTTP parsing\n/);
    expect(stderr).not.toMatch(/SDK|Experimental/);
    expect(await plain.cs(['get', 'db'])).toEqual(ok('secret\n'));
  });
}
