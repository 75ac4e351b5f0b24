/**
 * Runs `work` on each of `items`, up to `limit` at once, and yields what it gives in the order of the items. Once
 * one rejects, or the caller stops, no more are started.
 */
export async function* inParallel<T, R>(
  limit: number,
  items: Iterable<T>,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const running: Promise<R>[] = [];
  for (const item of items) {
    const started = work(item);
    // It is awaited below; until then it may reject without that being an unhandled rejection.
    started.catch(() => undefined);
    running.push(started);
    if (running.length === limit) yield await (running.shift() as Promise<R>);
  }
  for (const started of running) yield await started;
}
