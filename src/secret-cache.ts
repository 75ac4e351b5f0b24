import { CredstashError, hasCode } from './errors.ts';
import { cacheKey, checkGet, type Request, textFrom } from './operations/get.ts';
import type { GetOptions } from './operations/options.ts';
import { recogniseOtherForm } from './util/form.ts';

// Over 250 lines: the states of a cached value (fresh, about to expire, stale, failing) are one machine.

/** A value is fetched again by the first get in the last tenth of its ttl, so that none has to wait for it. */
const AHEAD = 0.1;

/** How long a get waits for AWS where there is a stale value to give. */
const WAIT_MS = 1000;

/** After AWS was down: how long stale values are given with no further request. */
const PAUSE_MS = 10_000;

/** What a timer of Node.js can wait for. */
const LONGEST_MS = 2 ** 31 - 1;

/** Times are in milliseconds. */
export interface CacheOptions {
  /** A value is this old at most, counted from before it was asked for, unless AWS is down; default 300000, five minutes. */
  readonly ttl?: number | undefined;
  /** How much longer it is given while AWS is down; default 0: not at all. */
  readonly maxStale?: number | undefined;
  /** How many values are kept; the one that was not asked for the longest goes first. Default 1000. */
  readonly maxEntries?: number | undefined;
  /** Told of a failure that no caller is told of: in the background, or of a get that was given a stale value. It must not throw. */
  readonly onError?: ((name: string, error: unknown) => void) | undefined;
}

/** By two clocks: one is put back at times, the other stands still while a machine sleeps. */
interface Moment {
  readonly wall: number;
  readonly steady: number;
}

