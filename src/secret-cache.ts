import { checkArguments } from './calls/arguments.ts';
import { bindMethods } from './calls/bind-methods.ts';
import type { CacheGetOptions, CacheOptions } from './calls/cache-options.ts';
import { withDeadline } from './calls/deadline.ts';
import { fromJson, fromJsonField } from './calls/json.ts';
import { KeptValues, KnownMissing, type Moment, now, since } from './calls/kept-values.ts';
import { isBytes } from './calls/describe.ts';
import { LONGEST_MS } from './calls/kinds.ts';
import { allowMissing } from './calls/missing.ts';
import { CredstashError, hasCode } from './errors.ts';
import { parseField } from './model/field.ts';
import { cacheKey, checkGet, type Request, takeField, textFrom } from './operations/get.ts';
import type { GetOptions } from './operations/options.ts';
import { recogniseOtherForm } from './util/form.ts';

export type { CacheGetOptions, CacheOptions };

// Over 250 lines: the states of a cached value (fresh, about to expire, stale, failing) are one machine.

/** The first get in the last tenth of a value's ttl fetches the value again, so that no get has to wait. */
const AHEAD = 0.1;

/** How long a get waits for AWS if a stale value exists. */
const WAIT_MS = 1000;

/** How long stale values are returned without another request, after a request has failed because AWS is down. */
const PAUSE_MS = 10_000;

type Outcome = { readonly value: Uint8Array } | { readonly error: unknown };

/** A request in progress, and the callers that wait for it. */
interface PendingFetch {
  readonly since: Moment;
  /** How many calls had stored something when it began. */
  readonly changes: number;
  /** Each is called when the request ends, and must copy the value at once. It returns whether a caller got the error. */
  readonly waiting: Set<(outcome: Outcome) => boolean>;
}

