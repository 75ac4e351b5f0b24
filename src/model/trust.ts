import { quote } from './advice.ts';
import type { Context } from './context.ts';
import { type Cipher, CIPHERS, type EntryHeader } from './entry.ts';
import { CredstashError } from '../errors.ts';
import { type KeyArn, parseKey, parseKeyArn } from './key-id.ts';

/*
 * Decides which entries a client opens, and under which keys it seals, in addition to IAM. Settings of trust fail closed: an
 * invalid setting is an error, and never counts as unset.
 */

/** How messages name the settings of trust; default: by the names of the library's options. */
export interface TrustNames {
  readonly trustedKeys?: string | undefined;
  readonly formats?: string | undefined;
}

/** The formats that are opened and written, and the name of the setting that lists them. */
export interface AllowedFormats {
  readonly ciphers: readonly Cipher[];
  readonly setting: string;
}

/**
 * Checks a setting of formats.
 *
 * @param value undefined if the setting is unset
 * @returns a copy; undefined if every format is allowed, because the setting is unset
 * @throws CredstashError USAGE if it is not a list, is empty, has an unknown format, or lacks the current format: allowing
 *   only the original format is never safer
 */
export function checkFormats(value: unknown, setting = 'formats'): AllowedFormats | undefined {
  const ciphers = checkList(value, setting);
  if (!ciphers) return undefined;
  const hint = 'write AES-256-GCM, or AES-256-GCM and AES-256-CTR, the format of the original';
  if (!ciphers.every((each) => CIPHERS.some((cipher) => cipher === each))) {
    throw new CredstashError('USAGE', `${setting} has an unknown format`, { hint });
  }
  if (!ciphers.includes('AES-256-GCM')) {
    throw new CredstashError('USAGE', `${setting} does not list AES-256-GCM`, { hint });
  }
  return { ciphers: CIPHERS.filter((cipher) => ciphers.includes(cipher)), setting };
}

/**
 * Refuses to write a format that is not allowed. Ignores an unknown cipher, which the check of ciphers reports.
 *
 * @throws CredstashError USAGE
 */
export function checkCipher(formats: AllowedFormats | undefined, cipher: string): void {
  const known = CIPHERS.find((each) => each === cipher);
  if (!formats || known === undefined || isAllowed(formats, known)) return;
  throw new CredstashError(
    'USAGE',
    `nothing is sealed with ${cipher}, which ${formats.setting} does not list`,
    { hint: `seal with AES-256-GCM, or add ${cipher} to ${formats.setting}` },
  );
}

/**
 * Refuses to open an entry whose format is not allowed.
 *
 * @param pairs the user's; if there are any, the hint says that they are needed again
 * @throws CredstashError ENTRY_NOT_TRUSTED
 */
export function checkFormat(
  formats: AllowedFormats | undefined,
  { name, cipher }: EntryHeader,
  pairs: Context,
): void {
  if (!formats || isAllowed(formats, cipher)) return;
  const more = Object.keys(pairs).length === 0 ? '' : ', context';
  throw new CredstashError(
    'ENTRY_NOT_TRUSTED',
    `it is sealed with ${cipher}, which ${formats.setting} does not list`,
    {
      hint: `if you know that it is yours, seal it anew: \`new Credstash({ formats: ["AES-256-GCM", ${quote(cipher)}] }).migrate({ glob: ${quote(name)}${more} })\``,
    },
  );
}

function isAllowed({ ciphers }: AllowedFormats, cipher: string): boolean {
  return ciphers.some((each) => each === cipher);
}

/** Checks a setting of trusted keys; undefined if it is unset. @throws CredstashError USAGE as `TrustedKeys` does */
export function checkTrustedKeys(value: unknown, setting?: string): TrustedKeys | undefined {
  return value === undefined ? undefined : new TrustedKeys(value, setting);
}

/** The keys under which entries are opened and sealed. */
export class TrustedKeys {
  readonly arns: readonly string[];
  readonly #keys: readonly KeyArn[];
  readonly #setting: string;

