import { readFileSync, writeFileSync } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { type KmsServer, startKmsServer } from '../support/kms-server.ts';
import { createTable, putRaw, type RawItem, startDynalite } from '../support/dynamo.ts';
import { testCredential } from '../support/sigv4.ts';
import { startStsServer, type StsServer, webIdentityToken } from '../support/sts-server.ts';
import { asText, awsEnv, type Ended, failed, ok, runHere, stored } from './backends.ts';
import { type Recorder, startRecorder } from '../support/recorder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { v } from '../support/version.ts';

const other = { accessKeyId: 'AKIDPROFILE', secretAccessKey: 'secret-key-of-the-profile' };
const role = 'arn:aws:iam::123456789012:role/reader';
const folder = temporaryFolder();
const configFile = join(folder, 'config');
const AWS_CONFIG_FILE = configFile;

let dynamo: Awaited<ReturnType<typeof startDynalite>>;
let kms: KmsServer;
let sts: StsServer;
/** One that knows the keys of the profile. */
let stsOfProfile: StsServer;
let recorder: Recorder;

beforeAll(async () => {
  [dynamo, sts, stsOfProfile] = await Promise.all([
    startDynalite(),
    startStsServer(),
    startStsServer(other),
  ]);
  kms = await startKmsServer({
    credentials: (id) =>
      id === other.accessKeyId ? other : (sts.credentials(id) ?? stsOfProfile.credentials(id)),
  });
  recorder = await startRecorder({ DynamoDB: dynamo.url, KMS: kms.url });
  await createTable(dynamo.url, 'credential-store');
  expect(await cs(['put', 'db', 'secret'])).toEqual(stored('db'));
  writeFileSync(
    configFile,
    `[profile other]
aws_access_key_id = ${other.accessKeyId}
aws_secret_access_key = ${other.secretAccessKey}
region = ap-south-1
[profile role]
role_arn = ${role}
source_profile = other
[profile named]
role_arn = ${role}
source_profile = other
role_session_name = of-the-profile
[profile twice]
role_arn = ${role}2
source_profile = named
[profile misnamed]
role_arn = ${role}
source_profile = role
role_session_name = not valid
[profile app]
aws_access_key_id = ${other.accessKeyId}
aws_secret_access_key = ${other.secretAccessKey}
sdk_ua_app_id = of-the-profile
`,
  );
});
afterAll(async () => {
  await Promise.all([
    dynamo.close(),
    kms.close(),
    sts.close(),
    stsOfProfile.close(),
    recorder.close(),
  ]);
});
beforeEach(() => {
  recorder.requests.length = 0;
  sts.requests.length = 0;
});

async function cs(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return asText(await runHere(args, { env: { ...awsEnv(recorder.url, recorder.url), ...env } }));
}

const noRegion =
  'credstash: warning: no region is set, so us-east-1 is taken: set AWS_REGION or give -r\n';

