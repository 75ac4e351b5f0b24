import { type CredstashError, hasCode } from '../../errors.ts';
import { sleep } from '../../util/sleep.ts';
import type { OutageLimits } from './outage-limits.ts';

/** How long a throttled request is repeated, by default: as long as the callers of a server wait. The command sets more. */
const DEFAULT_LONGEST_MS = 5000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 10_000;
/** A request that takes longer is reported as a wait. */
const USUAL_MS = 2000;
/** The longest attempt of the SDK, with the pause before the next. Both time limits in client-config.ts are shorter. */
const ATTEMPT_MS = 20_000;

const THROTTLED = 'is throttled';

/** The options of an SDK request. Undefined lets the SDK reuse the client's middleware (`cacheMiddleware`). */
export type SendOptions = { readonly abortSignal: AbortSignal } | undefined;

export function createSendOptions(signal: AbortSignal | undefined): SendOptions {
  return signal && { abortSignal: signal };
}

/** A wait for a service. Times are in milliseconds since 1970, as `Date.now()` has them. */
export interface Wait {
  /** For a person: `the table credential-store`. */
  readonly resource: string;
  /** For a person, the reason: `is throttled`, `is busy`; undefined if the service has not answered yet. */
  readonly state: string | undefined;
  readonly since: number;
  /** The latest end of the wait; Infinity if unknown. */
  readonly until: number;
}

/** Called with the wait whenever it changes, and with undefined when it is over. */
export type OnWait = (wait: Wait | undefined) => void;

export interface ThrottleRetryOptions {
  readonly tell?: OnWait | undefined;
  /** How often the SDK tries a request; default: 3. */
  readonly attempts?: number | undefined;
  /** Whether the application has set that number. Then a throttled request is not repeated beyond it. */
  readonly counted?: boolean | undefined;
  /** How long a throttled request is repeated, in milliseconds; default: 5000. */
  readonly longestMs?: number | undefined;
  /** Limits of a region after which another one is asked. Throttling is then waited for, however often the SDK tries. */
  readonly outage?: OutageLimits | undefined;
}

/**
 * Repeats throttled requests after the SDK has given up on them. Both services share one instance, so that many waiting
 * requests are reported as one wait.
 */
export class ThrottleRetry {
  readonly #tell: OnWait;
  readonly #attempts: number;
  readonly #counted: boolean;
  readonly #longestMs: number;
  readonly #outage: OutageLimits | undefined;
  /** How many requests wait, and since when at least one of them has. */
  #waiting = 0;
  #since = 0;
  #throttledAt = -Infinity;
  /** How many requests for credentials are under way. Other requests wait for them. */
  #gettingCredentials = 0;
  /** Reports each wait again, after its reason has changed. */
  readonly #toldAgain = new Set<() => void>();

  constructor({
    tell = () => undefined,
    attempts = 3,
    counted = false,
    longestMs = DEFAULT_LONGEST_MS,
    outage,
  }: ThrottleRetryOptions = {}) {
    this.#tell = tell;
    this.#attempts = attempts;
    this.#counted = counted;
    this.#longestMs = longestMs;
    this.#outage = outage;
  }

  /** Whether a throttled request is repeated: neither the application nor AWS_MAX_ATTEMPTS limits the attempts. */
  get #usesDefaultAttempts(): boolean {
    if (this.#outage) return true;
    return !this.#counted && !process.env['AWS_MAX_ATTEMPTS'];
  }

  /**
   * Starts to watch a request for `resource`.
   *
   * @returns `tell` reports that the request waits, until when at the latest, and why (default: the last reason); `end`
   *   reports that it waits no longer
   */
  watch(resource: string): {
    readonly tell: (until: number, state?: string) => void;
    readonly end: () => void;
  } {
    const start = Date.now();
    let lastReport: { readonly until: number; readonly state: string | undefined } | undefined;
    const tell = (until: number, state = lastReport?.state): void => {
      if (!lastReport && this.#waiting++ === 0) this.#since = start;
      const isThrottled = this.#throttledAt >= start;
      lastReport = {
        state: isThrottled ? THROTTLED : state,
        until: isThrottled && this.#usesDefaultAttempts ? start + this.#longestMs : until,
      };
      this.#toldAgain.add(reportAgain);
      const wait = { resource, since: this.#since, ...lastReport };
      this.#tell(
        this.#gettingCredentials > 0
          ? { ...wait, resource: 'AWS credentials', state: undefined, until: Infinity }
          : wait,
      );
    };
    const reportAgain = (): void => {
      if (lastReport) tell(lastReport.until);
    };
    const end = (): void => {
      this.#toldAgain.delete(reportAgain);
      if (lastReport && --this.#waiting === 0) this.#tell(undefined);
      lastReport = undefined;
    };
    return { tell, end };
  }

  /** Records that a service throttled an attempt, which the SDK may repeat by itself. */
  sawThrottling(): void {
    this.#throttledAt = Date.now();
    this.#tellAgain();
  }

  /** Gets credentials. Meanwhile waits are reported as waits for credentials: the program or service that gives them may take any time. */
  async getCredentials<T>(get: () => Promise<T>): Promise<T> {
    this.#gettingCredentials++;
    this.#tellAgain();
    try {
      return await get();
    } finally {
      this.#gettingCredentials--;
      this.#tellAgain();
    }
  }

  #tellAgain(): void {
    for (const reportAgain of this.#toldAgain) reportAgain();
  }

  /**
   * Sends a request, and repeats it while it is throttled, for up to ten minutes. Does not repeat it if AWS_MAX_ATTEMPTS or
   * the application sets the number of attempts.
   *
   * @param resource the subject of the request: `the table X`
   * @param send sends the request once; throws the SDK's errors
   * @param toError translates that error into the project's, which is thrown
   * @param signal ends the wait, and rejects with its reason
   */
  async send<T>(
    resource: string,
    send: (options: SendOptions) => Promise<T>,
    toError: (error: unknown) => CredstashError,
    signal?: AbortSignal,
  ): Promise<T> {
    const start = Date.now();
    const wait = this.watch(resource);
    let pause = FIRST_PAUSE_MS;
    try {
      for (;;) {
        signal?.throwIfAborted();
        try {
          return await this.#sendOnce(send, wait, signal);
        } catch (cause) {
          signal?.throwIfAborted();
          const error = toError(cause);
          const end = start + this.#longestMs;
          // If another region is asked next, all of the time is used first.
          const rest = this.#outage ? end - Date.now() : Infinity;
          const isLast = this.#outage ? rest <= 0 : Date.now() + pause > end;
          const isOver = !this.#usesDefaultAttempts || isLast;
          if (isOver || !hasCode(error, 'THROTTLED')) throw error;
          wait.tell(end, THROTTLED);
          // With jitter, because others may wait for the same table.
          await sleep(Math.min(pause * (0.5 + Math.random() / 2), rest), signal);
          pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
        }
      }
    } finally {
      wait.end();
    }
  }

  async #sendOnce<T>(
    send: (options: SendOptions) => Promise<T>,
    wait: ReturnType<ThrottleRetry['watch']>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const outage = this.#outage;
    const longestMs = outage ? outage.retryMs + outage.silenceMs : this.#attempts * ATTEMPT_MS;
    const until = Date.now() + longestMs;
    // Only the request may keep the process alive.
    const late = setTimeout(wait.tell, USUAL_MS, until).unref();
    try {
      return await send(createSendOptions(signal));
    } finally {
      clearTimeout(late);
    }
  }
}
