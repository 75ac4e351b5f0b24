import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Credstash } from '../../src/credstash.ts';
import { CredstashError } from '../../src/errors.ts';
import { bytes, text } from '../support/bytes.ts';
import { eventually } from '../support/eventually.ts';
import { RecordedBackend } from '../support/recorded-backend.ts';
import { v } from '../support/version.ts';

/*
 * What a call keeps in memory, and what it wipes if it fails.
 */

const NAMES = Array.from({ length: 40 }, (_, i) => `n${String(i).padStart(2, '0')}`);
const { subtle } = globalThis.crypto;

let backend: RecordedBackend;
let credstash: Credstash;
/** All that was decrypted: data keys and secrets. */
let decrypted: Uint8Array[];

beforeEach(async () => {
  backend = new RecordedBackend();
  credstash = Credstash.over(backend);
  await credstash.putAll(NAMES.map((name) => ({ name, value: bytes(`secret of ${name}`) })));
  decrypted = [];
  const decrypt = subtle.decrypt.bind(subtle);
  vi.spyOn(subtle, 'decrypt').mockImplementation(async (...args) => {
    const opened = await decrypt(...args);
    decrypted.push(new Uint8Array(opened));
    return opened;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

it('getAll lets go of a sealed entry once it is open', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const scan = backend.entries.scan.bind(backend.entries);
  const unwrap = backend.keys.unwrap.bind(backend.keys);
  const found: WeakRef<object>[] = [];
  vi.spyOn(backend.entries, 'scan').mockImplementation(async function* (prefixes) {
    for await (const each of scan(prefixes)) {
      const own = { ...each };
      found.push(new WeakRef(own));
      yield own;
    }
  });
  const alive: number[] = [];
  vi.spyOn(backend.keys, 'unwrap').mockImplementation(async (...args) => {
    // A WeakRef that was looked at lives until the end of the turn.
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    alive.push(found.filter((each) => each.deref()).length);
    return unwrap(...args);
  });
  const one = Credstash.over(backend, { maxConcurrency: 1 });
  const { secrets } = await one.getAll();
  expect(secrets.map(({ name }) => name)).toEqual(NAMES);
  expect(alive[0]).toBeGreaterThan(NAMES.length - 3);
  expect(alive.at(-1)).toBeLessThanOrEqual(3);
});

describe('the secrets of a call that fails are wiped', () => {
  const wanted = NAMES.map((name) => ({ name }));
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    getAll: () => credstash.getAll(),
    getMany: () => credstash.getMany(wanted),
  };
  const isWiped = (each: Uint8Array): boolean => each.every((byte) => byte === 0);

  it.each(Object.keys(calls))('because one does not verify: %s', async (call) => {
    await backend.tamper('n07', v(1), { hmac: new Uint8Array(32) });
    await expect(calls[call]?.()).rejects.toMatchObject({ code: 'INTEGRITY' });
    // Each data key, and each secret but one.
    expect(decrypted).toHaveLength(2 * NAMES.length - 1);
    expect(decrypted.filter((each) => !isWiped(each))).toEqual([]);
  });

  it.each(Object.keys(calls))(
    'because the service fails, with others under way: %s',
    async (call) => {
      const unwrap = backend.keys.unwrap.bind(backend.keys);
      let count = 0;
      let release = (): void => undefined;
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      vi.spyOn(backend.keys, 'unwrap').mockImplementation(async (...args) => {
        count += 1;
        if (count === 20) throw new CredstashError('UNREACHABLE', 'on purpose');
        if (count > 10) await released;
        return unwrap(...args);
      });
      await expect(calls[call]?.()).rejects.toMatchObject({ code: 'UNREACHABLE' });
      const before = decrypted.length;
      release();
      await eventually(() => {
        expect(decrypted.length).toBeGreaterThan(before);
        expect(decrypted.filter((each) => !isWiped(each))).toEqual([]);
      });
    },
  );

  it('and not those that are given', async () => {
    await backend.tamper('n07', v(1), { hmac: new Uint8Array(32) });
    const { secrets, leftOut } = await credstash.getAll({ skipUndecryptable: true });
    expect(leftOut.map(({ name }) => name)).toEqual(['n07']);
    expect(secrets.map(({ value }) => text(value))).toEqual(
      NAMES.filter((name) => name !== 'n07').map((name) => `secret of ${name}`),
    );
  });
});

it('Bun is told to collect garbage after 12 MiB that were opened, and not before', async () => {
  const gc = vi.fn();
  vi.stubGlobal('Bun', { gc });
  await credstash.getAll();
  expect(gc).not.toHaveBeenCalled();
  const value = new Uint8Array(390_000);
  await credstash.putAll(NAMES.map((name) => ({ name: `large.${name}`, value })));
  await credstash.getAll();
  expect(gc.mock.calls).toEqual([[true]]);
});
