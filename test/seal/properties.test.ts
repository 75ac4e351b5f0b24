import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Entry } from '../../src/model/entry.ts';
import { parseItem, encodeItem, type Item, type Attribute } from '../../src/model/item.ts';
import { hasCode } from '../../src/errors.ts';
import { FORMATS } from '../../src/seal/formats.ts';
import { openItem, SEALS } from './vectors.ts';
import { anyCharacter } from '../support/any-text.ts';

const text = fc
  .string({ unit: anyCharacter, minLength: 1, maxLength: 20 })
  .filter((each) => each.isWellFormed());
const bytes = fc.uint8Array({ maxLength: 200 });
const digests = fc.constantFrom('SHA256', 'SHA384', 'SHA512');

const headers = fc.record(
  {
    name: text,
    version: text,
    digest: digests,
    created: fc
      .date({ min: new Date('2020-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
      .map((date) => date.toISOString().replace(/\.\d+Z$/, 'Z')),
    comment: fc.oneof(text, fc.constant('')),
  },
  { requiredKeys: ['name', 'version', 'digest', 'created'] },
);

async function seal(
  header: Omit<Entry, 'cipher' | 'key' | 'contents' | 'hmac'>,
  dataKey: Uint8Array,
  secret: Uint8Array,
): Promise<Entry> {
  const whole = { ...header, cipher: 'AES-256-GCM' as const };
  const sealed = await SEALS['AES-256-GCM'].seal(whole, dataKey, secret);
  return { ...whole, key: randomBytes(60), ...sealed };
}

/** Whether opening fails as it must: with the integrity error, and no other. */
async function refused(item: Record<string, unknown>, dataKey: Uint8Array): Promise<boolean> {
  try {
    await openItem(item, dataKey);
    return false;
  } catch (error) {
    if (hasCode(error, 'INTEGRITY')) return true;
    throw error;
  }
}

describe.each(['AES-256-GCM', 'AES-256-CTR'] as const)('%s', (cipher) => {
  const format = { ...FORMATS[cipher], ...SEALS[cipher] };
  const roundTrip = async (secret: Uint8Array): Promise<boolean> => {
    const header = {
      name: 'n',
      version: 'v',
      cipher,
      digest: 'SHA256',
      created: '2026-11-23T10:00:00Z',
    };
    const dataKey = randomBytes(64);
    const sealed = await format.seal(header, dataKey, secret);
    expect(sealed.contents.length).toBe(format.contentsLength(secret.length));
    return Buffer.from(secret).equals(await format.open({ ...header, ...sealed }, dataKey));
  };

  it('opens to the same bytes that were sealed', async () => {
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), roundTrip), {
      numRuns: 200,
    });
  });

  it('opens to the same bytes up to 300,000 of them', async () => {
    const lengths = fc.integer({ min: 0, max: 300_000 });
    await fc.assert(
      fc.asyncProperty(lengths, (length) => roundTrip(randomBytes(length))),
      { numRuns: 15 },
    );
    expect(await roundTrip(randomBytes(300_000))).toBe(true);
  });
});

