import type { BackendSource } from '../backend/backend.ts';
import { CredstashError } from '../errors.ts';
import type { Secret } from '../model/entry.ts';
import { checkGlob, matchesGlob } from '../model/glob.ts';
import { checkSelector } from '../model/selector.ts';
import { checkGet } from './get.ts';
import { getAll } from './get-all.ts';
import { getMany, type SecretRequest } from './get-many.ts';
import { type LookedAt, Looker } from './look.ts';
import type { Limit } from './options.ts';
import type { CallOptions } from '../util/progress.ts';

/** A request for all secrets whose name matches a pattern. */
export interface GlobRequest extends Omit<SecretRequest, 'name' | 'place' | 'field'> {
  readonly glob: string;
}

/** What a watch follows: one secret, or all whose name matches a pattern. */
export type WatchRequest = SecretRequest | GlobRequest;

export interface WatchOptions {
  /** The time between two looks, in milliseconds, up to a tenth longer at random; default 60000, at least 5000. */
  readonly interval?: number | undefined;
  /** Ends the watch, which rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** The time limit, in milliseconds, of each look and of each get of all secrets; default: that of the instance. */
  readonly timeoutMs?: number | undefined;
  /**
   * Told of a look or a get that failed, while the last set stays in use, and of a secret, version or label that was deleted. The
   * same failure is told once. What it throws ends the watch.
   */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** A request with the secret that it asks for, or with one of those that its pattern matches. */
export type WatchedSecret<W> = W & Secret;

/**
 * Checks what a watch is asked to follow, before the first request.
 *
 * @throws CredstashError USAGE
 */
export function createLooker(wanted: readonly WatchRequest[]): Looker {
  return new Looker(
    wanted.map((each): LookedAt => {
      if (isGlob(each) && (each as { name?: unknown }).name !== undefined) {
        throw new CredstashError(
          'USAGE',
          'a watch takes a name or a glob, not both in one request',
        );
      }
      if (isGlob(each)) return { glob: checkGlob(each.glob), which: checkSelector(each) };
      const { name, which } = checkGet(each.name, each);
      return { name, which };
    }),
  );
}

/** Gets all that a watch follows, in the order in which it is wanted, all of it or none. Patterns that differ in nothing else share a scan. */
export async function fetchWatched<W extends WatchRequest>(
  source: BackendSource,
  wanted: readonly W[],
  options: CallOptions & Limit = {},
): Promise<WatchedSecret<W>[]> {
  const named = wanted.filter((each) => !isGlob(each)) as (W & SecretRequest)[];
  const got = await getMany(source, named, options);
  const requests: readonly WatchRequest[] = wanted;
  const globs = requests.filter(isGlob);
  const scans = new Map<string, readonly Secret[]>();
  for (const each of globs) {
    const id = describeScan(each);
    if (scans.has(id)) continue;
    const { version, exactVersion, label, context } = each;
    const glob = globs.flatMap((other) => (describeScan(other) === id ? [other.glob] : []));
    const all = { ...options, version, exactVersion, label, context, glob };
    scans.set(id, (await getAll(source, all)).secrets);
  }
  let next = 0;
  return wanted.flatMap((each): WatchedSecret<W>[] => {
    if (isGlob(each)) {
      const glob = checkGlob(each.glob);
      const found = scans.get(describeScan(each)) ?? [];
      return found
        .filter(({ name }) => matchesGlob(glob, name))
        .map((secret) => ({ ...each, ...secret }));
    }
    const secret = got[next++];
    return secret ? [secret as WatchedSecret<W>] : [];
  });
}

function isGlob(request: WatchRequest): request is GlobRequest {
  return 'glob' in request;
}

/** Describes which versions a pattern asks for, under which encryption context. */
function describeScan({ version, exactVersion, label, context }: GlobRequest): string {
  return JSON.stringify([version, exactVersion, label, Object.entries(context ?? {}).sort()]);
}
