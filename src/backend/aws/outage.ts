import {
  AdaptiveRetryStrategy,
  DEFAULT_MAX_ATTEMPTS,
  StandardRetryStrategy,
} from '@smithy/core/retry';
import type { ClientConfig } from './client-settings.ts';
import { startOfAttempt } from './failed-host.ts';
import type { OutageLimits } from './outage-limits.ts';

type RetryConfig = Pick<ClientConfig, 'maxAttempts' | 'retryMode'>;

type Token = Awaited<ReturnType<StandardRetryStrategy['acquireInitialRetryToken']>>;
type RetryInfo = Parameters<StandardRetryStrategy['refreshRetryTokenForRetry']>[1];

/**
 * The SDK's own way to retry the attempts of one client, which gives up once `retryMs` have passed since the first attempt. An
 * attempt that met silence takes longer than that, so that it is not repeated. Throttling has no such limit: it is left to the
 * SDK, and then to ThrottleRetry.
 */
export class OutageRetryStrategy {
  readonly #strategy: Pick<
    StandardRetryStrategy,
    'acquireInitialRetryToken' | 'refreshRetryTokenForRetry' | 'recordSuccess'
  >;
  readonly #retryMs: number;
  /** When the first attempt began of those that did not meet throttling, by the token of the next one. */
  readonly #starts = new WeakMap<object, number>();

  constructor(
    { maxAttempts = DEFAULT_MAX_ATTEMPTS, retryMode }: RetryConfig,
    { retryMs }: OutageLimits,
  ) {
    const provider =
      typeof maxAttempts === 'function' ? maxAttempts : () => Promise.resolve(maxAttempts);
    const Strategy = retryMode === 'adaptive' ? AdaptiveRetryStrategy : StandardRetryStrategy;
    this.#strategy = new Strategy(provider) as StandardRetryStrategy;
    this.#retryMs = retryMs;
  }

  acquireInitialRetryToken(scope: string): Promise<Token> {
    return this.#strategy.acquireInitialRetryToken(scope);
  }

  async refreshRetryTokenForRetry(token: Token, info: RetryInfo): Promise<Token> {
    const refreshed = this.#strategy.refreshRetryTokenForRetry(token, info);
    if (info.errorType === 'THROTTLING') return refreshed;
    const now = performance.now();
    const start = this.#starts.get(token) ?? startOfAttempt(info.error) ?? now;
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => {
          reject(new Error('the time for retries is over'));
        },
        Math.max(0, start + this.#retryMs - now),
      );
    });
    try {
      const next = await Promise.race([refreshed, over]);
      this.#starts.set(next, start);
      return next;
    } finally {
      clearTimeout(timer);
    }
  }

  recordSuccess(token: Token): void {
    this.#strategy.recordSuccess(token);
  }
}