describe('a current entry', () => {
  it('is the same item when it is parsed and encoded again', async () => {
    await fc.assert(
      fc.asyncProperty(headers, bytes, async (header, secret) => {
        const item = encodeItem(await seal(header, randomBytes(64), secret));
        expect(encodeItem(parseItem(item))).toEqual(item);
      }),
    );
  });

  it.each(['SHA256', 'SHA384', 'SHA512'])(
    'fails for every single bit of every authenticated attribute (%s) [rule 13]',
    async (digest) => {
      const header = {
        name: 'näme',
        version: '0000000000000000001',
        digest,
        created: '2026-11-23T10:00:00Z',
        comment: 'ü c',
      };
      const dataKey = randomBytes(64);
      const item = encodeItem(await seal(header, dataKey, Buffer.from('secret')));
      expect(await refused(item, dataKey)).toBe(false);
      let flips = 0;
      for (const name of [
        'name',
        'version',
        'cipher',
        'digest',
        'created',
        'comment',
        'contents',
        'hmac',
      ]) {
        const value = item[name];
        const original = value && ('S' in value ? Buffer.from(value.S, 'utf8') : value.B);
        for (let bit = 0; bit < (original?.length ?? 0) * 8; bit += 1) {
          const flipped = Uint8Array.from(original ?? []);
          flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          const asText = Buffer.from(flipped).toString('utf8');
          const changed: Attribute = value && 'S' in value ? { S: asText } : { B: flipped };
          const isRefused = await refused({ ...item, [name]: changed }, dataKey);
          expect(isRefused, `${name}, bit ${bit}`).toBe(true);
          flips += 1;
        }
      }
      expect(flips).toBeGreaterThan(900);
    },
  );

  it('fails when it takes any attribute of any other entry', async () => {
    await fc.assert(
      fc.asyncProperty(headers, headers, bytes, bytes, async (one, two, secretOne, secretTwo) => {
        const dataKey = randomBytes(64);
        const [a, b]: Item[] = [
          encodeItem(await seal(one, dataKey, secretOne)),
          encodeItem(await seal(two, randomBytes(64), secretTwo)),
        ];
        // The wrapped key is not bound: another one unwraps to another data key, which is the next test.
        for (const name of [
          'name',
          'version',
          'digest',
          'created',
          'comment',
          'contents',
          'hmac',
        ]) {
          const [mine, theirs] = [a?.[name], b?.[name]];
          if (shown(mine) === shown(theirs)) continue;
          const { [name]: _, ...rest } = a ?? {};
          const changed = theirs ? { ...rest, [name]: theirs } : rest;
          expect(await refused(changed, dataKey), name).toBe(true);
        }
      }),
    );
  });

  it('fails under every other data key [rule 15]', async () => {
    await fc.assert(
      fc.asyncProperty(headers, bytes, async (header, secret) =>
        refused(encodeItem(await seal(header, randomBytes(64), secret)), randomBytes(64)),
      ),
    );
  });
});

/** What is authenticated of an attribute: an absent comment is the empty one. */
function shown(value: Attribute | undefined): string {
  if (!value) return '';
  return 'S' in value ? value.S : Buffer.from(value.B).toString('hex');
}

describe('an original entry', () => {
  it('fails for every single bit of its contents and its hmac', async () => {
    const dataKey = randomBytes(64);
    const header = { name: 'n', version: 'v', cipher: 'AES-256-CTR' as const, digest: 'SHA256' };
    const sealed = await SEALS['AES-256-CTR'].seal(header, dataKey, Buffer.from('secret'));
    const entry: Entry = { ...header, key: randomBytes(60), ...sealed };
    for (const name of ['contents', 'hmac'] as const) {
      for (let bit = 0; bit < entry[name].length * 8; bit += 1) {
        const flipped = Uint8Array.from(entry[name]);
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(
          await refused(encodeItem({ ...entry, [name]: flipped }), dataKey),
          `${name}, bit ${bit}`,
        ).toBe(true);
      }
    }
  });

  it('is the same item when it is parsed and encoded again, however it was written', () => {
    const ciphertexts = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(
        text,
        text,
        ciphertexts,
        fc.boolean(),
        fc.boolean(),
        (name, version, contents, asText, noDigest) => {
          const item = encodeItem({
            name,
            version,
            cipher: 'AES-256-CTR',
            key: randomBytes(100),
            contents,
            hmac: randomBytes(32),
            ...(noDigest ? {} : { digest: 'SHA256' }),
            ...(asText ? { hmacAsText: true } : {}),
          });
          expect('S' in (item['hmac'] ?? {})).toBe(asText);
          expect(encodeItem(parseItem(item))).toEqual(item);
        },
      ),
    );
  });
});
