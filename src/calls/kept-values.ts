/** A time by two clocks, because the wall clock may be set back, and the steady clock stops while the machine sleeps. */
export interface Moment {
  readonly wall: number;
  readonly steady: number;
}

export function now(): Moment {
  return { wall: Date.now(), steady: performance.now() };
}

/** Measures the time since a moment in milliseconds, by the clock that shows more. */
export function since({ wall, steady }: Moment): number {
  return Math.max(Date.now() - wall, performance.now() - steady);
}

/** A value of a cache. */
export interface Kept {
  readonly value: Uint8Array;
  readonly since: Moment;
  readonly expiry: NodeJS.Timeout;
  /** The last failed request while AWS is down; undefined if the last request succeeded. */
  failed?: Moment;
}

/** The values of a cache, by id. Each is wiped when it is replaced, too old or dropped. No timer keeps the process alive. */
export class KeptValues {
  /** Ordered by use: the most recently used value is the last. */
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

  /** Marks the value as used. If there are too many values, the least recently used is wiped first. */
  touch(id: string, kept: Kept): void {
    this.#kept.delete(id);
    this.#kept.set(id, kept);
  }

  /** Keeps a value. @param value is wiped later by this object @param began when its request began */
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

  /** Records a failed request while AWS is down. */
  markFailed(id: string): void {
    const kept = this.#kept.get(id);
    if (kept) kept.failed = now();
  }

  /** Wipes a value. @returns whether it existed */
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

/** A request that found nothing. */
interface Missing {
  readonly error: unknown;
  readonly since: Moment;
  readonly changes: number;
}

/** Which secrets are missing, for a short time, with the error that said so. A change may have stored any of them. */
export class KnownMissing {
  readonly #known = new Map<string, Missing>();
  readonly #longestMs: number;
  readonly #maxEntries: number;
  readonly #countChanges: () => number;

  /** @param countChanges how many calls of the source's owner may have stored something */
  constructor(longestMs: number, maxEntries: number, countChanges: () => number) {
    this.#longestMs = longestMs;
    this.#maxEntries = maxEntries;
    this.#countChanges = countChanges;
  }

  get changes(): number {
    return this.#countChanges();
  }

  /** Throws the error of `id`, unless it is older than `maxAge` milliseconds. */
  check(id: string, maxAge: number): void {
    const known = this.#known.get(id);
    if (!known) return;
    const isNew = since(known.since) < Math.min(this.#longestMs, maxAge);
    if (isNew && known.changes === this.changes) throw known.error;
    this.#known.delete(id);
  }

  add(id: string, missing: Missing): void {
    this.#known.set(id, missing);
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
