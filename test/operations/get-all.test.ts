import { beforeEach, describe, expect, it } from 'vitest';
import { Credstash } from '../../src/credstash.ts';
import type { CredstashError } from '../../src/errors.ts';
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

describe('getAll', () => {
  const all = async (options = {}): Promise<Record<string, string>> => {
    const { secrets } = await credstash.getAll(options);
    return Object.fromEntries(secrets.map(({ name, value }) => [name, text(value)]));
  };

  it('opens the newest version of each name, by name, and wipes the data keys', async () => {
    for (const version of ['2', '10', '9']) await credstash.put('b', bytes(version), { version });
    await credstash.put('a', bytes('one'));
    await credstash.put('\u{10000}', bytes('last'));
    await credstash.put('\uffff', bytes('before it'), { cipher: 'AES-256-CTR' });
    backend.calls = [];
    backend.handedOut = [];
    const { secrets, leftOut } = await credstash.getAll();
    expect(secrets.map(({ name, value }) => [name, text(value)])).toEqual([
      ['a', 'one'],
      ['b', '10'],
      ['\uffff', 'before it'],
      ['\u{10000}', 'last'],
    ]);
    expect(leftOut).toEqual([]);
    expect(backend.calls).toEqual(['all ', 'unwrap', 'unwrap', 'unwrap', 'unwrap']);
    expect(backend.handedOut).toHaveLength(4);
    expect(backend.handedOut.every((key) => key.every((byte) => byte === 0))).toBe(true);
  });

  it('reads what the glob begins with, and opens what matches', async () => {
    for (const name of ['app.a', 'app.b', 'apple']) await credstash.put(name, bytes(name));
    backend.calls = [];
    expect(await all({ glob: 'app.*' })).toEqual({ 'app.a': 'app.a', 'app.b': 'app.b' });
    expect(backend.calls).toEqual(['all app.', 'unwrap', 'unwrap']);
    backend.calls = [];
    expect(await all({ glob: ['apple', 'app.*', '*.b'] })).toEqual({
      'app.a': 'app.a',
      'app.b': 'app.b',
      apple: 'apple',
    });
    expect(backend.calls).toEqual(['all ', 'unwrap', 'unwrap', 'unwrap']);
    backend.calls = [];
    expect(await all({ glob: ['app.*', 'x*', 'app.a*'] })).toEqual({
      'app.a': 'app.a',
      'app.b': 'app.b',
    });
    expect(backend.calls).toEqual(['all app.,x', 'unwrap', 'unwrap']);
    backend.calls = [];
    expect(await all({ glob: [] })).toEqual({});
    expect(backend.calls).toEqual([]);
    expect(await all({ glob: 'apple' })).toEqual({ apple: 'apple' });
    expect(await all({ glob: 'x*' })).toEqual({});
  });

  it('takes the padded spelling of a version before the unpadded one, whatever comes first', async () => {
    await credstash.put('n', bytes('padded'), { version: '3', cipher: 'AES-256-CTR' });
    const padded = await backend.read('n', v(3));
    await credstash.put('m', bytes('unpadded'), { version: '3', cipher: 'AES-256-CTR' });
    const unpadded = { ...(await backend.take('m', v(3))), version: '3' };
    const { entries } = backend.memory;
    await entries.create(unpadded);
    await entries.create({ ...unpadded, name: 'n' });
    expect((await backend.listIds())[0]).toBe(`n ${v(3)}`);
    expect(await all({ version: '3' })).toEqual({ m: 'unpadded', n: 'padded' });
    await entries.remove('n', v(3));
    await entries.create(padded);
    expect((await backend.listIds()).at(-1)).toBe(`n ${v(3)}`);
    expect(await all({ version: '3' })).toEqual({ m: 'unpadded', n: 'padded' });
  });

  it('gives all or none, and names each that does not open', async () => {
    await credstash.put('a', bytes('a'));
    await credstash.put('b', bytes('b'), { context: checkContext([['env', 'prod']]) });
    await backend.plant('c', v(1));
    const error: unknown = await credstash.getAll().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'WRONG_CONTEXT', exitStatus: 6 });
    expect((error as CredstashError).failures.map(({ name }) => name)).toEqual(['b', 'c']);
    const { secrets, leftOut } = await credstash.getAll({ skipUndecryptable: true });
    expect(secrets.map(({ name }) => name)).toEqual(['a']);
    expect(leftOut.map(({ name, error: { code } }) => [name, code])).toEqual([
      ['b', 'WRONG_CONTEXT'],
      ['c', 'WRONG_CONTEXT'],
    ]);
  });

  it('hints at what failed', async () => {
    const hint = (options = {}): Promise<unknown> =>
      credstash.getAll(options).then(
        () => undefined,
        (error: unknown) => (error as CredstashError).hint,
      );
    const leave = 'leave out what does not open with `skipUndecryptable`';
    await credstash.put('a', bytes('a'));
    expect(await hint({ version: '2' })).toBe(leave);
    await backend.tamper('a', v(1), { comment: 'tampered' });
    expect(await hint()).toBe(`find out who wrote what does not verify, or ${leave}`);
    await credstash.put('b', bytes('b'), { context: checkContext([['env', 'prod']]) });
    expect(await hint()).toBe(
      `give the encryption context that they share, or find out who wrote what does not verify, or ${leave}`,
    );
  });

  it('is stopped by no entry whose name is too long for the context', async () => {
    await credstash.put('a', bytes('a'), { context: { k: 'x'.repeat(7000) } });
    const name = 'n'.repeat(2048);
    await backend.memory.entries.create({ ...(await backend.read('a', v(1))), name });
    const options = { context: { k: 'x'.repeat(7000) }, skipUndecryptable: true };
    const { secrets, leftOut } = await credstash.getAll(options);
    expect(secrets.map((each) => each.name)).toEqual(['a']);
    expect(leftOut).toMatchObject([{ name, error: { code: 'WRONG_CONTEXT' } }]);
  });

  it('is told of a bad version or context before the first request', async () => {
    const glob = 'x'.repeat(2049);
    await expect(credstash.getAll({ glob })).rejects.toMatchObject({ code: 'USAGE' });
    await expect(credstash.list(glob)).rejects.toMatchObject({ code: 'USAGE' });
    await expect(credstash.getAll({ version: '' })).rejects.toMatchObject({ code: 'USAGE' });
    const context = { '': 'x' };
    await expect(credstash.getAll({ context })).rejects.toMatchObject({ code: 'USAGE' });
    expect(backend.calls).toEqual([]);
  });
});
