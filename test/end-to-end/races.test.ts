import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backends, ok, type Running, stored, v, vault } from './backends.ts';

const writers = Array.from({ length: 24 }, (_, i) => i + 1);
const timeoutMs = 60_000;

describe.each(backends)('$name', ({ start }) => {
  let running: Running;
  beforeAll(async () => {
    running = await start();
  });
  afterAll(() => running.close());

  test('24 processes that put -a on one name end in 24 versions [compat 19]', async () => {
    const { cs } = await running.place();
    const put = (i: number): ReturnType<typeof cs> =>
      cs(['put', 'raced', '-a', `of ${i}`, `-c${i}`], { timeoutMs });
    for (const ended of await Promise.all(writers.map(put))) expect(ended).toEqual(stored('raced'));
    const rows = JSON.parse((await cs(['list', '--json'])).stdout) as Record<string, string>[];
    expect(rows.map(({ version }) => version)).toEqual(writers.map(v));
    expect(rows.map(({ comment }) => Number(comment)).sort((a, b) => a - b)).toEqual(writers);
    // Each version holds what its own writer stored.
    for (const { version = '', comment = '' } of rows.slice(0, 6)) {
      expect(await cs(['get', 'raced', '-v', version])).toEqual(ok(`of ${comment}\n`));
    }
  });

  test('of 24 processes that put one version, one wins', async () => {
    const { cs } = await running.place();
    const put = (i: number): ReturnType<typeof cs> => cs(['put', 'one', `of ${i}`], { timeoutMs });
    const all = await Promise.all(writers.map(put));
    const statuses = all.map(({ status }) => status);
    expect(statuses.filter((status) => status === 4)).toHaveLength(23);
    expect(await cs(['get', 'one'])).toEqual(ok(`of ${statuses.indexOf(0) + 1}\n`));
  });
});

test('24 first writers of a fresh vault all succeed', async () => {
  const running = await vault.start();
  const { cs, where } = running.absent();
  const put = (i: number): ReturnType<typeof cs> => cs(['put', `s${i}`, `of ${i}`], { timeoutMs });
  const all = await Promise.all(writers.map(put));
  expect(all).toEqual(writers.map((i) => stored(`s${i}`)));
  for (const i of writers) expect(await cs(['get', `s${i}`])).toEqual(ok(`of ${i}\n`));
  expect(readdirSync(where.replace('the vault ', '')).sort()).toEqual(['master.key', 'vault.db']);
  await running.close();
});
