import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { getEndpointFromInstructions } from '@smithy/core/endpoints';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { findClientSettings, findEndpoints } from '../../../src/backend/aws/client-settings.ts';
import { resolveEndpoint } from '../../../src/backend/aws/resolve-endpoint.ts';
import { type Aws, startAws } from '../../support/aws.ts';
import { startDynalite } from '../../support/dynamo.ts';
import { inProcess } from '../../support/in-process.ts';
import { testCredential } from '../../support/sigv4.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { CLOSED } from '../../support/tls.ts';

let a: Aws;
let b: Aws;
const folder = temporaryFolder();
let env: Record<string, string>;

const keys = `aws_access_key_id = ${testCredential.accessKeyId}\naws_secret_access_key = ${testCredential.secretAccessKey}\n`;

beforeAll(async () => {
  [a, b] = await Promise.all([startAws(startDynalite), startAws(startDynalite)]);
  const place = (name: string, { dynamo, kms }: Aws): string =>
    `[services in ${name}]\n[services ${name}]\ndynamodb =\n  endpoint_url = ${dynamo.url}\nkms =\n  endpoint_url = ${kms.url} # local\n`;
  const config = [
    `[profile a]\nservices = a\n${keys}`,
    `[profile b]\nservices = b\n${keys}`,
    `[profile "dq name"]\nregion = eu-north-1\nservices = 'b'\nservices = b\n${keys}`,
    `[profile 'sq "name"']\nregion = eu-south-1\nservices = b\n${keys}`,
    `[profile esc\\ aped] ; comment\nRegion: eu-west-3\nservices = b\n${keys}`,
    place('a', a),
    place('b', b),
  ];
  writeFileSync(join(folder, 'config'), config.join('\n'));
  env = {
    HOME: folder,
    AWS_CONFIG_FILE: join(folder, 'config'),
    AWS_EC2_METADATA_DISABLED: 'true',
  };
});
beforeEach(() => {
  for (const { kms } of [a, b]) kms.requests.length = 0;
});
afterAll(async () => {
  await Promise.all([a.close(), b.close()]);
});

async function cs(args: string[], more: Record<string, string> = {}) {
  const { status, stdout, stderr } = await inProcess(args, { env: { ...env, ...more } });
  return { status, stdout: stdout.toString(), stderr };
}

describe('the endpoint', () => {
  it('is that of the profile given, never that of AWS_PROFILE', async () => {
    const ofA = { AWS_PROFILE: 'a' };
    expect(await cs(['-p', 'b', 'put', 'one', 'of b'], ofA)).toMatchObject({ status: 0 });
    expect([a.kms.requests.length, b.kms.requests.length]).toEqual([0, 1]);
    expect(await cs(['get', 'one'], ofA)).toMatchObject({ status: 3 });
    expect(await cs(['get', 'one'], { AWS_PROFILE: 'b' })).toMatchObject({ stdout: 'of b\n' });
  });

  it('of a copy’s target is that of --to-profile', async () => {
    const ofA = { AWS_PROFILE: 'a' };
    expect(await cs(['put', 'backed-up', 'of a'], ofA)).toMatchObject({ status: 0 });
    const copied = await cs(['copy', 'backed-up', '--to-profile', 'b'], ofA);
    expect(copied).toMatchObject({ status: 0 });
    expect(await cs(['-p', 'b', 'get', 'backed-up'], ofA)).toMatchObject({ stdout: 'of a\n' });
  });

  it('that doctor names is the one in use', async () => {
    const more = { AWS_PROFILE: 'a', AWS_ENDPOINT_URL_STS: CLOSED };
    const { stdout } = await cs(['-p', 'b', 'doctor'], more);
    const of = (key: string): string => `${key} of the services section of the profile b`;
    expect(stdout).toContain(`DynamoDB: ${b.dynamo.url} (${of('dynamodb.endpoint_url')})\n`);
    expect(stdout).toContain(`KMS: ${b.kms.url} (${of('kms.endpoint_url')})\n`);
    expect(stdout).toContain('STS: http://127.0.0.1:1 (AWS_ENDPOINT_URL_STS)\n');
    expect(stdout).not.toContain(a.dynamo.url);
    expect(a.kms.requests).toEqual([]);
  });

  it('of the environment comes before the profile, and can be ignored', async () => {
    const atA = { AWS_ENDPOINT_URL_DYNAMODB: a.dynamo.url, AWS_ENDPOINT_URL: a.kms.url };
    expect(await cs(['-p', 'b', 'put', 'two', 'x'], atA)).toMatchObject({ status: 0 });
    expect([a.kms.requests.length, b.kms.requests.length]).toEqual([1, 0]);
    vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'config'));
    vi.stubEnv('AWS_ENDPOINT_URL', CLOSED);
    vi.stubEnv('AWS_IGNORE_CONFIGURED_ENDPOINT_URLS', 'true');
    expect(findEndpoints({ profile: 'b' })).toEqual({});
    vi.unstubAllEnvs();
  });

  it.each([
    ['dq name', 'eu-north-1'],
    ['sq "name"', 'eu-south-1'],
    ['esc aped', 'eu-west-3'],
  ])(
    'and the region and keys of the profile %s are found, as botocore reads its name',
    async (profile, region) => {
      expect(await cs(['-p', profile, 'put', '-a', 'spaced', 'x'])).toMatchObject({ status: 0 });
      expect(b.kms.requests).toMatchObject([{ region }]);
    },
  );
});