interface Kept {
  readonly value: Uint8Array;
  readonly since: Moment;
  readonly expiry: NodeJS.Timeout;
  /** When AWS was down last; undefined while it is not. */
  failed?: Moment;
}

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
 * While AWS is down (`THROTTLED` or `UNREACHABLE`, after the SDK's retries), a value of which the ttl is over is given for
 * `maxStale` more: after a wait of 1 second at most, and with no wait in the 10 seconds after a request that failed. Any
 * other error is passed on at once, and the value wiped: `SECRET_NOT_FOUND`, `ACCESS_DENIED`, `INTEGRITY`, `ENTRY_NOT_TRUSTED`, and
 * credentials that are refused or have expired, because somebody may have taken the access away.
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
  /** The age at which a value is wiped. */
  readonly #end: number;
  readonly #maxEntries: number;
  readonly #onError: (name: string, error: unknown) => void;
  /** The one that was asked for last is the last. */
  readonly #kept = new Map<string, Kept>();
  readonly #pendingFetches = new Map<string, PendingFetch>();
  readonly #closing = new AbortController();

  /**
   * @param source what is asked: `get` of a Credstash
   * @throws CredstashError USAGE for options that can be none
   */
  constructor(
    source: (name: string, options: GetOptions) => Promise<Uint8Array>,
    options: CacheOptions = {},
  ) {
    const { ttl = 300_000, maxStale = 0, maxEntries = 1000, onError = () => undefined } = options;
    // Not a number fails each of these too.
    if (!(ttl >= 0 && maxStale >= 0 && ttl + maxStale <= LONGEST_MS)) {
      throw new CredstashError(
        'USAGE',
        `ttl and maxStale are milliseconds, from 0 to ${LONGEST_MS} together`,
      );
    }
    if (!(Number.isInteger(maxEntries) && maxEntries > 0)) {
      throw new CredstashError('USAGE', 'maxEntries is a whole number above 0');
    }
    this.#source = source;
    this.#ttl = ttl;
    this.#end = ttl + maxStale;
    this.#maxEntries = maxEntries;
    this.#onError = onError;
  }

  /**
   * The secret's bytes, the caller's own.
   *
   * @param options.signal ends the wait of this caller alone
   * @throws CredstashError as `get` of Credstash does; USAGE once the cache is closed
   */
  async get(name: string, options: GetOptions = {}): Promise<Uint8Array> {
    const { id, request } = this.#check(name, options);
    const kept = this.#usable(id);
    const pending = this.#pendingFetches.get(id);
    if (!kept) return this.#waitFor(id, pending ?? this.#begin(id, request), options.signal);
    this.#kept.delete(id);
    this.#kept.set(id, kept);
    const age = since(kept.since);
    const value = kept.value.slice();
    if (age < this.#ttl * (1 - AHEAD)) return value;
    const isDown = kept.failed !== undefined && since(kept.failed) < PAUSE_MS;
    const refresh = pending ?? (isDown ? undefined : this.#begin(id, request));
    const wait = refresh ? WAIT_MS - since(refresh.since) : 0;
    if (age < this.#ttl || !refresh || isDown || wait <= 0) return value;
    value.fill(0);
    return this.#waitFor(id, refresh, options.signal, wait);
  }

  /** The secret as text. @throws CredstashError as `get` does; USAGE where its bytes are no UTF-8 */
  async getText(name: string, options: GetOptions = {}): Promise<string> {
    return textFrom(name, await this.get(name, options));
  }

  /**
   * Fetches the secret now, whatever is kept: once this resolves, `get` gives what was stored before the call, or newer.
   *
   * @param options the same as for `get`
   * @throws CredstashError as `get` of Credstash does, AWS being down too; the value that is kept then stays, if it does
   *   for a `get`
   */
  async refresh(name: string, options: GetOptions = {}): Promise<void> {
    const { id, request } = this.#check(name, options);
    const before = this.#pendingFetches.get(id);
    if (before) {
      // It may have read the table before this call.
      await this.#settle(before, options.signal, () => undefined);
      this.#check(name, options);
    }
    const pending = this.#pendingFetches.get(id) ?? this.#begin(id, request);
    await this.#settle(pending, options.signal, (outcome) => {
      if ('error' in outcome) throw outcome.error;
    });
  }

  /** Wipes all that is kept, and ends what is under way: whoever waits for it is told that the cache is closed. */
  close(): void {
    const closed = isClosed();
    this.#closing.abort(closed);
    for (const id of this.#kept.keys()) this.#drop(id);
    for (const { waiting } of this.#pendingFetches.values()) {
      for (const each of waiting) each({ error: closed });
    }
    this.#pendingFetches.clear();
  }

  /** All that can be checked before anything is asked. */
  #check(name: string, options: GetOptions): { id: string; request: Request } {
    options.signal?.throwIfAborted();
    if (this.#closing.signal.aborted) throw isClosed();
    const request = checkGet(name, options);
    return { id: cacheKey(request), request };
  }

  /** What is kept and may be given, if only while AWS is down. */
  #usable(id: string): Kept | undefined {
    const kept = this.#kept.get(id);
    // A timer is late where the process slept.
    return kept && since(kept.since) < this.#end ? kept : undefined;
  }

  #drop(id: string): void {
    const kept = this.#kept.get(id);
    if (!kept) return;
    clearTimeout(kept.expiry);
    kept.value.fill(0);
    this.#kept.delete(id);
  }

  /** @param value is wiped later, by the cache */
  #keep(id: string, value: Uint8Array, began: Moment): void {
    this.#drop(id);
    const expiry = setTimeout(
      () => {
        this.#drop(id);
      },
      Math.max(0, this.#end - since(began)),
    );
    expiry.unref();
    this.#kept.set(id, { value, since: began, expiry });
    if (this.#kept.size <= this.#maxEntries) return;
    for (const oldest of this.#kept.keys()) {
      this.#drop(oldest);
      return;
    }
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
    let outcome: Outcome;
    try {
      outcome = { value: await this.#source(name, { ...which, context, signal }) };
    } catch (error) {
      outcome = { error };
    }
    if (signal.aborted) {
      if ('value' in outcome) outcome.value.fill(0);
      return;
    }
    this.#pendingFetches.delete(id);
    if ('value' in outcome) {
      this.#keep(id, outcome.value, pending.since);
    } else if (hasCode(outcome.error, 'THROTTLED', 'UNREACHABLE')) {
      const kept = this.#kept.get(id);
      if (kept) kept.failed = now();
    } else {
      this.#drop(id);
    }
    let told = false;
    for (const each of pending.waiting) told = each(outcome) || told;
    if ('error' in outcome && !told) this.#onError(name, outcome.error);
  }

  /**
   * Waits for a value, which is the caller's own.
   *
   * @param wait after which a stale value is given; one that AWS is down for is given at once
   */
  #waitFor(
    id: string,
    pending: PendingFetch,
    signal: AbortSignal | undefined,
    wait?: number,
  ): Promise<Uint8Array> {
    // After an error of another kind nothing is kept any more.
    const stale = (): Uint8Array | undefined => this.#usable(id)?.value.slice();
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

function now(): Moment {
  return { wall: Date.now(), steady: performance.now() };
}

/** For how long, by the clock that says more. */
function since({ wall, steady }: Moment): number {
  return Math.max(Date.now() - wall, performance.now() - steady);
}

function isClosed(): CredstashError {
  return new CredstashError('USAGE', 'the cache is closed');
}
