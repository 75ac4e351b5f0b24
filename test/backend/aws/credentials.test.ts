import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpServer, startHttpServer } from '../../support/http-server.ts';
import { inProcess } from '../../support/in-process.ts';
import { run } from '../../support/run.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const CANARY = 'canary-output';
const folder = temporaryFolder();
let server: HttpServer;
let ssoStatus = 200;

/** A container's, an instance's and SSO's endpoint: each path answers with the status in it. */
beforeAll(async () => {
  server = await startHttpServer((request, response) => {
    const status = /\/status\/(\d+)/.exec(request.url ?? '')?.[1];
    if (request.url?.startsWith('/federation/')) {
      response.writeHead(ssoStatus, { 'x-amzn-errortype': 'UnauthorizedException' });
      response.end(JSON.stringify({ message: CANARY }));
    } else if (status) response.writeHead(Number(status)).end(CANARY);
    else response.writeHead(404).end(CANARY);
  });
  const cache = join(folder, '.aws', 'sso', 'cache');
  mkdirSync(cache, { recursive: true });
  const token = (session: string, expiresAt: string): void => {
    const name = createHash('sha1').update(session).digest('hex');
    const content = JSON.stringify({ accessToken: CANARY, expiresAt });
    writeFileSync(join(cache, `${name}.json`), content);
  };
  token('my sso', '2001-01-01T00:00:00Z');
  token('refused', '2999-01-01T00:00:00Z');
  const json = (data: object): string => `printf %s '${JSON.stringify(data)}'`;
  const old = { AccessKeyId: 'AKID', SecretAccessKey: CANARY, Expiration: '2001-01-01T00:00:00Z' };
  const ofSso = 'sso_account_id = 123456789012\nsso_role_name = reader\n';
  writeFileSync(
    join(folder, 'config'),
    `[profile fails]
credential_process = sh -c 'echo ${CANARY}; echo ${CANARY} >&2; exit 3'
[profile garbage]
credential_process = echo ${CANARY}
[profile versionless]
credential_process = ${json({ AccessKeyId: 'AKID', SecretAccessKey: CANARY })}
[profile keyless]
credential_process = ${json({ Version: 1, AccessKeyId: 'AKID' })}
[profile old]
credential_process = ${json({ Version: 1, ...old })}
[profile killed]
credential_process = kill -9 $$
[profile of-fails]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = fails
[profile orphan]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = nowhere
[profile bare]
region = eu-west-1
[profile of-bare]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = bare
[profile loop-a]
role_arn = arn:aws:iam::123456789012:role/a
source_profile = loop-b
[profile loop-b]
role_arn = arn:aws:iam::123456789012:role/b
source_profile = loop-a
[profile half]
aws_access_key_id = AKID
[profile odd-source]
role_arn = arn:aws:iam::123456789012:role/b
credential_source = Moon
[profile "sso profile"]
sso_session = my sso
${ofSso}
[profile sso-none]
sso_session = absent
${ofSso}
[profile sso-new]
sso_session = never
${ofSso}
[profile sso-refused]
sso_session = refused
${ofSso}
[sso-session 'my sso']
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
[sso-session never]
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
[sso-session refused]
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
[profile token-less]
role_arn = arn:aws:iam::123456789012:role/b
web_identity_token_file = ${folder}/absent
`,
  );
  writeFileSync(join(folder, 'newline'), 'token\n');
});
afterAll(async () => {
  await server.close();
});

async function get(args: string[], more: Record<string, string> = {}) {
  const env = {
    HOME: folder,
    AWS_CONFIG_FILE: join(folder, 'config'),
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_ENDPOINT_URL: server.url,
    AWS_MAX_ATTEMPTS: '1',
    ...more,
  };
  const { status, stderr } = await inProcess([...args, 'get', 'x'], { env });
  expect(stderr).not.toContain(CANARY);
  return { status, stderr };
}