  /**
   * @param value a list of ARNs of KMS keys
   * @param setting how messages name it
   * @throws CredstashError USAGE if it is not a list, is empty, or has anything but ARNs of keys: an alias can be moved to
   *   another key, and an id does not name the account
   */
  constructor(value: unknown, setting = 'trustedKeys') {
    this.arns = [...new Set(checkList(value ?? null, setting))];
    this.#setting = setting;
    this.#keys = this.arns.map((arn) => {
      const key = parseKeyArn(arn);
      if (key) return key;
      const what = arn.includes('alias/') ? 'an alias' : 'something else';
      throw new CredstashError('USAGE', `${setting} takes ARNs of KMS keys, and has ${what}`, {
        hint: 'write the ARN of each key, arn:aws:kms:REGION:ACCOUNT:key/ID: aws kms describe-key --key-id alias/credstash prints it, and so does `doctor()` without this setting',
      });
    });
  }

  /** Whether the key with this ARN is trusted. A multi-Region key is trusted in every region. */
  has(arn: string | undefined): boolean {
    const key = parseKeyArn(arn ?? '');
    return (
      key !== undefined &&
      this.#keys.some(
        (each) =>
          each.partition === key.partition &&
          each.account === key.account &&
          each.id === key.id &&
          (isMultiRegion(key) || each.region === key.region),
      )
    );
  }

  /** The ARN in `region` of the only trusted key; undefined if several are trusted. */
  only(region: string): string | undefined {
    const [key, ...others] = this.#keys;
    if (!key || others.length > 0) return undefined;
    const keyRegion = isMultiRegion(key) ? region : key.region;
    return `arn:${key.partition}:kms:${keyRegion}:${key.account}:key/${key.id}`;
  }

  /**
   * Refuses a key to seal under if its name shows that it is not trusted. An alias passes, because it may be a trusted key's.
   *
   * @throws CredstashError KEY_NOT_TRUSTED; USAGE if `name` cannot be a key
   */
  checkName(name: string): void {
    const key = parseKey(name);
    const isKnown =
      key.kind === 'alias' ||
      (key.kind === 'arn' ? this.has(key.arn) : this.#keys.some(({ id }) => id === key.id));
    if (isKnown) return;
    throw this.#refusedKey(`the key ${name} is not in ${this.#setting}`);
  }

  /**
   * Refuses the key that something was wrapped under, unless it is trusted.
   *
   * @param arn from the key service's answer
   * @param name the user's name for the key
   * @throws CredstashError KEY_NOT_TRUSTED
   */
  checkKey(arn: string | undefined, name: string): void {
    if (this.has(arn)) return;
    const description = parseKeyArn(arn ?? '') ? `is ${arn ?? ''}` : 'is another key than those';
    throw this.#refusedKey(`the key ${name} ${description}, which ${this.#setting} does not list`);
  }

  #refusedKey(message: string): CredstashError {
    const hint = `name a trusted key with \`key\`, or, if that key is yours, add its ARN to ${this.#setting}`;
    return new CredstashError('KEY_NOT_TRUSTED', message, { hint });
  }

  /**
   * Refuses an entry whose key is not trusted.
   *
   * @param arn from the key service's answer
   * @throws CredstashError ENTRY_NOT_TRUSTED
   */
  checkEntry(arn: string | undefined): void {
    if (this.has(arn)) return;
    // The message quotes only an ARN, because an invalid answer may contain any text.
    const key = parseKeyArn(arn ?? '') ? `the KMS key ${arn ?? ''}` : 'an unknown KMS key';
    throw this.#refusedEntry(`it is under ${key}, which ${this.#setting} does not list`);
  }

  /** Makes the error of an entry that is not under the only trusted key. KMS in `region` does not say which key it is under. */
  notUnder(region: string): CredstashError {
    return this.#refusedEntry(
      `it is not under ${this.only(region) ?? 'a KMS key'}, the only key that ${this.#setting} lists`,
    );
  }

  /** The hint if the key service does not have the only trusted key. */
  get hintIfMissing(): string {
    return `correct the ARN in ${this.#setting}, or name the region of the key with \`kmsRegion\``;
  }

  #refusedEntry(message: string): CredstashError {
    return new CredstashError('ENTRY_NOT_TRUSTED', message, {
      hint: `if it is under another key of yours, add the ARN of that key to ${this.#setting}`,
    });
  }
}

/**
 * Describes the trusted entries for a person; undefined for a vault without a setting.
 *
 * @param keys undefined if none are listed; null for a vault, which has only one key
 */
export function describeTrust(
  keys: TrustedKeys | undefined | null,
  formats: AllowedFormats | undefined,
): string | undefined {
  if (keys === null && !formats) return undefined;
  const under = keys
    ? ` under ${keys.arns.join(', ')} only`
    : ' under any key that KMS lets you use';
  const [cipher = '', ...others] = formats?.ciphers ?? [];
  const sealed = formats && others.length === 0 ? `sealed with ${cipher} only` : 'in both formats';
  return `entries${keys === null ? '' : under}, ${sealed}`;
}

/** The `mrk-` is KMS's own mark: https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html */
function isMultiRegion({ id }: KeyArn): boolean {
  return id.startsWith('mrk-');
}

/** Checks a list of texts, which must not be empty; undefined is unset. */
function checkList(value: unknown, setting: string): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string')) {
    throw new CredstashError('USAGE', `${setting} is not a list of texts`);
  }
  if (value.length > 0) return value;
  throw new CredstashError('USAGE', `${setting} is an empty list`, {
    hint: 'leave the setting out to trust all that IAM allows',
  });
}
