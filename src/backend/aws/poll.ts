import { sleep } from '../../util/sleep.ts';
import type { CredstashError } from '../../errors.ts';
import type { ThrottleRetry } from './throttle-retry.ts';

const PAUSE_MS = 1000;

export interface PollOptions {
  /** For a person: `the table credential-store`. */
  readonly resource: string;
  /** For a person, the reason of the wait: `is busy`. */
  readonly state: string;
  /** The limit of the wait, in milliseconds. */
  readonly longestMs: number;
  /** Makes the error that is thrown after that time. */
  readonly timeout: () => CredstashError;
  /** Tells the person of the wait. */
  readonly retry: ThrottleRetry;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Calls `attempt` once a second until it returns something.
 *
 * @param attempt undefined means: not yet
 * @throws what `attempt` throws; `timeout()` when the time is over; the reason of `signal`
 */
export async function pollUntil<T>(
  attempt: (end: number) => Promise<T | undefined>,
  options: PollOptions,
): Promise<T> {
  const { resource, state, longestMs, timeout, retry, signal } = options;
  const end = Date.now() + longestMs;
  const wait = retry.watch(resource);
  try {
    for (;;) {
      const result = await attempt(end);
      if (result !== undefined) return result;
      if (Date.now() >= end) throw timeout();
      wait.tell(end, state);
      await sleep(PAUSE_MS, signal);
    }
  } finally {
    wait.end();
  }
}
