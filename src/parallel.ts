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
