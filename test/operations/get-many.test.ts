import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Credstash } from '../../src/credstash.ts';
import { CredstashError } from '../../src/errors.ts';
import { checkContext } from '../../src/model/context.ts';
import { bytes, text } from '../support/bytes.ts';
import { RecordedBackend } from '../support/recorded-backend.ts';
import { v } from '../support/version.ts';

let backend: RecordedBackend;
let credstash: Credstash;

beforeEach(() => {
  backend = new RecordedBackend();
  credstash = Credstash.over(backend);
});

describe('getMany', () => {
  const prod = checkContext([['env', 'prod']]);
  const failure = async (...wanted: Parameters<typeof credstash.getMany>): Promise<unknown> =>
    credstash.getMany(...wanted).catch((reason: unknown) => reason);

  it('gives each in the order wanted, and reads and unwraps what is the same once', async () => {
    await credstash.put('a', bytes('a1'));
    await credstash.put('a', bytes('a2'), { version: '2' });
    await credstash.put('b', bytes('b'), { context: { env: 'prod', team: 'x' } });
    backend.calls = [];
    backend.handedOut = [];
    const got = await credstash.getMany([
      { name: 'b', context: { env: 'prod', team: 'x' } },
      { name: 'a' },
      { name: 'a', version: '1' },
      { name: 'b', context: { team: 'x', env: 'prod' }, place: 'B' },
      { name: 'a', version: undefined, context: {} },
    ]);
    expect(got.map(({ name, value }) => [name, text(value)])).toEqual([
      ['b', 'b'],
      ['a', 'a2'],
      ['a', 'a1'],
      ['b', 'b'],
      ['a', 'a2'],
    ]);
    expect(got[3]?.place).toBe('B');
    expect(backend.calls.sort()).toEqual([
      `at ${v(1)}`,
      'latest',
      'latest',
      'unwrap',
      'unwrap',
      'unwrap',
    ]);
    expect(backend.handedOut.every((key) => key.every((byte) => byte === 0))).toBe(true);
  });

  it('makes no request for none', async () => {
    expect(await credstash.getMany([])).toEqual([]);
    expect(backend.calls).toEqual([]);
  });

  it('checks all of them before the first request', async () => {
    await credstash.put('a', bytes('a'));
    backend.calls = [];
    for (const bad of [
      { name: '' },
      { name: 'a', version: '' },
      { name: 'a', context: { '': 'x' } },
      { name: 'a'.repeat(2048), context: { k: 'v'.repeat(6200) } },
    ]) {
      expect(await failure([{ name: 'a' }, bad])).toMatchObject({ code: 'USAGE' });
    }
    expect(backend.calls).toEqual([]);
  });

  it('gives all or none, and names each that it cannot give by its place', async () => {
    await credstash.put('a', bytes('a'));
    await credstash.put('b', bytes('b'), { context: prod });
    const wanted = [
      { name: 'none', place: 'line 1' },
      { name: 'a' },
      { name: 'b' },
      { name: 'a', version: '9' },
      { name: 'none', place: 'line 2' },
    ];
    const error = (await failure(wanted)) as CredstashError;
    expect(error).toMatchObject({ code: 'SECRET_NOT_FOUND', exitStatus: 3 });
    expect(error.message).toBe('4 of 5 secrets cannot be got from memory, so none is given');
    expect(error.hint).toBe('give each the encryption context that it was put with');
    expect(error.failures.map(({ name, error: { code } }) => [name, code])).toEqual([
      ['line 1', 'SECRET_NOT_FOUND'],
      ['b', 'WRONG_CONTEXT'],
      ['a', 'VERSION_NOT_FOUND'],
      ['line 2', 'SECRET_NOT_FOUND'],
    ]);
    await backend.tamper('a', v(1), { comment: 'tampered' });
    expect(await failure(wanted)).toMatchObject({ code: 'INTEGRITY', exitStatus: 5 });
  });

  it('ends at once for what every other secret would meet too', async () => {
    const down = new CredstashError('UNREACHABLE', 'down');
    const latest = vi.spyOn(backend.entries, 'latest').mockRejectedValue(down);
    const wanted = Array.from({ length: 100 }, (_, i) => ({ name: `n${i}` }));
    expect(await failure(wanted)).toBe(down);
    expect(latest.mock.calls.length).toBeLessThan(100);
  });
});
