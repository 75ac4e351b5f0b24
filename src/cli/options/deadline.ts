import { formatDuration, parseDuration } from '../../model/age.ts';
import { CredstashError } from '../../errors.ts';

/** How long what was stopped has to clean up, in milliseconds. */
const GRACE_MS = 1000;

interface TimeLimit {
  readonly milliseconds: number;
  /** `--timeout` or `CREDSTASH_TIMEOUT`. */
  readonly from: string;
}

/** The limit on the time of a whole command, from --timeout or CREDSTASH_TIMEOUT. */
export class Deadline {
  /** In milliseconds since 1970. */
  readonly end: number;
  /** Rejects with the error of TIMEOUT when the time is over. */
  readonly over: Promise<never>;
  /** The same, a while later: what was stopped ends first, if it can. */
  readonly passed: Promise<never>;
  /** What is waited for, for the error: `the table X is throttled`. */
  waitsFor: string | undefined;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #graceTimer: NodeJS.Timeout | undefined;

  /**
   * The time begins now.
   *
   * @param hint of the error: what became of the command's work
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
    // Nobody may wait for it, which is not an unhandled rejection.
    this.passed.catch(() => undefined);
    this.#timer = setTimeout(() => {
      const limit = `${formatDuration(milliseconds)} (${from})`;
      const reason = this.waitsFor === undefined ? '' : `: ${this.waitsFor}`;
      this.#controller.abort(
        new CredstashError('TIMEOUT', `not done after ${limit}${reason}`, { hint }),
      );
    }, milliseconds).unref();
  }

  /** Aborted with the error of TIMEOUT when the time is over. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get isOver(): boolean {
    return this.signal.aborted;
  }

  /** From now on time does not matter. */
  stop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#graceTimer);
  }
}

/**
 * The limit that was given, if there is one.
 *
 * @param option the value of --timeout
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
