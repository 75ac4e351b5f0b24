import type { GetOptions } from '../operations/options.ts';

/** Times are in milliseconds. */
export interface CacheOptions {
  /** A value is this old at most, counted from before it was asked for, unless AWS is down; default 300000, five minutes. */
  readonly ttl?: number | undefined;
  /** How much longer it is given while AWS is down; default 0: not at all. */
  readonly maxStale?: number | undefined;
  /** How long it is remembered that a secret, version or label is missing, but no longer than `ttl`; default 5000. */
  readonly missingTtl?: number | undefined;
  /** How many values are kept; the one that was not asked for the longest goes first. Default 1000. */
  readonly maxEntries?: number | undefined;
  /** Told of a failure that no caller is told of: in the background, or of a get that was given a stale value. What it throws is lost. */
  readonly onError?: ((name: string, error: unknown) => unknown) | undefined;
}

/** What a get of a cache can be asked besides. */
export interface CacheGetOptions extends GetOptions {
  /**
   * For this call, a value is this old at most, in milliseconds, also while AWS is down. It has no effect if it is longer than `ttl`
   * and `maxStale` together.
   */
  readonly maxAge?: number | undefined;
  /** Fetch the secret now, whatever is kept; as `refresh` does. */
  readonly forceFetch?: boolean | undefined;
}
