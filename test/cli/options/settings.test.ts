import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { resolveDestination } from '../../../src/cli/commands/copy.ts';
import { forgetConfig } from '../../../src/cli/options/config-file.ts';
import { chooseCipher, listOrigins, resolveSettings } from '../../../src/cli/options/settings.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const VARIABLES = ['DEFAULT_TABLE', 'CIPHER', 'FORMATS', 'TRUSTED_KEYS', 'LOCAL'];
const KEY_ARN = 'arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-4000-8000-000000000001';
const OTHER_ARN = KEY_ARN.replace(/1$/, '2');

let home: string;
beforeEach(() => {
  home = temporaryFolder();
  vi.stubEnv('HOME', home);
  vi.stubEnv('XDG_DATA_HOME', '');
  for (const name of VARIABLES) vi.stubEnv(`CREDSTASH_${name}`, '');
  forgetConfig();
});
afterEach(() => {
  vi.unstubAllEnvs();
  forgetConfig();
});

function configure(config: object): void {
  writeFileSync(join(home, '.credstash'), JSON.stringify(config));
  forgetConfig();
}

describe('an option wins over the environment, that over ~/.credstash, that over the default', () => {
  it('the table', () => {
    expect(resolveSettings({})).toMatchObject({ table: 'credential-store' });
    vi.stubEnv('CREDSTASH_DEFAULT_TABLE', 'of-environment');
    expect(resolveSettings({})).toMatchObject({ table: 'of-environment' });
    expect(resolveSettings({ table: 'of-option' })).toMatchObject({ table: 'of-option' });
  });

  it('the region of the key', () => {
    expect(resolveSettings({})).toMatchObject({ kmsRegion: undefined });
    configure({ 'kms-region': 'eu-west-1' });
    expect(resolveSettings({})).toMatchObject({ kmsRegion: 'eu-west-1' });
    expect(resolveSettings({ kmsRegion: 'eu-west-2' })).toMatchObject({ kmsRegion: 'eu-west-2' });
  });

  it('the cipher', () => {
    expect(chooseCipher({})).toBeUndefined();
    configure({ cipher: 'AES-256-CTR' });
    expect(chooseCipher({})).toBe('AES-256-CTR');
    vi.stubEnv('CREDSTASH_CIPHER', 'AES-256-GCM');
    expect(chooseCipher({})).toBe('AES-256-GCM');
    expect(chooseCipher({ cipher: 'AES-256-CTR' })).toBe('AES-256-CTR');
  });

  it('the formats, and who set them', () => {
    expect(resolveSettings({}).formats).toBeUndefined();
    configure({ formats: ['AES-256-GCM'] });
    expect(resolveSettings({})).toMatchObject({
      formats: ['AES-256-GCM'],
      trustNames: { formats: 'formats in ~/.credstash' },
    });
    vi.stubEnv('CREDSTASH_FORMATS', 'AES-256-GCM AES-256-CTR');
    expect(resolveSettings({})).toMatchObject({
      formats: ['AES-256-GCM', 'AES-256-CTR'],
      trustNames: { formats: 'CREDSTASH_FORMATS' },
    });
  });

  it('the trusted keys', () => {
    configure({ 'trusted-keys': KEY_ARN });
    expect(resolveSettings({})).toMatchObject({ trustedKeys: [KEY_ARN] });
    vi.stubEnv('CREDSTASH_TRUSTED_KEYS', OTHER_ARN);
    expect(resolveSettings({})).toMatchObject({ trustedKeys: [OTHER_ARN] });
  });

  it('the vault and its folder', () => {
    expect(resolveSettings({}).backend).toBe('aws');
    vi.stubEnv('CREDSTASH_LOCAL', '0');
    expect(resolveSettings({}).backend).toBe('aws');
    vi.stubEnv('CREDSTASH_LOCAL', '1');
    expect(resolveSettings({})).toMatchObject({ folder: join(home, '.local/share/credstash') });
    vi.stubEnv('XDG_DATA_HOME', '/data');
    expect(resolveSettings({})).toMatchObject({ folder: '/data/credstash' });
    vi.stubEnv('CREDSTASH_LOCAL', '~/vault');
    expect(resolveSettings({})).toMatchObject({ folder: join(home, 'vault') });
    expect(resolveSettings({ local: '/option' })).toMatchObject({ folder: '/option' });
  });
});

