import { checkArguments } from './calls/arguments.ts';
import { bindMethods } from './calls/bind-methods.ts';
import type { CacheGetOptions, CacheOptions } from './calls/cache-options.ts';
import { withDeadline } from './calls/deadline.ts';
import { fromJson } from './calls/json.ts';
import { KeptValues, KnownMissing, type Moment, now, since } from './calls/kept-values.ts';
import { isBytes, LONGEST_MS } from './calls/kinds.ts';
import { allowMissing } from './calls/missing.ts';
import { CredstashError, hasCode } from './errors.ts';
import { cacheKey, checkGet, type Request, textFrom } from './operations/get.ts';
import type { GetOptions } from './operations/options.ts';
import { recogniseOtherForm } from './util/form.ts';

export type { CacheGetOptions, CacheOptions };

// Over 250 lines: the states of a cached value (fresh, about to expire, stale, failing) are one machine.

/** A value is fetched again by the first get in the last tenth of its ttl, so that none has to wait for it. */
const AHEAD = 0.1;

/** How long a get waits for AWS where there is a stale value to give. */
const WAIT_MS = 1000;

/** After AWS was down: how long stale values are given with no further request. */
const PAUSE_MS = 10_000;

type Outcome = { readonly value: Uint8Array } | { readonly error: unknown };

/** A request that is under way, and who waits for it. */
interface PendingFetch {
  readonly since: Moment;
  /** Called at once when it ends: a value may be wiped right after. Whether an error was passed on to a caller. */
  readonly waiting: Set<(outcome: Outcome) => boolean>;
}

/**
 * Secrets in memory, each as old as `ttl` at most. A secret is what `get` gives for one name, version, label and context;
 * for each there is one request at a time, however many ask.
 *
 * While AWS is down (`THROTTLED`, `UNREACHABLE` or `TIMEOUT`, after the SDK's retries), a value of which the ttl is over is given for
 * `maxStale` more: after a wait of 1 second at most, and with no wait in the 10 seconds after a request that failed. Any
 * other error is passed on at once, and the value wiped: `SECRET_NOT_FOUND`, `ACCESS_DENIED`, `INTEGRITY`, `ENTRY_NOT_TRUSTED`, and
 * credentials that are refused or have expired, because somebody may have taken the access away.
 *
 * That a secret is missing is remembered for `missingTtl`, so that a server which asks for it again and again does not ask AWS.
 *
 * Values that are given are the caller's own. Those that are kept are wiped when they are replaced, when they are too old,
 * and on `close`. No timer keeps the process alive.
 */
export class SecretCache {
  static {
    recogniseOtherForm(this, 'SecretCache');
  }

  readonly #source: (name: string, options: GetOptions) => Promise<Uint8Array>;
  readonly #ttl: number;
  readonly #onError: (name: string, error: unknown) => unknown;
  readonly #kept: KeptValues;
  readonly #missing: KnownMissing;
  readonly #pendingFetches = new Map<string, PendingFetch>();
  readonly #closing = new AbortController();

  /**
   * @param source what is asked: `get` of a Credstash. A Uint8Array that it gives is the cache's own, and is wiped; a Buffer is copied
   * @throws CredstashError USAGE for invalid options
   */
  constructor(
    source: (name: string, options: GetOptions) => Promise<Uint8Array>,
    options: CacheOptions = {},
  ) {
    checkArguments('new SecretCache', source, options);
    const { ttl = 300_000, maxStale = 0, missingTtl = 5000, maxEntries = 1000 } = options;
    if (ttl + maxStale > LONGEST_MS) {
      throw new CredstashError(
        'USAGE',
        `ttl and maxStale are milliseconds, from 0 to ${LONGEST_MS} together`,
      );
    }
    this.#source = source;
    this.#ttl = ttl;
    this.#kept = new KeptValues(ttl + maxStale, maxEntries);
    this.#missing = new KnownMissing(Math.min(missingTtl, ttl), maxEntries);
    this.#onError = options.onError ?? (() => undefined);
    bindMethods(this);
  }

  /**
   * The secret's bytes, the caller's own.
   *
   * @param options.signal ends the wait of this caller only, as `options.timeoutMs` does
   * @throws CredstashError as `get` of Credstash does; USAGE once the cache is closed
   */
  async get(name: string, options: CacheGetOptions = {}): Promise<Uint8Array> {
    checkArguments('cache.get', name, options);
    return withDeadline(options.timeoutMs, options.signal, (signal) =>
      this.#get(name, { ...options, signal }),
    );
  }

