import { DEFAULT_KEY, DEFAULT_TABLE } from '../../model/defaults.ts';
import { isAbsolute, join, resolve } from 'node:path';
import type { AwsSettings } from '../../backend/aws/settings.ts';
import { CredstashError } from '../../errors.ts';
import { checkFallbackRegions } from '../../model/region.ts';
import { checkCipher } from '../../model/trust.ts';
import { isCurrentFolderGone } from '../../util/system-faults.ts';
import { expandHome, requireHome } from '../files/home.ts';
import { readConfig, readText, splitList } from './config-file.ts';
import type { GlobalOptions } from './global.ts';
import { readFormats, readTrustedKeys, readTrustSettings, type TrustSettings } from './trust.ts';

/** The backend and its settings, from the options, the environment, `~/.credstash` and the defaults, in this order. */
export type Settings =
  | ({ readonly backend: 'local'; readonly folder: string } & TrustSettings)
  | ({ readonly backend: 'aws' } & AwsSettings & TrustSettings);

const AWS_ONLY = {
  region: '-r',
  kmsRegion: '--kms-region',
  fallbackRegion: '--fallback-region',
  table: '-t',
  profile: '-p',
  arn: '-n',
  externalId: '--external-id',
  key: '-k',
  tags: '--tags',
  saveKmsRegion: '--save-kms-region',
  createKey: '--create-key',
  multiRegion: '--multi-region',
  pointInTimeRecovery: '--point-in-time-recovery',
  deletionProtection: '--deletion-protection',
} as const;

/**
 * Resolves the settings of a command line.
 *
 * @param options of the command and of the program
 * @throws CredstashError USAGE if an option of AWS is given for the local vault, an option is empty, or `~/.credstash` cannot
 *   be read
 */
export function resolveSettings(options: GlobalOptions & { readonly key?: string }): Settings {
  // A script may fill an option from an unset variable. The command must not fall back to another table or role.
  for (const [name, flag] of Object.entries({ ...AWS_ONLY, local: '--local' })) {
    const value = (options as Record<string, unknown>)[name];
    if (value === '' || (Array.isArray(value) && value.includes(''))) {
      throw new CredstashError('USAGE', `the value of ${flag} is empty`, {
        hint: 'give a value, or leave out the option: a variable in the command line may be unset',
      });
    }
  }
  const { trustedKeys, ...trust } = readTrustSettings();
  const local = options.local ?? readLocalVariable();
  if (local !== undefined) {
    const awsOption = Object.entries(AWS_ONLY).find(([name]) => name in options);
    if (awsOption) {
      const chosen = options.local === undefined ? 'CREDSTASH_LOCAL' : '--local';
      const hint =
        options.local === undefined
          ? 'for AWS: unset CREDSTASH_LOCAL'
          : `leave out ${awsOption[1]} for the vault, or --local for AWS`;
      throw new CredstashError(
        'USAGE',
        `${awsOption[1]} is for AWS, and ${chosen} chooses the local vault`,
        { hint },
      );
    }
    return { backend: 'local', folder: resolveVaultFolder(local), ...trust };
  }
  if (options.externalId !== undefined && options.arn === undefined) {
    throw new CredstashError(
      'USAGE',
      '--external-id is for the role of --arn, which is not given',
      {
        hint: 'in a profile with a role_arn it is external_id',
      },
    );
  }
  return {
    backend: 'aws',
    ...trust,
    trustedKeys,
    region: options.region,
    kmsRegion: resolveKmsRegion(options)?.value,
    fallbackRegions: resolveFallbackRegions(options)?.value,
    profile: options.profile,
    roleArn: options.arn,
    externalId: options.externalId,
    table: resolveTable(options).value,
    key: options.key ?? DEFAULT_KEY,
  };
}

/** A setting and its source: an option, a variable, a file or `default`. */
interface Origin {
  readonly value: string;
  readonly from: string;
}

/** Resolves the table's name or ARN. */
export function resolveTable({ table }: GlobalOptions): Origin {
  return (
    toOrigin(table, '-t') ??
    toOrigin(process.env['CREDSTASH_DEFAULT_TABLE'] || undefined, 'CREDSTASH_DEFAULT_TABLE') ?? {
      value: DEFAULT_TABLE,
      from: 'default',
    }
  );
}

/** Resolves the KMS region; undefined if neither the option nor `~/.credstash` names it. */
export function resolveKmsRegion({ kmsRegion }: GlobalOptions): Origin | undefined {
  return toOrigin(kmsRegion, '--kms-region') ?? toOrigin(readText('kms-region'), '~/.credstash');
}

