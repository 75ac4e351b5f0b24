import { seed } from '../support/seed.ts';

/*
 * A campaign does a great many things that go wrong, chosen by a seed, and counts. `npm test` runs its short form;
 * `npm run campaign:NAME` the long one, whose figures stand in docs/contributing/campaigns.md.
 */

/** Whether this is the long form. */
export const isLong = process.env['CAMPAIGN'] === 'long';

/** How much to do: `short` in `npm test`, `long` in the campaign. */
export function size(short: number, long: number): number {
  return isLong ? long : short;
}

/** For the `timeout` of a campaign's test: the long form ends when it ends. */
export const timeout = isLong ? 0 : 300_000;

/** Counts of what happened, by what it was called. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(what: string, count = 1): void {
    this.#counts.set(what, this.of(what) + count);
  }

  of(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  /** Prints the counts, in the order in which they first came, with the seed that gives the same again. */
  print(title: string): void {
    const counts = [...this.#counts].map(([what, count]) => `  ${what}: ${count}\n`).join('');
    process.stderr.write(`\n${title} (SEED=${seed})\n${counts}`);
  }
}
