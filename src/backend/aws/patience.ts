import { type CredstashError, hasCode } from '../../errors.ts';
import { sleep } from '../../sleep.ts';

/**
 * How long a throttled request is tried again. A table of one read unit, as the original makes it, is owed 256 units
 * after a page of 1 MB, so the next page may have to wait for over four minutes.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/provisioned-capacity-mode.html
 */
const PATIENCE_MS = 600_000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 10_000;

/** What the SDK is told of a request. With nothing to tell it uses a client's middleware again (`cacheMiddleware`). */
export type SendOptions = { readonly abortSignal: AbortSignal } | undefined;

export function sendOptions(signal: AbortSignal | undefined): SendOptions {
  return signal && { abortSignal: signal };
}

/** What throttles, and for how many seconds it has been waited for; undefined at the end of the wait. */
export type Waiting = (
  wait: { readonly resource: string; readonly seconds: number } | undefined,
) => void;

/**
 * Sends requests again that are throttled, after the SDK has given up on them. One for both services, so that many
 * requests that wait at once are told as one wait.
 */
export class Patience {
  readonly #tell: Waiting;
  readonly #counted: boolean;
  /** How many requests wait, and since when there was one at any time. */
  #waiting = 0;
  #since = 0;

  /**
   * @param tell told before each pause, and once when none waits any more
   * @param counted the application has said how often to try, and no more than that is done
   */
  constructor(tell: Waiting = () => undefined, counted = false) {
    this.#tell = tell;
    this.#counted = counted;
  }

  /**
   * Sends a request again for as long as it is throttled, but not where the user has said with AWS_MAX_ATTEMPTS how
   * often to try.
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
    let pause = FIRST_PAUSE_MS;
    let waits = false;
    try {
      for (;;) {
        signal?.throwIfAborted();
        try {
          return await send(sendOptions(signal));
        } catch (cause) {
          signal?.throwIfAborted();
          const error = told(cause);
          const now = Date.now();
          const impatient =
            this.#counted || process.env['AWS_MAX_ATTEMPTS'] || now + pause > start + PATIENCE_MS;
          if (impatient || !hasCode(error, 'THROTTLED')) throw error;
          if (!waits && this.#waiting++ === 0) this.#since = start;
          waits = true;
          this.#tell({ resource, seconds: Math.round((now - this.#since) / 1000) });
          // With jitter: others wait for the same table.
          await sleep(pause * (0.5 + Math.random() / 2), signal);
          pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
        }
      }
    } finally {
      if (waits && --this.#waiting === 0) this.#tell(undefined);
    }
  }
}
