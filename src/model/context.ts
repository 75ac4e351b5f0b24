import { CredstashError } from '../errors.ts';
import { byteLength, compareUtf8, isStorable, encodeLengthPrefixed } from '../util/utf8.ts';

/** A KMS encryption context: frozen, without a prototype. It is authenticated, not secret. */
export type Context = Readonly<Record<string, string>>;

/** Keys that begin so, in any case, belong to this project. */
const RESERVED = 'credstash:';

/** The key under which an entry's name is bound to its data key. */
export const NAME_KEY = 'credstash:name';

/** KMS's quota for an encryption context; keys and values counted. */
const MAX_CONTEXT_BYTES = 8192;

/**
 * What pairs are for. Pairs to `open` with are taken as the original took them, because they are those of an entry that
 * exists. Pairs to `seal` with must also be ones that IAM can tell apart.
 */
export type ContextUse = 'seal' | 'open';

/**
 * The context of the command line's KEY=VALUE arguments, each split at its first `=`. A key that is given
 * twice has its last value, as in the original.
 *
 * @throws CredstashError USAGE when one has no `=`, an empty key or an empty value, or as `checkContext` does;
 *   the message gives its place and not its text, which may be a part of a secret that was not quoted
 */
export function parseContext(pairs: readonly string[], use: ContextUse = 'seal'): Context {
  return checkContext(
    pairs.map((pair, i) => {
      const separator = pair.indexOf('=');
      if (separator <= 0 || separator === pair.length - 1) {
        throw new CredstashError(
          'USAGE',
          `argument ${i + 1} of the encryption context is not of the form KEY=VALUE`,
          { hint: 'a value with spaces in it is quoted as one argument' },
        );
      }
      return [pair.slice(0, separator), pair.slice(separator + 1)];
    }),
    use,
  );
}

/**
 * Checks and freezes the pairs that a user gave.
 *
 * @param use what they are for; default: to seal
 * @throws CredstashError USAGE when a key or value is empty or no storable text, a key begins with
 *   `credstash:` or is `__proto__` (which the SDK would drop without a word), or all together are over 8192 bytes. To seal
 *   with also when a key begins with `credstash:` in another case, or two keys differ only in case
 */
export function checkContext(
  pairs: Iterable<readonly [key: string, value: string]>,
  use: ContextUse = 'seal',
): Context {
  const context = Object.create(null) as Record<string, string>;
  for (const [key, value] of pairs) {
    if (key === '' || value === '') {
      throw new CredstashError('USAGE', 'a key or value of the encryption context is empty');
    }
    if (!isStorable(key) || !isStorable(value)) {
      throw new CredstashError(
        'USAGE',
        'the encryption context must be valid Unicode text without NUL',
      );
    }
    if (key.startsWith(RESERVED) || key === '__proto__') throw reservedKey(key);
    context[key] = value;
  }
  if (use === 'seal') checkKeys(Object.keys(context));
  return checkSize(Object.freeze(context));
}

/**
 * KMS tells keys apart by their bytes. IAM does not: names of condition keys, of which a context key is a part
 * (`kms:EncryptionContext:KEY`), are compared without case.
 * https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-encryption-context-case
 *
 * @throws CredstashError USAGE when one could pass for a key of this project, or two for each other
 */
function checkKeys(keys: readonly string[]): void {
  const known = new Map<string, string>();
  for (const key of keys) {
    // Compatibility forms as well, such as full-width letters: a key that only looks reserved has no use.
    if (foldCase(key.normalize('NFKC')).startsWith(RESERVED)) throw reservedKey(key);
    const folded = foldCase(key);
    const other = known.get(folded);
    if (other !== undefined) {
      throw new CredstashError(
        'USAGE',
        `the encryption context keys ${other} and ${key} differ only in case`,
        { hint: 'IAM policies do not tell them apart: give one of them another name' },
      );
    }
    known.set(folded, key);
  }
}

/** The same text for all texts that anything could take for equal but for their case. */
function foldCase(text: string): string {
  // Both ways, because ſ has only S, and K (Kelvin) only k. İ becomes i with a dot above, or i, depending on who asks.
  return text.toLowerCase().toUpperCase().toLowerCase().replaceAll('i\u0307', 'i');
}

function reservedKey(key: string): CredstashError {
  return new CredstashError('USAGE', `the encryption context key ${key} is reserved`, {
    hint: `keys that begin with ${RESERVED} are credstash's own, in any case: give it another name`,
  });
}

/**
 * The context under which the data key of the secret `name` is wrapped in the current format: the user's pairs
 * and the name. KMS then refuses an entry that was moved to another name, and CloudTrail tells which was read.
 *
 * @throws CredstashError USAGE when the pairs and the name together are over 8192 bytes
 */
export function bindName(context: Context, name: string): Context {
  const bound = Object.assign(Object.create(null) as Record<string, string>, context);
  bound[NAME_KEY] = name;
  return checkSize(Object.freeze(bound));
}

/** The pairs of a context without the name that `bindName` added: those that the user gave. */
export function unbindName(context: Context): Context {
  return Object.fromEntries(Object.entries(context).filter(([key]) => key !== NAME_KEY));
}

/** @throws CredstashError USAGE when keys and values together are over KMS's 8192 bytes */
function checkSize(context: Context): Context {
  const bytes = Object.entries(context).reduce(
    (sum, [key, value]) => sum + byteLength(key) + byteLength(value),
    0,
  );
  if (bytes > MAX_CONTEXT_BYTES) {
    throw new CredstashError(
      'USAGE',
      `the encryption context, the secret's name included, can be ${MAX_CONTEXT_BYTES} bytes long, this one has ${bytes}`,
    );
  }
  return context;
}

/**
 * The one canonical encoding of a context: for each pair, in the order of the keys' UTF-8 bytes,
 * u32be(length) ‖ key ‖ u32be(length) ‖ value. Two contexts have the same bytes only if they are equal.
 */
export function encodeContext(context: Context): Uint8Array {
  return encodeLengthPrefixed(
    Object.entries(context)
      .sort(([a], [b]) => compareUtf8(a, b))
      .flat(),
  );
}

/**
 * The user's keys of a context, for an error: whoever forgot a pair, or mistyped one, must see what was sent.
 * Values are left out.
 */
export function describeContext(context: Context): string {
  const keys = Object.keys(context).filter((key) => !key.startsWith(RESERVED));
  return keys.length === 0
    ? 'no encryption context was given'
    : `the encryption context given has ${keys.join(', ')}`;
}

/** The user's pairs, by whatever way they came: a plain object of an application has not been checked. */
export function validateContext(context: Context | undefined, use: ContextUse): Context {
  return checkContext(Object.entries(context ?? {}), use);
}
