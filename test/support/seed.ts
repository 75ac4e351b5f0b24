/**
 * Chooses the examples of a run. `npm test` does the same in every run, so that a failure is one of the change that is
 * tested; the long form of a campaign does others each time. SEED=… gives the same again.
 */
export const seed = Number(
  process.env['SEED'] ?? (process.env['CAMPAIGN'] === 'long' ? Date.now() % 2 ** 31 : 20261130),
);

/** Numbers that look random and follow from `seed` (mulberry32: 32 bits of state, good enough to choose examples). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** From 0 up to 1, without 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 up to `limit`, without `limit`. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  /** One of `several`. */
  of<T>(several: readonly T[]): T {
    const chosen = several[this.below(several.length)];
    if (chosen === undefined) throw new Error('there is nothing to choose from');
    return chosen;
  }
}
