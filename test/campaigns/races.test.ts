import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  backends,
  type Ended,
  failed,
  ok,
  type Place,
  type Running,
  stored,
} from '../end-to-end/backends.ts';
import { size, Tally, timeout } from './campaign.ts';
import { v } from '../support/version.ts';

/*
 * Processes that do the same thing to the same secret at once. What each of them was told must be true.
 */

/** 64 processes on two cores wait for each other. */
const timeoutMs = 300_000;

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

/** Runs `read` again and again, twice at a time, until `writers` have ended. */
async function during<T>(writers: Promise<T>, read: () => Promise<void>): Promise<T> {
  let over = false;
  const readers = [read, read].map(async (each) => {
    do await each();
    while (!over);
  });
  try {
    return await writers;
  } finally {
    over = true;
    await Promise.all(readers);
  }
}

interface Row {
  readonly version: string;
  readonly comment: string;
}

async function rows(cs: Place['cs'], name: string): Promise<Row[]> {
  const { status, stdout, stderr } = await cs(['list', name, '--json'], { timeoutMs });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout) as Row[];
}

describe.each(backends)('$name', ({ name, start }) => {
  const tally = new Tally();
  let running: Running;
  beforeAll(async () => {
    running = await start();
  });
  afterAll(async () => {
    await running.close();
    tally.print(`races on ${name}`);
  });

  test(
    'many put -a on one name: every version once, no gap, and readers see what was put [compat 19]',
    { timeout },
    async () => {
      const { cs } = await running.place();
      const writers = numbers(size(4, 64));
      for (let round = 0; round < size(1, 5); round += 1) {
        const secret = `raced-${round}`;
        const value = (i: number): string => `of ${i} in ${round}`;
        const put = (i: number): Promise<Ended> =>
          cs(['put', secret, '-a', value(i), `-c${i}`], { timeoutMs });
        const values = new Set(writers.map((i) => `${value(i)}\n`));
        let seen = 0;
        const read = async (): Promise<void> => {
          const before = seen;
          const listed = await rows(cs, secret);
          expect(listed.map(({ version }) => version)).toEqual(numbers(listed.length).map(v));
          const got = await cs(['get', secret], { timeoutMs });
          if (got.status === 0) expect(values).toContain(got.stdout);
          // A version that somebody has seen does not go away again.
          else expect({ ...got, seen: before }).toEqual({ ...Object(failed(3)), seen: 0 });
          expect(listed.length).toBeGreaterThanOrEqual(before);
          seen = Math.max(seen, listed.length);
          tally.add('reads while they wrote', 2);
        };
        const all = await during(Promise.all(writers.map(put)), read);
        for (const ended of all) expect(ended).toEqual(stored(secret));
        const listed = await rows(cs, secret);
        expect(listed.map(({ version }) => version)).toEqual(writers.map(v));
        expect(listed.map(({ comment }) => Number(comment)).sort((a, b) => a - b)).toEqual(writers);
        // Each version holds what its own writer stored.
        for (const { version, comment } of listed.slice(0, size(2, 64))) {
          const got = await cs(['get', secret, '-v', version]);
          expect(got).toEqual(ok(`${value(Number(comment))}\n`));
        }
        tally.add('writers with -a', writers.length);
        tally.add('versions that they stored', listed.length);
      }
    },
  );

  test('several put -v 5 at once: one wins, the others exit 4', { timeout }, async () => {
    const { cs } = await running.place();
    const round = async (count: number, i: number): Promise<void> => {
      const secret = `one-${count}-${i}`;
      const all = await Promise.all(
        numbers(count).map((i) => cs(['put', secret, '-v', '5', `of ${i}`], { timeoutMs })),
      );
      const winner = all.findIndex(({ status }) => status === 0);
      expect(all[winner]).toEqual(stored(secret));
      all.splice(winner, 1, { status: 4, stdout: '', stderr: 'credstash: error: (the winner)\n' });
      for (const loser of all) expect(loser).toEqual(failed(4));
      expect(await cs(['get', secret])).toEqual(ok(`of ${winner + 1}\n`));
      expect(await rows(cs, secret)).toHaveLength(1);
      tally.add(`${count} writers of one version: exactly one won`);
    };
    // In the short form those of four say as much as those of two.
    for (const i of numbers(size(0, 50))) await round(2, i);
    for (const i of numbers(size(1, 3))) await round(size(4, 64), i);
  });

  test('getall while secrets are deleted: each value right, none torn', { timeout }, async () => {
    const { cs } = await running.place();
    const names = numbers(size(4, 200)).map((i) => `s${String(i).padStart(3, '0')}`);
    const values = Object.fromEntries(names.map((each) => [each, `value of ${each}`]));
    const input = JSON.stringify(values);
    expect(await cs(['putall', '-'], { input, timeoutMs })).toMatchObject({ status: 0 });
    /** Of the names in their order: how many deletes have begun, and how many have ended. */
    const deleted = { begun: 0, ended: 0 };
    const remove = async (): Promise<void> => {
      for (const each of names.slice(0, -1)) {
        deleted.begun += 1;
        expect(await cs(['delete', each])).toMatchObject({ status: 0, stderr: '' });
        deleted.ended += 1;
      }
    };
    const read = async (): Promise<void> => {
      const gone = deleted.ended;
      const { status, stdout, stderr } = await cs(['getall'], { timeoutMs });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const given = JSON.parse(stdout) as Record<string, string>;
      for (const [each, value] of Object.entries(given)) expect(value).toBe(values[each]);
      const missing = names.filter((each) => given[each] === undefined);
      expect(missing).toEqual(expect.arrayContaining(names.slice(0, gone)));
      expect(names.slice(0, deleted.begun)).toEqual(expect.arrayContaining(missing));
      tally.add('getall while secrets were deleted');
    };
    await during(remove(), read);
    tally.add('secrets deleted meanwhile', names.length - 1);
    expect(JSON.parse((await cs(['getall'])).stdout)).toEqual({
      [names.at(-1) ?? '']: values[names.at(-1) ?? ''],
    });
  });

  test('several setups at once: all succeed, one creates', { timeout }, async () => {
    const { cs } = running.absent();
    const all = await Promise.all(numbers(size(3, 16)).map(() => cs(['setup'], { timeoutMs })));
    for (const each of all) expect(each).toMatchObject({ status: 0, stderr: '' });
    expect(all.filter(({ stdout }) => stdout.includes('created'))).toHaveLength(1);
    expect(await cs(['put', 'a', 'x'])).toEqual(stored('a'));
    tally.add('setups at once, of which one created', all.length);
  });
});
