import type { StandardRetryStrategy } from '@smithy/core/retry';
import type { ClientConfig } from './client-settings.ts';
import { startOfAttempt } from './failed-host.ts';
import type { OutageLimits } from './outage-limits.ts';

type RetryConfig = Pick<ClientConfig, 'maxAttempts' | 'retryMode'>;

type Strategy = Pick<
  StandardRetryStrategy,
  'acquireInitialRetryToken' | 'refreshRetryTokenForRetry' | 'recordSuccess'
>;
type Token = Awaited<ReturnType<StandardRetryStrategy['acquireInitialRetryToken']>>;
type RetryInfo = Parameters<StandardRetryStrategy['refreshRetryTokenForRetry']>[1];

/**
 * The SDK's own way to retry the attempts of one client, which gives up once `retryMs` have passed since the first attempt. An
 * attempt that met silence takes longer than that, so that it is not repeated. Throttling has no such limit: it is left to the
 * SDK, and then to ThrottleRetry.
 */
export class OutageRetryStrategy {
  readonly #config: RetryConfig;
  readonly #retryMs: number;
  /** When the first attempt began of those that did not meet throttling, by the token of the next one. */
  readonly #starts = new WeakMap<object, number>();

  #strategy: Promise<Strategy> | undefined;

  constructor(config: RetryConfig, { retryMs }: OutageLimits) {
    this.#config = config;
    this.#retryMs = retryMs;
  }

  async acquireInitialRetryToken(scope: string): Promise<Token> {
    this.#strategy ??= createStrategy(this.#config);
    return (await this.#strategy).acquireInitialRetryToken(scope);
  }

  async refreshRetryTokenForRetry(token: Token, info: RetryInfo): Promise<Token> {
    this.#strategy ??= createStrategy(this.#config);
    const refreshed = (await this.#strategy).refreshRetryTokenForRetry(token, info);
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
    // A client records no success before it has acquired a token.
    void this.#strategy?.then((strategy) => {
      strategy.recordSuccess(token);
    });
  }
}

/** Makes the strategy of the SDK. It is imported on use, because older releases of the SDK do not export it there. */
async function createStrategy({ maxAttempts = 3, retryMode }: RetryConfig): Promise<Strategy> {
  const { AdaptiveRetryStrategy, StandardRetryStrategy } = await import('@smithy/core/retry');
  const provider =
    typeof maxAttempts === 'function' ? maxAttempts : () => Promise.resolve(maxAttempts);
  const Strategy = retryMode === 'adaptive' ? AdaptiveRetryStrategy : StandardRetryStrategy;
  return new Strategy(provider) as StandardRetryStrategy;
}
