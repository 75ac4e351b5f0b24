import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { AwsSettings } from '../../backend/aws/index.ts';
import { CredstashError } from '../../errors.ts';
import type { FlowDefaults } from '../../flows.ts';
import { checkRegion } from '../../model/region.ts';
import { isCurrentFolderGone } from '../../util/system-faults.ts';
import {
  type AllowedFormats,
  checkCipher,
  checkFormats,
  checkTrustedKeys,
  type TrustedKeys,
} from '../../model/trust.ts';

/** The options that stand before or after every command. */
export interface GlobalOptions {
  readonly region?: string;
  readonly kmsRegion?: string;
  readonly table?: string;
  readonly profile?: string;
  readonly arn?: string;
  readonly externalId?: string;
  /** `1` for the default folder, which `--local` alone means. */
  readonly local?: string;
  readonly logLevel?: string;
  readonly logFile?: string;
  readonly quiet?: true;
  readonly timeout?: string;
}

/** Which backend, and where: the options, then the environment, then `~/.credstash`, then the defaults. */
export type Settings =
  | ({ readonly backend: 'local'; readonly folder: string } & TrustSettings)
  | ({ readonly backend: 'aws' } & AwsSettings & TrustSettings);

type TrustSettings = Pick<FlowDefaults, 'formats' | 'trustNames'>;

const DEFAULT_KEY = 'alias/credstash';

const AWS_ONLY = {
  region: '-r',
  kmsRegion: '--kms-region',
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
 * @param options of the command and of the program, `key` included
 * @throws CredstashError USAGE when an option of AWS meets the local vault, or `~/.credstash` cannot be read
 */
export function settingsOf(options: GlobalOptions & { readonly key?: string }): Settings {
  // An option that a script filled from an unset variable must not fall back to another table or role.
  for (const [name, flag] of Object.entries({ ...AWS_ONLY, local: '--local' })) {
    if ((options as Record<string, unknown>)[name] === '') {
      throw new CredstashError('USAGE', `the value of ${flag} is empty`);
    }
  }
  const { trustedKeys, ...trust } = trustSettings();
  const local = options.local ?? localFromEnvironment();
  if (local !== undefined) {
    const ofAws = Object.entries(AWS_ONLY).find(([name]) => name in options);
    if (ofAws) {
      const chosen = options.local === undefined ? 'CREDSTASH_LOCAL' : '--local';
      throw new CredstashError(
        'USAGE',
        `${ofAws[1]} is for AWS, and ${chosen} chooses the local vault`,
      );
    }
    return { backend: 'local', folder: vaultFolder(local), ...trust };
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
    kmsRegion: kmsRegionOf(options)?.value,
    profile: options.profile,
    roleArn: options.arn,
    externalId: options.externalId,
    table: tableOf(options).value,
    key: options.key ?? DEFAULT_KEY,
  };
}

/** Where a copy goes. */
export interface DestinationOptions extends GlobalOptions {
  readonly toTable?: string;
  readonly toRegion?: string;
  readonly toKmsRegion?: string;
  readonly toProfile?: string;
  readonly toKey?: string;
  readonly toLocal?: string;
}

/**
 * The settings of a copy's destination. On AWS, what is not said is as it is of the source; of a vault, as it is by default.
 *
 * @throws CredstashError USAGE when none is named, or a vault and something of AWS at once
 */
export function destinationOf(options: DestinationOptions): Settings {
  const { toTable, toRegion, toKmsRegion, toProfile, toKey, toLocal } = options;
  const ofAws = {
    '--to-table': toTable,
    '--to-region': toRegion,
    '--to-kms-region': toKmsRegion,
    '--to-profile': toProfile,
    '--to-key': toKey,
  };
  const given = Object.entries({ ...ofAws, '--to-local': toLocal }).filter(
    ([, value]) => value !== undefined,
  );
  const empty = given.find(([, value]) => value === '');
  if (empty) throw new CredstashError('USAGE', `the value of ${empty[0]} is empty`);
  if (given.length === 0) {
    throw new CredstashError('USAGE', 'the copy was not told where to', {
      hint: 'give --to-table, --to-region, --to-profile or --to-key, or --to-local FOLDER',
    });
  }
  const { trustedKeys, ...trust } = trustSettings();
  if (toLocal !== undefined) {
    if (given.length === 1) return { backend: 'local', folder: vaultFolder(toLocal), ...trust };
    throw new CredstashError(
      'USAGE',
      '--to-local is a vault, and the other --to options are for AWS',
    );
  }
  return {
    backend: 'aws',
    ...trust,
    trustedKeys,
    region: toRegion ?? options.region,
    // As a `get` there finds it, so that it opens what was copied. --kms-region is said of the source's region.
    kmsRegion: toKmsRegion ?? kmsRegionOf(toRegion === undefined ? options : {})?.value,
    profile: toProfile ?? options.profile,
    ...(toProfile === undefined ? { roleArn: options.arn, externalId: options.externalId } : {}),
    table: toTable ?? tableOf(options).value,
    key: toKey ?? DEFAULT_KEY,
  };
}

/** Where a setting came from: an option, a variable, a file, `default`. */
interface Origin {
  readonly value: string;
  readonly from: string;
}

function tableOf({ table }: GlobalOptions): Origin {
  return (
    given(table, '-t') ??
    given(process.env['CREDSTASH_DEFAULT_TABLE'] || undefined, 'CREDSTASH_DEFAULT_TABLE') ?? {
      value: 'credential-store',
      from: 'default',
    }
  );
}

function kmsRegionOf({ kmsRegion }: GlobalOptions): Origin | undefined {
  return given(kmsRegion, '--kms-region') ?? given(configured('kms-region'), '~/.credstash');
}

function cipherOrigin({ cipher }: { readonly cipher?: string }): Origin | undefined {
  return (
    given(cipher, '--cipher') ??
    given(process.env['CREDSTASH_CIPHER'] || undefined, 'CREDSTASH_CIPHER') ??
    given(configured('cipher'), '~/.credstash')
  );
}

/**
 * A setting of trust: a list in the environment, its items behind a comma or a space each, or in `~/.credstash`. It fails
 * closed: there, anything but a list with something in it is an error, and so is a name that only looks like the setting's.
 *
 * @param check makes of the list what it stands for
 */
function trustOrigin<T>(
  variable: string,
  name: string,
  check: (list: unknown, setting: string) => T | undefined,
): { readonly value: T; readonly from: string; readonly setting: string } | undefined {
  const words = (text: string): string[] => text.split(/[\s,]+/).filter((word) => word !== '');
  const text = process.env[variable] ?? '';
  if (text !== '') {
    const value = check(words(text), variable);
    return value && { value, from: variable, setting: variable };
  }
  const config = readConfig();
  for (const key of Object.keys(config)) {
    if (key === name || lettersOf(key) !== lettersOf(name)) continue;
    throw new CredstashError('USAGE', `${key} in ~/.credstash is not a setting`, {
      hint: `it is spelled "${name}"`,
    });
  }
  if (!(name in config)) return undefined;
  const list = config[name];
  const setting = `${name} in ~/.credstash`;
  const value = check(typeof list === 'string' ? words(list) : list, setting);
  return value && { value, from: '~/.credstash', setting };
}

/** `trustedkey` of `trusted-keys`, `Trusted_Key` and the like. */
function lettersOf(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z]/g, '')
    .replace(/s$/, '');
}

