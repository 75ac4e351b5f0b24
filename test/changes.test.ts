import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { formatAge, parseAge } from '../src/age.ts';
import { type Change, change, type Target } from '../src/changes.ts';
import { CredstashError } from '../src/errors.ts';
import { table } from '../src/format/table.ts';

const targets = (count: number): Target[] =>
  Array.from({ length: count }, (_, i) => ({ name: `n${i}`, version: '1' }));

async function all(changes: AsyncIterable<Change>): Promise<string[]> {
  const told: string[] = [];
  for await (const each of changes) {
    told.push(
      each.done === 'failed' ? `${each.name} ${each.error.message}` : `${each.name} ${each.done}`,
    );
  }
  return told;
}

describe('a change of many', () => {
  it('yields what became of each, in order, eight at a time', async () => {
    let running = 0;
    let most = 0;
    const work = async ({ name }: Target): Promise<boolean> => {
      most = Math.max(most, (running += 1));
      await new Promise((resolve) => setTimeout(resolve, 5));
      running -= 1;
      return name !== 'n3';
    };
    const told = await all(change(targets(20), { rate: 10_000 }, work));
    expect(told).toEqual(
      targets(20).map(({ name }) => `${name} ${name === 'n3' ? 'skipped' : 'changed'}`),
    );
    expect(most).toBe(8);
    expect(await all(change(targets(3), { rate: 10_000, maxConcurrency: 1 }, work))).toHaveLength(
      3,
    );
  });

  it('goes on behind what fails, but not behind what all would meet', async () => {
    const denied = new CredstashError('ACCESS_DENIED', 'denied');
    const gone = new CredstashError('UNREACHABLE', 'gone');
    const work = ({ name }: Target): Promise<boolean> =>
      name === 'n1'
        ? Promise.reject(denied)
        : name === 'n3'
          ? Promise.reject(gone)
          : Promise.resolve(true);
    const options = { rate: 10_000, maxConcurrency: 1 };
    expect(await all(change(targets(6), options, work))).toEqual([
      'n0 changed',
      'n1 denied',
      'n2 changed',
      'n3 gone',
      'n4 was not tried',
      'n5 was not tried',
    ]);
    const crash = (): Promise<boolean> => Promise.reject(new TypeError('a bug'));
    await expect(all(change(targets(2), options, crash))).rejects.toThrow('a bug');
  });

  it('asks with all that is planned, and does nothing unless the answer is yes', async () => {
    const asked: (readonly Target[])[] = [];
    const work = vi.fn(() => Promise.resolve(true));
    const confirm = (answer: boolean) => (planned: readonly Target[]) => {
      asked.push(planned);
      return Promise.resolve(answer);
    };
    expect(await all(change(targets(2), { confirm: confirm(false) }, work))).toEqual([]);
    expect(work).not.toHaveBeenCalled();
    expect(await all(change(targets(2), { confirm: confirm(true) }, work))).toHaveLength(2);
    expect(asked).toEqual([targets(2), targets(2)]);
    await all(change([], { confirm: confirm(true) }, work));
    const dry = await all(change(targets(2), { confirm: confirm(true), dryRun: true }, work));
    expect(dry).toEqual(['n0 planned', 'n1 planned']);
    expect(work).toHaveBeenLastCalledWith(targets(2)[1], true);
    expect(asked).toHaveLength(2);
  });

  describe('in time', () => {
    beforeEach(() => {
      vi.useFakeTimers();
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    it('begins no more in a second than it may', async () => {
      const begun: number[] = [];
      const start = performance.now();
      const work = (): Promise<boolean> => {
        begun.push(performance.now() - start);
        return Promise.resolve(true);
      };
      const done = all(change(targets(50), { rate: 10 }, work));
      await vi.runAllTimersAsync();
      expect(await done).toHaveLength(50);
      expect(begun.filter((at) => at < 1000)).toHaveLength(10);
      expect(Math.max(...begun)).toBeGreaterThanOrEqual(4900);
    });

    it('ends with its signal, in the middle of a pause', async () => {
      const stop = new AbortController();
      const work = vi.fn(() => Promise.resolve(true));
      const done = all(change(targets(9), { rate: 1, signal: stop.signal }, work));
      const ended = expect(done).rejects.toBe('enough');
      await vi.advanceTimersByTimeAsync(2500);
      stop.abort('enough');
      await ended;
      expect(work).toHaveBeenCalledTimes(3);
    });
  });

  it.each([0, -1, NaN])('refuses a rate of %s', async (rate) => {
    await expect(
      all(change(targets(1), { rate }, () => Promise.resolve(true))),
    ).rejects.toMatchObject({
      code: 'USAGE',
    });
  });
});

describe('an age', () => {
  it('is read in hours, days, weeks and years', () => {
    const hour = 3_600_000;
    expect(['12h', '90d', '6w', '1y', '0d'].map(parseAge)).toEqual(
      [12, 90 * 24, 6 * 7 * 24, 365 * 24, 0].map((hours) => hours * hour),
    );
    for (const text of ['', 'd', '90', '90m', '-1d', '1.5d', '90 d', '1000000d', '1D']) {
      expect(() => parseAge(text), text).toThrow(
        expect.objectContaining({ code: 'USAGE' }) as Error,
      );
    }
  });

  it('is told in its largest whole unit', () => {
    const minute = 60_000;
    const day = 24 * 60 * minute;
    expect(
      [
        -5,
        0,
        59 * minute,
        119 * minute,
        2 * 60 * minute,
        47 * 60 * minute,
        2 * day,
        729 * day,
        730 * day,
      ].map(formatAge),
    ).toEqual(['0min', '0min', '59min', '119min', '2h', '47h', '2d', '729d', '2y']);
  });
});

describe('a table', () => {
  it('has columns as wide as they must be, also of wide characters, and shows what drives a terminal', () => {
    expect(
      table(
        ['A', 'B', 'C'],
        [
          ['鍵', 'x', ''],
          ['abc', '\x1b[2J', 'end'],
          ['e\u0301', '😀', 'z'],
        ],
      ),
    ).toBe('A    B          C\n鍵   x\nabc  \\u001b[2J  end\ne\u0301    😀         z\n');
    expect(table(['A'], [])).toBe('A\n');
  });

  it('cuts a row to the terminal, and never through a wide character', () => {
    expect(table(['NAME', 'C'], [['a', '0123456789']], 10)).toBe('NAME  C\na     012…\n');
    expect(table(['NAME', 'C'], [['a', '鍵鍵鍵鍵']], 10)).toBe('NAME  C\na     鍵…\n');
    expect(table(['N', 'C'], [['a', '鍵鍵鍵']], 9)).toBe('N  C\na  鍵鍵鍵\n');
  });
});