/** @throws CredstashError USAGE for a region that cannot be one, or that is listed twice */
export function resolveFallbackRegions({
  fallbackRegion,
}: GlobalOptions): { readonly value: readonly string[]; readonly from: string } | undefined {
  const variable = process.env['CREDSTASH_FALLBACK_REGIONS'];
  if (fallbackRegion) return toRegions(fallbackRegion, '--fallback-region');
  if (variable) return toRegions(splitList(variable), 'CREDSTASH_FALLBACK_REGIONS');
  const list = readConfig()['fallback-regions'];
  if (list === undefined || list === null || list === '') return undefined;
  const from = '~/.credstash';
  const regions = typeof list === 'string' ? splitList(list) : list;
  return { ...toRegions(regions, `fallback-regions in ${from}`), from };
}

function toRegions(list: unknown, from: string): { value: readonly string[]; from: string } {
  return { value: checkFallbackRegions(list, from), from };
}

function resolveCipher({ cipher }: { readonly cipher?: string }): Origin | undefined {
  return (
    toOrigin(cipher, '--cipher') ??
    toOrigin(process.env['CREDSTASH_CIPHER'] || undefined, 'CREDSTASH_CIPHER') ??
    toOrigin(readText('cipher'), '~/.credstash')
  );
}

function toOrigin(value: string | undefined, from: string): Origin | undefined {
  return value === undefined ? undefined : { value, from };
}

/**
 * Lists every setting except AWS's own, with its source.
 *
 * @throws CredstashError as `resolveSettings`
 */
export function listOrigins(
  options: GlobalOptions & { readonly key?: string },
): (Origin & { readonly name: string })[] {
  const settings = resolveSettings(options);
  const list = (name: string, origin: Origin | undefined) => (origin ? [{ name, ...origin }] : []);
  const [keys, formats] = [readTrustedKeys(), readFormats()];
  const seals = [
    ...list('cipher', resolveCipher({})),
    ...list('formats', joinOrigins(formats?.value.ciphers, formats?.from)),
  ];
  if (settings.backend === 'local') {
    const from = options.local === undefined ? 'CREDSTASH_LOCAL' : '--local';
    return [...list('vault', { value: settings.folder, from }), ...seals];
  }
  const fallbacks = resolveFallbackRegions(options);
  return [
    ...list('table', resolveTable(options)),
    ...list('key', toOrigin(options.key, '-k') ?? { value: DEFAULT_KEY, from: 'default' }),
    ...list('region', toOrigin(options.region, '-r')),
    ...list('region of the key', resolveKmsRegion(options)),
    ...list('fallback regions', joinOrigins(fallbacks?.value, fallbacks?.from)),
    ...list('profile', toOrigin(options.profile, '-p')),
    ...list('role', toOrigin(options.arn, '-n')),
    ...list('external ID', toOrigin(options.externalId, '--external-id')),
    ...list('trusted keys', joinOrigins(keys?.value.arns, keys?.from)),
    ...seals,
  ];
}

function joinOrigins(values: readonly string[] = [], from = ''): Origin | undefined {
  return values.length === 0 ? undefined : { value: values.join(', '), from };
}

function readLocalVariable(): string | undefined {
  const local = process.env['CREDSTASH_LOCAL'] ?? '';
  if (local === '' || local === '0') return undefined;
  if (!/^(?:true|false|yes|no|on|off)$/i.test(local)) return local;
  // Such a word would be another folder wherever the command runs.
  throw new CredstashError('USAGE', 'CREDSTASH_LOCAL is neither 1 nor the path of a folder', {
    hint: 'set it to 1 for the default vault, unset it for AWS; a folder of this name is ./NAME',
  });
}

/** Resolves the vault's folder. @param local `1` for the default folder, or a path @throws CredstashError USAGE */
export function resolveVaultFolder(local: string): string {
  if (local === '-') {
    throw new CredstashError('USAGE', 'a vault is a folder, not -', {
      hint: 'a folder called - is ./-',
    });
  }
  if (local !== '1') {
    const folder = expandHome(local);
    if (isAbsolute(folder) || !isCurrentFolderGone()) return resolve(folder);
    throw new CredstashError(
      'USAGE',
      'the current folder was deleted, and the path of the vault is not absolute',
      { hint: 'cd to a folder that exists, or give an absolute path' },
    );
  }
  // A relative path must be ignored (https://specifications.freedesktop.org/basedir-spec/latest/).
  const data = process.env['XDG_DATA_HOME'] ?? '';
  return join(isAbsolute(data) ? data : join(requireHome(), '.local', 'share'), 'credstash');
}

/**
 * Chooses the cipher of a put from the option, the environment or `~/.credstash`.
 *
 * @returns undefined for the default
 * @throws CredstashError USAGE if the settings forbid the cipher
 */
export function chooseCipher(options: { readonly cipher?: string }): string | undefined {
  const cipher = resolveCipher(options)?.value;
  if (cipher !== undefined) checkCipher(readFormats()?.value, cipher);
  return cipher;
}
