/**
 * The promise of a call that SQLite and the file system answer at once: what it throws rejects.
 *
 * @param signal when it is aborted, nothing is called, and its reason rejects
 */
export function settle<T>(call: () => T, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve) => {
    signal?.throwIfAborted();
    resolve(call());
  });
}
