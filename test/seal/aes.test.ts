import type * as crypto from 'node:crypto';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import * as js from '@noble/ciphers/aes.js';
import * as webCrypto from '@noble/ciphers/webcrypto.js';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { checkContext, encodeContext } from '../../src/model/context.ts';
import type { EntryHeader } from '../../src/model/entry.ts';
import * as ctrHmac from '../../src/seal/ctr-hmac.ts';
import { computeHmac } from '../../src/seal/data-key.ts';
import * as gcmHmac from '../../src/seal/gcm-hmac.ts';
import { unwrapKey, wrapKey } from '../../src/seal/wrap-key.ts';
import { eventually } from '../support/eventually.ts';

/** What the formats did of these two, in their order. */
const steps = vi.hoisted((): string[] => []);
vi.mock('node:crypto', async (original) => {
  const real = await original<typeof crypto>();
  return {
    ...real,
    timingSafeEqual: (a: Uint8Array, b: Uint8Array) => {
      steps.push('compare in constant time');
      return real.timingSafeEqual(a, b);
    },
  };
});
const { subtle } = globalThis.crypto;
const decrypt = subtle.decrypt.bind(subtle);
beforeEach(() => {
  vi.spyOn(subtle, 'decrypt').mockImplementation((...args) => {
    steps.push('decrypt');
    return decrypt(...args);
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

const header: EntryHeader = {
  name: 'n',
  version: '0000000000000000001',
  cipher: 'AES-256-GCM',
  digest: 'SHA256',
  created: '2026-11-23T10:00:00Z',
};

const original: EntryHeader = { ...header, cipher: 'AES-256-CTR' };
const COUNTER = Buffer.from('00000000000000000000000000000001', 'hex');

const secrets = fc.uint8Array({ maxLength: 2000 });
const dataKeys = fc.uint8Array({ minLength: 64, maxLength: 64 });

describe('the header', () => {
  it('takes an absent comment for the empty one [rule 9]', () => {
    expect(gcmHmac.encodeHeader({ ...header, comment: '' })).toEqual(gcmHmac.encodeHeader(header));
    expect(gcmHmac.encodeHeader({ ...header, comment: 'c' })).not.toEqual(
      gcmHmac.encodeHeader(header),
    );
  });

  it('is the one that docs/reference/entry-format.md shows', () => {
    const shown = gcmHmac.encodeHeader({ ...header, name: 'db.password', comment: 'first' });
    const page = readFileSync(
      join(import.meta.dirname, '../../docs/reference/entry-format.md'),
      'utf8',
    );
    expect(page.replaceAll('\n', '')).toContain(Buffer.from(shown).toString('hex'));
  });
});

describe('AES against node:crypto', () => {
  it('node:crypto opens what we seal with AES-256-GCM', async () => {
    await fc.assert(
      fc.asyncProperty(secrets, dataKeys, async (secret, dataKey) => {
        const { contents } = await gcmHmac.seal(header, dataKey, secret);
        const gcm = createDecipheriv(
          'aes-256-gcm',
          dataKey.subarray(0, 32),
          contents.subarray(0, 12),
        );
        gcm.setAAD(gcmHmac.encodeHeader(header)).setAuthTag(contents.subarray(-16));
        const opened = Buffer.concat([gcm.update(contents.subarray(12, -16)), gcm.final()]);
        expect(opened.equals(secret)).toBe(true);
      }),
    );
  });

  it('node:crypto makes the same AES-256-CTR ciphertext, both ways', async () => {
    await fc.assert(
      fc.asyncProperty(secrets, dataKeys, async (secret, dataKey) => {
        const ctr = createCipheriv('aes-256-ctr', dataKey.subarray(0, 32), COUNTER);
        const { contents, hmac } = await ctrHmac.seal(original, dataKey, secret);
        expect(Buffer.concat([ctr.update(secret), ctr.final()]).equals(contents)).toBe(true);
        const opened = await ctrHmac.open({ ...original, contents, hmac }, dataKey);
        expect(Buffer.from(opened).equals(secret)).toBe(true);
      }),
    );
  });

  it('never uses a nonce twice [rule 11]', async () => {
    const dataKey = randomBytes(64);
    const nonces = new Set<string>();
    for (let i = 0; i < 1000; i += 1) {
      const { contents } = await gcmHmac.seal(header, dataKey, new Uint8Array(0));
      nonces.add(Buffer.from(contents.subarray(0, 12)).toString('hex'));
    }
    expect(nonces.size).toBe(1000);
  });
});

describe('AES of WebCrypto against AES in JavaScript', () => {
  /** Seals with one and opens with the other. */
  const crossGcm = async (secret: Uint8Array, dataKey: Uint8Array): Promise<void> => {
    const aad = gcmHmac.encodeHeader(header);
    const { contents, hmac } = await gcmHmac.seal(header, dataKey, secret);
    const nonce = contents.subarray(0, 12);
    const gcm = (): ReturnType<typeof js.gcm> => js.gcm(dataKey.subarray(0, 32), nonce, aad);
    expect(Buffer.compare(gcm().encrypt(secret), contents.subarray(12))).toBe(0);
    expect(Buffer.compare(gcm().decrypt(contents.subarray(12)), secret)).toBe(0);
    const opened = await gcmHmac.open({ ...header, contents, hmac }, dataKey);
    expect(Buffer.compare(opened, secret)).toBe(0);
  };
  const crossCtr = async (secret: Uint8Array, dataKey: Uint8Array): Promise<void> => {
    const { contents, hmac } = await ctrHmac.seal(original, dataKey, secret);
    const ciphertext = js.ctr(dataKey.subarray(0, 32), COUNTER).encrypt(secret);
    expect(Buffer.compare(ciphertext, contents)).toBe(0);
    const opened = await ctrHmac.open({ ...original, contents, hmac }, dataKey);
    expect(Buffer.compare(opened, secret)).toBe(0);
  };

  it.each([
    ['AES-256-GCM', crossGcm],
    ['AES-256-CTR', crossCtr],
  ])('seals to the same bytes, and opens them: %s', async (_, cross) => {
    await fc.assert(fc.asyncProperty(secrets, dataKeys, cross));
    // 409,600 bytes are more than an item can have.
    for (const length of [0, 1, 15, 16, 17, 409_600]) {
      await cross(randomBytes(length), randomBytes(64));
    }
  });

  it('wraps data keys to the same bytes, and unwraps them', async () => {
    const masterKey = randomBytes(32);
    const dataKey = randomBytes(64);
    const context = checkContext([['env', 'prod']]);
    const wrapped = await wrapKey(masterKey, dataKey, context);
    const gcm = js.gcm(masterKey, wrapped.subarray(0, 12), encodeContext(context));
    expect(Buffer.compare(gcm.decrypt(wrapped.subarray(12)), dataKey)).toBe(0);
    const unwrapped = (await unwrapKey(masterKey, wrapped, context)) ?? new Uint8Array(0);
    expect(Buffer.compare(unwrapped, dataKey)).toBe(0);
  });

  it.each([
    '00000000000000000000000000000001',
    '000000000000000000000000fffffffe',
    '0000000000000000fffffffffffffffe',
    'fffffffffffffffffffffffffffffffe',
    'ffffffffffffffffffffffffffffffff',
  ])('counts all 128 bits of the counter, and on from zero: %s', async (counter) => {
    const key = randomBytes(32);
    const start = Buffer.from(counter, 'hex');
    for (const length of [0, 1, 16, 17, 64, 1000]) {
      const plaintext = randomBytes(length);
      const ciphertext = await webCrypto.ctr(key, start).encrypt(plaintext);
      expect(Buffer.compare(ciphertext, js.ctr(key, start).encrypt(plaintext))).toBe(0);
      const pyCrypto = createCipheriv('aes-256-ctr', key, start);
      expect(Buffer.compare(ciphertext, pyCrypto.update(plaintext))).toBe(0);
      expect(Buffer.compare(await webCrypto.ctr(key, start).decrypt(ciphertext), plaintext)).toBe(
        0,
      );
    }
  });

  it('refuses what AES in JavaScript refuses: a flipped bit, a short tag, another nonce or header', async () => {
    const key = randomBytes(32);
    const nonce = randomBytes(12);
    const aad = Buffer.from('header');
    const sealed = await webCrypto.gcm(key, nonce, aad).encrypt(Buffer.from('secret'));
    const flip = (bytes: Uint8Array, at: number): Uint8Array =>
      bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));
    const cases: [Uint8Array, Uint8Array, Uint8Array, Uint8Array][] = [
      ...Array.from(sealed.keys(), (at) => [key, nonce, aad, flip(sealed, at)] as const).map(
        (each): [Uint8Array, Uint8Array, Uint8Array, Uint8Array] => [...each],
      ),
      [key, nonce, aad, sealed.subarray(0, -1)],
      [key, nonce, aad, sealed.subarray(0, 16)],
      [key, flip(nonce, 0), aad, sealed],
      [key, nonce, flip(aad, 5), sealed],
      [key, nonce, new Uint8Array(0), sealed],
      [flip(key, 31), nonce, aad, sealed],
    ];
    for (const [k, n, a, bytes] of cases) {
      expect(() => js.gcm(k, n, a).decrypt(bytes)).toThrow();
      await expect(webCrypto.gcm(k, n, a).decrypt(bytes)).rejects.toThrow();
    }
  });
});

describe('the keys that WebCrypto imports', () => {
  it('cannot be exported, and their raw bytes are wiped', async () => {
    const importKey = vi.spyOn(subtle, 'importKey');
    const dataKey = randomBytes(64);
    const context = checkContext([]);
    for (const [head, format] of [
      [header, gcmHmac],
      [original, ctrHmac],
    ] as const) {
      const sealed = await format.seal(head, dataKey, Buffer.from('secret'));
      await format.open({ ...head, ...sealed }, dataKey);
    }
    const masterKey = randomBytes(32);
    await unwrapKey(masterKey, await wrapKey(masterKey, dataKey, context), context);
    expect(importKey).toHaveBeenCalledTimes(6);
    for (const [i, [format, bytes, , extractable, usages]] of importKey.mock.calls.entries()) {
      expect([format, extractable]).toEqual(['raw', false]);
      expect(usages).toEqual([i % 2 === 0 ? 'encrypt' : 'decrypt']);
      expect(bytes).toEqual(new Uint8Array(32));
      const key = await (importKey.mock.results[i]?.value as ReturnType<typeof subtle.importKey>);
      await expect(subtle.exportKey('raw', key)).rejects.toThrow();
    }
  });

  it('are wiped too if nothing opens, whose error shows nothing of it', async () => {
    const importKey = vi.spyOn(subtle, 'importKey');
    const dataKey = randomBytes(64);
    const { contents } = await gcmHmac.seal(header, dataKey, Buffer.from('secret'));
    const wrong = contents.map((byte, i) => (i === 12 ? byte ^ 1 : byte));
    // With a right HMAC, so that only the tag is wrong.
    const aad = gcmHmac.encodeHeader(header);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(wrong.length);
    const hmac = computeHmac('SHA256', dataKey.subarray(32), [aad, length, wrong]);
    const thrown: unknown = await gcmHmac
      .open({ ...header, contents: wrong, hmac }, dataKey)
      .catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: 'INTEGRITY' });
    expect(thrown).not.toHaveProperty('cause');
    expect(importKey.mock.calls.map(([, bytes]) => bytes)).toEqual([
      new Uint8Array(32),
      new Uint8Array(32),
    ]);
  });

  it('are of zeros in the warm-up, which never rejects', async () => {
    const encrypt = vi.spyOn(subtle, 'encrypt').mockRejectedValue(new TypeError('no AES'));
    const importKey = vi.spyOn(subtle, 'importKey');
    gcmHmac.warmUp();
    ctrHmac.warmUp();
    await eventually(() => {
      expect(encrypt).toHaveBeenCalledTimes(2);
    });
    // An unhandled rejection fails the run of the tests.
    await new Promise((resolve) => setImmediate(resolve));
    expect(importKey.mock.calls.map(([, bytes]) => bytes)).toEqual([
      new Uint8Array(32),
      new Uint8Array(32),
    ]);
  });
});

