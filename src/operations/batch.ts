import { type Context, type ContextUse, validateContext } from '../model/context.ts';
import { CredstashError, concernsOneSecret, isUnforeseenAnswer } from '../errors.ts';
import { checkGlob } from '../model/glob.ts';
import { inParallel } from '../util/parallel.ts';
import { withProgress } from '../util/progress.ts';
import { sleep } from '../util/sleep.ts';
import { compareUtf8 } from '../util/utf8.ts';
import type { Change, ChangeOptions, RewriteOptions, Target } from './options.ts';

/*
 * What the operations that change many entries have in common: they know all that they will do before they begin, work at a
 * bounded rate, go on after a failure, and can be stopped and run again.
 */

/** How many entries are changed at once, unless the operation says otherwise. */
const CHANGES_AT_ONCE = 8;

/** Changes a second: a table and a key that others work with should not notice. */
const RATE = 100;

/** @throws CredstashError USAGE for numbers that can be none */
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
 * @param use whether entries keep their seal, or get a new one
 * @throws CredstashError USAGE
 */
export function checkRewrite(
  options: RewriteOptions,
  use: ContextUse,
): { glob: string; context: Context } {
  checkChange(options);
  return { glob: checkGlob(options.glob ?? '*'), context: validateContext(options.context, use) };
}

/** By name and then by version. */
export function sortByVersion<T extends Target>(targets: T[]): T[] {
  return targets.sort((a, b) => compareUtf8(a.name, b.name) || compareUtf8(a.version, b.version));
}

/** Waits until a change may begin. False in a dry run, which ends there. */
export type BeginChange = () => Promise<boolean>;

/**
 * Does `work` on each of `targets`, and yields what became of each, in their order. It goes on behind what fails, unless the
 * others would meet the same error.
 *
 * @param work whether it changed something, or would in a dry run; it asks its second argument just before its first write
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

/** Whether the next entry may fare better than the one that met `error`. */
export function concernsOneEntry(error: unknown): boolean {
  if (!(error instanceof CredstashError) || ABOUT_ALL.has(error)) return false;
  return concernsOneSecret(error) || isUnforeseenAnswer(error);
}

/** The same error, behind which no other entry is tried, whatever its code. */
export function markAboutAll(error: CredstashError): CredstashError {
  ABOUT_ALL.add(error);
  return error;
}

/** What waits for its turn: `rate` of them a second. */
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
 * `work`, with what it throws as a result. Once one has failed in a way that all would, the others are not tried.
 *
 * @param toFailure the result of a failure
 * @param isOfAll whether the others would meet the same error
 * @param signal whose reason is no failure of an item
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
