import { mkdtempSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { asText, dynalite, ok, type Running, vaultProcess } from '../end-to-end/backends.ts';
import { run } from '../support/run.ts';
import { runSession } from '../support/session.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * The sessions of test/testdata, each command a process of its own: on the vault, and some of them on AWS. What they show of
 * backends is in test/end-to-end/sessions.test.ts; this is about the built command on the runtime under test.
 */

const testdata = join(import.meta.dirname, '../testdata');
const all = readdirSync(testdata).filter((name) => name.endsWith('.txt'));
const folder = temporaryFolder();

describe.each([
  { ...vaultProcess, sessions: all },
  { ...dynalite, sessions: ['several.txt', 'versions.txt'] },
])('$name', ({ start, sessions }) => {
  let running: Running;
  beforeAll(async () => {
    running = await start();
  });
  afterAll(() => running.close());

  test.each(sessions)('%s', async (name) => {
    const { args, env, where } = await running.place();
    await runSession(join(testdata, name), {
      where,
      kms: running.kms ? 'KMS' : where,
      folder: mkdtempSync(join(folder, 'session-')),
      run: async (words, options) =>
        asText(await run([...args, ...words], { ...options, env: { ...env, ...options.env } })),
    });
  });

  test('setup makes a place that works', async () => {
    const { args, env, where } = running.absent();
    const cs = async (...words: string[]) => asText(await run([...args, ...words], { env }));
    expect(await cs('get', 'a')).toMatchObject({ status: 3 });
    expect(await cs('setup')).toMatchObject({ status: 0, stderr: '' });
    expect(await cs('put', 'a', 'kept')).toEqual(ok('a has been stored\n'));
    expect(await cs('setup')).toMatchObject({ status: 0, stderr: '' });
    expect(await cs('get', 'a'), where).toEqual(ok('kept\n'));
  });
});
