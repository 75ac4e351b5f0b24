import type { EntryHeader } from './model/entry.ts';
import { recogniseOtherForm } from './util/form.ts';
import { omitUndefined } from './util/omit-undefined.ts';

// Over 250 lines: the one family of errors, with what each of its readers needs.

/**
 * The exit status of the command for each code (docs/reference/errors.md): 1 unexpected, 2 usage or bad input, 3 no such
 * secret, version or table, 4 a conflict, 5 integrity or trust, 6 credentials, access or key refused,
 * 7 throttled or not reachable after retries, or out of time; as a shell reports them, 126 and 127 for a command of exec that cannot be
 * executed and one that is not there, and 130 for Ctrl-C at a prompt.
 */
const EXIT_STATUS = {
  UNEXPECTED: 1,
  IO: 1,
  USAGE: 2,
  TOO_LARGE: 2,
  VERSION_NOT_NUMERIC: 2,
  SECRET_NOT_FOUND: 3,
  VERSION_NOT_FOUND: 3,
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

/** Of several secrets, one that it did not work for. */
export interface Failure {
  readonly name: string;
  readonly error: CredstashError;
}

/** What became of one secret or version of several. */
export interface Outcome {
  readonly name: string;
  /** As it is spelled in the table; absent for a whole secret. */
  readonly version?: string;
  readonly done: 'stored' | 'unchanged' | 'changed' | 'skipped' | 'deleted' | 'planned' | 'failed';
  /** Of one that failed. */
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
  /** What to do about it, as a sentence for a person; absent where the message says all. */
  readonly hint: string | undefined;
  /** Which of several secrets it did not work for, and why; empty where it is about one thing. */
  readonly failures: readonly Failure[];
  /** What the service that denied it says, in its own words, which nobody here vouches for; absent where it says nothing. */
  readonly serviceMessage: string | undefined;
  /** What was stored before it failed: of a put or a rollback whose label could not be moved, the header of the new version. */
  readonly stored: EntryHeader | undefined;
  /** Of an operation on many secrets, what became of each before it ended; empty for another operation. */
  readonly outcomes: readonly Outcome[];
  /** Whether the same call may succeed later without a change of anything. With `failures`, whether that holds for each. */
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
      /** Default: what the code says. */
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

  /** The same error in other words. */
  reworded(message: string, hint = this.hint): CredstashError {
    return this.#copy(message, { hint });
  }

  /** @internal The same error, of an operation on many secrets. */
  withOutcomes(outcomes: readonly Outcome[], failures = this.failures): CredstashError {
    return this.#copy(this.message, { outcomes, failures });
  }

  /**
   * What `JSON.stringify` and loggers write: no secret, no text of an application's own error, and no stack. Of `cause` only what a
   * service or the system said, as `ServiceCause` has it.
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

/** Errors that may be over when the same call is made again. */
const RETRYABLE: readonly ErrorCode[] = ['THROTTLED', 'UNREACHABLE', 'TIMEOUT'];

/** Whether `error` is of this family and has one of `codes`. */
export function hasCode(error: unknown, ...codes: ErrorCode[]): error is CredstashError {
  return error instanceof CredstashError && codes.includes(error.code);
}

/** Errors that are not about one secret: the next one would meet them too. */
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

/** Whether `error` is about one secret, so that others may fare better. */
export function concernsOneSecret(error: unknown): error is CredstashError {
  return error instanceof CredstashError && !ABOUT_ALL.includes(error.code);
}

/** What services say in `errors`, each once. */
export function serviceMessages(errors: readonly CredstashError[]): Set<string> {
  return new Set(errors.flatMap(({ serviceMessage: said }) => (said === undefined ? [] : [said])));
}

/**
 * What a service or the system said of a request, as the `cause` of an error: names and numbers only. The SDK's own error is not
 * kept, because it can hold a whole response.
 */
export class ServiceCause extends Error {
  static {
    recogniseOtherForm(this, 'ServiceCause');
  }

  /** Of the service's error, such as `AccessDeniedException`; of the SDK's, if the service gave no answer. */
  override readonly name: string;
  /** Of the system or of TLS, such as `ECONNREFUSED`. */
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

/** What a service answered in the place of a result. */
export class ServiceAnswer extends ServiceCause {
  static {
    recogniseOtherForm(this, 'ServiceAnswer');
  }
}

/**
 * Whether a service was reached, and answered in a way that nobody foresaw, or that cannot be read, or that it failed. That may be
 * about the one request, so the next one may fare better.
 */
export function isUnforeseenAnswer(error: CredstashError): boolean {
  return hasCode(error, 'UNEXPECTED', 'UNREACHABLE') && error.cause instanceof ServiceAnswer;
}

/** An error of where a copy goes to, and not of where it comes from. */
export class TargetError extends CredstashError {}

/** An error of a change of many entries, of which a person is shown the first failures only. */
export class ChangesError extends CredstashError {}

/** Failures that nothing may hide, the worst first: an entry does not verify, or is not trusted. */
const GRAVE: readonly ErrorCode[] = ['INTEGRITY', 'ENTRY_NOT_TRUSTED'];

/** The same failures, the grave ones first. */
export function worstFirst(failures: readonly Failure[]): Failure[] {
  const rankOf = ({ error }: Failure): number =>
    GRAVE.includes(error.code) ? GRAVE.indexOf(error.code) : GRAVE.length;
  return failures.toSorted((a, b) => rankOf(a) - rankOf(b));
}

/** One error for all of `failures`, of which there is one at least. Its code is that of the first one, or of a grave one. */
export function combineFailures(
  message: string,
  failures: readonly Failure[],
  hint: string | undefined,
): CredstashError {
  const code = worstFirst(failures)[0]?.error.code ?? 'UNEXPECTED';
  return new CredstashError(code, message, { failures, hint });
}
