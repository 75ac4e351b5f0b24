import type { EntryHeader } from './model/entry.ts';
import { recogniseOtherForm } from './util/form.ts';
import { omitUndefined } from './util/omit-undefined.ts';

// Over 250 lines: the one family of errors, with what each of its readers needs.

/**
 * The exit status of the command for each code (docs/reference/errors.md). 1: unexpected. 2: usage or bad input. 3: a missing
 * secret, version, field or table. 4: a conflict. 5: integrity or trust. 6: credentials, access or key refused. 7: throttled or
 * unreachable after retries, or out of time. As in a shell, 126 and 127: exec's command cannot be executed or is missing; 130:
 * Ctrl-C at a prompt.
 */
const EXIT_STATUS = {
  UNEXPECTED: 1,
  IO: 1,
  EDITOR_FAILED: 1,
  USAGE: 2,
  TOO_LARGE: 2,
  VERSION_NOT_NUMERIC: 2,
  SECRET_NOT_FOUND: 3,
  VERSION_NOT_FOUND: 3,
  FIELD_NOT_FOUND: 3,
  TABLE_NOT_FOUND: 3,
  VAULT_NOT_FOUND: 3,
  VERSION_EXISTS: 4,
  CONFLICT: 4,
  INTEGRITY: 5,
  ENTRY_NOT_TRUSTED: 5,
  NO_CREDENTIALS: 6,
  CREDENTIALS_REFUSED: 6,
  ACCESS_DENIED: 6,
  KEY_NOT_FOUND: 6,
  KEY_UNUSABLE: 6,
  KEY_NOT_TRUSTED: 6,
  WRONG_CONTEXT: 6,
  VAULT_PERMISSIONS: 6,
  VAULT_KEY_MISMATCH: 6,
  THROTTLED: 7,
  UNREACHABLE: 7,
  TIMEOUT: 7,
  COMMAND_NOT_EXECUTABLE: 126,
  COMMAND_NOT_FOUND: 127,
  INTERRUPTED: 130,
} as const;

/** The stable name of what went wrong. Branch on this, never on a message. */
export type ErrorCode = keyof typeof EXIT_STATUS;

/** A secret, among several, for which the operation failed. */
export interface Failure {
  readonly name: string;
  readonly error: CredstashError;
}

/** The outcome for one secret or version of an operation on several. */
export interface Outcome {
  readonly name: string;
  /** The version as the table spells it; absent for a whole secret. */
  readonly version?: string;
  readonly done: 'stored' | 'unchanged' | 'changed' | 'skipped' | 'deleted' | 'planned' | 'failed';
  /** The error, if `done` is `failed`. */
  readonly error?: CredstashError;
}

/**
 * Everything that this project throws on purpose. Messages are lower case with no full stop, name what failed
 * and on which secret, table and region, and never hold a secret, a data key or a ciphertext.
 */
export class CredstashError extends Error {
  static {
    recogniseOtherForm(this, 'CredstashError');
  }

  override readonly name = 'CredstashError';
  readonly code: ErrorCode;
  /** What to do about it, as a sentence for a person; undefined if the message says enough. */
  readonly hint: string | undefined;
  /** The secrets that failed, among several, with their errors; empty if the error is about one thing. */
  readonly failures: readonly Failure[];
  /** The words of the service that denied the request, which may be untrue; undefined if it gave none. */
  readonly serviceMessage: string | undefined;
  /** The header of the new version, if `put` or `rollback` stored it but could not move its label. */
  readonly stored: EntryHeader | undefined;
  /** The outcomes of an operation on many secrets up to its end; empty for any other operation. */
  readonly outcomes: readonly Outcome[];
  /** Whether the same call may succeed later with nothing changed. With `failures`, true if that holds for each of them. */
  readonly retryable: boolean;

  constructor(
    code: ErrorCode,
    message: string,
    options: {
      hint?: string | undefined;
      cause?: unknown;
      failures?: readonly Failure[];
      serviceMessage?: string | undefined;
      stored?: EntryHeader | undefined;
      outcomes?: readonly Outcome[] | undefined;
      /** Default: whether `code` is THROTTLED, UNREACHABLE or TIMEOUT. With `failures`: whether all of them are retryable. */
      retryable?: boolean | undefined;
    } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.hint = options.hint;
    this.failures = options.failures ?? [];
    this.serviceMessage = options.serviceMessage;
    this.stored = options.stored;
    this.outcomes = options.outcomes ?? [];
    this.retryable =
      options.retryable ??
      (this.failures.length > 0
        ? this.failures.every(({ error }) => error.retryable)
        : RETRYABLE.includes(code));
  }

  /** Copies the error with another message, and with another hint if one is given. */
  reworded(message: string, hint = this.hint): CredstashError {
    return this.#copy(message, { hint });
  }

  /** @internal Copies the error with the outcomes of an operation on many secrets. */
  withOutcomes(outcomes: readonly Outcome[], failures = this.failures): CredstashError {
    return this.#copy(this.message, { outcomes, failures });
  }

