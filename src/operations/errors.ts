import type { Backend } from '../backend/backend.ts';
import { CredstashError } from '../errors.ts';
import type { Entry } from '../model/entry.ts';
import type { VersionSelector } from '../model/selector.ts';

/** The error of a secret that exists but lacks the requested version. */
export function versionNotFound(
  { entries }: Backend,
  name: string,
  which: VersionSelector,
): CredstashError {
  const what =
    which.label === undefined
      ? `${name} has no version ${which.version ?? ''}`
      : `no version of ${name} has the label ${which.label}`;
  return new CredstashError('VERSION_NOT_FOUND', `${what} in ${entries.location}`);
}

/** The error of a secret that does not exist. */
export function secretNotFound({ entries }: Backend, name: string): CredstashError {
  return new CredstashError(
    'SECRET_NOT_FOUND',
    `there is no secret ${name} in ${entries.location}`,
  );
}

/** Adds the entry's name and version to an error, except to a timeout, which the entry did not cause. */
export function nameEntry(entry: Entry, error: unknown): unknown {
  if (!(error instanceof CredstashError) || error.code === 'TIMEOUT') return error;
  return error.reworded(`version ${entry.version} of ${entry.name}: ${error.message}`);
}
