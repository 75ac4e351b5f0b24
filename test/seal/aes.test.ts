import type * as crypto from 'node:crypto';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type * as aes from '@noble/ciphers/aes.js';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { EntryHeader } from '../../src/model/entry.ts';
import * as ctrHmac from '../../src/seal/ctr-hmac.ts';
import * as gcmHmac from '../../src/seal/gcm-hmac.ts';

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
vi.mock('@noble/ciphers/aes.js', async (original) => {
  const real = await original<typeof aes>();
  const spied =
    (cipher: (...args: never[]) => { decrypt: (bytes: Uint8Array) => Uint8Array }) =>
    (...args: never[]) => {
      const made = cipher(...args);
      return {
        ...made,
        decrypt: (bytes: Uint8Array) => {
          steps.push('decrypt');
          return made.decrypt(bytes);
        },
      };
    };
  return { ...real, gcm: spied(real.gcm), ctr: spied(real.ctr) };
});

const header: EntryHeader = {
  name: 'n',
  version: '0000000000000000001',
  cipher: 'AES-256-GCM',
  digest: 'SHA256',
  created: '2026-11-23T10:00:00Z',
};

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
  it('node:crypto opens what we seal with AES-256-GCM', () => {
    fc.assert(
      fc.property(secrets, dataKeys, (secret, dataKey) => {
        const { contents } = gcmHmac.seal(header, dataKey, secret);
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

  it('node:crypto makes the same AES-256-CTR ciphertext, both ways', () => {
    fc.assert(
      fc.property(secrets, dataKeys, (secret, dataKey) => {
        const counter = Buffer.from('00000000000000000000000000000001', 'hex');
        const ctr = createCipheriv('aes-256-ctr', dataKey.subarray(0, 32), counter);
        const { contents, hmac } = ctrHmac.seal(
          { ...header, cipher: 'AES-256-CTR' },
          dataKey,
          secret,
        );
        expect(Buffer.concat([ctr.update(secret), ctr.final()]).equals(contents)).toBe(true);
        expect(
          Buffer.from(ctrHmac.open({ ...header, contents, hmac }, dataKey)).equals(secret),
        ).toBe(true);
      }),
    );
  });

  it('never uses a nonce twice [rule 11]', () => {
    const dataKey = randomBytes(64);
    const nonces = new Set(
      Array.from({ length: 1000 }, () =>
        Buffer.from(
          gcmHmac.seal(header, dataKey, new Uint8Array(0)).contents.subarray(0, 12),
        ).toString('hex'),
      ),
    );
    expect(nonces.size).toBe(1000);
  });
});

describe.each([
  ['AES-256-GCM', gcmHmac],
  ['AES-256-CTR', ctrHmac],
])('opening %s', (cipher, format) => {
  it('decrypts nothing unless the HMAC is right [rule 12] [rule 18]', () => {
    const dataKey = randomBytes(64);
    const sealed = format.seal({ ...header, cipher }, dataKey, Buffer.from('secret'));
    const entry = { ...header, cipher, ...sealed };
    // The first byte, the last one, and all of them.
    for (const wrong of [[0], [31], [...entry.hmac.keys()]]) {
      steps.length = 0;
      const hmac = entry.hmac.map((byte, i) => (wrong.includes(i) ? byte ^ 1 : byte));
      expect(() => format.open({ ...entry, hmac }, dataKey)).toThrow('does not verify');
      expect(steps).toEqual(['compare in constant time']);
    }
    // Another length is told by the length alone.
    for (const length of [0, 31]) {
      steps.length = 0;
      const hmac = entry.hmac.subarray(0, length);
      expect(() => format.open({ ...entry, hmac }, dataKey)).toThrow('does not verify');
      expect(steps).toEqual([]);
    }
    steps.length = 0;
    format.open(entry, dataKey);
    expect(steps).toEqual(['compare in constant time', 'decrypt']);
  });

  it.each([0, 16, 32, 63, 65, 128])(
    'refuses a data key of %d bytes, to seal and to open [rule 10]',
    (length) => {
      const sealed = format.seal({ ...header, cipher }, randomBytes(64), Buffer.from('secret'));
      const integrity = expect.objectContaining({ code: 'INTEGRITY' }) as Error;
      expect(() =>
        format.seal({ ...header, cipher }, randomBytes(length), Buffer.from('s')),
      ).toThrow(integrity);
      expect(() => format.open({ ...header, cipher, ...sealed }, randomBytes(length))).toThrow(
        integrity,
      );
    },
  );
});
