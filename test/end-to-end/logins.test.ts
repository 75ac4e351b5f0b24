import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { type Aws, startAws } from '../support/aws.ts';
import { startDynalite } from '../support/dynamo.ts';
import { type HttpServer, startHttpServer } from '../support/http-server.ts';
import { type KmsServer, startKmsServer } from '../support/kms-server.ts';
import { run } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { CLOSED } from '../support/tls.ts';

/*
 * Where credentials come from that a person logs in for, or that an instance has: the built command at servers on this machine.
 * A bundle loads the SDK's providers in another way than its packages do.
 */

const CANARY = 'canary-token';
const FUTURE = '2999-01-01T00:00:00Z';
const PAST = '2001-01-01T00:00:00Z';

/** The credentials that each kind of login gives. */
const issued = {
  sso: { accessKeyId: 'ASIASSO', secretAccessKey: 'of-sso', sessionToken: 'session-of-sso' },
  login: { accessKeyId: 'ASIALOGIN', secretAccessKey: 'of-login', sessionToken: 'session-login' },
  renewed: { accessKeyId: 'ASIARENEW', secretAccessKey: 'renewed', sessionToken: 'session-renew' },
  instance: { accessKeyId: 'ASIAEC2', secretAccessKey: 'of-ec2', sessionToken: 'session-of-ec2' },
};

const folder = temporaryFolder();
let aws: Aws;
let kms: KmsServer;
/** SSO, SSO OIDC, the sign-in service, an instance's metadata service and one of another instance. */
let portal: HttpServer;
let oidc: HttpServer;
let signin: HttpServer;
let instance: HttpServer;
let other: HttpServer;
/** What each was asked: `portal GET /federation/credentials`. */
const asked: string[] = [];
let token = CANARY;

function record(name: string, answer: (url: URL, body: string) => object | string) {
  return startHttpServer(({ method = '', url = '', headers }, response, body) => {
    const parsed = new URL(url, 'http://portal');
    asked.push(`${name} ${method} ${parsed.pathname}`);
    if (headers.host !== `127.0.0.1:${String(response.socket?.localPort)}`) {
      response.writeHead(400).end();
      return;
    }
    const sends = headers['user-agent']?.includes(` credstash-cli/${manifest.version}`);
    if (['portal', 'oidc', 'signin'].includes(name) && !sends) {
      response.writeHead(400).end();
      return;
    }
    if (name === 'portal' && headers['x-amz-sso_bearer_token'] !== token) {
      response.writeHead(401, { 'x-amzn-errortype': 'UnauthorizedException' }).end('{}');
      return;
    }
    const answered = answer(parsed, body.toString());
    response.end(typeof answered === 'string' ? answered : JSON.stringify(answered));
  });
}

const loginCache = (): string => join(folder, '.aws', 'login', 'cache');

function writeSsoToken(session: string, expiresAt: string, accessToken = CANARY): void {
  const cache = join(folder, '.aws', 'sso', 'cache');
  mkdirSync(cache, { recursive: true });
  const name = createHash('sha1').update(session).digest('hex');
  const client = { clientId: 'client', clientSecret: CANARY, refreshToken: CANARY };
  writeFileSync(
    join(cache, `${name}.json`),
    JSON.stringify({ accessToken, expiresAt, ...client, region: 'us-east-1' }),
  );
}

function writeLogin(session: string, expiresAt: string): string {
  mkdirSync(loginCache(), { recursive: true });
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const path = join(loginCache(), `${createHash('sha256').update(session).digest('hex')}.json`);
  const content = {
    accessToken: { ...issued.login, accountId: '123456789012', expiresAt },
    clientId: 'arn:aws:signin:::devtools/same-device',
    refreshToken: CANARY,
    dpopKey: privateKey.export({ type: 'sec1', format: 'pem' }),
  };
  writeFileSync(path, JSON.stringify(content));
  return path;
}

const SESSION = 'arn:aws:iam::123456789012:user/tester';

