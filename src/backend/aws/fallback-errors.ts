/** The messages about reads that a fallback region answers, or that no region answers. */
import { CredstashError, type ErrorCode } from '../../errors.ts';

/** Which region answered a read, and why not the first one. */
export interface FallbackAnswer {
  /** The region that answered. Its replica may lag behind the first region. */
  readonly region: string;
  /** The regions before it that could not be reached, and how each failed. */
  readonly unreachable: readonly { readonly region: string; readonly error: CredstashError }[];
}

/** Errors by which a region says that something does not exist there. */
const NOT_FOUND: readonly ErrorCode[] = [
  'SECRET_NOT_FOUND',
  'VERSION_NOT_FOUND',
  'TABLE_NOT_FOUND',
];

/** An error of a fallback region, with the regions that were not reached. */
export function explainFallbackError(
  error: CredstashError,
  { region, unreachable }: FallbackAnswer,
): CredstashError {
  const names = unreachable.map((each) => each.region).join(' and ');
  const isNotFound = NOT_FOUND.includes(error.code);
  const unknown = isNotFound ? ', so that nobody knows whether it exists there' : '';
  const { cause, serviceMessage } = error;
  return new CredstashError(
    isNotFound ? 'UNREACHABLE' : error.code,
    `${error.message}; ${names} could not be reached${unknown}`,
    {
      hint: hintIn(region, error) ?? `the replica in ${region} may be behind: try again later`,
      cause,
      failures: error.failures.map(({ name, error: failure }) => ({
        name,
        error: toUnknown(failure),
      })),
      serviceMessage,
    },
  );
}

/** What a fallback region says of one secret: if it does not exist there, it may exist in the first region. */
export function toUnknown(error: CredstashError): CredstashError {
  if (!NOT_FOUND.includes(error.code)) return error;
  const { message, cause } = error;
  return new CredstashError('UNREACHABLE', message, { cause });
}

function hintIn(region: string, { code, hint }: CredstashError): string | undefined {
  if (code === 'TABLE_NOT_FOUND') return `the table needs a replica in ${region}`;
  if (NOT_FOUND.includes(code)) return undefined;
  if (code !== 'ACCESS_DENIED' && code !== 'KEY_NOT_FOUND') return hint;
  return `in ${region} the caller needs the same access to the table and to the key, and only an entry under a multi-Region key opens there`;
}

/** The error of a read that every region failed. */
export function noRegionAnswers(unreachable: FallbackAnswer['unreachable']): CredstashError {
  const names = unreachable.map(({ region }) => region).join(', ');
  const hints = unreachable.map(({ error }) => error.hint).filter((hint) => hint !== undefined);
  return new CredstashError('UNREACHABLE', `no region could be reached: ${names}`, {
    hint: hints[0],
    cause: unreachable[0]?.error.cause,
    failures: unreachable.map(({ region, error }) => ({ name: region, error })),
  });
}
