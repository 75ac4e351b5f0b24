import { describe, expect, it } from 'vitest';
import { inParallel } from '../../src/util/parallel.ts';
import { collect } from '../support/collect.ts';

/** Work that ends when it is told to. */
function controlled(): {
  started: number[];
  end: (i: number) => void;
  work: (i: number) => Promise<number>;
} {
  const ends = new Map<number, () => void>();
  const started: number[] = [];
  return {
    started,
    end: (i) => ends.get(i)?.(),
    work: (i) => {
      started.push(i);
      return new Promise((resolve) =>
        ends.set(i, () => {
          resolve(i * 10);
        }),
      );
    },
  };
}

describe('work in parallel', () => {
  it('starts as many as the limit, and gives results in the order of the items', async () => {
    const { started, end, work } = controlled();
    const all = collect(inParallel(3, [1, 2, 3, 4, 5], work));
    await Promise.resolve();
    expect(started).toEqual([1, 2, 3]);
    end(3);
    end(2);
    end(1);
    await expect.poll(() => started).toEqual([1, 2, 3, 4, 5]);
    end(5);
    end(4);
    expect(await all).toEqual([10, 20, 30, 40, 50]);
  });

  it.each([0, 1, 2, 3, 7])('does all of %i items', async (count) => {
    const items = Array.from({ length: count }, (_, i) => i);
    expect(await collect(inParallel(3, items, (i) => Promise.resolve(i)))).toEqual(items);
  });

  it('starts no more once one rejects, and leaves no rejection unhandled', async () => {
    const started: number[] = [];
    const all = collect(
      inParallel(2, [1, 2, 3, 4, 5, 6], (i) => {
        started.push(i);
        return i === 2 || i === 3 ? Promise.reject(new Error(String(i))) : Promise.resolve(i);
      }),
    );
    await expect(all).rejects.toThrow('2');
    // The third began as the first ended, in the same moment.
    expect(started).toEqual([1, 2, 3]);
  });

  it('rejects at once, whatever is under way before the one that failed', async () => {
    const { started, end, work } = controlled();
    const all = collect(
      inParallel(3, [1, 2, 3, 4, 5], (i) => (i === 3 ? Promise.reject(new Error('3')) : work(i))),
    );
    await expect(all).rejects.toThrow('3');
    expect(started).toEqual([1, 2]);
    end(1);
    end(2);
    await new Promise(setImmediate);
    expect(started).toEqual([1, 2]);
  });

  it('starts no more once the caller stops', async () => {
    const started: number[] = [];
    for await (const _ of inParallel(2, [1, 2, 3, 4, 5, 6], (i) =>
      Promise.resolve(started.push(i)),
    ))
      break;
    expect(started).toEqual([1, 2]);
  });
});
