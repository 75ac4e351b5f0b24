import { beforeEach, describe, expect, it } from 'vitest';
import { Credstash } from '../../src/credstash.ts';
import { bytes } from '../support/bytes.ts';
import { outcomesOf } from '../support/outcomes.ts';
import { RecordedBackend } from '../support/recorded-backend.ts';
import { v } from '../support/version.ts';

let backend: RecordedBackend;
let credstash: Credstash;

beforeEach(() => {
  backend = new RecordedBackend();
  credstash = Credstash.over(backend);
});

describe('putAll', () => {
  const secrets = ['a', 'b', 'c'].map((name) => ({ name, value: bytes(name) }));
  const putAll = async (
    ...args: Parameters<typeof credstash.putAll>
  ): Promise<Record<string, string>> => {
    const outcomes = await outcomesOf(credstash.putAll(...args));
    return Object.fromEntries(outcomes.map(({ name, done }) => [name, done]));
  };

  it('stores each, and one that fails stops none of the others', async () => {
    await backend.plant('b', v(1));
    expect(await putAll(secrets)).toEqual({ a: 'stored', b: 'failed', c: 'stored' });
    expect((await backend.listIds()).sort()).toEqual(
      ['a', 'b', 'c'].map((name) => `${name} ${v(1)}`),
    );
    expect(backend.handedOut.every((key) => key.every((byte) => byte === 0))).toBe(true);
  });

  it('leaves alone what is there with the same bytes', async () => {
    await credstash.put('a', bytes('a'));
    await credstash.put('b', bytes('other'));
    const options = { skipUnchanged: true, autoversion: true };
    expect(await putAll(secrets, options)).toEqual({ a: 'unchanged', b: 'stored', c: 'stored' });
    expect(await putAll(secrets, options)).toEqual({
      a: 'unchanged',
      b: 'unchanged',
      c: 'unchanged',
    });
    expect(await backend.listIds()).toHaveLength(4);
  });

  it('compares with the version that -v says', async () => {
    await credstash.put('a', bytes('a'));
    await credstash.put('a', bytes('newer'), { version: '2' });
    const one = [{ name: 'a', value: bytes('a') }];
    expect(await putAll(one, { skipUnchanged: true, version: '1' })).toEqual({ a: 'unchanged' });
    expect(await putAll(one, { skipUnchanged: true, version: '2' })).toEqual({ a: 'failed' });
    expect(await putAll(one, { skipUnchanged: true, version: '3' })).toEqual({ a: 'stored' });
  });

  it('checks all of them before the first request', async () => {
    const bad = [...secrets, { name: '', value: bytes('x') }];
    await expect(putAll(bad)).rejects.toMatchObject({ code: 'USAGE' });
    const twice = [...secrets, { name: 'a', value: bytes('x') }];
    await expect(putAll(twice)).rejects.toMatchObject({ code: 'USAGE' });
    const large = [...secrets, { name: 'd', value: new Uint8Array(500_000) }];
    await expect(putAll(large)).rejects.toMatchObject({ code: 'TOO_LARGE' });
    expect(backend.calls).toEqual([]);
  });
});