  /** The secret as text. @throws CredstashError as `get` does; USAGE if its bytes are not UTF-8 */
  async getText(name: string, options: CacheGetOptions = {}): Promise<string> {
    return textFrom(name, await this.get(name, options));
  }

  /**
   * The value of a secret that is JSON. Its type is the caller's word: nothing checks it.
   * @throws CredstashError as `getText` does; USAGE if the secret is not JSON
   */
  async getJson<T = unknown>(name: string, options: CacheGetOptions = {}): Promise<T> {
    return fromJson(name, await this.getText(name, options)) as T;
  }

  /** The secret's bytes; undefined if there is no such secret, version or label. @throws CredstashError as `get` does for all else */
  async getOptional(name: string, options: CacheGetOptions = {}): Promise<Uint8Array | undefined> {
    return allowMissing(this.get(name, options));
  }

  /**
   * Fetches the secret now, whatever is kept: once this resolves, `get` gives what was stored before the call, or newer.
   *
   * @param options the same as for `get`
   * @throws CredstashError as `get` of Credstash does, AWS being down too; the value that is kept then stays, if it does
   *   for a `get`
   */
  async refresh(name: string, options: GetOptions = {}): Promise<void> {
    checkArguments('cache.refresh', name, options);
    return withDeadline(options.timeoutMs, options.signal, async (signal) => {
      (await this.#fetchNow(name, { ...options, signal })).fill(0);
    });
  }

  /** Wipes all that is kept, and ends what is under way: whoever waits for it is told that the cache is closed. */
  close(): void {
    const closed = isClosed();
    this.#closing.abort(closed);
    this.#kept.clear();
    this.#missing.clear();
    for (const { waiting } of this.#pendingFetches.values()) {
      for (const each of waiting) each({ error: closed });
    }
    this.#pendingFetches.clear();
  }

  /** As `close`: `using cache = credstash.createCache()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** As `close`: `await using cache = credstash.createCache()`. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  async #get(name: string, options: CacheGetOptions): Promise<Uint8Array> {
    const { maxAge = Infinity, forceFetch = false, signal } = options;
    if (forceFetch || maxAge <= 0) return this.#fetchNow(name, options);
    const { id, request } = this.#check(name, options);
    const kept = this.#kept.find(id, maxAge);
    const pending = this.#pendingFetches.get(id);
    if (!kept) {
      // A request that began too long ago gives a value that is too old.
      if (pending && since(pending.since) >= maxAge) return this.#fetchNow(name, options);
      this.#missing.check(id, maxAge);
      return this.#waitFor(id, pending ?? this.#begin(id, request), signal, { maxAge });
    }
    this.#kept.touch(id, kept);
    const age = since(kept.since);
    const value = kept.value.slice();
    if (age < this.#ttl * (1 - AHEAD)) return value;
    const isDown = kept.failed !== undefined && since(kept.failed) < PAUSE_MS;
    const refresh = pending ?? (isDown ? undefined : this.#begin(id, request));
    const wait = refresh ? WAIT_MS - since(refresh.since) : 0;
    if (age < this.#ttl || !refresh || isDown || wait <= 0) return value;
    value.fill(0);
    return this.#waitFor(id, refresh, signal, { maxAge, wait });
  }

  /** What was stored before this call, or newer; the caller's own bytes. */
  async #fetchNow(name: string, options: GetOptions): Promise<Uint8Array> {
    const { id, request } = this.#check(name, options);
    const before = this.#pendingFetches.get(id);
    if (before) {
      // It may have read the table before this call.
      await this.#settle(before, options.signal, () => undefined);
      this.#check(name, options);
    }
    const pending = this.#pendingFetches.get(id) ?? this.#begin(id, request);
    return this.#settle(pending, options.signal, (outcome) => {
      if ('error' in outcome) throw outcome.error;
      return outcome.value.slice();
    });
  }

  /** All that can be checked before anything is asked. */
  #check(name: string, options: GetOptions): { id: string; request: Request } {
    options.signal?.throwIfAborted();
    if (this.#closing.signal.aborted) throw isClosed();
    const request = checkGet(name, options);
    return { id: cacheKey(request), request };
  }

  #begin(id: string, request: Request): PendingFetch {
    const pending: PendingFetch = { since: now(), waiting: new Set() };
    this.#pendingFetches.set(id, pending);
    void this.#fetch(id, pending, request);
    return pending;
  }

  async #fetch(
    id: string,
    pending: PendingFetch,
    { name, which, context }: Request,
  ): Promise<void> {
    const { signal } = this.#closing;
    const outcome = await this.#ask(name, { ...which, context, signal });
    if (signal.aborted) {
      if ('value' in outcome) outcome.value.fill(0);
      return;
    }
    this.#pendingFetches.delete(id);
    this.#missing.remove(id);
    if ('value' in outcome) {
      this.#kept.keep(id, outcome.value, pending.since);
    } else if (hasCode(outcome.error, 'THROTTLED', 'UNREACHABLE', 'TIMEOUT')) {
      this.#kept.markFailed(id);
    } else {
      const wasKept = this.#kept.drop(id);
      // A secret that existed a moment ago is perhaps about to be replaced: the next get asks again.
      if (!wasKept && hasCode(outcome.error, 'SECRET_NOT_FOUND', 'VERSION_NOT_FOUND')) {
        this.#missing.add(id, outcome.error, pending.since);
      }
    }
    let told = false;
    for (const each of pending.waiting) told = each(outcome) || told;
    if ('error' in outcome && !told) this.#tellError(name, outcome.error);
  }

  /** Asks the source. */
  async #ask(name: string, options: GetOptions): Promise<Outcome> {
    try {
      // A source that throws at once rejects like any other.
      const given: unknown = await new Promise((resolve) => {
        resolve(this.#source(name, options));
      });
      if (!isBytes(given)) throw notBytes();
      // `slice` of a Buffer is not a copy, and its bytes may be the source's own, or a part of Node.js's pool.
      return { value: Buffer.isBuffer(given) ? new Uint8Array(given) : given };
    } catch (error) {
      return { error };
    }
  }

  /** Tells of a failure. What `onError` throws, or its promise rejects with, concerns no caller. */
  #tellError(name: string, error: unknown): void {
    try {
      const told: unknown = this.#onError(name, error);
      Promise.resolve(told).catch(() => undefined);
    } catch {
      // As the docstring of the option says.
    }
  }

  /**
   * Waits for a value, which is the caller's own.
   *
   * @param limits.maxAge of a stale value
   * @param limits.wait after which a stale value is given; one that AWS is down for is given at once
   */
  #waitFor(
    id: string,
    pending: PendingFetch,
    signal: AbortSignal | undefined,
    { maxAge, wait }: { readonly maxAge: number; readonly wait?: number },
  ): Promise<Uint8Array> {
    // After an error of another kind nothing is kept any more.
    const stale = (): Uint8Array | undefined => this.#kept.find(id, maxAge)?.value.slice();
    const take = (outcome: Outcome): Uint8Array => {
      if ('value' in outcome) return outcome.value.slice();
      const value = stale();
      if (value) return value;
      throw outcome.error;
    };
    return this.#settle(
      pending,
      signal,
      take,
      wait === undefined ? undefined : { wait, take: stale },
    );
  }

  /**
   * What `take` makes of the outcome of a pending fetch; what it throws rejects.
   *
   * @param sooner what is taken after `wait`, if it is there
   */
  #settle<T>(
    pending: PendingFetch,
    signal: AbortSignal | undefined,
    take: (outcome: Outcome) => T,
    sooner?: { readonly wait: number; readonly take: () => T | undefined },
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const fail: (reason: unknown) => void = reject;
      const leave = (): void => {
        pending.waiting.delete(settled);
        signal?.removeEventListener('abort', abort);
        clearTimeout(timer);
      };
      const settled = (outcome: Outcome): boolean => {
        leave();
        try {
          resolve(take(outcome));
          return false;
        } catch (error) {
          fail(error);
          return true;
        }
      };
      const abort = (): void => {
        leave();
        fail(signal?.reason);
      };
      pending.waiting.add(settled);
      signal?.addEventListener('abort', abort);
      const timer =
        sooner &&
        setTimeout(() => {
          const value = sooner.take();
          if (value === undefined) return;
          leave();
          resolve(value);
        }, sooner.wait).unref();
    });
  }
}

function isClosed(): CredstashError {
  return new CredstashError('USAGE', 'the cache is closed');
}

function notBytes(): CredstashError {
  return new CredstashError('USAGE', "the cache's source must give bytes (a Uint8Array)");
}
