import { hasCode } from '../../errors.ts';

/**
 * How long a throttled request is tried again. A table of one read unit, as the original makes it, is owed 256 units
 * after a page of 1 MB, so the next page may have to wait for over four minutes.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/provisioned-capacity-mode.html
 */
const PATIENCE_MS = 600_000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 10_000;

/** Told the seconds waited so far before each pause, and undefined at the end of the wait. */
export type Waiting = (seconds: number | undefined) => void;

/**
 * Sends a request again, after the SDK has given up on it, for as long as it is throttled. Not where the user has
 * said with AWS_MAX_ATTEMPTS how often to try.
 *
 * @param send throws CredstashError
 */
export async function patiently<T>(send: () => Promise<T>, waiting: Waiting): Promise<T> {
  const start = Date.now();
  let pause = FIRST_PAUSE_MS;
  let waited = false;
  try {
    for (;;) {
      try {
        return await send();
      } catch (error) {
        const elapsed = Date.now() - start;
        const impatient = process.env['AWS_MAX_ATTEMPTS'] || elapsed + pause > PATIENCE_MS;
        if (impatient || !hasCode(error, 'THROTTLED')) throw error;
        waited = true;
        waiting(Math.round(elapsed / 1000));
        // With jitter: others wait for the same table.
        await sleep(pause * (0.5 + Math.random() / 2));
        pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
      }
    }
  } finally {
    if (waited) waiting(undefined);
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
