import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KMSClient } from '@aws-sdk/client-kms';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openAws } from '../../../src/backend/aws/index.ts';
import { connectEarly } from '../../../src/backend/aws/early-connections.ts';
import { PreconnectAgent } from '../../../src/backend/aws/preconnect-agent.ts';
import { resolveEndpoint } from '../../../src/backend/aws/resolve-endpoint.ts';
import type { AwsSettings } from '../../../src/backend/aws/settings.ts';

/*
 * The origins that are connected to before the SDK is loaded are those that the SDK sends its requests to. test/process/early.test.ts
 * has the connections themselves.
 */

const SETTINGS: AwsSettings = { table: 'credential-store', key: 'alias/credstash' };
const ENVIRONMENT = {
  AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'x',
  AWS_REGION: 'eu-west-1',
  AWS_CONFIG_FILE: '/nonexistent',
  AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
};
const KEY = 'arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab';

let opened: string[];
beforeEach(() => {
  opened = [];
  vi.spyOn(PreconnectAgent.prototype, 'openConnection').mockImplementation(({ origin }) => {
    opened.push(origin);
  });
  for (const name of Object.keys(process.env)) {
    if (/^AWS_|_PROXY$/i.test(name)) vi.stubEnv(name, undefined);
  }
  for (const [name, value] of Object.entries(ENVIRONMENT)) vi.stubEnv(name, value);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

/** The origins that are connected to early. */
async function originsOf(settings: Partial<AwsSettings> = {}): Promise<string[]> {
  opened = [];
  const agents = await connectEarly({ ...SETTINGS, ...settings });
  expect(agents === undefined).toBe(opened.length === 0);
  return opened;
}

test.each(
  [
    'us-east-1 us-west-2 ca-central-1 ca-west-1 eu-west-1 eu-central-2 ap-southeast-7 sa-east-1 me-central-1 il-central-1',
    'af-south-1 mx-central-1 us-gov-west-1 cn-north-1 cn-northwest-1 us-iso-east-1 us-isob-east-1 eu-isoe-west-1 us-isof-south-1',
    'eusc-de-east-1 local unknown-1',
  ].flatMap((line) => line.split(' ')),
)('%s: each origin is the one of the SDK, or none', async (region) => {
  const configs = [new DynamoDBClient({ region }).config, new KMSClient({ region }).config];
  const expected = await Promise.all(
    configs.map(async (config) => (await resolveEndpoint(config)).origin),
  );
  const early = await originsOf({ region });
  const isMain = /^https:\/\/dynamodb\..*\.amazonaws\.com$/.test(expected[0] ?? '');
  expect(early).toEqual(isMain && /^\w\w-[a-z]+-\d$/.test(region) ? expected : []);
});

test.each<readonly [string, Record<string, string>, Partial<AwsSettings>, string[]]>([
  [
    'two regions',
    {},
    { kmsRegion: 'us-east-1' },
    ['https://dynamodb.eu-west-1.amazonaws.com', 'https://kms.us-east-1.amazonaws.com'],
  ],
  [
    'a table of another region by its ARN',
    {},
    { table: 'arn:aws:dynamodb:us-west-2:123456789012:table/secrets' },
    ['https://dynamodb.us-west-2.amazonaws.com', 'https://kms.eu-west-1.amazonaws.com'],
  ],
  [
    'endpoints of services',
    { AWS_ENDPOINT_URL_DYNAMODB: 'https://vpce-1.example:8443', AWS_ENDPOINT_URL_KMS: 'http://x' },
    {},
    ['https://vpce-1.example:8443'],
  ],
  ['an endpoint without TLS', { AWS_ENDPOINT_URL: 'http://127.0.0.1:8000' }, {}, []],
  ['FIPS', { AWS_USE_FIPS_ENDPOINT: 'true' }, {}, []],
  ['dual-stack', { AWS_USE_DUALSTACK_ENDPOINT: 'true' }, {}, []],
  [
    'an account, which the table may have a host for',
    { AWS_ACCOUNT_ID: '123456789012' },
    {},
    ['https://kms.eu-west-1.amazonaws.com'],
  ],
  [
    'an account, whose host is turned off',
    { AWS_ACCOUNT_ID: '123456789012', AWS_ACCOUNT_ID_ENDPOINT_MODE: 'disabled' },
    {},
    ['https://dynamodb.eu-west-1.amazonaws.com', 'https://kms.eu-west-1.amazonaws.com'],
  ],
  ['a proxy', { HTTPS_PROXY: 'http://127.0.0.1:3128' }, {}, []],
  ['a file of certificates that is missing', { AWS_CA_BUNDLE: '/nonexistent' }, {}, []],
  ['an invalid endpoint', { AWS_ENDPOINT_URL: 'dynamodb:8000' }, {}, []],
  ['an invalid setting', { AWS_MAX_ATTEMPTS: 'many' }, {}, []],
  ['an invalid region', {}, { region: 'a/b' }, []],
  ['an invalid table', {}, { table: 'x' }, []],
  ['no credentials in the environment', { AWS_ACCESS_KEY_ID: '' }, {}, []],
  ['a profile, whose credentials are looked up', {}, { profile: 'p' }, []],
  ['a role', {}, { roleArn: 'arn:aws:iam::123456789012:role/r' }, []],
  ['credentials of the application', {}, { credentials: () => Promise.reject(new Error()) }, []],
  ['clients of the application', {}, { clients: {} }, []],
  ['client options of the application', {}, { clientOptions: {} }, []],
  [
    'a key that is not trusted',
    {},
    { trustedKeys: [KEY], key: KEY.replace('1234abcd', '5678abcd') },
    [],
  ],
])('%s', async (_, environment, settings, expected) => {
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  expect(await originsOf(settings)).toEqual(expected);
});

test('the clients get the agents, and close them', async () => {
  const agents = await connectEarly(SETTINGS);
  const { probe, close } = await openAws(SETTINGS, agents);
  const { dynamodb } = await probe();
  const destroy = vi.spyOn(PreconnectAgent.prototype, 'destroy');
  expect((await resolveEndpoint(dynamodb.config)).origin).toBe(opened[0]);
  close();
  expect(destroy.mock.contexts).toContain(agents?.httpsAgent);
});
