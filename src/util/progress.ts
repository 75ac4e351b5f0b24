/**
 * Called at the start of an operation and after each step, with the number of finished items and the total. The total is
 * undefined while entries are read, because it is unknown. The function is called often, and must neither throw nor take
 * long.
 */
export type Progress = (done: number, total: number | undefined) => void;

/** The options of every operation. */
export interface CallOptions {
  /** Aborting it ends the operation, which rejects with the signal's reason. A request under way may still succeed. */
  readonly signal?: AbortSignal | undefined;
  /** The time limit of the call in milliseconds, after which it rejects with TIMEOUT; default: that of the instance. */
  readonly timeoutMs?: number | undefined;
}

/** Combines two signals: the result is aborted as soon as either is. Returns undefined if both are undefined. */
export function combineSignals(
  one: AbortSignal | undefined,
  other: AbortSignal | undefined,
): AbortSignal | undefined {
  return one && other && one !== other ? AbortSignal.any([one, other]) : (one ?? other);
}

/** The options of an operation that takes long. */
export interface ProgressOptions extends CallOptions {
  readonly progress?: Progress | undefined;
}

/** Yields the same items, and reports each to `progress` once the caller has processed it. */
export function withProgress<T>(
  items: AsyncIterable<T>,
  progress: Progress | undefined,
  total?: number,
): AsyncIterable<T> {
  return progress === undefined ? items : count(items, progress, total);
}

async function* count<T>(
  items: AsyncIterable<T>,
  progress: Progress,
  total: number | undefined,
): AsyncGenerator<T> {
  let done = 0;
  progress(done, total);
  for await (const item of items) {
    yield item;
    progress(++done, total);
  }
}
