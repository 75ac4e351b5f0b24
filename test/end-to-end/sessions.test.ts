import { mkdtempSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openMemory } from '../../src/backend/memory/index.ts';
import { Credstash } from '../../src/credstash.ts';
import { runSession } from '../support/session.ts';
import { type Backend, backends, dynalite, type Place, vault } from './backends.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * What people and scripts do, as sessions at a terminal, on every backend. test/process runs some as processes. dynalite
 * has no transactions, by which labels move.
 */

const testdata = join(import.meta.dirname, '../testdata');
const sessions = readdirSync(testdata).filter((name) => name.endsWith('.txt'));

/** The command on the memory backend, which no option of it chooses: what it opens as a vault is in memory. */
const memory: Backend = {
  name: 'memory',
  start: async () => {
    const running = await vault.start();
    const place = async (): Promise<Place> => {
      const backend = openMemory();
      vi.spyOn(Credstash, 'local').mockImplementation(() => Credstash.over(backend));
      return { ...(await running.place()), where: 'memory' };
    };
    const close = (): Promise<void> => {
      vi.restoreAllMocks();
      return running.close();
    };
    return { ...running, place, close };
  },
};

const folder = temporaryFolder();

test('there are sessions', () => {
  expect(sessions.length).toBeGreaterThan(8);
});

describe.each([...backends, memory])('$name', (backend) => {
  let running: Awaited<ReturnType<Backend['start']>>;
  beforeAll(async () => {
    running = await backend.start();
  });
  afterAll(() => running.close());

  const wanted = sessions.filter((name) => backend !== dynalite || !/labels|prune/.test(name));
  test.each(wanted)('%s', async (name) => {
    const { cs, where } = await running.place();
    await runSession(join(testdata, name), {
      where,
      kms: { memory: 'the key in memory', 'the vault': where }[backend.name] ?? 'KMS',
      folder: mkdtempSync(join(folder, 'session-')),
      run: cs,
    });
  });
});
