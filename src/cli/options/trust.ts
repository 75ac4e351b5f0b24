import type { AwsSettings } from '../../backend/aws/settings.ts';
import { CredstashError } from '../../errors.ts';
import type { CallDefaults } from '../../session.ts';
import {
  type AllowedFormats,
  checkFormats,
  checkTrustedKeys,
  type TrustedKeys,
} from '../../model/trust.ts';
import { readConfig, splitList } from './config-file.ts';

export type TrustSettings = Pick<CallDefaults, 'formats' | 'trustNames'>;

/**
 * Reads a setting of trust: a list in the environment, separated by commas or spaces, or a list in `~/.credstash`. It fails
 * closed: in the file, an empty list, another type, and a misspelled name of the setting are errors.
 *
 * @param check parses the list
 */
function readTrustList<T>(
  variable: string,
  name: string,
  check: (list: unknown, setting: string) => T | undefined,
): { readonly value: T; readonly from: string; readonly setting: string } | undefined {
  const text = process.env[variable] ?? '';
  if (text !== '') {
    const value = check(splitList(text), variable);
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
  const value = check(typeof list === 'string' ? splitList(list) : list, setting);
  return value && { value, from: '~/.credstash', setting };
}

/** Reduces a name to compare spellings: `trustedkey` for `trusted-keys`, `Trusted_Key` and the like. */
function lettersOf(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z]/g, '')
    .replace(/s$/, '');
}

/** Reads the trusted keys; undefined if none are set. @throws CredstashError USAGE */
export function readTrustedKeys(): ReturnType<typeof readTrustList<TrustedKeys>> {
  return readTrustList('CREDSTASH_TRUSTED_KEYS', 'trusted-keys', checkTrustedKeys);
}

/** Reads the allowed formats; undefined if none are set. @throws CredstashError USAGE */
export function readFormats(): ReturnType<typeof readTrustList<AllowedFormats>> {
  return readTrustList('CREDSTASH_FORMATS', 'formats', checkFormats);
}

/** Reads both settings of trust, as options of `Credstash`. @throws CredstashError USAGE */
export function readTrustSettings(): TrustSettings & Pick<AwsSettings, 'trustedKeys'> {
  const [trustedKeys, formats] = [readTrustedKeys(), readFormats()];
  return {
    trustedKeys: trustedKeys?.value.arns,
    formats: formats?.value.ciphers,
    trustNames: { trustedKeys: trustedKeys?.setting, formats: formats?.setting },
  };
}

/**
 * Refuses an untrusted key for sealing, before the person is asked for a secret.
 *
 * @throws CredstashError KEY_NOT_TRUSTED
 */
export function checkKey({ key }: { readonly key?: string }): void {
  if (key !== undefined) readTrustedKeys()?.value.checkName(key);
}
