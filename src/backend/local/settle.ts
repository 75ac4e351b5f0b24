/** The promise of a call that SQLite and the file system answer at once: what it throws rejects. */
export function settle<T>(call: () => T): Promise<T> {
  return new Promise((resolve) => {
    resolve(call());
  });
}