beforeAll(async () => {
  aws = await startAws(startDynalite);
  kms = await startKmsServer({
    credentials: (id) => Object.values(issued).find(({ accessKeyId }) => accessKeyId === id),
  });
  portal = await record('portal', () => ({
    roleCredentials: { ...issued.sso, expiration: Date.parse(FUTURE) },
  }));
  oidc = await record('oidc', () => {
    token = 'renewed-token';
    return { accessToken: token, expiresIn: 3600, refreshToken: CANARY, tokenType: 'Bearer' };
  });
  signin = await record('signin', () => ({
    accessToken: issued.renewed,
    tokenType: 'aws_sigv4',
    expiresIn: 900,
    refreshToken: CANARY,
  }));
  const metadata = ({ pathname }: URL): object | string => {
    if (pathname === '/latest/api/token') return 'imds-token';
    if (pathname.endsWith('/security-credentials/')) return 'role';
    const { accessKeyId, secretAccessKey, sessionToken } = issued.instance;
    const keys = { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey };
    return { Code: 'Success', ...keys, Token: sessionToken, Expiration: FUTURE };
  };
  instance = await record('instance', metadata);
  other = await record('other', metadata);
  const ofSso = 'sso_account_id = 123456789012\nsso_role_name = reader\n';
  const session = 'sso_start_url = https://example.awsapps.com/start\nsso_region = us-east-1\n';
  writeFileSync(
    join(folder, 'config'),
    `[profile "sso profile"]
sso_session = my sso
${ofSso}
[profile plain]
sso_session = plain
${ofSso}
[profile unreachable]
sso_session = unreachable
${ofSso}
[profile old-style]
${session}${ofSso}
[sso-session 'my sso']
${session}
[sso-session plain]
${session}
[sso-session unreachable]
${session}
[profile "log in"]
region = eu-west-1
login_session = ${SESSION}
[profile of-login]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = nobody in
[profile "nobody in"]
region = eu-west-1
login_session = nobody
[profile instance]
ec2_metadata_service_endpoint = ${instance.url}
[profile other]
ec2_metadata_service_endpoint = ${other.url}
[profile wrong]
ec2_metadata_service_endpoint = 169.254.169.254
`,
  );
});
beforeEach(() => {
  asked.length = 0;
  kms.requests.length = 0;
  token = CANARY;
});
afterAll(async () => {
  await Promise.all([aws, kms, portal, oidc, signin, instance, other].map((each) => each.close()));
});

async function cs(args: string[], more: Record<string, string> = {}) {
  const env = {
    HOME: folder,
    AWS_CONFIG_FILE: join(folder, 'config'),
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_ENDPOINT_URL_DYNAMODB: aws.dynamo.url,
    AWS_ENDPOINT_URL_KMS: kms.url,
    AWS_ENDPOINT_URL_SSO: portal.url,
    AWS_ENDPOINT_URL_SSO_OIDC: oidc.url,
    AWS_ENDPOINT_URL_SIGNIN: signin.url,
    AWS_MAX_ATTEMPTS: '1',
    ...more,
  };
  const { status, stdout, stderr } = await run(args, { env });
  expect(stdout.toString() + stderr).not.toContain(CANARY);
  return { status, stdout: stdout.toString(), stderr };
}

/** Whose credentials KMS was asked with. */
const callers = (): (string | undefined)[] => kms.requests.map((each) => each.accessKeyId);

describe('an SSO login', () => {
  it.each([
    ['sso profile', 'my sso'],
    ['old-style', 'https://example.awsapps.com/start'],
  ])('of the profile %s gives credentials', async (profile, session) => {
    writeSsoToken(session, FUTURE);
    expect(await cs(['-p', profile, 'put', '-a', 'sso', 'x'])).toMatchObject({ status: 0 });
    expect(asked).toEqual(['portal GET /federation/credentials']);
    expect(callers()).toEqual(['ASIASSO']);
  });

  it('that has expired is renewed at the endpoint of SSO OIDC, and used at that of SSO', async () => {
    writeSsoToken('plain', PAST, 'old-token');
    expect(await cs(['-p', 'plain', 'put', '-a', 'sso', 'x'])).toMatchObject({ status: 0 });
    expect(asked).toEqual(['oidc POST /token', 'portal GET /federation/credentials']);
    expect(callers()).toEqual(['ASIASSO']);
  });

  it('that cannot be renewed says at which host', async () => {
    writeSsoToken('unreachable', PAST, 'old-token');
    const { status, stderr } = await cs(['-p', 'unreachable', 'get', 'x'], {
      AWS_ENDPOINT_URL_SSO_OIDC: CLOSED,
    });
    expect(stderr).toContain('the SSO login of the profile unreachable has expired');
    expect(stderr).toContain('127.0.0.1:1 cannot be reached to renew it (ECONNREFUSED)');
    expect(stderr).toContain('aws sso login --profile unreachable');
    expect(status).toBe(6);
  });

  it('whose portal cannot be reached says which host', async () => {
    writeSsoToken('my sso', FUTURE);
    const { status, stderr } = await cs(['-p', 'sso profile', 'get', 'x'], {
      AWS_ENDPOINT_URL_SSO: CLOSED,
    });
    expect(stderr).toContain('for the profile sso profile (ECONNREFUSED, 127.0.0.1:1)');
    expect(status).toBe(7);
  });

  it('that SSO refuses has expired', async () => {
    writeSsoToken('my sso', FUTURE, 'revoked');
    const { status, stderr } = await cs(['-p', 'sso profile', 'get', 'x']);
    expect(stderr).toContain('the SSO login of the profile sso profile has expired\n');
    expect(stderr).toContain("aws sso login --profile 'sso profile'");
    expect(status).toBe(6);
  });
});

