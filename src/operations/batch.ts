import { type Context, type ContextUse, validateContext } from '../model/context.ts';
import { CredstashError, concernsOneSecret, isUnforeseenAnswer } from '../errors.ts';
import { checkGlob } from '../model/glob.ts';
import { inParallel } from '../util/parallel.ts';
import { withProgress } from '../util/progress.ts';
import { sleep } from '../util/sleep.ts';
import { compareUtf8 } from '../util/utf8.ts';
import type { Change, ChangeOptions, RewriteOptions, Target } from './options.ts';

/*
 * Shared by the operations that change many entries: they know all targets before they start, work at a limited rate,
 * continue after a failure, and can be stopped and run again.
 */

/** How many entries are changed at once, unless the operation says otherwise. */
const CHANGES_AT_ONCE = 8;

/** Changes per second, low enough not to disturb others who use the table and the key. */
const RATE = 100;

/** Checks the limits of a change, and fills in the defaults. @throws CredstashError USAGE */
export function checkChange({ rate = RATE, maxConcurrency = CHANGES_AT_ONCE }: ChangeOptions): {
  rate: number;
  atOnce: number;
} {
  if (!(rate > 0)) throw new CredstashError('USAGE', 'the rate is not a number above 0');
  if (!(Number.isSafeInteger(maxConcurrency) && maxConcurrency > 0)) {
    throw new CredstashError('USAGE', 'maxConcurrency is a whole number from 1 on');
  }
  return { rate, atOnce: Math.min(CHANGES_AT_ONCE, maxConcurrency) };
}

/**
 * Checks the options of an operation that rewrites entries.
 *
 * @param use `open` if entries keep their seal, `seal` if they get a new one
 * @throws CredstashError USAGE
 */
export function checkRewrite(
  options: RewriteOptions,
  use: ContextUse,
): { glob: string; context: Context } {
  checkChange(options);
  return { glob: checkGlob(options.glob ?? '*'), context: validateContext(options.context, use) };
}

/** Sorts by name and then by version, in place. */
export function sortByVersion<T extends Target>(targets: T[]): T[] {
  return targets.sort((a, b) => compareUtf8(a.name, b.name) || compareUtf8(a.version, b.version));
}

/** Waits until a change may begin. @returns false in a dry run, which must then not write */
export type BeginChange = () => Promise<boolean>;

/**
 * Does `work` on each of `targets`, and yields the outcomes in their order. Continues after a failure, unless the other
 * targets would meet the same error.
 *
 * @param work calls `begin` just before its first write; returns whether it changed something, or would in a dry run
 */
export async function* runBatch<T extends Target>(
  targets: readonly T[],
  options: ChangeOptions,
  work: (target: T, begin: BeginChange) => Promise<boolean>,
): AsyncGenerator<Change> {
  const { dryRun = false, confirm, signal, progress } = options;
  const { rate, atOnce } = checkChange(options);
  if (targets.length === 0 || (!dryRun && confirm && !(await confirm(targets)))) return;
  const turn = rateLimit(rate, signal);
  const begin: BeginChange = async () => {
    if (!dryRun) await turn();
    return !dryRun;
  };
  const attempt = stopOnSharedError(
    async (target: T): Promise<Change> => {
      signal?.throwIfAborted();
      const { name, version } = target;
      const isChanged = await work(target, begin);
      return { name, version, done: isChanged ? (dryRun ? 'planned' : 'changed') : 'skipped' };
    },
    ({ name, version }, error): Change => ({ name, version, done: 'failed', error }),
    { isOfAll: (error) => !concernsOneEntry(error), signal },
  );
  yield* withProgress(inParallel(atOnce, targets, attempt), progress, targets.length);
}

const ABOUT_ALL = new WeakSet<CredstashError>();

/** Whether an error concerns one entry only, so that the next entry may succeed. */
export function concernsOneEntry(error: unknown): boolean {
  if (!(error instanceof CredstashError) || ABOUT_ALL.has(error)) return false;
  return concernsOneSecret(error) || isUnforeseenAnswer(error);
}

/** Marks an error after which no other entry is tried, whatever its code. */
export function markAboutAll(error: CredstashError): CredstashError {
  ABOUT_ALL.add(error);
  return error;
}

/** Limits calls to `rate` per second. @returns a function that waits for its turn */
function rateLimit(rate: number, signal: AbortSignal | undefined): () => Promise<void> {
  let free = 0;
  return async () => {
    signal?.throwIfAborted();
    const now = performance.now();
    const start = Math.max(now, free);
    free = start + 1000 / rate;
    if (start > now) await sleep(start - now, signal);
  };
}

/**
 * Wraps `work`, so that a failure becomes a result. After an error that all items share, the other items are not tried.
 *
 * @param toFailure makes the result of a failure
 * @param options.isOfAll whether the other items would meet the same error
 * @param options.signal if it is aborted, its reason is thrown instead
 */
export function stopOnSharedError<T, R>(
  work: (item: T) => Promise<R>,
  toFailure: (item: T, error: CredstashError) => R,
  {
    isOfAll = (error) => !concernsOneSecret(error),
    signal,
  }: {
    readonly isOfAll?: (error: CredstashError) => boolean;
    readonly signal: AbortSignal | undefined;
  },
): (item: T) => Promise<R> {
  let untried: CredstashError | undefined;
  return async (item) => {
    if (untried) return toFailure(item, untried);
    try {
      return await work(item);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof CredstashError)) throw error;
      if (isOfAll(error)) untried ??= new CredstashError(error.code, 'was not tried');
      return toFailure(item, error);
    }
  };
}
