/**
 * Gives an output in pieces, one for each item. Each is made when it is asked for, and again if the pieces are iterated again, so
 * that no more than one of them is in memory.
 *
 * @param around `before` and `after` are pieces of their own
 */
export function toPieces<T>(
  items: readonly T[],
  format: (item: T, index: number) => string,
  { before = '', after = '' } = {},
): Iterable<string> {
  return {
    *[Symbol.iterator]() {
      yield before;
      for (const [index, item] of items.entries()) yield format(item, index);
      yield after;
    },
  };
}

/** Gives the pieces of several outputs, one after the other. */
export function joinPieces(...outputs: readonly Iterable<string>[]): Iterable<string> {
  return {
    *[Symbol.iterator]() {
      for (const output of outputs) yield* output;
    },
  };
}
