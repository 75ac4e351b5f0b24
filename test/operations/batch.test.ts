import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { formatAge, parseAge } from '../../src/model/age.ts';
import { markAboutAll, type BeginChange, runBatch } from '../../src/operations/batch.ts';
import type { Change, Target } from '../../src/operations/options.ts';
import { CredstashError, type ErrorCode, ServiceAnswer } from '../../src/errors.ts';
import { formatTable } from '../../src/format/table.ts';
import { makeGate } from '../support/gate.ts';

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
    const eight = makeGate();
    const work = async ({ name }: Target): Promise<boolean> => {
      most = Math.max(most, (running += 1));
      if (running === 8) eight.open();
      await eight.opened;
      // A ninth would begin meanwhile.
      await new Promise((resolve) => setTimeout(resolve, 5));
      running -= 1;
      return name !== 'n3';
    };
    const told = await all(runBatch(targets(20), { rate: 10_000 }, work));
    expect(told).toEqual(
      targets(20).map(({ name }) => `${name} ${name === 'n3' ? 'skipped' : 'changed'}`),
    );
    expect(most).toBe(8);
    expect(await all(runBatch(targets(3), { rate: 10_000, maxConcurrency: 1 }, work))).toHaveLength(
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
    expect(await all(runBatch(targets(6), options, work))).toEqual([
      'n0 changed',
      'n1 denied',
      'n2 changed',
      'n3 gone',
      'n4 was not tried',
      'n5 was not tried',
    ]);
    const crash = (): Promise<boolean> => Promise.reject(new TypeError('a bug'));
    await expect(all(runBatch(targets(2), options, crash))).rejects.toThrow('a bug');
  });

  it.each<ErrorCode>(['UNEXPECTED', 'UNREACHABLE'])(
    'goes on behind an answer that is %s',
    async (code) => {
      const cause = new ServiceAnswer('kms:ReEncrypt: BrandNewException');
      const odd = new CredstashError(code, 'KMS refused the request', { cause });
      const work = ({ name }: Target): Promise<boolean> =>
        name === 'n1' ? Promise.reject(odd) : Promise.resolve(true);
      expect(await all(runBatch(targets(3), { maxConcurrency: 1 }, work))).toEqual([
        'n0 changed',
        'n1 KMS refused the request',
        'n2 changed',
      ]);
    },
  );

  it.each<[string, CredstashError]>([
    ['that no service answered', new CredstashError('UNEXPECTED', 'stop')],
    [
      'that every entry meets, whatever its code',
      markAboutAll(new CredstashError('KEY_NOT_FOUND', 'stop')),
    ],
    [
      'of credentials, which a service answered too',
      new CredstashError('CREDENTIALS_REFUSED', 'stop', { cause: new ServiceAnswer('KMS') }),
    ],
    ['of no answer', new CredstashError('UNREACHABLE', 'stop', { cause: new Error('ECONNRESET') })],
  ])('stops at an error %s, and says the same of all that is left', async (_, error) => {
    const work = vi.fn(() => Promise.reject(error));
    const told: Change[] = [];
    for await (const each of runBatch(targets(4), { maxConcurrency: 1 }, work)) told.push(each);
    expect(work).toHaveBeenCalledTimes(1);
    const errors = told.map((each) => (each.done === 'failed' ? each.error : undefined));
    expect(errors.map((each) => each?.message)).toEqual([
      'stop',
      'was not tried',
      'was not tried',
      'was not tried',
    ]);
    expect(new Set(errors).size).toBe(2);
  });

  it('asks with all that is planned, and does nothing unless the answer is yes', async () => {
    const asked: (readonly Target[])[] = [];
    const begun: boolean[] = [];
    const work = vi.fn(async (_: Target, begin: BeginChange) => {
      begun.push(await begin());
      return true;
    });
    const confirm = (answer: boolean) => (planned: readonly Target[]) => {
      asked.push(planned);
      return Promise.resolve(answer);
    };
    expect(await all(runBatch(targets(2), { confirm: confirm(false) }, work))).toEqual([]);
    expect(work).not.toHaveBeenCalled();
    expect(await all(runBatch(targets(2), { confirm: confirm(true) }, work))).toHaveLength(2);
    expect(asked).toEqual([targets(2), targets(2)]);
    await all(runBatch([], { confirm: confirm(true) }, work));
    const dry = await all(runBatch(targets(2), { confirm: confirm(true), dryRun: true }, work));
    expect(dry).toEqual(['n0 planned', 'n1 planned']);
    // Of a dry run no work may write.
    expect(begun).toEqual([true, true, false, false]);
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
      const work = async (_: Target, begin: BeginChange): Promise<boolean> => {
        await begin();
        begun.push(performance.now() - start);
        return true;
      };
      const done = all(runBatch(targets(50), { rate: 10 }, work));
      await vi.runAllTimersAsync();
      expect(await done).toHaveLength(50);
      expect(begun.filter((at) => at < 1000)).toHaveLength(10);
      expect(Math.max(...begun)).toBeGreaterThanOrEqual(4900);
    });

    it('waits for nothing that is only read: what is skipped, and a dry run', async () => {
      const skip = (): Promise<boolean> => Promise.resolve(false);
      const plan = async (_: Target, begin: BeginChange): Promise<boolean> => {
        await begin();
        return true;
      };
      const options = { rate: 0.001 };
      expect(await all(runBatch(targets(50), options, skip))).toHaveLength(50);
      expect(await all(runBatch(targets(50), { ...options, dryRun: true }, plan))).toHaveLength(50);
      expect(vi.getTimerCount()).toBe(0);
    });

    it('ends with its signal, in the middle of a pause', async () => {
      const stop = new AbortController();
      const changed = vi.fn();
      const work = async (_: Target, begin: BeginChange): Promise<boolean> => {
        await begin();
        changed();
        return true;
      };
      const done = all(runBatch(targets(9), { rate: 1, signal: stop.signal }, work));
      const ended = expect(done).rejects.toBe('enough');
      await vi.advanceTimersByTimeAsync(2500);
      stop.abort('enough');
      await ended;
      expect(changed).toHaveBeenCalledTimes(3);
    });
  });

  it.each([0, -1, NaN])('refuses a rate of %s', async (rate) => {
    await expect(
      all(runBatch(targets(1), { rate }, () => Promise.resolve(true))),
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
      formatTable(
        ['A', 'B', 'C'],
        [
          ['鍵', 'x', ''],
          ['abc', '\x1b[2J', 'end'],
          ['e\u0301', '😀', 'z'],
        ],
      ),
    ).toBe('A    B          C\n鍵   x\nabc  \\u001b[2J  end\ne\u0301    😀         z\n');
    expect(formatTable(['A'], [])).toBe('A\n');
  });

  it('cuts a row to the terminal, and never through a wide character', () => {
    expect(formatTable(['NAME', 'C'], [['a', '0123456789']], 10)).toBe('NAME  C\na     012…\n');
    expect(formatTable(['NAME', 'C'], [['a', '鍵鍵鍵鍵']], 10)).toBe('NAME  C\na     鍵…\n');
    expect(formatTable(['N', 'C'], [['a', '鍵鍵鍵']], 9)).toBe('N  C\na  鍵鍵鍵\n');
  });
});