/**
 * Keeps secrets in memory, each for up to `ttl`. Each combination of name, version, label and context is a separate secret, with
 * one request at a time, however many callers wait for it.
 *
 * While AWS is down (`THROTTLED`, `UNREACHABLE` or `TIMEOUT`, after the SDK's retries), an expired value is returned for up to
 * `maxStale` longer: after a wait of up to 1 second, or without a wait in the 10 seconds after a failed request. Any other error
 * is passed on at once and wipes the value, such as `SECRET_NOT_FOUND`, `ACCESS_DENIED`, `INTEGRITY`, `ENTRY_NOT_TRUSTED`, and
 * refused or expired credentials, because somebody may have revoked the access.
 *
 * A missing secret is remembered for `missingTtl`, so that a server which asks for it repeatedly sends no further requests.
 *
 * Callers get copies of their own. The cache wipes a value when it is replaced, when it is too old, and on `close`. No timer
 * keeps the process alive.
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
   * @param source gets a secret: `get` of a Credstash. The cache wipes the Uint8Array that it returns later. It copies a Buffer.
   * @param countChanges internal: how many calls of the source's owner may have stored something
   * @throws CredstashError USAGE for invalid options
   */
  constructor(
    source: (name: string, options: GetOptions) => Promise<Uint8Array>,
    options: CacheOptions = {},
    countChanges?: () => number,
  ) {
    if (typeof countChanges !== 'function') checkArguments('new SecretCache', arguments);
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
    this.#missing = new KnownMissing(
      Math.min(missingTtl, ttl),
      maxEntries,
      countChanges ?? (() => 0),
    );
    this.#onError = options.onError ?? (() => undefined);
    bindMethods(this);
  }

  /**
   * Gets the secret's bytes, or those of a field, as a copy. All fields of a secret share one request.
   *
   * @param options.signal ends the wait of this caller only, as `options.timeoutMs` does
   * @throws CredstashError as `get` of Credstash does; USAGE once the cache is closed
   */
  async get(name: string, options: CacheGetOptions = {}): Promise<Uint8Array> {
    checkArguments('cache.get', arguments);
    const value = await withDeadline(options.timeoutMs, options.signal, (signal) =>
      this.#get(name, { ...options, signal }),
    );
    return options.field === undefined ? value : takeField(name, value, options.field);
  }

  /** Gets the secret as text. @throws CredstashError as `get` does; USAGE if its bytes are not UTF-8 */
  async getText(name: string, options: CacheGetOptions = {}): Promise<string> {
    checkArguments('cache.getText', arguments);
    return textFrom(name, await this.get(name, options));
  }

  /**
   * Gets the value of a secret that is JSON, or of one of its fields. Nothing checks that it has the type `T`.
   * @throws CredstashError as `getText` does; USAGE if the secret is not JSON
   */
  async getJson<T = unknown>(name: string, options: CacheGetOptions = {}): Promise<T> {
    checkArguments('cache.getJson', arguments);
    const { field, ...whole } = options;
    if (field !== undefined) {
      parseField(field);
      return (await fromJsonField(name, await this.get(name, whole), field)) as T;
    }
    return fromJson(name, await this.getText(name, options)) as T;
  }

  /** Gets the secret's bytes; undefined if the secret, version, label or field does not exist. @throws CredstashError as `get` otherwise */
  async getOptional(name: string, options: CacheGetOptions = {}): Promise<Uint8Array | undefined> {
    checkArguments('cache.getOptional', arguments);
    return allowMissing(this.get(name, options));
  }

  /**
   * Fetches the secret now, even if the cache has it. After it resolves, `get` returns a value at least as new as this call.
   *
   * @param options the same as for `get`; the whole secret is fetched, also with a `field`
   * @throws CredstashError as `get` of Credstash does, also while AWS is down. The kept value then stays, as after a `get`.
   */
  async refresh(name: string, options: GetOptions = {}): Promise<void> {
    checkArguments('cache.refresh', arguments);
    return withDeadline(options.timeoutMs, options.signal, async (signal) => {
      (await this.#fetchNow(name, { ...options, signal })).fill(0);
    });
  }

  /** Wipes all values and ends all requests. Calls that wait for one reject, because the cache is closed. */
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
      // The value of a request that began too long ago would be too old, or miss a version that was stored meanwhile.
      if (pending && (since(pending.since) >= maxAge || pending.changes !== this.#missing.changes))
        return this.#fetchNow(name, options);
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

  /** Fetches a value at least as new as this call. @returns a copy */
  async #fetchNow(name: string, options: GetOptions): Promise<Uint8Array> {
    const { id, request } = this.#check(name, options);
    const before = this.#pendingFetches.get(id);
    if (before) {
      // The earlier request may have read the table before this call.
      await this.#settle(before, options.signal, () => undefined);
      this.#check(name, options);
    }
    const pending = this.#pendingFetches.get(id) ?? this.#begin(id, request);
    return this.#settle(pending, options.signal, (outcome) => {
      if ('error' in outcome) throw outcome.error;
      return outcome.value.slice();
    });
  }

  /** Checks the arguments, the signal, and that the cache is open, before any request. */
  #check(name: string, options: GetOptions): { id: string; request: Request } {
    options.signal?.throwIfAborted();
    if (this.#closing.signal.aborted) throw isClosed();
    const request = checkGet(name, options);
    return { id: cacheKey(request), request };
  }

  #begin(id: string, request: Request): PendingFetch {
    const { changes } = this.#missing;
    const pending: PendingFetch = { since: now(), changes, waiting: new Set() };
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
      // A secret that existed a moment ago may be about to be replaced. Do not remember it as missing, so that the next get asks.
      if (!wasKept && hasCode(outcome.error, 'SECRET_NOT_FOUND', 'VERSION_NOT_FOUND')) {
        const { since, changes } = pending;
        this.#missing.add(id, { error: outcome.error, since, changes });
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
      const value: unknown = await new Promise((resolve) => {
        resolve(this.#source(name, options));
      });
      if (!isBytes(value)) throw notBytes();
      // `slice` of a Buffer does not copy. Its bytes may belong to the source, or be a part of Node.js's pool.
      return { value: Buffer.isBuffer(value) ? new Uint8Array(value) : value };
    } catch (error) {
      return { error };
    }
  }

  /** Calls `onError`. Ignores what it throws, and a rejection of the promise that it returns. */
  #tellError(name: string, error: unknown): void {
    try {
      const told: unknown = this.#onError(name, error);
      Promise.resolve(told).catch(() => undefined);
    } catch {
      // The option's documentation says that errors are ignored.
    }
  }

  /**
   * Waits for the value of a pending fetch.
   *
   * @param limits.maxAge the greatest age of a stale value, in milliseconds
   * @param limits.wait after this time, returns a stale value. If the fetch fails because AWS is down, returns it at once.
   * @returns a copy
   */
  #waitFor(
    id: string,
    pending: PendingFetch,
    signal: AbortSignal | undefined,
    { maxAge, wait }: { readonly maxAge: number; readonly wait?: number },
  ): Promise<Uint8Array> {
    // After any other error than an outage, the value is wiped already.
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
   * Waits for a pending fetch.
   *
   * @param take makes the result of the outcome. If it throws, the promise rejects.
   * @param sooner after `wait` milliseconds, `sooner.take` may return the result instead; undefined: not yet
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