it('an empty variable is an unset one, and an empty option an error', () => {
  configure({ 'kms-region': '', cipher: null });
  expect(resolveSettings({})).toMatchObject({ table: 'credential-store', kmsRegion: undefined });
  expect(chooseCipher({})).toBeUndefined();
  expect(() => resolveSettings({ table: '' })).toThrow('the value of -t is empty');
  expect(() => resolveSettings({ local: '' })).toThrow('the value of --local is empty');
});

it('~/.credstash is read once for a command line, and anew for the next one', () => {
  configure({ 'kms-region': 'eu-west-1' });
  resolveSettings({});
  writeFileSync(join(home, '.credstash'), 'no JSON');
  expect(resolveSettings({})).toMatchObject({ kmsRegion: 'eu-west-1' });
  forgetConfig();
  expect(() => resolveSettings({})).toThrow('is not a JSON object');
});

it.each([
  [{ region: 'x' }, '-r'],
  [{ kmsRegion: 'x' }, '--kms-region'],
  [{ table: 'x' }, '-t'],
  [{ profile: 'x' }, '-p'],
  [{ arn: 'x' }, '-n'],
  [{ key: 'x' }, '-k'],
])(
  'an option of AWS, %j, is refused with the vault, whichever way that is chosen',
  (option, flag) => {
    const message = `${flag} is for AWS`;
    expect(() => resolveSettings({ ...option, local: '/x' })).toThrow(
      `${message}, and --local chooses the local vault`,
    );
    vi.stubEnv('CREDSTASH_LOCAL', '/x');
    expect(() => resolveSettings(option)).toThrow(
      `${message}, and CREDSTASH_LOCAL chooses the local vault`,
    );
  },
);

it('each setting is told with where it came from', () => {
  configure({ 'kms-region': 'eu-west-1' });
  vi.stubEnv('CREDSTASH_DEFAULT_TABLE', 'of-environment');
  expect(listOrigins({ profile: 'p' })).toEqual([
    { name: 'table', value: 'of-environment', from: 'CREDSTASH_DEFAULT_TABLE' },
    { name: 'key', value: 'alias/credstash', from: 'default' },
    { name: 'region of the key', value: 'eu-west-1', from: '~/.credstash' },
    { name: 'profile', value: 'p', from: '-p' },
  ]);
});

describe('where a copy goes', () => {
  it('is as the source, but for what is said', () => {
    const source = { table: 't', region: 'eu-west-1', profile: 'p', arn: 'role' };
    expect(resolveDestination({ ...source, toRegion: 'eu-west-2' })).toMatchObject({
      table: 't',
      region: 'eu-west-2',
      profile: 'p',
      roleArn: 'role',
    });
  });

  it('has another profile without the role of the source', () => {
    expect(resolveDestination({ arn: 'role', toProfile: 'q' })).not.toHaveProperty('roleArn');
  });

  it("has not the source's --kms-region, which was said of another region, and has ~/.credstash's", () => {
    const options = { kmsRegion: 'eu-west-1', toRegion: 'eu-west-2' };
    expect(resolveDestination(options)).toMatchObject({ kmsRegion: undefined });
    configure({ 'kms-region': 'eu-west-3' });
    expect(resolveDestination(options)).toMatchObject({ kmsRegion: 'eu-west-3' });
  });

  it('must be named, and be one place', () => {
    expect(() => resolveDestination({})).toThrow('the copy was not told where to');
    expect(() => resolveDestination({ toLocal: '/x', toTable: 't' })).toThrow(
      '--to-local is a vault',
    );
  });
});