describe('a copy to another region', () => {
  it.each([
    ['its own key', '{}', [], [], 'eu-west-1'],
    ['that of kms-region', '{"kms-region": "ca-west-1"}', [], [], 'ca-west-1'],
    [
      'that of --to-kms-region',
      '{}',
      ['--to-kms-region', 'sa-east-1'],
      ['--kms-region', 'sa-east-1'],
      'sa-east-1',
    ],
  ])('is under %s, which the next get asks', async (_, config, to, next, region) => {
    writeFileSync(join(folder, '.credstash'), config);
    const name = `copied-${region}`;
    await cs(['-p', 'a', 'put', name, 'value']);
    const args = ['copy', name, '-p', 'a', '--to-profile', 'b', '--to-region', 'eu-west-1', ...to];
    expect(await cs(args)).toMatchObject({ status: 0 });
    const got = await cs(['-p', 'b', '-r', 'eu-west-1', ...next, 'get', name]);
    expect(got).toMatchObject({ status: 0, stdout: 'value\n' });
    expect(b.kms.requests.map((request) => request.region)).toEqual(
      b.kms.requests.map(() => region),
    );
    expect(b.kms.requests.length).toBeGreaterThan(1);
    writeFileSync(join(folder, '.credstash'), '{}');
  });
});

