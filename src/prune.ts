import type { Backend } from './backend/backend.ts';
import { change, type Change, type ChangeOptions, checkRewrite, matching } from './changes.ts';
import { byName, type EntryHeader } from './entry.ts';
import { CredstashError } from './errors.ts';

export interface PruneOptions extends ChangeOptions {
  /** Which names, with `*` for any run of characters; default: all. */
  readonly glob?: string | undefined;
  /** How many of the newest versions of each secret stay, labelled or not; 1 or more. */
  readonly keep: number;
  /** Delete only what was stored longer ago, in milliseconds; an entry that does not say when stays. */
  readonly olderThan?: number | undefined;
}

/** `Flows.prune`. @param open opens the backend, once the options are checked */
export async function* prune(
  open: () => Promise<Backend>,
  options: PruneOptions,
): AsyncGenerator<Change> {
  const { keep, olderThan } = options;
  const { glob } = checkRewrite(options, 'open');
  if (!Number.isSafeInteger(keep) || keep < 1) {
    throw new CredstashError('USAGE', 'the number of versions to keep is 1 or more');
  }
  if (olderThan !== undefined && !(olderThan >= 0)) {
    throw new CredstashError('USAGE', 'an age is not below 0');
  }
  const on = await open();
  const before = olderThan === undefined ? undefined : Date.now() - olderThan;
  const doomed: EntryHeader[] = [];
  for (const versions of byName(await matching(on, glob, options.progress)).values()) {
    // They come by version, so that the oldest go first.
    for (const header of versions.slice(0, -keep)) {
      if (!header.labels && isBefore(header, before)) doomed.push(header);
    }
  }
  yield* change(doomed, options, async ({ name, version }, dryRun) => {
    // A label that came meanwhile keeps it.
    return dryRun || on.entries.remove(name, version, { unlabelled: true });
  });
}

function isBefore({ created }: EntryHeader, time: number | undefined): boolean {
  return time === undefined || (created !== undefined && Date.parse(created) < time);
}