function trustedKeysOrigin(): ReturnType<typeof trustOrigin<TrustedKeys>> {
  return trustOrigin('CREDSTASH_TRUSTED_KEYS', 'trusted-keys', checkTrustedKeys);
}

function formatsOrigin(): ReturnType<typeof trustOrigin<AllowedFormats>> {
  return trustOrigin('CREDSTASH_FORMATS', 'formats', checkFormats);
}

function trustSettings(): TrustSettings & Pick<AwsSettings, 'trustedKeys'> {
  const [trustedKeys, formats] = [trustedKeysOrigin(), formatsOrigin()];
  return {
    trustedKeys: trustedKeys?.value.arns,
    formats: formats?.value.ciphers,
    trustNames: { trustedKeys: trustedKeys?.setting, formats: formats?.setting },
  };
}

/**
 * Refuses a key to seal under that is known not to be trusted, before anybody is asked for a secret.
 *
 * @throws CredstashError KEY_NOT_TRUSTED
 */
export function checkKey({ key }: { readonly key?: string }): void {
  if (key !== undefined) trustedKeysOrigin()?.value.checkName(key);
}

function given(value: string | undefined, from: string): Origin | undefined {
  return value === undefined ? undefined : { value, from };
}

/**
 * Every setting that is not AWS's own, and where it came from.
 *
 * @throws CredstashError as `settingsOf`
 */
export function originsOf(
  options: GlobalOptions & { readonly key?: string },
): (Origin & { readonly name: string })[] {
  const settings = settingsOf(options);
  const named = (name: string, origin: Origin | undefined) => (origin ? [{ name, ...origin }] : []);
  const [keys, formats] = [trustedKeysOrigin(), formatsOrigin()];
  const seals = [
    ...named('cipher', cipherOrigin({})),
    ...named('formats', listed(formats?.value.ciphers, formats?.from)),
  ];
  if (settings.backend === 'local') {
    const from = options.local === undefined ? 'CREDSTASH_LOCAL' : '--local';
    return [...named('vault', { value: settings.folder, from }), ...seals];
  }
  return [
    ...named('table', tableOf(options)),
    ...named('key', given(options.key, '-k') ?? { value: DEFAULT_KEY, from: 'default' }),
    ...named('region', given(options.region, '-r')),
    ...named('region of the key', kmsRegionOf(options)),
    ...named('profile', given(options.profile, '-p')),
    ...named('role', given(options.arn, '-n')),
    ...named('external ID', given(options.externalId, '--external-id')),
    ...named('trusted keys', listed(keys?.value.arns, keys?.from)),
    ...seals,
  ];
}

