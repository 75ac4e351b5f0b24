/**
 * Told how far an operation is, at its start and after each step: how much is done, and of how much. The total is undefined
 * while entries are read, because nobody knows how many there are. It is called often, and must neither throw nor take
 * long.
 */
export type Progress = (done: number, total: number | undefined) => void;

/** The options of every operation. */
export interface CallOptions {
  /** Ends the operation once it is aborted: it rejects with the signal's reason. A request that is under way may still succeed. */
  readonly signal?: AbortSignal | undefined;
}

/** A signal that is aborted as soon as one of two signals is; undefined if both are. */
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

/** The same items, told to `progress` each once the caller is through with it. */
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