describe('a failure of credentials says what failed, of which profile, and quotes nothing', () => {
  it.each<[string, string[]]>([
    ['nobody', ['the profile nobody does not exist', 'the profiles are: fails, garbage']],
    ['fails', ['credential_process of the profile fails ended with status 3']],
    ['of-fails', ['credential_process of the profile fails ended with status 3']],
    ['garbage', ['of the profile garbage printed no valid JSON']],
    ['versionless', ['of the profile versionless printed JSON without "Version": 1']],
    ['keyless', ['of the profile keyless printed no AccessKeyId or no SecretAccessKey']],
    ['old', ['of the profile old gave credentials that have expired']],
    ['killed', ['of the profile killed was ended by SIGKILL']],
    ['orphan', ['the profile nowhere is the source_profile of orphan, and does not exist']],
    ['of-bare', ['the profile bare, which is the source_profile of of-bare, has none']],
    ['bare', ['the profile bare has none']],
    ['loop-a', ['source_profile leads in a circle: loop-a -> loop-b -> loop-a']],
    ['half', ['the profile half has no aws_secret_access_key']],
    ['odd-source', ['credential_source of the profile odd-source must be Environment']],
    [
      'sso profile',
      [
        'the SSO login of the profile sso profile has expired',
        "aws sso login --profile 'sso profile'",
      ],
    ],
    ['sso-none', ['sso-none names the sso-session absent, which does not exist', 'my sso, never']],
    [
      'sso-new',
      ['there is no SSO login of the profile sso-new', 'aws sso login --profile sso-new'],
    ],
    ['token-less', ['web_identity_token_file of the profile token-less) cannot be read (ENOENT)']],
  ])('%s', async (profile, words) => {
    const { status, stderr } = await get(['-p', profile]);
    for (const each of words) expect(stderr).toContain(each);
    expect(status).toBe(6);
  });

  it('an SSO login that SSO refuses', async () => {
    ssoStatus = 401;
    const { status, stderr } = await get(['-p', 'sso-refused']);
    expect(stderr).toContain('the SSO login of the profile sso-refused has expired');
    expect(stderr).toContain('aws sso login --profile sso-refused');
    expect(status).toBe(6);
  });

  it('the container’s endpoint, the instance’s, and a token file with a newline', async () => {
    const uri = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${server.url}/status/403` };
    const container = await get([], uri);
    expect(container.stderr).toContain("the container's endpoint");
    expect(container.stderr).toContain('answered 403');
    const file = join(folder, 'newline');
    const newline = await get([], { ...uri, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file });
    expect(newline.stderr).toContain(`the token file ${file}`);
    expect(newline.stderr).toContain('ends in a newline');
    const instance = await get([], {
      AWS_EC2_METADATA_DISABLED: 'false',
      AWS_EC2_METADATA_SERVICE_ENDPOINT: server.url,
    });
    expect(instance.stderr).toContain("the instance's metadata service answered 404");
    expect([container.status, newline.status, instance.status]).toEqual([6, 6, 6]);
  });

  it('a container’s endpoint that never answers, or answers without end or without credentials', async () => {
    const silent = createServer(() => undefined);
    const endless = createServer((_, response) => {
      const pour = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, 'x')));
      };
      response.on('drain', pour);
      pour();
    });
    const empty = createServer((_, response) => response.end('{}'));
    const servers = [silent, endless, empty];
    const said = await Promise.all(
      servers.map(async (each) => {
        await new Promise<void>((resolve) => each.listen(0, '127.0.0.1', resolve));
        const { port } = each.address() as AddressInfo;
        const uri = `http://127.0.0.1:${port}/role`;
        const env = { AWS_REGION: 'eu-west-1', AWS_CONTAINER_CREDENTIALS_FULL_URI: uri };
        // As a process, which nothing that is open may keep alive.
        const { status, stderr } = await run(['--quiet', 'get', 'db'], { env });
        expect(status).toBe(6);
        return stderr;
      }),
    );
    for (const each of servers) {
      each.close();
      each.closeAllConnections();
    }
    expect(said[0]).toContain("the container's endpoint");
    expect(said[0]).toContain('cannot be reached (TimeoutError)');
    expect(said[1]).toContain('sent an answer without credentials');
    expect(said[2]).toContain('sent an answer without credentials');
    for (const each of said) expect(each).not.toMatch(/smithy|aws-sdk/);
  });

  it('a configuration file that cannot be read, which is a folder or closed', async () => {
    const { status, stderr } = await get(['-p', 'x'], { AWS_CONFIG_FILE: folder });
    expect(stderr).toContain(`${folder} cannot be read (EISDIR)`);
    expect(status).toBe(6);
  });

  it('half of the keys in the environment', async () => {
    const { status, stderr } = await get([], { AWS_ACCESS_KEY_ID: 'AKID' });
    expect(stderr).toContain('AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not');
    expect(status).toBe(6);
  });

  it('--log-level debug and doctor show the chain', async () => {
    const chain =
      'profile of-fails: role arn:aws:iam::123456789012:role/r <- profile fails: credential_process';
    const { stderr } = await get(['-p', 'of-fails', '--log-level', 'debug']);
    expect(stderr).toContain(`credentials: ${chain}`);
    const doctor = await inProcess(['-p', 'of-fails', 'doctor'], {
      env: { HOME: folder, AWS_CONFIG_FILE: join(folder, 'config') },
    });
    expect(doctor.stdout.toString()).toContain(`credentials: ${chain}`);
  });
});
