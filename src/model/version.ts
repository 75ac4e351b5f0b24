import { CredstashError } from '../errors.ts';
import { commandLine } from '../util/shell-word.ts';
import { byteLength, countCharacters, compareUtf8, isStorable } from '../util/utf8.ts';

/** Shorter versions are left-padded with zeros to this many characters, as the original does. */
const PAD_LENGTH = 19;

/** DynamoDB's limit for a sort key. */
const MAX_VERSION_BYTES = 1024;

/** The version of a secret's first entry. */
export const FIRST_VERSION = padVersion('1');

/**
 * The version as it stands in a table: left-padded with zeros to 19 characters, whether it is a number or not
 * (`1.9.1` is padded too), so that the order of numbers is the order of texts. A longer one is kept as it is.
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
 * @throws CredstashError USAGE when it is empty, over 1024 bytes once padded, or no storable text
 */
export function checkVersion(version: string): string {
  if (version === '') throw new CredstashError('USAGE', 'a version cannot be empty');
  if (!isStorable(version)) {
    throw new CredstashError('USAGE', 'a version must be valid Unicode text without NUL');
  }
  const bytes = byteLength(padVersion(version));
  if (bytes > MAX_VERSION_BYTES) {
    throw new CredstashError(
      'USAGE',
      `a version can be ${MAX_VERSION_BYTES} bytes long, this one has ${bytes}`,
    );
  }
  return version;
}

/**
 * The versions under which an entry that a user calls `version` may stand: padded, then as given, because
 * tables of before 2015, and those of nodecredstash, hold versions that were never padded.
 *
 * @param exact only as given
 */
export function listSpellings(version: string, exact = false): string[] {
  if (exact) return [version];
  const padded = padVersion(version);
  return padded === version ? [version] : [padded, version];
}

/** A version without its padding, as a person types it. */
export function unpadVersion(version: string): string {
  return /^[0-9]{19}$/.test(version) ? version.replace(/^0+(?=.)/, '') : version;
}

/**
 * The version after `current`, padded.
 *
 * @throws CredstashError VERSION_NOT_NUMERIC when `current` is no number, or when its successor would sort
 *   before it (an unpadded `3`, or one more digit than the padding holds): that entry would never be the newest
 */
export function nextVersion(name: string, current: string): string {
  if (!/^[0-9]+$/.test(current)) {
    throw new CredstashError(
      'VERSION_NOT_NUMERIC',
      `cannot count on from version ${current} of ${name}: it is not a number`,
      { hint: 'name the new version with -v' },
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