function listed(values: readonly string[] = [], from = ''): Origin | undefined {
  return values.length === 0 ? undefined : { value: values.join(', '), from };
}

/**
 * The options that were given, after the command or before it. The nearer one wins.
 */
export function optionsOf(command: Command): object {
  return { ...command.parent?.opts(), ...command.opts() };
}

function localFromEnvironment(): string | undefined {
  const local = process.env['CREDSTASH_LOCAL'] ?? '';
  if (local === '' || local === '0') return undefined;
  if (local === '1' || local === '~' || local.includes('/')) return local;
  // A word such as `true` would be another folder wherever the command runs.
  throw new CredstashError('USAGE', 'CREDSTASH_LOCAL is neither 1 nor the path of a folder', {
    hint: 'a folder here is ./NAME',
  });
}

/** `~/x` in the home folder: a shell leaves it as it is inside `@~/x` and `--local=~/x`. */
export function expandHome(path: string): string {
  return path === '~' || path.startsWith('~/') ? join(neededHome(), path.slice(1)) : path;
}

/** The home folder; absent where the environment has none, and the user no entry in the system's list. */
function home(): string | undefined {
  // The system's list is asked where HOME is not set at all; Bun asks it also where HOME is empty.
  if (process.env['HOME'] === '') return undefined;
  try {
    return isAbsolute(homedir()) ? homedir() : undefined;
  } catch {
    return undefined;
  }
}

function neededHome(): string {
  const folder = home();
  if (folder !== undefined) return folder;
  throw new CredstashError('USAGE', 'there is no home folder', {
    hint: 'set HOME, or give a folder with --local=FOLDER',
  });
}

function vaultFolder(local: string): string {
  if (local === '-') {
    throw new CredstashError('USAGE', 'a vault is a folder, and - is none', {
      hint: 'a folder that is called - is ./-',
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
  // https://specifications.freedesktop.org/basedir-spec/latest/ : a relative path is to be ignored.
  const data = process.env['XDG_DATA_HOME'] ?? '';
  return join(isAbsolute(data) ? data : join(neededHome(), '.local', 'share'), 'credstash');
}

/**
 * The cipher of a put: the option, the environment, `~/.credstash`.
 *
 * @throws CredstashError USAGE for a format that the settings do not allow
 */
export function cipherOf(options: { readonly cipher?: string }): string | undefined {
  const cipher = cipherOrigin(options)?.value;
  if (cipher !== undefined) checkCipher(formatsOrigin()?.value, cipher);
  return cipher;
}

/** A setting of `~/.credstash`; empty or null is absent. */
function configured(name: string): string | undefined {
  const value = readConfig()[name];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'string') return value;
  throw new CredstashError('USAGE', `${name} in ${configPath() ?? ''} is not a text`);
}

function configPath(): string | undefined {
  const folder = home();
  return folder === undefined ? undefined : join(folder, '.credstash');
}

/** `~/.credstash` as this command line found it: it is read once, so that its settings belong together. */
let config: Readonly<Record<string, unknown>> | undefined;

/** Lets the next setting that is asked for read `~/.credstash` anew: a command line begins, or has written it. */
export function forgetConfig(): void {
  config = undefined;
}

function readConfig(): Readonly<Record<string, unknown>> {
  return (config ??= loadConfig());
}

/** `~/.credstash`, a JSON object that need not be there. */
function loadConfig(): Readonly<Record<string, unknown>> {
  const none = Object.create(null) as Record<string, unknown>;
  const path = configPath();
  if (path === undefined) return none;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes(String((cause as NodeJS.ErrnoException).code))) return none;
    throw new CredstashError('USAGE', `${path} cannot be read`, { cause });
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // Not kept as a cause: a parser quotes what it read.
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new CredstashError('USAGE', `${path} is not a JSON object`, {
      hint: 'it looks like {"kms-region": "eu-west-1"}',
    });
  }
  return Object.assign(none, parsed);
}

/**
 * Saves the KMS region in `~/.credstash`, and leaves alone what else is in it.
 *
 * @throws CredstashError USAGE when the region cannot be one, or the file is none that can be written
 */
export async function saveKmsRegion(region: string): Promise<void> {
  checkRegion(region);
  const path = join(neededHome(), '.credstash');
  const text = `${JSON.stringify({ ...readConfig(), 'kms-region': region })}\n`;
  const { openOutputFile } = await import('../files/output-file.ts');
  // Where it is a link, as those who keep such files in a repository have it, what it points to is replaced.
  openOutputFile(
    existsSync(path) ? realpathSync(path) : path,
    `the file is a mount point, which nothing can replace: add "kms-region": "${region}" to it with an editor`,
  )(Buffer.from(text));
  forgetConfig();
}
