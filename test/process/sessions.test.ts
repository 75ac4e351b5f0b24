import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { asText, dynalite, ok, type Running, vaultProcess } from '../end-to-end/backends.ts';
import { run } from '../support/run.ts';
import { runSession } from '../support/session.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * Some of the sessions of test/testdata, each command a process of its own: real arguments, streams and exit statuses, and the
 * driver of the vault that the runtime has. All sessions run in process, on each backend, in test/end-to-end/sessions.test.ts,
 * which npm test also runs on another release of Node.js.
 */

const testdata = join(import.meta.dirname, '../testdata');
const folder = temporaryFolder();

/** Values of an argument, a file and stdin, empty ones too; several at once, some of which fail; labels, which move at once. */
const ofProcesses = ['put-values.txt', 'several.txt', 'labels.txt'];

describe.each([
  { ...vaultProcess, sessions: ofProcesses },
  { ...dynalite, sessions: ['several.txt'] },
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
