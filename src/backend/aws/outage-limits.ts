/** How soon a read gives up on a region that has an outage, if another region can be asked. Times are in milliseconds. */
export interface OutageLimits {
  /** How long refused connections and server errors are retried, counted from the first attempt. */
  readonly retryMs: number;
  /** How long nothing may come: no connection, no answer, no more bytes of an answer. */
  readonly silenceMs: number;
  /** How long a throttled request is sent again. */
  readonly throttlingMs: number;
}

/** Throttling is not an outage: the value of before a rotation would be worse than a wait. */
export const OUTAGE_LIMITS: OutageLimits = {
  retryMs: 1000,
  silenceMs: 3000,
  throttlingMs: 30_000,
};
