import type { Credstash } from '../../credstash.ts';
import type { CredstashError } from '../../errors.ts';
import { NotFound } from '../../operations/errors.ts';
import { commandLine } from '../../util/shell-word.ts';
import { didYouMean } from '../../util/near-name.ts';
import { hintAtExpansion } from './expansion.ts';

/** How long a person waits for a near name. A table has to be read for it. */
export const LOOK_MS = 500;

/**
 * Adds to the hint of a missing secret, version or label a near name, or what the shell may have done to a pattern.
 *
 * @param mayLook whether the names may be read: a near name must not get into the log of a job on AWS
 */
export async function adviseNotFound(
  error: CredstashError,
  credstash: Credstash,
  mayLook: boolean,
): Promise<CredstashError> {
  const missing = [error, ...error.failures.map((each) => each.error)].filter(
    (each): each is NotFound => each instanceof NotFound,
  );
  const [first] = missing;
  if (first?.wanted === undefined) return error;
  const names = missing.flatMap(({ wanted }) => (wanted && !wanted.which ? [wanted.name] : []));
  const expanded = hintAtExpansion(names);
  const near = expanded === undefined && mayLook ? await findNearName(credstash, first) : undefined;
  const parts = [expanded, near, first.hint ?? error.hint].filter((part) => part !== undefined);
  return error.reworded(error.message, parts.join('; ').replaceAll('?; ', '? '));
}

async function findNearName(
  credstash: Credstash,
  { wanted }: NotFound,
): Promise<string | undefined> {
  if (wanted === undefined) return undefined;
  const { name, which } = wanted;
  const signal = AbortSignal.timeout(LOOK_MS);
  try {
    if (which === undefined) return nearOf(name, await credstash.names({ signal }));
    if (which.label === undefined) return undefined;
    const headers = await credstash.history(name, { signal });
    return nearOf(
      which.label,
      headers.flatMap(({ labels = [] }) => labels),
    );
  } catch {
    // The command already has an error to report.
    return undefined;
  }
}

/** One near word, because a log must not get a list of names. */
function nearOf(typed: string, words: readonly string[]): string | undefined {
  return didYouMean(typed, [...new Set(words)], (word) => commandLine([word]))?.replace(
    / or .*\?$/,
    '?',
  );
}
