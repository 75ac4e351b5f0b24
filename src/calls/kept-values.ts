/** By two clocks: one is put back at times, the other stands still while a machine sleeps. */
export interface Moment {
  readonly wall: number;
  readonly steady: number;
}

export function now(): Moment {
  return { wall: Date.now(), steady: performance.now() };
}

/** For how long, in milliseconds, by the clock that says more. */
export function since({ wall, steady }: Moment): number {
  return Math.max(Date.now() - wall, performance.now() - steady);
}

/** A value of a cache. */
export interface Kept {
  readonly value: Uint8Array;
  readonly since: Moment;
  readonly expiry: NodeJS.Timeout;
  /** When AWS was down last; undefined while it is not. */
  failed?: Moment;
}

/** The values of a cache, by id. Each is wiped when it is replaced, too old or dropped. No timer keeps the process alive. */
export class KeptValues {
  /** The one that was asked for last is the last. */
  readonly #kept = new Map<string, Kept>();
  readonly #longestMs: number;
  readonly #maxEntries: number;

  /** @param longestMs the age at which a value is wiped */
  constructor(longestMs: number, maxEntries: number) {
    this.#longestMs = longestMs;
    this.#maxEntries = maxEntries;
  }

  /** The value of `id`, unless it is older than `maxAge`. */
  find(id: string, maxAge = Infinity): Kept | undefined {
    const kept = this.#kept.get(id);
    // A timer is late if the process slept.
    return kept && since(kept.since) < Math.min(this.#longestMs, maxAge) ? kept : undefined;
  }

  /** Says that the value was asked for: of too many, the one that was not asked for the longest goes first. */
  touch(id: string, kept: Kept): void {
    this.#kept.delete(id);
    this.#kept.set(id, kept);
  }

  /** @param value is wiped later, by this */
  keep(id: string, value: Uint8Array, began: Moment): void {
    this.drop(id);
    const rest = Math.max(0, this.#longestMs - since(began));
    const expiry = setTimeout(() => {
      this.drop(id);
    }, rest).unref();
    this.#kept.set(id, { value, since: began, expiry });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > this.#maxEntries && oldest !== undefined) this.drop(oldest);
  }

  /** Says that AWS is down. */
  markFailed(id: string): void {
    const kept = this.#kept.get(id);
    if (kept) kept.failed = now();
  }

  /** @returns whether there was a value */
  drop(id: string): boolean {
    const kept = this.#kept.get(id);
    if (!kept) return false;
    clearTimeout(kept.expiry);
    kept.value.fill(0);
    return this.#kept.delete(id);
  }

  clear(): void {
    for (const id of this.#kept.keys()) this.drop(id);
  }
}

/** Which secrets are missing, for a short time, with the error that said so. */
export class KnownMissing {
  readonly #known = new Map<string, { readonly error: unknown; readonly since: Moment }>();
  readonly #longestMs: number;
  readonly #maxEntries: number;

  constructor(longestMs: number, maxEntries: number) {
    this.#longestMs = longestMs;
    this.#maxEntries = maxEntries;
  }

  /** @throws the error of `id`, unless it is older than `maxAge` */
  check(id: string, maxAge: number): void {
    const known = this.#known.get(id);
    if (!known) return;
    if (since(known.since) < Math.min(this.#longestMs, maxAge)) throw known.error;
    this.#known.delete(id);
  }

  add(id: string, error: unknown, began: Moment): void {
    this.#known.set(id, { error, since: began });
    const [oldest] = this.#known.keys();
    if (this.#known.size > this.#maxEntries && oldest !== undefined) this.#known.delete(oldest);
  }

  remove(id: string): void {
    this.#known.delete(id);
  }

  clear(): void {
    this.#known.clear();
  }
}
