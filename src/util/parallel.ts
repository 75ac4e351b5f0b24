/**
 * Runs `work` on each of `items`, up to `limit` at once, and yields the results in the order of the items. If one rejects,
 * rejects at once and starts no more. Starts no more either once the caller stops. Does not wait for work under way.
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
  // Awaited below. Until then a rejection must not count as unhandled.
  failed.catch(() => undefined);
  // In this order, so that a failure wins over a result.
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
 * Yields the items of several sources as they arrive. Asks a source for its next item only once the caller has processed the
 * last one, so that at most one item of each is held. Rejects once a source does, and does not wait for the others.
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
    // Deleted instead of replaced, so that it moves to the end of the map: the other sources get their turn first.
    waiting.delete(source);
    if (result.done) continue;
    yield result.value;
    ask(source);
  }
}