describe('aws login', () => {
  it('gives credentials', async () => {
    writeLogin(SESSION, FUTURE);
    expect(await cs(['-p', 'log in', 'put', '-a', 'login', 'x'])).toMatchObject({ status: 0 });
    expect(asked).toEqual([]);
    expect(callers()).toEqual(['ASIALOGIN']);
  });

  it('that has expired is renewed, and kept', async () => {
    const path = writeLogin(SESSION, PAST);
    for (let times = 0; times < 2; times += 1) {
      expect(await cs(['-p', 'log in', 'put', '-a', 'login', 'x'])).toMatchObject({ status: 0 });
    }
    expect(asked).toEqual(['signin POST /v1/token']);
    expect(callers()).toEqual(['ASIARENEW', 'ASIARENEW']);
    expect(readFileSync(path, 'utf8')).toContain('ASIARENEW');
  });

  it.each<[string, (path: string) => void, Record<string, string>, string]>([
    [
      'missing',
      (path) => {
        rmSync(path);
      },
      {},
      'there is no login of the profile log in',
    ],
    [
      'broken',
      (path) => {
        writeFileSync(path, `{"accessToken": "${CANARY}`);
      },
      {},
      'the file with the login of the profile log in is not valid',
    ],
    [
      'expired, with the service out of reach',
      () => undefined,
      { AWS_ENDPOINT_URL_SIGNIN: CLOSED },
      'the login of the profile log in has expired, and 127.0.0.1:1 cannot be reached to renew it (ECONNREFUSED)',
    ],
    [
      'expired, and refused',
      () => undefined,
      // It answers what is no token.
      { AWS_ENDPOINT_URL_SIGNIN: 'PORTAL' },
      'the login of the profile log in has expired',
    ],
  ])('that is %s says so, with the command that helps', async (_, spoil, more, words) => {
    spoil(writeLogin(SESSION, PAST));
    const url = more['AWS_ENDPOINT_URL_SIGNIN'] === 'PORTAL' ? portal.url : undefined;
    const { status, stderr } = await cs(['-p', 'log in', 'get', 'x'], {
      ...more,
      ...(url === undefined ? {} : { AWS_ENDPOINT_URL_SIGNIN: url }),
    });
    expect(stderr).toContain(`${words}\n`);
    expect(stderr).toContain("hint: log in: aws login --profile 'log in'\n");
    expect(status).toBe(6);
  });

  it('of a source_profile is named by that profile', async () => {
    const { status, stderr } = await cs(['-p', 'of-login', 'get', 'x']);
    expect(stderr).toContain('there is no login of the profile nobody in');
    expect(stderr).toContain("aws login --profile 'nobody in'");
    expect(status).toBe(6);
  });
});

describe("an instance's metadata service", () => {
  // 0 and no mean to leave it on.
  it.each(['false', '0', 'no'])(
    'is that of the profile in use, never that of AWS_PROFILE (AWS_EC2_METADATA_DISABLED=%s)',
    async (off) => {
      const more = { AWS_PROFILE: 'other', AWS_EC2_METADATA_DISABLED: off };
      const put = await cs(['-p', 'instance', 'put', '-a', 'ec2', 'x'], more);
      expect(put).toMatchObject({ status: 0 });
      expect(new Set(asked.map((each) => each.split(' ')[0]))).toEqual(new Set(['instance']));
      expect(callers()).toEqual(['ASIAEC2']);
    },
  );

  it('is that of the environment before it', async () => {
    const more = { AWS_EC2_METADATA_SERVICE_ENDPOINT: other.url, AWS_EC2_METADATA_DISABLED: 'no' };
    expect(await cs(['-p', 'instance', 'put', '-a', 'ec2', 'x'], more)).toMatchObject({
      status: 0,
    });
    expect(new Set(asked.map((each) => each.split(' ')[0]))).toEqual(new Set(['other']));
  });

  it('must have an http or https URL', async () => {
    const { status, stderr } = await cs(['-p', 'wrong', 'get', 'x'], {
      AWS_EC2_METADATA_DISABLED: 'false',
    });
    expect(stderr).toContain('ec2_metadata_service_endpoint of the profile wrong is not an http');
    expect(status).toBe(2);
  });
});
