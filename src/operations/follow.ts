import { createHmac, randomBytes } from 'node:crypto';
import { CredstashError } from '../errors.ts';
import { type Secret, wipeSecrets } from '../model/entry.ts';
import { sleep } from '../util/sleep.ts';
import { hasChanged, isSameSight, listMissing, type Seen } from './look.ts';

/** The longest wait, in milliseconds, for a burst of changes to end, for each look in it. */
const SETTLE_MS = 5000;

/** How often a watch looks in a burst of changes before it gets the secrets all the same. */
const LOOKS_IN_A_BURST = 6;

/** How often the secrets are got while others keep changing them. */
const GETS_IN_A_BURST = 5;

/** What a watch calls, each time within the time limit of one call. `Sets` is what a caller makes of the secrets. */
export interface Watched<Sets> {
  readonly look: () => Promise<Seen>;
  /** Gets all secrets, or throws. */
  readonly fetch: () => Promise<Sets>;
  /** Returns the secrets of a set, to compare two sets, and to wipe a set that no caller gets. */
  readonly secretsOf: (set: Sets) => Iterable<Secret>;
  /** Where the secrets are, for messages. */
  readonly location: () => string;
}

/** The times of a watch, in milliseconds. */
interface Times {
  readonly interval: number;
  /** How long nothing must change before the secrets are got again. */
  readonly settle: number;
  readonly signal?: AbortSignal | undefined;
}

/** @param interval in milliseconds, checked by the caller */
export function planTimes(interval: number, signal?: AbortSignal): Times {
  return { interval, settle: Math.min(SETTLE_MS, interval / 2), signal };
}

/**
 * Yields a set of secrets at once, and a new one after each change of a value. Each set is from between two looks that found the
 * same, so that it mixes no old secret with a new one. A burst of changes is one set. If the secrets cannot be got, the last set
 * stays, `onError` is told, and the next interval tries again.
 *
 * @throws what the first get throws; the reason of the signal
 */
export async function* followChanges<Sets>(
  watched: Watched<Sets>,
  times: Times,
  onError: (error: unknown) => void,
): AsyncGenerator<Sets> {
  const { interval, signal } = times;
  const digest = createDigest(watched.secretsOf);
  const tellError = createTeller(onError);
  let { set, seen } = await fetchConsistent(watched, times);
  let given = digest(set);
  yield set;
  let settled = seen;
  const missing = new Set<string>();
  for (;;) {
    await sleep(interval * (1 + Math.random() / 10), signal);
    try {
      let now = await watched.look();
      if (!settled || !isSameSight(settled, now)) now = await waitForQuiet(watched, now, times);
      settled = now;
      for (const id of missing) if (now.get(id)?.found !== undefined) missing.delete(id);
      for (const { id, error } of seen ? listMissing(seen, now, watched.location()) : []) {
        if (!missing.has(id)) onError(error);
        missing.add(id);
      }
      if (seen && !hasChanged(seen, now)) {
        tellError(undefined);
        continue;
      }
      const next = await fetchConsistent(watched, times, now);
      ({ seen } = next);
      settled = seen;
      missing.clear();
      tellError(undefined);
      const digested = digest(next.set);
      if (digested === given) {
        wipe(watched, next.set);
        continue;
      }
      given = digested;
      ({ set } = next);
    } catch (error) {
      signal?.throwIfAborted();
      tellError(error);
      continue;
    }
    yield set;
  }
}

/** Looks again until two looks find the same: a burst of changes has ended, or a label has moved. */
async function waitForQuiet(
  { look }: Pick<Watched<unknown>, 'look'>,
  first: Seen,
  { settle, signal }: Times,
): Promise<Seen> {
  let before = first;
  for (let looks = 0; looks < LOOKS_IN_A_BURST; looks += 1) {
    await sleep(settle, signal);
    const after = await look();
    if (isSameSight(before, after)) return after;
    before = after;
  }
  return before;
}

/**
 * Gets all secrets, between two looks that find the same.
 *
 * @param last the last look; undefined for the first set, which needs no look: an outage of what is looked at must not keep a
 *   program from its start
 * @returns the set, and what was seen; undefined if it is unknown
 * @throws CredstashError CONFLICT if the secrets keep changing; what the get throws
 */
async function fetchConsistent<Sets>(
  watched: Watched<Sets>,
  { settle, signal }: Times,
  last?: Seen,
): Promise<{ readonly set: Sets; readonly seen: Seen | undefined }> {
  const look = async (): Promise<Seen | undefined> => {
    try {
      return await watched.look();
    } catch (error) {
      signal?.throwIfAborted();
      if (last) throw error;
      return undefined;
    }
  };
  let before = last ?? (await look());
  for (let gets = 0; gets < GETS_IN_A_BURST; gets += 1) {
    if (gets > 0) await sleep(settle, signal);
    const set = await watched.fetch();
    let isUsed = false;
    try {
      const after = before && (await look());
      isUsed = !before || !after || isSameSight(before, after);
      if (isUsed) return { set, seen: after };
      before = after;
    } finally {
      if (!isUsed) wipe(watched, set);
    }
  }
  throw new CredstashError('CONFLICT', 'the secrets kept changing while they were got', {
    hint: 'wait until nobody stores or labels them any more',
  });
}

/** Makes a digest of a set. Its key is random and stays in this process, so that nobody can look values up by their digest. */
function createDigest<Sets>(secretsOf: Watched<Sets>['secretsOf']): (set: Sets) => string {
  const key = randomBytes(32);
  return (set) => {
    const hmac = createHmac('sha256', key);
    for (const { name, value } of secretsOf(set)) {
      hmac.update(JSON.stringify([name, value.length])).update(value);
    }
    return hmac.digest('base64');
  };
}

/** Tells a failure once, until it is followed by another one or by success, which is told as undefined. */
function createTeller(onError: (error: unknown) => void): (error: unknown) => void {
  let last: string | undefined;
  return (error) => {
    const text = error === undefined ? undefined : describeError(error);
    if (text !== undefined && text !== last) onError(error);
    last = text;
  };
}

function describeError(error: unknown): string {
  if (!(error instanceof CredstashError)) return String(error);
  const each = error.failures.map((failure) => `${failure.name}: ${failure.error.message}`);
  return [error.message, ...each].join('\n');
}

function wipe<Sets>({ secretsOf }: Watched<Sets>, set: Sets): void {
  wipeSecrets(secretsOf(set));
}