describe('the region that DynamoDB and KMS are asked in [compat 2]', () => {
  const arn = 'arn:aws:dynamodb:eu-central-2:123456789012:table/credential-store';
  const AWS_REGION = 'eu-west-1';
  const AWS_DEFAULT_REGION = 'eu-west-2';
  const cases: [string, string[], Record<string, string>, string, string][] = [
    ['us-east-1 when nothing says', [], {}, 'us-east-1', 'us-east-1'],
    ['AWS_DEFAULT_REGION', [], { AWS_DEFAULT_REGION }, 'eu-west-2', 'eu-west-2'],
    ['AWS_REGION before it', [], { AWS_REGION, AWS_DEFAULT_REGION }, 'eu-west-1', 'eu-west-1'],
    ['-r before both', ['-r', 'sa-east-1'], { AWS_REGION }, 'sa-east-1', 'sa-east-1'],
    ['the profile', ['-p', 'other'], { AWS_CONFIG_FILE }, 'ap-south-1', 'ap-south-1'],
    ['AWS_PROFILE', [], { AWS_CONFIG_FILE, AWS_PROFILE: 'other' }, 'ap-south-1', 'ap-south-1'],
    [
      'AWS_DEFAULT_REGION before the profile',
      ['-p', 'other'],
      { AWS_CONFIG_FILE, AWS_DEFAULT_REGION },
      'eu-west-2',
      'eu-west-2',
    ],
    [
      '--kms-region for KMS',
      ['--kms-region', 'eu-north-1'],
      { AWS_REGION: 'us-east-1' },
      'us-east-1',
      'eu-north-1',
    ],
    [
      'both options',
      ['--kms-region=eu-north-1', '--region=sa-east-1'],
      {},
      'sa-east-1',
      'eu-north-1',
    ],
  ];
  test.each(cases)('%s', async (title, args, env, table, key) => {
    const stderr = title === 'us-east-1 when nothing says' ? noRegion : '';
    const got = await cs([...args, 'get', 'db'], { AWS_REGION: '', ...env });
    expect(got).toEqual({ ...ok('secret\n'), stderr });
    expect(recorder.requests).toMatchObject([
      { action: 'DynamoDB.Query', region: table },
      { action: 'KMS.Decrypt', region: key },
    ]);
  });

  test('the ARN of a table names its own', async () => {
    // dynalite knows no ARNs: what matters is where the request went.
    await cs(['-t', arn, '-r', 'sa-east-1', 'get', 'db']);
    expect(recorder.requests[0]).toMatchObject({ region: 'eu-central-2' });
  });

  test('kms-region of ~/.credstash, after --kms-region [compat 3]', async () => {
    const HOME = join(folder, 'home');
    await mkdir(HOME);
    const config = join(HOME, '.credstash');
    writeFileSync(config, '{"kms-region": "ca-west-1", "other": 1}');
    const asked = async (...args: string[]): Promise<(string | undefined)[]> => {
      recorder.requests.length = 0;
      expect(await cs(['get', 'db', ...args], { HOME })).toEqual(ok('secret\n'));
      return recorder.requests.map(({ region }) => region);
    };
    expect(await asked()).toEqual(['us-east-1', 'ca-west-1']);
    expect(await asked('-r', 'eu-west-1')).toEqual(['eu-west-1', 'ca-west-1']);
    expect(await asked('--kms-region', 'sa-east-1')).toEqual(['us-east-1', 'sa-east-1']);
    for (const text of ['{}', '{"kms-region": ""}']) {
      writeFileSync(config, text);
      expect(await asked()).toEqual(['us-east-1', 'us-east-1']);
    }
    recorder.requests.length = 0;
    for (const text of ['', 'kms-region: x', '[]', '{"kms-region": 1}']) {
      writeFileSync(config, text);
      expect(await cs(['get', 'db'], { HOME }), text).toEqual(failed(2, `${HOME}/.credstash`));
    }
    expect(recorder.requests).toEqual([]);
  });
});

