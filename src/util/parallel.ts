/**
 * Runs `work` on each of `items`, up to `limit` at once, and yields what it gives in the order of the items. Once
 * one rejects, this does so at once, and starts no more; nor once the caller stops. What is under way then is let go.
 */
export async function* inParallel<T, R>(
  limit: number,
  items: Iterable<T>,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const running: Promise<R>[] = [];
  let fail: (reason: unknown) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  // It is awaited below, with what is under way; until then it may reject without that being an unhandled rejection.
  failed.catch(() => undefined);
  // In this order: of two that have settled, the failure comes first.
  const next = (): Promise<R> => Promise.race([failed, running.shift() as Promise<R>]);
  for (const item of items) {
    const started = work(item);
    started.catch(fail);
    running.push(started);
    if (running.length === limit) yield await next();
  }
  while (running.length > 0) yield await next();
}

/**
 * Yields what several sources give, each item as soon as it has come. A source is asked for its next item once the caller is
 * through with the one before, so at most one item of each is held. Rejects once a source does; what is under way is then let go.
 */
export async function* merge<T>(sources: readonly AsyncIterable<T>[]): AsyncGenerator<T> {
  const waiting = new Map<AsyncIterator<T>, Promise<[AsyncIterator<T>, IteratorResult<T>]>>();
  const ask = (source: AsyncIterator<T>): void => {
    waiting.set(
      source,
      source.next().then((result) => [source, result]),
    );
  };
  for (const source of sources) ask(source[Symbol.asyncIterator]());
  while (waiting.size > 0) {
    const [source, result] = await Promise.race(waiting.values());
    // Deleted, and not only replaced: it comes last among those that have answered.
    waiting.delete(source);
    if (result.done) continue;
    yield result.value;
    ask(source);
  }
}
