import { CredstashError } from '../errors.ts';
import { allowManyListeners } from './race-signal.ts';

/** A time limit, which begins when this is made, and ends with `clear`. */
export class Deadline {
  /** Aborted when the time is over, with a TIMEOUT, or when the caller's own signal is. */
  readonly signal: AbortSignal;
  readonly #timer: NodeJS.Timeout;

  constructor(milliseconds: number, signal: AbortSignal | undefined) {
    const controller = new AbortController();
    this.#timer = setTimeout(() => {
      controller.abort(
        new CredstashError('TIMEOUT', `the call did not end within its ${milliseconds} ms`, {
          hint: 'check the network and the region, or give a longer timeoutMs',
        }),
      );
    }, milliseconds);
    this.signal = signal ? AbortSignal.any([signal, controller.signal]) : controller.signal;
    allowManyListeners(this.signal);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}

/**
 * Runs `work` under a time limit.
 *
 * @param milliseconds undefined for no limit
 * @param signal the caller's own, which ends the work too
 * @param work gets a signal that is aborted when the time is over, or when `signal` is
 * @throws CredstashError TIMEOUT, if the work heeds its signal
 */
export async function withDeadline<T>(
  milliseconds: number | undefined,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  allowManyListeners(signal);
  if (milliseconds === undefined) return work(signal);
  const deadline = new Deadline(milliseconds, signal);
  try {
    return await work(deadline.signal);
  } finally {
    deadline.clear();
  }
}
