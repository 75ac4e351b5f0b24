import { beforeEach, describe, expect, it } from 'vitest';
import { Credstash } from '../../src/credstash.ts';
import { bytes, text } from '../support/bytes.ts';
import { RecordedBackend } from '../support/recorded-backend.ts';

let backend: RecordedBackend;
let credstash: Credstash;

beforeEach(() => {
  backend = new RecordedBackend();
  credstash = Credstash.over(backend);
});

describe('an exact version', () => {
  const exact = { exactVersion: true } as const;
  it('is stored, got and deleted as it is, beside the padded one', async () => {
    await credstash.put('n', bytes('padded'), { version: '1' });
    expect(await credstash.put('n', bytes('as it is'), { version: '1', ...exact })).toMatchObject({
      version: '1',
    });
    expect(text(await credstash.get('n', { version: '1' }))).toBe('padded');
    expect(text(await credstash.get('n', { version: '1', ...exact }))).toBe('as it is');
    const got = await credstash.getMany([
      { name: 'n', version: '1' },
      { name: 'n', version: '1', ...exact },
    ]);
    expect(got.map(({ value }) => text(value))).toEqual(['padded', 'as it is']);
    const { secrets } = await credstash.getAll({ version: '1', ...exact });
    expect(secrets.map(({ value }) => text(value))).toEqual(['as it is']);
    expect(await credstash.delete('n', { version: '1', ...exact })).toEqual([
      { name: 'n', version: '1', done: 'deleted' },
    ]);
    expect(text(await credstash.get('n', { version: '1' }))).toBe('padded');
  });

  it('is not found in another spelling', async () => {
    await credstash.put('n', bytes('padded'), { version: '1' });
    const absent = { code: 'VERSION_NOT_FOUND' };
    const version = { version: '1', ...exact };
    await expect(credstash.get('n', version)).rejects.toMatchObject(absent);
    await expect(credstash.getAll(version)).rejects.toMatchObject(absent);
    await expect(credstash.delete('n', version)).rejects.toMatchObject(absent);
    expect(
      await credstash.putAll([{ name: 'n', value: bytes('padded') }], {
        ...version,
        skipUnchanged: true,
      }),
    ).toEqual([{ name: 'n', done: 'stored' }]);
  });
});