describe('a warning of the default region', () => {
  const AWS_REGION = '';

  test('comes once for each command, also with --quiet, and not with a region', async () => {
    for (const args of [['list'], ['--quiet', 'get', 'db'], ['policy', 'reader']]) {
      const { status, stderr } = await cs(args, { AWS_REGION });
      expect({ status, stderr }, args.join(' ')).toEqual({ status: 0, stderr: noRegion });
    }
    await createTable(dynamo.url, 'copied');
    const copied = await cs(['copy', '--to-table', 'copied'], { AWS_REGION });
    expect(copied).toMatchObject({ status: 0, stderr: noRegion });
    for (const [args, env] of [
      [['list', '-r', 'us-east-1'], { AWS_REGION }],
      [['list'], { AWS_REGION, AWS_DEFAULT_REGION: 'us-east-1' }],
      [['list', '-p', 'other'], { AWS_REGION, AWS_CONFIG_FILE }],
      [['--local', 'list'], { AWS_REGION, CREDSTASH_LOCAL: '' }],
    ] as const) {
      expect((await cs(args, env)).stderr, args.join(' ')).not.toContain('warning');
    }
  });

  test('does not come in a completion, nor in doctor, which says where the region is from', async () => {
    const completed = await cs(['__complete', 'fish', '--', 'get', ''], { AWS_REGION });
    expect(completed).toEqual(ok('words\ndb\t\n'));
    const { stdout, stderr } = await cs(['doctor'], { AWS_REGION, AWS_ENDPOINT_URL_STS: sts.url });
    expect(stdout).toMatch(/^ok +region +us-east-1 \(the default\)$/m);
    expect(stderr).not.toContain('warning');
  });

  test('is about the KMS key if the ARN of a table names another region, and KMS is asked', async () => {
    const arn = 'arn:aws:dynamodb:eu-central-2:123456789012:table/credential-store';
    // dynalite knows no ARNs.
    recorder.meddle = (action) =>
      Promise.resolve(
        action.startsWith('DynamoDB') ? { status: 200, body: '{"Items":[]}' } : undefined,
      );
    const told = (await cs(['-t', arn, 'put', 'n', 'x'], { AWS_REGION })).stderr;
    const untold = [
      await cs(['-t', arn, 'list'], { AWS_REGION }),
      await cs(['-t', arn, '--kms-region', 'eu-central-2', 'put', 'n', 'x'], { AWS_REGION }),
      await cs(['-t', arn.replace('eu-central-2', 'us-east-1'), 'put', 'n', 'x'], { AWS_REGION }),
    ];
    recorder.meddle = undefined;
    expect(told).toBe(
      'credstash: warning: no region of the KMS key is set, so us-east-1 is taken: set AWS_REGION or give --kms-region\n',
    );
    for (const { status, stderr } of untold)
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

describe('who asks', () => {
  test('-p and AWS_PROFILE: the keys of the profile, for both services', async () => {
    const env = {
      AWS_ENDPOINT_URL_DYNAMODB: recorder.url,
      AWS_ENDPOINT_URL_KMS: recorder.url,
      AWS_CONFIG_FILE: configFile,
    };
    for (const [args, more] of [
      [['-p', 'other', 'get', 'db'], {}],
      [['get', 'db', '--profile=other'], {}],
      [['get', 'db'], { AWS_PROFILE: 'other' }],
    ] as const) {
      recorder.requests.length = 0;
      expect(asText(await runHere(args, { env: { ...env, ...more } }))).toEqual(ok('secret\n'));
      expect(recorder.requests.map(({ accessKeyId }) => accessKeyId)).toEqual([
        other.accessKeyId,
        other.accessKeyId,
      ]);
    }
    recorder.requests.length = 0;
    const missing = asText(
      await runHere(['-p', 'nobody', 'get', 'db'], { env: { ...env, AWS_REGION: 'us-east-1' } }),
    );
    expect(missing).toEqual(failed(6, 'no AWS credentials'));
    expect(recorder.requests).toEqual([]);
  });

  test('AWS_DEFAULT_PROFILE too, and keys in the environment before both, but not before -p [compat 6]', async () => {
    const named = { AWS_CONFIG_FILE, AWS_DEFAULT_PROFILE: 'other' };
    const keys = awsEnv(recorder.url, recorder.url);
    const { AWS_ACCESS_KEY_ID: _, AWS_SECRET_ACCESS_KEY: __, ...endpoints } = keys;
    for (const [args, env, id] of [
      [['get', 'db'], { ...endpoints, ...named }, other.accessKeyId],
      [['get', 'db'], { ...keys, ...named }, testCredential.accessKeyId],
      [['get', 'db'], { ...keys, ...named, AWS_PROFILE: 'other' }, testCredential.accessKeyId],
      [['get', 'db', '-p', 'other'], { ...keys, ...named }, other.accessKeyId],
    ] as const) {
      recorder.requests.length = 0;
      expect(asText(await runHere(args, { env }))).toEqual(ok('secret\n'));
      expect(recorder.requests.map(({ accessKeyId }) => accessKeyId)).toEqual([id, id]);
    }
  });

  test('-n before a command and --arn anywhere assume a role, once for both services [compat 5]', async () => {
    const env = { AWS_ENDPOINT_URL_STS: sts.url };
    for (const args of [
      ['-n', role, 'get', 'db'],
      ['--arn', role, 'get', 'db'],
      ['get', 'db', '--arn', role],
      ['get', `--arn=${role}`, 'db'],
    ]) {
      recorder.requests.length = 0;
      sts.requests.length = 0;
      expect(await cs(args, env), args.join(' ')).toEqual(ok('secret\n'));
      expect(sts.requests).toMatchObject([
        {
          action: 'AssumeRole',
          roleArn: role,
          // The original's, which a trust policy may name.
          roleSessionName: 'AssumeRoleCredstashSession1',
          accessKeyId: testCredential.accessKeyId,
        },
      ]);
      const ids = recorder.requests.map(({ accessKeyId }) => accessKeyId);
      expect(ids).toEqual([ids[0], ids[0]]);
      expect(sts.credentials(ids[0] ?? '')).toBeDefined();
    }
    sts.requests.length = 0;
    expect(await cs(['list', '-n', role], env)).toMatchObject({ status: 0 });
    expect(await cs(['get', '-n', 'db', '--arn', role], env)).toEqual(ok('secret'));
    expect(sts.requests).toHaveLength(2);
  });

  test('-p and -n together, and a profile that has a role itself [compat 5]', async () => {
    const env = { AWS_ENDPOINT_URL_STS: stsOfProfile.url, AWS_CONFIG_FILE: configFile };
    expect(await cs(['-p', 'other', '-n', role, 'get', 'db'], env)).toEqual(ok('secret\n'));
    expect(stsOfProfile.requests).toMatchObject([
      { roleArn: role, accessKeyId: other.accessKeyId },
    ]);
    stsOfProfile.requests.length = 0;
    expect(await cs(['-p', 'role', 'get', 'db'], env)).toEqual(ok('secret\n'));
    expect(stsOfProfile.requests).toMatchObject([
      { roleArn: role, accessKeyId: other.accessKeyId },
    ]);
  });

  test('AWS_ROLE_SESSION_NAME names the session of --arn and of a chain of profiles, after their own', async () => {
    const AWS_ROLE_SESSION_NAME = 'ops+deploy=1,a.b@c-d_e';
    const ofEnvironment = { AWS_ENDPOINT_URL_STS: sts.url, AWS_ROLE_SESSION_NAME };
    expect(await cs(['-n', role, 'get', 'db'], ofEnvironment)).toEqual(ok('secret\n'));
    expect(sts.requests).toMatchObject([{ roleSessionName: AWS_ROLE_SESSION_NAME }]);
    const env = {
      AWS_ENDPOINT_URL_STS: stsOfProfile.url,
      AWS_CONFIG_FILE,
      AWS_ROLE_SESSION_NAME,
    };
    for (const [profile, names] of [
      ['role', [AWS_ROLE_SESSION_NAME]],
      ['named', ['of-the-profile']],
      ['twice', ['of-the-profile', AWS_ROLE_SESSION_NAME]],
    ] as const) {
      stsOfProfile.requests.length = 0;
      expect(await cs(['-p', profile, 'get', 'db'], env)).toEqual(ok('secret\n'));
      expect(stsOfProfile.requests.map((each) => each.roleSessionName)).toEqual(names);
    }
    // An empty one is as good as unset.
    stsOfProfile.requests.length = 0;
    const unset = { ...env, AWS_ROLE_SESSION_NAME: '' };
    expect(await cs(['-p', 'role', 'get', 'db'], unset)).toEqual(ok('secret\n'));
    expect(stsOfProfile.requests[0]?.roleSessionName).toMatch(/^credstash-\d+$/);
  });

  test('AWS_ROLE_SESSION_NAME also names the session of a web identity', async () => {
    const file = join(folder, 'token');
    writeFileSync(file, webIdentityToken);
    const config = join(folder, 'web');
    writeFileSync(
      config,
      `[profile web]\nrole_arn = ${role}\nweb_identity_token_file = ${file}\n` +
        `[profile own]\nrole_arn = ${role}\nweb_identity_token_file = ${file}\nrole_session_name = own\n`,
    );
    const {
      AWS_ACCESS_KEY_ID: _,
      AWS_SECRET_ACCESS_KEY: __,
      ...places
    } = awsEnv(recorder.url, recorder.url);
    const env = {
      ...places,
      AWS_ENDPOINT_URL_STS: sts.url,
      AWS_CONFIG_FILE: config,
      AWS_ROLE_SESSION_NAME: 'pod',
    };
    const variables = { AWS_ROLE_ARN: role, AWS_WEB_IDENTITY_TOKEN_FILE: file };
    for (const [args, more, name] of [
      [['get', 'db'], variables, 'pod'],
      [['get', 'db', '-p', 'web'], {}, 'pod'],
      [['get', 'db', '-p', 'own'], {}, 'own'],
    ] as const) {
      sts.requests.length = 0;
      expect(asText(await runHere(args, { env: { ...env, ...more } }))).toEqual(ok('secret\n'));
      expect(sts.requests).toMatchObject([
        { action: 'AssumeRoleWithWebIdentity', roleSessionName: name },
      ]);
    }
  });

  test.each([
    ['a space', 'a b'],
    ['one character', 'a'],
    ['65 characters', 'x'.repeat(65)],
    ['a slash', 'a/b'],
    ['a letter that is not ASCII', 'är'],
    ['a line break', 'ab\n'],
  ])('a session name with %s is refused before any request, and not quoted', async (_, name) => {
    stsOfProfile.requests.length = 0;
    const said = failed(2, 'AWS_ROLE_SESSION_NAME must be 2 to 64 letters');
    const env = { AWS_ENDPOINT_URL_STS: stsOfProfile.url, AWS_CONFIG_FILE };
    const AWS_ROLE_SESSION_NAME = name;
    for (const args of [
      ['-n', role],
      ['-p', 'role'],
      ['-p', 'twice'],
    ]) {
      expect(await cs([...args, 'get', 'db'], { ...env, AWS_ROLE_SESSION_NAME })).toEqual(said);
    }
    // Nothing is refused that nobody needs.
    expect(await cs(['get', 'db'], { ...env, AWS_ROLE_SESSION_NAME })).toEqual(ok('secret\n'));
    expect(await cs(['-p', 'misnamed', 'get', 'db'], env)).toEqual(
      failed(2, 'role_session_name of the profile misnamed must be'),
    );
    expect(stsOfProfile.requests).toEqual([]);
  });

  test('--external-id is sent with the role of --arn, also for the target of a copy', async () => {
    const env = { AWS_ENDPOINT_URL_STS: sts.url };
    for (const args of [
      ['-n', role, '--external-id', 'Partner:42/a', 'get', 'db'],
      ['get', 'db', '--external-id=Partner:42/a', '--arn', role],
    ]) {
      sts.requests.length = 0;
      expect(await cs(args, env)).toEqual(ok('secret\n'));
      expect(sts.requests).toMatchObject([{ roleArn: role, externalId: 'Partner:42/a' }]);
    }
    sts.requests.length = 0;
    await createTable(dynamo.url, 'partner');
    const copy = ['copy', '-n', role, '--external-id', 'xy', '--to-table', 'partner'];
    expect(await cs(copy, env)).toMatchObject({ status: 0, stderr: '' });
    expect(new Set(sts.requests.map(({ externalId }) => externalId))).toEqual(new Set(['xy']));
    // A hint that names a command names it too.
    const absent = ['-n', role, '--external-id', 'xy', '-t', 'absent', 'list'];
    expect((await cs(absent, env)).stderr).toMatch(/hint: .*credstash .*--external-id xy .*setup/);
  });

  test('--external-id without --arn, empty, or as no external ID can be: exit 2 before any request', async () => {
    const env = { AWS_ENDPOINT_URL_STS: sts.url };
    for (const [args, said] of [
      [['--external-id', 'x1'], '--external-id is for the role of --arn'],
      [['--external-id', 'x1', '-p', 'role'], '--external-id is for the role of --arn'],
      [['--external-id=', '-n', role], 'the value of --external-id is empty'],
      [['--external-id', 'x', '-n', role], 'an external ID has 2 to 1224'],
      [['--external-id', 'a b', '-n', role], 'an external ID has 2 to 1224'],
      [['--external-id', 'x'.repeat(1225), '-n', role], 'an external ID has 2 to 1224'],
    ] as const) {
      expect(await cs([...args, 'get', 'db'], env)).toEqual(failed(2, said));
    }
    expect(sts.requests).toEqual([]);
    expect(recorder.requests).toEqual([]);
  });

  test('a role that is refused: exit 6, and nothing else is asked', async () => {
    sts.deny(true);
    const denied = await cs(['-n', role, 'get', 'db'], { AWS_ENDPOINT_URL_STS: sts.url });
    sts.deny(false);
    expect(denied).toEqual(failed(6, 'access denied', 'sts:AssumeRole', role));
    expect(recorder.requests).toEqual([]);
  });

  test('an MFA device, and nobody to ask: exit 6', async () => {
    const config = join(folder, 'mfa');
    writeFileSync(config, '[default]\nmfa_serial = arn:aws:iam::123456789012:mfa/me\n');
    const env = { AWS_ENDPOINT_URL_STS: sts.url, AWS_CONFIG_FILE: config };
    const asks = failed(
      6,
      'the MFA device arn:aws:iam::123456789012:mfa/me wants a code, and there is no terminal to ask on',
    );
    expect(await cs(['-n', role, 'get', 'db'], env)).toEqual(asks);
    expect(sts.requests).toEqual([]);
  });
});

describe('the user agent', () => {
  const ours = `credstash-cli/${manifest.version}`;
  const agents = (...servers: { requests: { userAgent: string | undefined }[] }[]): string[] =>
    servers.flatMap(({ requests }) => requests.map(({ userAgent }) => userAgent ?? ''));

  test('of every request names the command and its version', async () => {
    const env = { AWS_ENDPOINT_URL_STS: sts.url };
    expect(await cs(['-n', role, 'get', 'db'], env)).toEqual(ok('secret\n'));
    expect(await cs(['doctor'], env)).toMatchObject({ stderr: expect.any(String) as string });
    expect(sts.requests.map(({ action }) => action)).toEqual(['AssumeRole', 'GetCallerIdentity']);
    stsOfProfile.requests.length = 0;
    const chain = { AWS_ENDPOINT_URL_STS: stsOfProfile.url, AWS_CONFIG_FILE };
    expect(await cs(['-p', 'twice', 'get', 'db'], chain)).toEqual(ok('secret\n'));
    expect(stsOfProfile.requests).toHaveLength(2);
    for (const agent of agents(sts, stsOfProfile, recorder)) {
      expect(agent.split(' ')).toContain(ours);
      expect(agent).not.toContain('app/');
    }
    expect(agents(recorder).length).toBeGreaterThan(4);
  });

  test.each([
    ['AWS_SDK_UA_APP_ID', { AWS_SDK_UA_APP_ID: 'billing' }, [], 'app/billing'],
    ['sdk_ua_app_id', { AWS_CONFIG_FILE }, ['-p', 'app', '-r', 'us-east-1'], 'app/of-the-profile'],
  ])('keeps the application that %s names', async (_, env, args, app) => {
    expect(await cs([...args, 'get', 'db'], env)).toEqual(ok('secret\n'));
    expect(recorder.requests).toHaveLength(2);
    for (const agent of agents(recorder)) {
      expect(agent.split(' ')).toEqual(expect.arrayContaining([ours, app]));
    }
  });
});

describe('where it is', () => {
  test('AWS_ENDPOINT_URL is for every service', async () => {
    const env = {
      AWS_REGION: 'us-east-1',
      AWS_ENDPOINT_URL: recorder.url,
      AWS_ACCESS_KEY_ID: testCredential.accessKeyId,
      AWS_SECRET_ACCESS_KEY: testCredential.secretAccessKey,
    };
    expect(asText(await runHere(['get', 'db'], { env }))).toEqual(ok('secret\n'));
    expect(recorder.requests).toHaveLength(2);
  });

  test('-t, CREDSTASH_DEFAULT_TABLE, credential-store [compat 4]', async () => {
    await createTable(dynamo.url, 'second');
    await createTable(dynamo.url, 'third');
    await cs(['-t', 'second', 'put', 'db', 'of the second']);
    await cs(['--table=third', 'put', 'db', 'of the third']);
    const env = { CREDSTASH_DEFAULT_TABLE: 'second' };
    expect(await cs(['get', 'db'], env)).toEqual(ok('of the second\n'));
    expect(await cs(['get', 'db', '-t', 'third'], env)).toEqual(ok('of the third\n'));
    expect(await cs(['get', 'db'], { CREDSTASH_DEFAULT_TABLE: '' })).toEqual(ok('secret\n'));
  });
});

describe('the vault', () => {
  const local = async (args: string[], env: Record<string, string>): Promise<Ended> =>
    asText(await runHere(args, { env: { HOME: folder, ...env } }));

  test('--local, --local=FOLDER, CREDSTASH_LOCAL and the XDG rules name its folder', async () => {
    const at = async (path: string, args: string[], env: Record<string, string> = {}) => {
      const full = join(folder, path);
      expect(await local([...args, 'setup'], env)).toEqual(
        ok(`The vault ${full} has been created\n`),
      );
    };
    await at('.local/share/credstash', ['--local']);
    await at('data/credstash', ['--local'], { XDG_DATA_HOME: join(folder, 'data') });
    await at('data2/credstash', [], {
      CREDSTASH_LOCAL: '1',
      XDG_DATA_HOME: join(folder, 'data2'),
    });
    await at('named', [`--local=${folder}/named`]);
    await at('tilde/deep/er', ['--local=~/tilde/deep/er']);
    await at('env', [], { CREDSTASH_LOCAL: join(folder, 'env') });
    await at('nearer', [`--local=${folder}/nearer`], { CREDSTASH_LOCAL: '1' });
    const known = '/.local/share/credstash already exists\n';
    const relative = await local(['setup', '--local'], { XDG_DATA_HOME: 'relative' });
    expect(relative.stdout).toContain(known);
    expect((await local(['--local', 'setup'], {})).stdout).toContain(known);
    for (const CREDSTASH_LOCAL of ['', '0']) {
      const env = { CREDSTASH_LOCAL, AWS_REGION: 'us-east-1' };
      expect(await local(['list'], env)).toEqual(failed(6, 'no AWS credentials'));
    }
  });

  test('options of AWS are refused, and those of the environment not looked at', async () => {
    const vault = `--local=${folder}/refuses`;
    for (const [option, ...rest] of [
      ['-r', 'us-east-1'],
      ['--kms-region', 'us-east-1'],
      ['-t', 'table'],
      ['-p', 'profile'],
      ['-n', role],
      ['--external-id', 'x1'],
    ]) {
      const args = [String(option), ...rest, vault, 'list'];
      expect(await local(args, {})).toEqual(failed(2, `${String(option)} is for AWS`, '--local'));
    }
    const env = { AWS_PROFILE: 'nobody', AWS_REGION: 'nowhere', CREDSTASH_DEFAULT_TABLE: '!' };
    expect(await local([vault, 'put', 'a', 'x'], env)).toEqual(stored('a'));
    expect(await local([vault, 'list'], env)).toEqual(ok(`a -- version ${v(1)} -- comment \n`));
  });

  test('a folder or a key that others can open: exit 6, and the chmod to do', async () => {
    const path = join(folder, 'open');
    const vault = `--local=${path}`;
    expect(await local([vault, 'put', 'a', 'x'], {})).toEqual(stored('a'));
    const commands = [['get', 'a'], ['list'], ['put', 'b', 'x'], ['delete', 'a'], ['setup']];
    for (const mode of [0o750, 0o705, 0o711]) {
      await chmod(path, mode);
      for (const command of commands) {
        const refused = failed(6, `others than you can open ${path}`, `hint: chmod 700 '${path}'`);
        expect(await local([vault, ...command], {}), command.join(' ')).toEqual(refused);
      }
    }
    await chmod(path, 0o700);
    await chmod(join(path, 'master.key'), 0o640);
    const key = failed(6, `open ${path}/master.key`, `chmod 600 '${path}/master.key'`);
    expect(await local([vault, 'get', 'a'], {})).toEqual(key);
    await chmod(join(path, 'master.key'), 0o600);
    expect(await local([vault, 'get', 'a'], {})).toEqual(ok('x\n'));
  });
});

describe('entries that the original credstash 1.17.1 wrote', () => {
  interface Vector {
    item: RawItem;
    context: Record<string, string>;
    dataKey: string;
    secret: string;
  }
  const vectors = (
    JSON.parse(
      readFileSync(join(import.meta.dirname, '../vectors/credstash-1.17.1.json'), 'utf8'),
    ) as { items: Vector[] }
  ).items;
  const text = (item: RawItem, name: string): string => {
    const value = item[name];
    if (!value || !('S' in value) || typeof value.S !== 'string')
      throw new Error(`${name} is no text`);
    return value.S;
  };

  test('every one opens, byte for byte, and lists [compat 47]', async () => {
    await createTable(dynamo.url, 'original');
    for (const { item, context, dataKey } of vectors) {
      await putRaw(dynamo.url, 'original', item);
      const wrapped = Buffer.from(text(item, 'key'), 'base64');
      kms.importDataKey(wrapped, context, Buffer.from(dataKey, 'base64'));
    }
    expect(vectors.length).toBeGreaterThan(30);
    const env = { ...awsEnv(dynamo.url, kms.url), CREDSTASH_DEFAULT_TABLE: 'original' };
    for (const { item, context, secret } of vectors) {
      const name = text(item, 'name');
      const pairs = Object.entries(context).map(([key, value]) => `${key}=${value}`);
      const version = ['-v', text(item, 'version')];
      const got = await runHere(['get', '-n', ...version, '--', name, ...pairs], { env });
      expect(got, name).toMatchObject({ status: 0, stderr: '' });
      expect(Buffer.compare(got.stdout, Buffer.from(secret)), name).toBe(0);
    }
    const { stdout } = await runHere(['list', '--json'], { env });
    expect(JSON.parse(stdout.toString())).toHaveLength(vectors.length);
  });
});
