import { CredstashError, type Outcome } from '../../src/errors.ts';

/** What became of each, whether any failed or not. */
export async function outcomesOf(done: Promise<readonly Outcome[]>): Promise<Outcome[]> {
  try {
    return [...(await done)];
  } catch (error) {
    if (error instanceof CredstashError && error.outcomes.length > 0) return [...error.outcomes];
    throw error;
  }
}
