import { CredstashError } from '../errors.ts';
import { byteLength, compareUtf8, isStorable, encodeLengthPrefixed } from '../util/utf8.ts';

/** A KMS encryption context: frozen, without a prototype. It is authenticated, not secret. */
export type Context = Readonly<Record<string, string>>;

/** Keys with this prefix, in upper or lower case, are reserved for this project. */
const RESERVED = 'credstash:';

/** The key under which an entry's name is bound to its data key. */
export const NAME_KEY = 'credstash:name';

/** KMS's limit for an encryption context, keys and values together. */
const MAX_CONTEXT_BYTES = 8192;

/**
 * The purpose of pairs. For `open` they are accepted as the original accepted them, because the entry exists. For `seal`
 * IAM must also be able to tell them apart.
 */
export type ContextUse = 'seal' | 'open';

/**
 * Parses the command line's KEY=VALUE arguments, each split at its first `=`. If a key is given twice, its last value
 * counts, as in the original.
 *
 * @throws CredstashError USAGE if an argument has no `=`, an empty key or an empty value, and as `checkContext` does. The
 *   message gives the argument's position, because its text may be a part of a secret that was not quoted
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
 * @param use the purpose of the pairs; default: `seal`
 * @throws CredstashError USAGE if a key or value is empty or not storable, a key begins with `credstash:` or is `__proto__`
 *   (which the SDK would silently drop), or all together exceed 8192 bytes. For `seal` also if a key begins with
 *   `credstash:` in another case, or two keys differ only in case
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
 * @throws CredstashError USAGE if IAM would take a key for a reserved one, or for another key
 */
function checkKeys(keys: readonly string[]): void {
  const known = new Map<string, string>();
  for (const key of keys) {
    // Also compatibility forms such as full-width letters: a key that only looks reserved would mislead.
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

/** Maps all texts that any comparison without case could take for equal to one text. */
function foldCase(text: string): string {
  // Both ways, because ſ has only an upper case S, and K (Kelvin) only a lower case k. İ becomes i with a dot above, or i, depending on the program.
  return text.toLowerCase().toUpperCase().toLowerCase().replaceAll('i\u0307', 'i');
}

function reservedKey(key: string): CredstashError {
  return new CredstashError('USAGE', `the encryption context key ${key} is reserved`, {
    hint: `keys that begin with ${RESERVED} are credstash's own, in any case: give it another name`,
  });
}

/**
 * Adds the secret's name to the user's pairs. The current format wraps data keys under this context: KMS then refuses an
 * entry that was moved to another name, and CloudTrail shows which secret was read.
 *
 * @throws CredstashError USAGE if the pairs and the name together exceed 8192 bytes
 */
export function bindName(context: Context, name: string): Context {
  const bound = Object.assign(Object.create(null) as Record<string, string>, context);
  bound[NAME_KEY] = name;
  return checkSize(Object.freeze(bound));
}

/** Removes the name that `bindName` added, which leaves the user's pairs. */
export function unbindName(context: Context): Context {
  return Object.fromEntries(Object.entries(context).filter(([key]) => key !== NAME_KEY));
}

/** @throws CredstashError USAGE if keys and values together exceed KMS's 8192 bytes */
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
 * Encodes a context canonically: for each pair, in the order of the keys' UTF-8 bytes, u32be(length) ‖ key ‖ u32be(length) ‖
 * value. Only equal contexts have equal encodings.
 */
export function encodeContext(context: Context): Uint8Array {
  return encodeLengthPrefixed(
    Object.entries(context)
      .sort(([a], [b]) => compareUtf8(a, b))
      .flat(),
  );
}

/**
 * Lists the user's keys of a context for an error message, so that a forgotten or mistyped pair shows. Leaves out the values.
 */
export function describeContext(context: Context): string {
  const keys = Object.keys(context).filter((key) => !key.startsWith(RESERVED));
  return keys.length === 0
    ? 'no encryption context was given'
    : `the encryption context given has ${keys.join(', ')}`;
}

/** Checks the pairs that an application gave as a plain object. @throws CredstashError USAGE as `checkContext` does */
export function validateContext(context: Context | undefined, use: ContextUse): Context {
  return checkContext(Object.entries(context ?? {}), use);
}

/** The options with a context of their own: the caller may change its object while the call is under way. */
export function copyContext<Options extends object & { readonly context?: Context | undefined }>(
  options: Options,
): Options {
  return options.context === undefined ? options : { ...options, context: { ...options.context } };
}
