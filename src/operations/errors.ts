import type { Backend } from '../backend/backend.ts';
import { CredstashError } from '../errors.ts';
import { adviseCall } from '../model/advice.ts';
import type { Entry } from '../model/entry.ts';
import type { VersionSelector } from '../model/selector.ts';

/** The error of a secret, version or label that does not exist. A caller can look for a near word. */
export class NotFound extends CredstashError {
  /** What was asked for. */
  declare readonly wanted?: { readonly name: string; readonly which?: VersionSelector };
}

function notFound(
  code: 'SECRET_NOT_FOUND' | 'VERSION_NOT_FOUND',
  message: string,
  hint: string,
  wanted: NonNullable<NotFound['wanted']>,
): NotFound {
  return Object.assign(new NotFound(code, message, { hint }), { wanted });
}

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
  const list = which.label === undefined ? 'versions' : 'labels';
  const hint = `list its ${list}: ${adviseCall('history', [name])}`;
  return notFound('VERSION_NOT_FOUND', `${what} in ${entries.location}`, hint, { name, which });
}

/** The error of a secret that does not exist. */
export function secretNotFound({ entries }: Backend, name: string): CredstashError {
  return secretNotFoundBy(name, `there is no secret ${name} in ${entries.location}`);
}

/** The error of a name or pattern that no secret has. */
export function secretNotFoundBy(name: string, message: string): CredstashError {
  return notFound('SECRET_NOT_FOUND', message, 'list the secrets: `list()`', { name });
}

/** Adds the entry's name and version to an error, except to a timeout, which the entry did not cause. */
export function nameEntry(entry: Entry, error: unknown): unknown {
  if (!(error instanceof CredstashError) || error.code === 'TIMEOUT') return error;
  return error.reworded(`version ${entry.version} of ${entry.name}: ${error.message}`);
}
