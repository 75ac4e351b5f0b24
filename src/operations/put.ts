import { bindName, type Context, type ContextUse, checkContext } from '../model/context.ts';
import {
  checkItemSize,
  type Cipher,
  type EntryHeader,
  MAX_ITEM_BYTES,
  tooLarge,
  WRITTEN_DIGESTS,
} from '../model/entry.ts';
import { CredstashError } from '../errors.ts';
import { checkName } from '../model/name.ts';
import type { CallOptions } from '../util/progress.ts';
import { checkWhich, type Which } from './get.ts';
import { FORMATS } from '../seal/formats.ts';
import { type AllowedFormats, checkCipher } from '../model/trust.ts';
import { isStorable } from '../util/utf8.ts';
import { checkVersion, FIRST_VERSION, padVersion } from '../model/version.ts';

/** Kept free in an item for the wrapped data key, whose length only the key service knows. KMS needs under 300 bytes. */
const WRAPPED_KEY_BYTES = 512;

export interface GetOptions extends CallOptions {
  /** Default: the newest version. */
  readonly version?: string | undefined;
  /** `version` as it stands in the table, and not padded with zeros. */
  readonly exactVersion?: boolean | undefined;
  /** The version that has this label. */
  readonly label?: string | undefined;
  /** The same pairs that the secret was put with. */
  readonly context?: Context | undefined;
}

export interface PutOptions extends CallOptions {
  /** The version to store; default `1`. */
  readonly version?: string | undefined;
  /** Store `version` as it is, not padded with zeros: a reader that does not pad finds it. */
  readonly exactVersion?: boolean | undefined;
  /** Store the version after the newest, whatever `version` says. */
  readonly autoversion?: boolean | undefined;
  /** Moved to the version once that is stored: whoever reads by it gets the old version or this one, and never none. */
  readonly label?: string | undefined;
  /** The user's pairs of the encryption context; whoever reads the secret must give the same. */
  readonly context?: Context | undefined;
  readonly comment?: string | undefined;
  /** `SHA256` (default), `SHA384` or `SHA512`. */
  readonly digest?: string | undefined;
  /** `AES-256-GCM` (default), or `AES-256-CTR`, which the original credstash can read. */
  readonly cipher?: string | undefined;
  /** In an entry of AES-256-CTR the HMAC as text and not as bytes: some ports of the original read nothing else. */
  readonly hmacAsText?: true | undefined;
  /** Told of what was stored as it was asked for, and may not be meant. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** A put of which everything has been checked: the header of its entry, and the context of its data key. */
export interface Plan {
  readonly header: EntryHeader & { readonly cipher: Cipher };
  readonly context: Context;
}

/**
 * Checks all that can be checked of a put before the first request.
 *
 * @param length of the secret, in bytes
 * @param formats that may be written
 * @throws CredstashError USAGE, TOO_LARGE
 */
export function plan(
  name: string,
  length: number,
  options: PutOptions,
  formats?: AllowedFormats,
): Plan {
  checkName(name);
  const { cipher, digest, comment } = checkSealing(options);
  checkCipher(formats, cipher);
  const format = FORMATS[cipher];
  const version = checkVersion(options.version ?? FIRST_VERSION);
  const header = {
    name,
    version: options.exactVersion ? version : padVersion(version),
    cipher,
    digest,
    // The original has no such attribute, and its format would not authenticate it.
    ...(cipher === 'AES-256-CTR' ? {} : { created: now() }),
    ...(comment === '' ? {} : { comment }),
  };
  const context = format.context(validateContext(options.context, 'seal'), name);
  checkSize(header, format.contentsLength(length));
  return { header, context };
}

/** A get of which everything has been checked: `context` is the user's pairs. */
export interface Request {
  readonly name: string;
  readonly which: Which;
  readonly context: Context;
}

/**
 * Checks all that can be checked of a get before the first request.
 *
 * @throws CredstashError USAGE
 */
export function checkGet(name: string, options: GetOptions): Request {
  checkName(name);
  const which = checkWhich(options);
  const context = validateContext(options.context, 'open');
  // The longer one of both formats' contexts: an entry's cipher is known only after the first request.
  bindName(context, name);
  return { name, which, context };
}

/** What two gets have in common only if they give the same bytes. */
export function cacheKey({ name, which, context }: Request): string {
  const { version = null, exactVersion = false, label = null } = which;
  return JSON.stringify([name, version, exactVersion, label, Object.entries(context).sort()]);
}

/** The user's pairs, by whatever way they came: a plain object of an application has not been checked. */
export function validateContext(context: Context | undefined, use: ContextUse): Context {
  return checkContext(Object.entries(context ?? {}), use);
}

/** The time, as an entry has it. */
export function now(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, 'Z');
}

/**
 * How an entry is sealed, with the defaults.
 *
 * @throws CredstashError USAGE
 */
export function checkSealing(options: Pick<PutOptions, 'cipher' | 'digest' | 'comment'>): {
  cipher: Cipher;
  digest: string;
  comment: string;
} {
  const { digest = 'SHA256', cipher = 'AES-256-GCM', comment = '' } = options;
  // Neither is quoted: -d and --cipher are where a value lands that was meant for another place.
  if (!isCipher(cipher)) {
    throw new CredstashError('USAGE', 'unknown cipher', {
      hint: `known are ${Object.keys(FORMATS).join(' and ')}`,
    });
  }
  if (!WRITTEN_DIGESTS.some((known) => known === digest)) {
    throw new CredstashError('USAGE', 'secrets are not stored under that digest', {
      hint: `take one of ${WRITTEN_DIGESTS.join(', ')}`,
    });
  }
  if (!isStorable(comment)) {
    throw new CredstashError('USAGE', 'a comment must be valid Unicode text without NUL');
  }
  return { cipher, digest, comment };
}

function isCipher(cipher: string): cipher is Cipher {
  return Object.hasOwn(FORMATS, cipher);
}

/** The digest of an entry, where it is one that is written; SHA256 in the place of the others. */
export function writtenDigest(digest: string | undefined): string {
  return WRITTEN_DIGESTS.find((known) => known === digest) ?? 'SHA256';
}

function checkSize(header: Plan['header'], contentsLength: number): void {
  // What is over the limit by itself is not made into an entry, to be counted, first.
  if (contentsLength > MAX_ITEM_BYTES) throw tooLarge(header.name, contentsLength);
  checkItemSize({
    ...header,
    key: new Uint8Array(WRAPPED_KEY_BYTES),
    contents: new Uint8Array(contentsLength),
    hmac: new Uint8Array(64),
  });
}
