import { CredstashError } from '../errors.ts';
import { commandLine } from '../util/shell-word.ts';
import { byteLength, countCharacters, compareUtf8, isStorable } from '../util/utf8.ts';

/** Shorter versions are left-padded with zeros to this many characters, as the original does. */
const PAD_LENGTH = 19;

/** DynamoDB's limit for a sort key. */
const MAX_VERSION_BYTES = 1024;

/** The hint for a version that cannot be stored. References have versions too, so it names no option. */
const VERSION_HINT = 'write a number such as 3';

/** The version of a secret's first entry. */
export const FIRST_VERSION = padVersion('1');

/**
 * Pads a version with zeros on the left to 19 characters, so that numbers sort as texts. Pads also versions that are not
 * numbers (`1.9.1`), as the original does. Keeps longer ones.
 */
export function padVersion(version: string): string {
  return '0'.repeat(Math.max(0, PAD_LENGTH - countCharacters(version))) + version;
}

/** Whether a version is a number of fewer digits than the padding, so that it sorts as text and not as a number. */
export function isUnpadded(version: string): boolean {
  return version.length < PAD_LENGTH && /^[0-9]+$/.test(version);
}

/**
 * Checks a version that a user gave.
 *
 * @returns the version, not padded
 * @throws CredstashError USAGE if it is empty, longer than 1024 bytes once padded, or not storable
 */
export function checkVersion(version: string): string {
  if (version === '') {
    throw new CredstashError('USAGE', 'a version cannot be empty', { hint: VERSION_HINT });
  }
  if (!isStorable(version)) {
    throw new CredstashError('USAGE', 'a version must be valid Unicode text without NUL', {
      hint: VERSION_HINT,
    });
  }
  const bytes = byteLength(padVersion(version));
  if (bytes > MAX_VERSION_BYTES) {
    throw new CredstashError(
      'USAGE',
      `a version can be ${MAX_VERSION_BYTES} bytes long, this one has ${bytes}`,
      { hint: VERSION_HINT },
    );
  }
  return version;
}

/**
 * Lists the spellings under which a table may have `version`: padded, then as given, because tables from before 2015 and
 * those of nodecredstash have unpadded versions.
 *
 * @param exact whether to take only the given spelling
 */
export function listSpellings(version: string, exact = false): string[] {
  if (exact) return [version];
  const padded = padVersion(version);
  return padded === version ? [version] : [padded, version];
}

/** Removes the padding of a version, for a person to read. */
export function unpadVersion(version: string): string {
  return /^[0-9]{19}$/.test(version) ? version.replace(/^0+(?=.)/, '') : version;
}

/**
 * The version after `current`, padded.
 *
 * @throws CredstashError VERSION_NOT_NUMERIC if `current` is not a number, or if its successor would sort before it (an
 *   unpadded `3`, or one more digit than the padding holds) and so never be the newest
 */
export function nextVersion(name: string, current: string): string {
  if (!/^[0-9]+$/.test(current)) {
    throw new CredstashError(
      'VERSION_NOT_NUMERIC',
      `cannot count on from version ${current} of ${name}: it is not a number`,
      { hint: 'name the new version with `version`' },
    );
  }
  const next = padVersion((BigInt(current) + 1n).toString());
  if (compareUtf8(next, current) <= 0) {
    throw new CredstashError(
      'VERSION_NOT_NUMERIC',
      `cannot count on from version ${current} of ${name}: ${next} would sort before it and never be the newest`,
      {
        hint: isUnpadded(current)
          ? `pad the versions of this secret first: ${commandLine(['credstash', 'migrate', '--pad-versions', name])}`
          : `put its value again under a version that sorts after ${current}, or delete that version`,
      },
    );
  }
  return next;
}
