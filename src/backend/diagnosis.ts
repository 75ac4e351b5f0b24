import type { Context } from '../model/context.ts';
import type { Backend } from './backend.ts';
import { CredstashError, type ErrorCode } from '../errors.ts';
import type { CallOptions } from '../util/progress.ts';

/** What the doctor found out about one thing. */
export interface Step {
  /** One or two words: `table`, `data key`. */
  readonly title: string;
  /** `warning` works, and should be mended; `unknown` could not be looked at, and need not be. */
  readonly state: 'ok' | 'warning' | 'failed' | 'unknown';
  readonly found: string;
  /** How to mend it. */
  readonly hint?: string;
  /** Of the error that was met. */
  readonly code?: ErrorCode;
  /** What the service that denied it says, in its own words. */
  readonly serviceMessage?: string;
}

/** The options of a backend's checks. */
export interface CheckOptions extends CallOptions {
  /** A name that no secret has, for what is asked of the table and the key. */
  readonly name: string;
  /** The pairs under which data keys are tried, without that name. */
  readonly context: Context;
  /** Whether such a name is all that may be asked for: nobody may then scan. */
  readonly byName: boolean;
  /** Whether the caller means to write: what a writer needs is then required. */
  readonly write: boolean;
}

/** A region to fall back to, and its checks. */
export interface FallbackChecks {
  readonly region: string;
  /** Opens the backend there. Sends no request. */
  readonly open: () => Promise<Pick<Backend, 'keys' | 'entries'>>;
  /** Checks the replicas of the table and of the key. */
  readonly check: (options: CheckOptions) => AsyncGenerator<Step>;
}

/** The parts of a backend that are worth trying after its checks. */
export interface Usable {
  readonly keys: boolean;
  readonly entries: boolean;
}

/** The checks of one backend. They write nothing. */
export type Checks = AsyncGenerator<Step, Usable>;

/** The step of an error. @param policy which one would allow it, where it was denied */
export function failedStep(
  title: string,
  error: CredstashError,
  state: 'failed' | 'unknown' = 'failed',
  policy?: 'reader' | 'writer',
): Step {
  const hint =
    error.code === 'ACCESS_DENIED' && policy !== undefined
      ? `\`policy("${policy}")\` prints the policy it takes; if one grants by name or by pairs, give \`name: "PREFIX"\` and \`context\``
      : error.hint;
  return mended({ title, state, ...metBy(error, error.message) }, hint);
}

/** A step that nobody tells about. @param what could not be looked at: `whether its rotation is on` */
export function unknownStep(title: string, what: string, error: CredstashError): Step {
  return { title, state: 'unknown', ...metBy(error, `${what}: ${error.message}`) };
}

function metBy(
  { code, serviceMessage }: CredstashError,
  found: string,
): Omit<Step, 'title' | 'state'> {
  return { found, code, ...(serviceMessage === undefined ? {} : { serviceMessage }) };
}

/** A step that works. */
export function okStep(title: string, found: string): Step {
  return { title, state: 'ok', found };
}

/** A step that works, and should be mended as `hint` says. */
export function warningStep(title: string, found: string, hint?: string): Step {
  return mended({ title, state: 'warning', found }, hint);
}

/**
 * The step about how versions sort.
 *
 * @param unpadded how many of the entries that were looked at have a version that sorts as text
 * @param among which entries those are: `the first 100 entries`
 */
export function versionsStep(unpadded: number, among: string): Step {
  const title = 'versions';
  if (unpadded === 0) return okStep(title, `no unpadded numbers among ${among}`);
  return warningStep(
    title,
    `unpadded numbers among ${among}: ${unpadded}; they sort as text, 10 before 2, so that get may give an older version`,
    'pad them: `padVersions()` (with `dryRun` it shows them)',
  );
}

/** The step of a key to seal under that is not trusted: who only reads needs none. */
export function untrustedKey(error: CredstashError, write: boolean): Step {
  const step = failedStep('key', error);
  return write ? step : { ...step, state: 'warning' };
}

function mended(step: Step, hint: string | undefined): Step {
  return hint === undefined ? step : { ...step, hint };
}

/**
 * What `work` gives, or its error, of this project's.
 *
 * @throws the reason of `signal`, and any error that is not a CredstashError
 */
export async function attempt<T>(
  work: () => T | Promise<T>,
  signal?: AbortSignal,
): Promise<T | CredstashError> {
  try {
    return await work();
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof CredstashError) return error;
    throw error;
  }
}
