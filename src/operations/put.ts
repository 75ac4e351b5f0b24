import { validateContext, type Context } from '../model/context.ts';
import { type Cipher, type EntryHeader, now, WRITTEN_DIGESTS } from '../model/entry.ts';
import { tooLarge, checkItemSize, MAX_ITEM_BYTES } from '../model/item.ts';
import { CredstashError } from '../errors.ts';
import { checkName } from '../model/name.ts';
import { FORMATS } from '../seal/formats.ts';
import { type AllowedFormats, checkCipher } from '../model/trust.ts';
import { isStorable } from '../util/utf8.ts';
import { checkVersion, FIRST_VERSION, padVersion } from '../model/version.ts';
import type { PutOptions } from './options.ts';

/** Kept free in an item for the wrapped data key, whose length only the key service knows. KMS needs under 300 bytes. */
const WRAPPED_KEY_BYTES = 512;

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
