import { beforeEach, describe, expect, it } from 'vitest';
import { Credstash } from '../../src/credstash.ts';
import type { DeleteOutcome } from '../../src/operations/index.ts';
import { RecordedBackend } from '../support/recorded-backend.ts';
import { v } from '../support/version.ts';

let backend: RecordedBackend;
let credstash: Credstash;

beforeEach(() => {
  backend = new RecordedBackend();
  credstash = Credstash.over(backend);
});

describe('delete', () => {
  const versionsOf = async (removed: Promise<DeleteOutcome[]>): Promise<string[]> =>
    (await removed).map(({ version }) => version);

  it('removes every version, the oldest first', async () => {
    for (const version of [v(3), v(1), v(2)]) await backend.plant('n', version);
    await backend.plant('other', v(1));
    expect(await versionsOf(credstash.delete('n'))).toEqual([v(1), v(2), v(3)]);
    expect(backend.calls.filter((call) => call.startsWith('remove'))).toEqual(
      [1, 2, 3].map((n) => `remove ${v(n)}`),
    );
    expect(await backend.listIds()).toEqual([`other ${v(1)}`]);
  });

  it('removes one version, padded or not', async () => {
    await backend.plant('n', v(1));
    await backend.plant('n', '2');
    expect(await versionsOf(credstash.delete('n', { version: '1' }))).toEqual([v(1)]);
    expect(await versionsOf(credstash.delete('n', { version: '2' }))).toEqual(['2']);
  });

  it('says when there is nothing to delete', async () => {
    await expect(versionsOf(credstash.delete('n'))).rejects.toMatchObject({
      code: 'SECRET_NOT_FOUND',
    });
    await backend.plant('n', v(1));
    await expect(versionsOf(credstash.delete('n', { version: '9' }))).rejects.toMatchObject({
      code: 'VERSION_NOT_FOUND',
    });
    expect(await backend.listIds()).toHaveLength(1);
  });
});