describe('a setting that cannot be right is a usage error that names it', () => {
  it.each<[string, Record<string, string>]>([
    ['AWS_ENDPOINT_URL is not', { AWS_ENDPOINT_URL: 'localhost:8000' }],
    ['AWS_ENDPOINT_URL_KMS is not', { AWS_ENDPOINT_URL_KMS: 'ftp://x' }],
    ['AWS_ENDPOINT_URL_STS is not', { AWS_ENDPOINT_URL_STS: 'http://' }],
    ['AWS_USE_FIPS_ENDPOINT cannot', { AWS_USE_FIPS_ENDPOINT: 'true' }],
    ['AWS_USE_DUALSTACK_ENDPOINT cannot', { AWS_USE_DUALSTACK_ENDPOINT: 'True' }],
    ['AWS_STS_REGIONAL_ENDPOINTS must', { AWS_STS_REGIONAL_ENDPOINTS: 'global' }],
    ['AWS_RETRY_MODE must', { AWS_RETRY_MODE: 'never' }],
    ['AWS_MAX_ATTEMPTS must', { AWS_MAX_ATTEMPTS: 'three' }],
    ['AWS_MAX_ATTEMPTS must', { AWS_MAX_ATTEMPTS: '0' }],
    ['AWS_ACCOUNT_ID_ENDPOINT_MODE must', { AWS_ACCOUNT_ID_ENDPOINT_MODE: 'off' }],
    ['AWS_CA_BUNDLE', { AWS_CA_BUNDLE: 'config' }],
  ])('%s (%j)', async (words, setting) => {
    const settings = Object.entries(setting).map(([name, value]): [string, string] => [
      name,
      name === 'AWS_CA_BUNDLE' ? join(folder, value) : value,
    ]);
    const ended = await cs(['-p', 'a', 'put', 'x', 'y'], Object.fromEntries(settings));
    expect(ended.status).toBe(2);
    expect(ended.stderr).toContain(words);
    expect(a.kms.requests).toEqual([]);
  });

  it.each(['0', '1', 'yes', 'no'])('but a switch that is %s is off, as in boto', async (value) => {
    const more = {
      AWS_USE_FIPS_ENDPOINT: value,
      AWS_USE_DUALSTACK_ENDPOINT: value,
      AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: value,
      AWS_ENDPOINT_URL_STS: CLOSED,
    };
    expect(await cs(['-p', 'a', 'put', '-a', 'switch', 'x'], more)).toMatchObject({ status: 0 });
    expect(a.kms.requests).toHaveLength(1);
    const { stdout } = await cs(['-p', 'a', 'doctor'], more);
    const isOdd = ['1', 'yes'].includes(value);
    for (const name of Object.keys(more).slice(0, 3)) {
      const warning = `warning  configuration  ${name} counts as false\n`;
      expect(stdout.includes(warning), name).toBe(isOdd);
    }
  });

  it.each([
    [undefined, 'eu-west-1', 'sts.eu-west-1.amazonaws.com'],
    ['regional', 'eu-west-1', 'sts.eu-west-1.amazonaws.com'],
    ['legacy', 'eu-west-1', 'sts.amazonaws.com'],
    // This region never had the global endpoint.
    ['legacy', 'eu-south-1', 'sts.eu-south-1.amazonaws.com'],
  ])('and sts_regional_endpoints %s in %s asks %s', async (value, region, host) => {
    if (value !== undefined) vi.stubEnv('AWS_STS_REGIONAL_ENDPOINTS', value);
    const { settings } = findClientSettings({});
    vi.unstubAllEnvs();
    const { config } = new STSClient({ ...settings, region, credentials: testCredential });
    const { url } = await getEndpointFromInstructions({}, GetCallerIdentityCommand, config);
    expect(url.host).toBe(host);
    expect((await resolveEndpoint(config)).href).toBe(url.href);
  });

  it.each([
    {},
    { useFipsEndpoint: true },
    { useDualstackEndpoint: true },
    { endpoint: 'http://127.0.0.1:1234/path' },
    { endpoint: 'https://[::1]' },
    { accountIdEndpointMode: 'required' as const },
    { accountIdEndpointMode: 'disabled' as const },
  ])('the endpoint is the one that the SDK finds: %o', async (options) => {
    const credentials = { ...testCredential, accountId: '123456789012' };
    for (const env of ['', 'https://configured.example:8443']) {
      vi.stubEnv('AWS_ENDPOINT_URL_DYNAMODB', env || undefined);
      const create = (): DynamoDBClient =>
        new DynamoDBClient({ ...options, region: 'eu-west-1', credentials });
      const theirs = getEndpointFromInstructions({}, GetItemCommand, create().config);
      const [ours, expected] = await Promise.allSettled([
        resolveEndpoint(create().config).then(({ href }) => href),
        theirs.then(({ url: { href } }) => href),
      ]);
      expect(ours).toEqual(expected);
    }
    vi.unstubAllEnvs();
  });

  it('takes boto’s legacy retry mode for the standard one', () => {
    vi.stubEnv('AWS_RETRY_MODE', 'legacy');
    expect(findClientSettings({}).settings).toMatchObject({ retryMode: 'standard' });
    vi.unstubAllEnvs();
  });
});

it('a host that cannot be reached is named', async () => {
  const ended = await cs(['-p', 'a', 'get', 'x'], {
    AWS_ENDPOINT_URL_DYNAMODB: CLOSED,
    AWS_MAX_ATTEMPTS: '1',
  });
  expect(ended.status).toBe(7);
  expect(ended.stderr).toContain('(ECONNREFUSED, 127.0.0.1:1)');
});