  /**
   * Makes the object that `JSON.stringify` and loggers write. It contains no secret, no stack, and no text of an application's own
   * error. It contains `cause` only if that is a `ServiceCause`.
   */
  toJSON(): Record<string, unknown> {
    const { name, code, message, hint, retryable, serviceMessage, cause, failures } = this;
    return {
      ...{ name, code, message },
      ...(hint === undefined ? {} : { hint }),
      retryable,
      ...(serviceMessage === undefined ? {} : { serviceMessage }),
      ...(cause instanceof ServiceCause ? { cause: cause.toJSON() } : {}),
      ...(failures.length === 0 ? {} : { failures }),
    };
  }

  #copy(message: string, changes: ConstructorParameters<typeof CredstashError>[2]): CredstashError {
    const { code, hint, failures, serviceMessage, stored, outcomes, retryable } = this;
    const Same = this.constructor as typeof CredstashError;
    const cause = 'cause' in this ? { cause: this.cause } : {};
    const same = { hint, failures, serviceMessage, stored, outcomes, retryable, ...cause };
    return new Same(code, message, { ...same, ...changes });
  }

  /** The exit status of the command. */
  get exitStatus(): number {
    return EXIT_STATUS[this.code];
  }
}

/** Errors that may not occur when the same call is repeated. */
const RETRYABLE: readonly ErrorCode[] = ['THROTTLED', 'UNREACHABLE', 'TIMEOUT'];

/** Whether `error` is of this family and has one of `codes`. */
export function hasCode(error: unknown, ...codes: ErrorCode[]): error is CredstashError {
  return error instanceof CredstashError && codes.includes(error.code);
}

/** Errors that are not about one secret, so that the next secret would meet them too. */
const ABOUT_ALL: readonly ErrorCode[] = [
  'UNEXPECTED',
  'IO',
  'USAGE',
  'TABLE_NOT_FOUND',
  'VAULT_NOT_FOUND',
  'NO_CREDENTIALS',
  'CREDENTIALS_REFUSED',
  'KEY_NOT_TRUSTED',
  'VAULT_PERMISSIONS',
  'VAULT_KEY_MISMATCH',
  'THROTTLED',
  'UNREACHABLE',
  'TIMEOUT',
];

/** Whether `error` is about one secret, so that the operation may succeed for others. */
export function concernsOneSecret(error: unknown): error is CredstashError {
  return error instanceof CredstashError && !ABOUT_ALL.includes(error.code);
}

/** Lists the services' own words in `errors`, without repetitions. */
export function serviceMessages(errors: readonly CredstashError[]): Set<string> {
  return new Set(errors.flatMap(({ serviceMessage: said }) => (said === undefined ? [] : [said])));
}

/**
 * The facts that a service or the system gave about a failed request, as the `cause` of an error: only names and numbers. The
 * SDK's own error is not kept, because it can contain a whole response.
 */
export class ServiceCause extends Error {
  static {
    recogniseOtherForm(this, 'ServiceCause');
  }

  /** The name of the service's error, such as `AccessDeniedException`, or of the SDK's error if the service did not answer. */
  override readonly name: string;
  /** The code of the system or of TLS, such as `ECONNREFUSED`. */
  declare readonly code?: string;
  declare readonly httpStatus?: number;
  declare readonly requestId?: string;
  /** How many times the SDK sent the request. */
  declare readonly attempts?: number;

  constructor(message: string, { name, ...facts }: ServiceFacts = { name: 'Error' }) {
    super(message);
    this.name = name;
    Object.assign(this, omitUndefined(facts));
  }

  toJSON(): ServiceFacts {
    const { name, code, httpStatus, requestId, attempts } = this;
    return omitUndefined({ name, code, httpStatus, requestId, attempts });
  }
}

export interface ServiceFacts {
  readonly name: string;
  readonly code?: string | undefined;
  readonly httpStatus?: number | undefined;
  readonly requestId?: string | undefined;
  readonly attempts?: number | undefined;
}

/** The cause of an error if the service answered, but not with a result. */
export class ServiceAnswer extends ServiceCause {
  static {
    recogniseOtherForm(this, 'ServiceAnswer');
  }
}

/**
 * Whether a service answered with an unknown error, an unreadable answer, or a failure of its own. The cause may be the one
 * request, so that the next request may succeed.
 */
export function isUnforeseenAnswer(error: CredstashError): boolean {
  return hasCode(error, 'UNEXPECTED', 'UNREACHABLE') && error.cause instanceof ServiceAnswer;
}

/** An error of the target of a copy, and not of its source. */
export class TargetError extends CredstashError {}

/** An error of a change of many entries. The command shows only its first failures. */
export class ChangesError extends CredstashError {}

/** The codes of failures that other failures must not hide, the worst first: an entry does not verify, or is not trusted. */
const GRAVE: readonly ErrorCode[] = ['INTEGRITY', 'ENTRY_NOT_TRUSTED'];

/** Sorts failures, the grave ones first. */
export function worstFirst(failures: readonly Failure[]): Failure[] {
  const rankOf = ({ error }: Failure): number =>
    GRAVE.includes(error.code) ? GRAVE.indexOf(error.code) : GRAVE.length;
  return failures.toSorted((a, b) => rankOf(a) - rankOf(b));
}

/** Makes one error of one or more failures. Its code is that of the worst, or else of the first. */
export function combineFailures(
  message: string,
  failures: readonly Failure[],
  hint: string | undefined,
): CredstashError {
  const code = worstFirst(failures)[0]?.error.code ?? 'UNEXPECTED';
  return new CredstashError(code, message, { failures, hint });
}
