import { type CredstashError, hasCode } from '../../errors.ts';
import { sleep } from '../../util/sleep.ts';

/**
 * How long a throttled request is tried again. A table of one read unit, as the original makes it, is owed 256 units
 * after a page of 1 MB, so the next page may have to wait for over four minutes.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/provisioned-capacity-mode.html
 */
const LONGEST_RETRY_MS = 600_000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 10_000;
/** A request that takes longer is told as a wait. */
const USUAL_MS = 2000;
/** The time of one attempt of the SDK, with the pause before the next: both of its time limits are below (client-config.ts). */
const ATTEMPT_MS = 20_000;

const THROTTLED = 'is throttled';

/** What the SDK is told of a request. With nothing to tell it uses a client's middleware again (`cacheMiddleware`). */
export type SendOptions = { readonly abortSignal: AbortSignal } | undefined;

export function sendOptions(signal: AbortSignal | undefined): SendOptions {
  return signal && { abortSignal: signal };
}

/** A wait for a service. Times are in milliseconds since 1970, as `Date.now()` has them. */
export interface Wait {
  /** For a person: `the table credential-store`. */
  readonly resource: string;
  /** For a person, what it is at: `is throttled`, `is busy`; undefined if it has not answered yet. */
  readonly state: string | undefined;
  readonly since: number;
  /** When the wait ends at the latest; Infinity if nobody knows. */
  readonly until: number;
}

/** Told of a wait whenever it changes, and of undefined when nothing is waited for any more. */
export type OnWait = (wait: Wait | undefined) => void;

export interface ThrottleRetryOptions {
  readonly tell?: OnWait | undefined;
  /** How often the SDK tries; default: 3. */
  readonly attempts?: number | undefined;
  /** Whether the application has said so, and no more than that is done. */
  readonly counted?: boolean | undefined;
}

/**
 * Sends requests again that are throttled, after the SDK has given up on them. One for both services, so that many
 * requests that wait at once are told as one wait.
 */
export class ThrottleRetry {
  readonly #tell: OnWait;
  readonly #attempts: number;
  readonly #counted: boolean;
  /** How many requests wait, and since when at least one has. */
  #waiting = 0;
  #since = 0;
  #throttledAt = -Infinity;
  /** How many times credentials are being got: a request waits for them before it is sent. */
  #gettingCredentials = 0;
  /** What each of those requests tells again. */
  readonly #toldAgain = new Set<() => void>();

  constructor({
    tell = () => undefined,
    attempts = 3,
    counted = false,
  }: ThrottleRetryOptions = {}) {
    this.#tell = tell;
    this.#attempts = attempts;
    this.#counted = counted;
  }

  /** Whether nobody has said how often to try. */
  get #usesDefaultAttempts(): boolean {
    return !this.#counted && !process.env['AWS_MAX_ATTEMPTS'];
  }

  /**
   * Tells of waits for `resource` that begin now.
   *
   * @returns `tell` says that it is waited for, until when at the latest, and what it is at, which holds until it is told
   *   anew; `end` that it is not waited for any more
   */
  watch(resource: string): {
    readonly tell: (until: number, state?: string) => void;
    readonly end: () => void;
  } {
    const start = Date.now();
    let told: { readonly until: number; readonly state: string | undefined } | undefined;
    const tell = (until: number, state = told?.state): void => {
      if (!told && this.#waiting++ === 0) this.#since = start;
      const isThrottled = this.#throttledAt >= start;
      told = {
        state: isThrottled ? THROTTLED : state,
        until: isThrottled && this.#usesDefaultAttempts ? start + LONGEST_RETRY_MS : until,
      };
      this.#toldAgain.add(again);
      const wait = { resource, since: this.#since, ...told };
      this.#tell(
        this.#gettingCredentials > 0
          ? { ...wait, resource: 'AWS credentials', state: undefined, until: Infinity }
          : wait,
      );
    };
    const again = (): void => {
      if (told) tell(told.until);
    };
    const end = (): void => {
      this.#toldAgain.delete(again);
      if (told && --this.#waiting === 0) this.#tell(undefined);
      told = undefined;
    };
    return { tell, end };
  }

  /** A service said so of an attempt that the SDK may repeat by itself. */
  sawThrottling(): void {
    this.#throttledAt = Date.now();
    this.#tellAgain();
  }

  /** Gets credentials. Meanwhile they are what is waited for: a program or a service gives them, as late as it wants. */
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
    for (const again of this.#toldAgain) again();
  }

  /**
   * Sends a request again for as long as it is throttled, but not if the user has said with AWS_MAX_ATTEMPTS how often
   * to try.
   *
   * @param resource what it is about: `the table X`
   * @param send throws an error of the SDK's
   * @param told that error as one of the project; it is thrown
   * @param signal ends the wait, and rejects with its reason
   */
  async send<T>(
    resource: string,
    send: (options: SendOptions) => Promise<T>,
    told: (error: unknown) => CredstashError,
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
          const error = told(cause);
          const end = start + LONGEST_RETRY_MS;
          const isOver = !this.#usesDefaultAttempts || Date.now() + pause > end;
          if (isOver || !hasCode(error, 'THROTTLED')) throw error;
          wait.tell(end, THROTTLED);
          // With jitter: others wait for the same table.
          await sleep(pause * (0.5 + Math.random() / 2), signal);
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
    const until = Date.now() + this.#attempts * ATTEMPT_MS;
    // The request keeps the process alive, and not this.
    const late = setTimeout(wait.tell, USUAL_MS, until).unref();
    try {
      return await send(sendOptions(signal));
    } finally {
      clearTimeout(late);
    }
  }
}
