import type { FallbackAnswer } from '../../backend/aws/fallback.ts';
import type { Io } from '../terminal/io.ts';
import { CredstashError } from '../../errors.ts';
import { secretNotFoundBy } from '../../operations/errors.ts';

/** The error of a GLOB that no secret matches: in a fallback region, nobody knows. */
export function matchesNothing(
  glob: string,
  fallback: FallbackAnswer | undefined,
  where = '',
): CredstashError {
  const message = `no secret${where} matches ${glob}`;
  if (!fallback) return secretNotFoundBy(glob, message);
  const { region, unreachable } = fallback;
  const names = unreachable.map((each) => each.region).join(' and ');
  return new CredstashError(
    'UNREACHABLE',
    `${message} in ${region}; ${names} could not be reached, so that nobody knows whether one exists there`,
  );
}

/** Says on a terminal that a command found no secret. A script reads the empty output. */
export function noteNothing(io: Io, location: string, glob: string | undefined): void {
  if (io.columns('stderr') === undefined) return;
  const found = glob === undefined ? 'there are no such secrets' : `no secret matches ${glob}`;
  io.note(`credstash: note: ${found} in ${location}`);
}
