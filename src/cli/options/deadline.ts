import { formatDuration, parseDuration } from '../../model/age.ts';
import { CredstashError } from '../../errors.ts';

/** The time that stopped work has to clean up. */
const GRACE_MS = 1000;

interface TimeLimit {
  readonly milliseconds: number;
  /** `--timeout` or `CREDSTASH_TIMEOUT`. */
  readonly from: string;
}

/** The time limit of a whole command, from --timeout or CREDSTASH_TIMEOUT. */
export class Deadline {
  /** The end of the time, in milliseconds since 1970. */
  readonly end: number;
  /** Rejects with a TIMEOUT error when the time is over. */
  readonly over: Promise<never>;
  /** Rejects with the same error one second later, so that stopped work can clean up first. */
  readonly passed: Promise<never>;
  /** The current wait, for the error: `the table X is throttled`. */
  waitsFor: string | undefined;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #graceTimer: NodeJS.Timeout | undefined;

  /**
   * Starts the time.
   *
   * @param hint of the error: the state in which the command leaves its work
   */
  constructor({ milliseconds, from }: TimeLimit, hint: string) {
    this.end = Date.now() + milliseconds;
    const { signal } = this.#controller;
    this.over = new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        reject(signal.reason as CredstashError);
      });
    });
    this.passed = this.over.catch(async (error: unknown) => {
      await new Promise((resolve) => {
        this.#graceTimer = setTimeout(resolve, GRACE_MS);
      });
      throw error;
    });
    // If nothing waits for this promise, its rejection must not count as unhandled.
    this.passed.catch(() => undefined);
    this.#timer = setTimeout(() => {
      const limit = `${formatDuration(milliseconds)} (${from})`;
      const reason = this.waitsFor === undefined ? '' : `: ${this.waitsFor}`;
      this.#controller.abort(
        new CredstashError('TIMEOUT', `not done after ${limit}${reason}`, { hint }),
      );
    }, milliseconds).unref();
  }

  /** Aborts with the TIMEOUT error when the time is over. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get isOver(): boolean {
    return this.signal.aborted;
  }

  /** Stops the timers, so that the time limit has no effect any more. */
  stop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#graceTimer);
  }
}

/**
 * Finds the time limit; undefined if none is set.
 *
 * @param option the value of --timeout; default: CREDSTASH_TIMEOUT
 * @throws CredstashError USAGE for a limit that is not a duration above 0
 */
export function findTimeLimit(option: string | undefined): TimeLimit | undefined {
  const text = option ?? (process.env['CREDSTASH_TIMEOUT'] || undefined);
  if (text === undefined) return undefined;
  const from = option === undefined ? 'CREDSTASH_TIMEOUT' : '--timeout';
  const milliseconds = parseDuration(text);
  if (milliseconds !== undefined) return { milliseconds, from };
  throw new CredstashError('USAGE', `${from} is not a duration`, {
    hint: 'a duration looks like 30s, 2m, 1h or 500ms; a number without a unit is in seconds',
  });
}
