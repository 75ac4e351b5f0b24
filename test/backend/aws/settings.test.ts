import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import manifest from '../../../package.json' with { type: 'json' };
import { createClientConfig, createServiceConfig } from '../../../src/backend/aws/client-config.ts';
import { checkRegions, findRegions } from '../../../src/backend/aws/regions.ts';
import { type AwsSettings, checkTable } from '../../../src/backend/aws/settings.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let folder: string;

beforeEach(() => {
  folder = temporaryFolder();
  vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'config'));
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'credentials'));
  for (const name of ['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_PROFILE']) vi.stubEnv(name, '');
});

afterEach(() => {
  vi.unstubAllEnvs();
});

const regions = async (settings: AwsSettings): Promise<{ dynamodb: string; kms: string }> =>
  checkRegions(await findRegions(settings));
const dynamodb = async (settings: Partial<AwsSettings> = {}): Promise<string> =>
  (await regions({ table: 'secrets', key: 'k', ...settings })).dynamodb;

// The SDK remembers a configuration file by its name: each test here has files of its own.
describe('the region', () => {
  it('is us-east-1 when nothing says another, as in the original', async () => {
    expect(await dynamodb()).toBe('us-east-1');
  });

  it('is that of the profile, the default one or the one named', async () => {
    writeFileSync(
      join(folder, 'config'),
      '[default]\nregion = eu-west-1\n[profile ops]\nregion = eu-west-2\n',
    );
    expect(await dynamodb()).toBe('eu-west-1');
    expect(await dynamodb({ profile: 'ops' })).toBe('eu-west-2');
    vi.stubEnv('AWS_PROFILE', 'ops');
    expect(await dynamodb()).toBe('eu-west-2');
  });

  it('is AWS_DEFAULT_REGION before that, AWS_REGION before it, and -r before all', async () => {
    writeFileSync(join(folder, 'config'), '[default]\nregion = eu-west-1\n');
    vi.stubEnv('AWS_DEFAULT_REGION', 'ap-south-1');
    expect(await dynamodb()).toBe('ap-south-1');
    vi.stubEnv('AWS_REGION', 'ap-south-2');
    expect(await dynamodb()).toBe('ap-south-2');
    expect(await dynamodb({ region: 'sa-east-1' })).toBe('sa-east-1');
  });

  it('of a table’s ARN is its own, and that of the key is the one set', async () => {
    const table = 'arn:aws:dynamodb:eu-north-1:123456789012:table/secrets';
    expect(await regions({ table, key: 'k', region: 'us-east-2' })).toEqual({
      dynamodb: 'eu-north-1',
      kms: 'us-east-2',
    });
    expect(
      await regions({ table: 'secrets', key: 'k', region: 'us-east-2', kmsRegion: 'us-west-1' }),
    ).toEqual({
      dynamodb: 'us-east-2',
      kms: 'us-west-1',
    });
  });
});

describe('a region', () => {
  it.each(['foo bar', 'evil.com/', '', 'x'.repeat(64), '-1', 'eu-'])(
    'cannot be %j',
    async (region) => {
      const refused = expect.objectContaining({ code: 'USAGE' }) as Error;
      await expect(regions({ table: 'secrets', key: 'k', region })).rejects.toThrow(refused);
      await expect(regions({ table: 'secrets', key: 'k', kmsRegion: region })).rejects.toThrow(
        refused,
      );
    },
  );
});

describe('a role', () => {
  it.each(['-r', 'reader', 'arn:aws:iam::123456789012:user/x', 'arn:aws:iam::1:role/r', 'a\x1b'])(
    'cannot be %j, which is told before any request',
    async (roleArn) => {
      const config = createClientConfig({ table: 'secrets', key: 'k', roleArn }, 'us-east-1');
      await expect(config).rejects.toMatchObject({ code: 'USAGE' });
    },
  );

  it.each(['arn:aws:iam::123456789012:role/a', 'arn:aws-cn:iam::123456789012:role/p/a+=,.@_-'])(
    'can be %j',
    async (roleArn) => {
      const config = createClientConfig({ table: 'secrets', key: 'k', roleArn }, 'us-east-1');
      await expect(config).resolves.toHaveProperty('shared.credentials');
    },
  );
});

describe('an external ID', () => {
  const roleArn = 'arn:aws:iam::123456789012:role/a';
  const made = (settings: Partial<AwsSettings>): Promise<unknown> =>
    createClientConfig({ table: 'secrets', key: 'k', ...settings }, 'us-east-1');

  it.each([undefined, { accessKeyId: 'AKID', secretAccessKey: 'x' }])(
    'is for a role only, whatever the credentials: %j',
    async (credentials) => {
      const given = { externalId: 'partner', ...(credentials ? { credentials } : {}) };
      await expect(made(given)).rejects.toMatchObject({ code: 'USAGE' });
      await expect(made({ ...given, roleArn })).resolves.toHaveProperty('shared.credentials');
    },
  );

  it.each(['', 'x', 'a b', 'ü1', 'x'.repeat(1225), 'ab\n'])('cannot be %j', async (externalId) => {
    await expect(made({ externalId, roleArn })).rejects.toMatchObject({ code: 'USAGE' });
  });
});

describe('the user agent', () => {
  it.each([
    ['mine/1', [['mine/1']]],
    [[['mine', '1']] as [string, string][], [['mine', '1']]],
    [undefined, []],
  ])('has ours before that of an application: %j', async (customUserAgent, theirs) => {
    const { shared } = await createClientConfig({ table: 'secrets', key: 'k' }, 'us-east-1');
    const options = customUserAgent === undefined ? {} : { customUserAgent };
    expect(createServiceConfig(shared, {}, 'KMS', options).customUserAgent).toEqual([
      ['credstash-cli', manifest.version],
      ...theirs,
    ]);
  });
});

describe('a profile', () => {
  it('whose sso_session is not there has no credentials, and the session is named', async () => {
    writeFileSync(join(folder, 'credentials'), '[odd]\nsso_session = none\n');
    const settings = { table: 'secrets', key: 'k', profile: 'odd' };
    const { credentials } = (await createClientConfig(settings, 'us-east-1')).shared;
    if (typeof credentials !== 'function') throw new Error('no provider');
    await expect(credentials()).rejects.toMatchObject({
      code: 'NO_CREDENTIALS',
      exitStatus: 6,
      message: expect.stringContaining('the profile odd names the sso-session none') as string,
    });
  });
});

describe('a table', () => {
  it.each([
    'credential-store',
    'a.b_c-1',
    'arn:aws-cn:dynamodb:cn-north-1:123456789012:table/secrets',
  ])('can be %s', (table) => {
    expect(checkTable(table).table).toBe(table);
  });

  it.each(['', 'ab', 'a b c', 'x'.repeat(256), 'arn:aws:kms:eu-west-1:1:key/x', '../etc'])(
    'cannot be %s',
    (table) => {
      expect(() => checkTable(table)).toThrow(expect.objectContaining({ code: 'USAGE' }) as Error);
    },
  );
});