describe.each([
  ['AES-256-GCM', gcmHmac],
  ['AES-256-CTR', ctrHmac],
])('opening %s', (cipher, format) => {
  it('decrypts nothing unless the HMAC is right [rule 12] [rule 18]', async () => {
    const dataKey = randomBytes(64);
    const sealed = await format.seal({ ...header, cipher }, dataKey, Buffer.from('secret'));
    const entry = { ...header, cipher, ...sealed };
    // The first byte, the last one, and all of them.
    for (const wrong of [[0], [31], [...entry.hmac.keys()]]) {
      steps.length = 0;
      const hmac = entry.hmac.map((byte, i) => (wrong.includes(i) ? byte ^ 1 : byte));
      await expect(format.open({ ...entry, hmac }, dataKey)).rejects.toThrow('does not verify');
      expect(steps).toEqual(['compare in constant time']);
    }
    // Another length is told by the length alone.
    for (const length of [0, 31]) {
      steps.length = 0;
      const hmac = entry.hmac.subarray(0, length);
      await expect(format.open({ ...entry, hmac }, dataKey)).rejects.toThrow('does not verify');
      expect(steps).toEqual([]);
    }
    steps.length = 0;
    await format.open(entry, dataKey);
    expect(steps).toEqual(['compare in constant time', 'decrypt']);
  });

  it.each([0, 16, 32, 63, 65, 128])(
    'refuses a data key of %d bytes, to seal and to open [rule 10]',
    async (length) => {
      const sealed = await format.seal(
        { ...header, cipher },
        randomBytes(64),
        Buffer.from('secret'),
      );
      const integrity = expect.objectContaining({ code: 'INTEGRITY' }) as Error;
      await expect(
        format.seal({ ...header, cipher }, randomBytes(length), Buffer.from('s')),
      ).rejects.toThrow(integrity);
      await expect(
        format.open({ ...header, cipher, ...sealed }, randomBytes(length)),
      ).rejects.toThrow(integrity);
    },
  );
});
