import { randomInt } from 'node:crypto';
import { CredstashError } from '../../errors.ts';

const DIGITS = '0123456789';
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** The sets of characters that have a name. */
const SETS: Readonly<Record<string, string>> = {
  alnum: `${LETTERS}${DIGITS}`,
  hex: `${DIGITS}abcdef`,
  base64url: `${LETTERS}${DIGITS}-_`,
};

/** Names of sets in other tools. As characters they would make a weak secret. */
const OTHER_SETS =
  /^(?:alnum|hex|base64url|base\d+|alphanum|alphabetic|upper|uppercase|lower|lowercase|num|numeric|number|numbers|decimal|print|printable|punct|symbols?|safe|url|urlsafe|words?)$/i;

/** The most characters of a generated value. */
const MAX_LENGTH = 4096;

/** A value with fewer bits can be guessed. */
const ENOUGH_BITS = 64;

/** A value to generate. */
export interface Generated {
  /** In characters. */
  readonly length: number;
  readonly characters: readonly string[];
}

/**
 * Parses the values of --generate and --charset.
 *
 * @throws CredstashError USAGE. No message quotes a value, because a secret may have been put there
 */
export function parseGenerate(generate: string, charset = 'alnum'): Generated {
  const length = /^\d{1,4}$/.test(generate) ? Number(generate) : 0;
  if (length < 1 || length > MAX_LENGTH) {
    throw new CredstashError(
      'USAGE',
      `the LENGTH of --generate is a whole number from 1 to ${MAX_LENGTH}`,
      { hint: 'write it as --generate=32' },
    );
  }
  return { length, characters: parseCharset(charset) };
}

function parseCharset(charset: string): string[] {
  const hint = `known sets are ${Object.keys(SETS).join(', ')}; otherwise write each character once, such as --charset abcdef0123456789`;
  const named = Object.hasOwn(SETS, charset) ? SETS[charset] : undefined;
  if (named === undefined && OTHER_SETS.test(charset)) {
    throw new CredstashError('USAGE', '--charset does not know a set of this name', { hint });
  }
  const characters = Array.from(named ?? charset);
  if (characters.length < 2) {
    throw new CredstashError('USAGE', '--charset needs at least two characters', { hint });
  }
  if (new Set(characters).size < characters.length) {
    throw new CredstashError('USAGE', '--charset has a character twice', { hint });
  }
  return characters;
}

/** Generates the UTF-8 bytes of a value. Each character is as likely as any other. */
export function generateValue({ length, characters }: Generated): Uint8Array {
  const encoded = characters.map((each) => Buffer.from(each));
  // Only bytes, which can be wiped. A string cannot.
  const bytes = Buffer.alloc(length * 4);
  let end = 0;
  for (let i = 0; i < length; i += 1) {
    end += encoded[randomInt(encoded.length)]?.copy(bytes, end) ?? 0;
  }
  return bytes.subarray(0, end);
}

/** Describes how a generated value can be guessed; undefined if it cannot. */
export function describeWeakness({ length, characters }: Generated): string | undefined {
  const enough = Math.ceil(ENOUGH_BITS / Math.log2(characters.length));
  if (length >= enough) return undefined;
  return `the generated value can be guessed: its length is ${length}, from a set of ${characters.length} characters; use --generate=${enough} or more`;
}
