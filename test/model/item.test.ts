import { describe, expect, it } from 'vitest';
import { findDigestAlgorithm, type Entry } from '../../src/model/entry.ts';
import {
  measureItem,
  parseHeader,
  parseItem,
  encodeItem,
  type Item,
  type Attribute,
} from '../../src/model/item.ts';
import { bytes } from '../support/bytes.ts';

const current: Entry = {
  name: 'n',
  version: '0000000000000000001',
  cipher: 'AES-256-GCM',
  digest: 'SHA256',
  created: '2026-11-23T09:31:00Z',
  key: bytes('wrapped'),
  contents: bytes('nonce, ciphertext, tag'),
  hmac: new Uint8Array(32).fill(0xab),
};
const original: Entry = {
  name: 'n',
  version: '0000000000000000001',
  cipher: 'AES-256-CTR',
  digest: 'SHA256',
  // Both end in padding, and in bits that stand for nothing.
  key: bytes('wrap'),
  contents: bytes('cipher text'),
  hmac: new Uint8Array(32).fill(0xab),
};

/** Attributes of the wire: those of the two types that entries have, and others. */
type Raw = Readonly<Record<string, Attribute | Readonly<Record<string, unknown>>>>;

function expectRefusal(item: Raw): void {
  expect(() => parseItem(item)).toThrow(
    expect.objectContaining({ code: 'INTEGRITY', exitStatus: 5 }) as Error,
  );
}

describe('an item', () => {
  it('of the current format has text as S and bytes as B', () => {
    expect(encodeItem({ ...current, comment: 'c' })).toEqual({
      name: { S: 'n' },
      version: { S: '0000000000000000001' },
      cipher: { S: 'AES-256-GCM' },
      digest: { S: 'SHA256' },
      created: { S: '2026-11-23T09:31:00Z' },
      comment: { S: 'c' },
      key: { B: current.key },
      contents: { B: current.contents },
      hmac: { B: current.hmac },
    });
  });

  it('of the original format has base64 as S and the digits of its hmac as B', () => {
    expect(encodeItem(original)).toEqual({
      name: { S: 'n' },
      version: { S: '0000000000000000001' },
      digest: { S: 'SHA256' },
      key: { S: 'd3JhcA==' },
      contents: { S: 'Y2lwaGVyIHRleHQ=' },
      hmac: { B: Buffer.from('ab'.repeat(32)) },
    });
  });

  it('keeps what an entry did not have absent, and what was empty empty', () => {
    const { digest: _, ...undated } = original;
    for (const entry of [
      current,
      { ...current, comment: '' },
      undated,
      { ...original, comment: '' },
      { ...original, hmacAsText: true as const },
      { ...original, contents: new Uint8Array(0) },
    ]) {
      const item = encodeItem(entry);
      expect(encodeItem(parseItem(item))).toEqual(item);
    }
    expect(encodeItem(current)).not.toHaveProperty('comment');
    expect(encodeItem(undated)).not.toHaveProperty('digest');
    expect(encodeItem({ ...current, comment: '' })).toHaveProperty('comment', { S: '' });
  });

  it('may have attributes that the format does not name', () => {
    const item = { ...encodeItem(current), expires: { N: '1800000000' }, labels: { SS: ['a'] } };
    expect(encodeItem(parseItem(item))).toEqual(encodeItem(current));
  });

  it('does not have what its prototype has', () => {
    const { digest: _, ...rest } = encodeItem(current);
    expectRefusal(Object.assign(Object.create({ digest: { S: 'SHA256' } }) as Item, rest));
  });
});

describe.each([
  ['a current item', encodeItem({ ...current, comment: 'c' })],
  ['an original item', encodeItem({ ...original, comment: 'c' })],
])('%s', (title, item) => {
  const isOriginal = title === 'an original item';

  it.each(['name', 'version', 'key', 'contents', 'hmac'])('is refused without %s', (name) => {
    const { [name]: absent, ...rest } = item;
    expect(absent).toBeDefined();
    expectRefusal(rest);
  });

  // Of an original entry, a comment that is no text counts as none.
  const typed = Object.keys(item).filter((name) => !(isOriginal && name === 'comment'));
  it.each(typed)('is refused when %s has another type', (name) => {
    const value = item[name] ?? { S: '' };
    for (const other of [
      'S' in value ? { B: bytes(value.S) } : { S: Buffer.from(value.B).toString('base64') },
      { N: '1' },
      { BOOL: true },
      ...(isOriginal && name === 'digest' ? [] : [{ NULL: true }]),
      { L: [value] },
      { M: { S: value } },
      { SS: ['S' in value ? value.S : ''] },
      { ...value, N: '1' },
      {},
    ]) {
      expectRefusal({ ...item, [name]: other });
    }
  });

  it.each(['SHA3', 'SHA25', 'SHA256=', ' SHA256', 'toString', '__proto__', 'constructor'])(
    'is refused when its digest is %j',
    (digest) => {
      expectRefusal({ ...item, digest: { S: digest } });
    },
  );

  it('is named in the refusal, and nothing sealed is quoted', () => {
    const { key: _, ...rest } = item;
    expect(() => parseItem(rest)).toThrow(
      'version 0000000000000000001 of n is malformed: its attribute key is missing',
    );
  });
});

describe('an original item is read as its writer reads it', () => {
  const item = encodeItem(original);

  it.each([
    ['no padding', 'd3JhcA'],
    ['half of its padding', 'd3JhcA='],
    ['too much padding', 'd3JhcA==='],
    ['bits that stand for nothing', 'd3JhcB=='],
    ['a line break', 'd3JhcA==\n'],
    ['lines', 'd3J\r\nhcA==\r\n'],
    ['a space', 'd3Jh cA=='],
    ['a character that is not of the alphabet', 'd3Jh?cA=='],
  ])('with %s in base64, and its table keeps what it has', (_, text) => {
    for (const name of ['key', 'contents']) {
      const found = { ...item, [name]: { S: text } };
      const entry = parseItem(found);
      expect(entry[name as 'key']).toEqual(Buffer.from('wrap'));
      expect(entry.stored).toBe(found);
    }
  });

  it.each([
    ['uppercase digits', 'AB'.repeat(32)],
    ['one digit in uppercase', `${'ab'.repeat(31)}aB`],
    ['a line break', `${'ab'.repeat(32)}\n`],
  ])('with %s in its hmac, as S and as B', (_, digits) => {
    for (const hmac of [{ S: digits }, { B: bytes(digits) }]) {
      const entry = parseItem({ ...item, hmac });
      expect(Buffer.compare(entry.hmac, original.hmac)).toBe(0);
      expect(entry.stored).toHaveProperty('hmac', hmac);
    }
  });

  it.each([
    ['SHA256', 'sha256'],
    ['sha256', 'sha256'],
    ['Sha-512', 'sha512'],
    ['SHA2-256', 'sha256'],
    ['RSA-SHA384', 'sha384'],
    ['SHA', 'sha1'],
    ['sha1', 'sha1'],
    ['SHA-1', 'sha1'],
    ['md5', 'md5'],
    ['RIPEMD', 'ripemd160'],
    ['SHA512-256', 'sha512-256'],
    ['SHA3-256', 'sha3-256'],
  ])('with the digest %s', (digest, algorithm) => {
    expect(parseItem({ ...item, digest: { S: digest } }).digest).toBe(digest);
    expect(findDigestAlgorithm(digest)).toBe(algorithm);
  });

  it('with a comment or digest that is NULL, a comment that is no text, or a digest that is empty: it has none', () => {
    const none = { ...item, comment: { NULL: true }, digest: { NULL: true } };
    expect(parseItem(none)).not.toHaveProperty('comment');
    for (const comment of [{ N: '5' }, { B: Buffer.from('c') }, { L: [] }, { M: {} }, {}]) {
      expect(parseItem({ ...item, comment })).not.toHaveProperty('comment');
    }
    expect(parseItem(none)).not.toHaveProperty('digest');
    expect(parseItem(none).stored).toBe(none);
    expect(parseItem({ ...item, digest: { S: '' } })).not.toHaveProperty('digest');
  });

  it('and has no other item than the table where both are the same', () => {
    expect(parseItem(item)).not.toHaveProperty('stored');
  });
});

describe('a malformed item is refused by its attribute, which is not quoted', () => {
  const theirs: Raw = encodeItem(original);
  const ours: Raw = encodeItem(current);

  it.each<[problem: string, item: Raw]>([
    ['contents is not base64', { ...theirs, contents: { S: '?!' } }],
    ['key is not base64', { ...theirs, key: { S: '==' } }],
    ['key has 0 bytes, and a wrapped data key has 1 to 6144', { ...theirs, key: { S: '' } }],
    ['hmac is not hexadecimal', { ...theirs, hmac: { S: 'xy'.repeat(32) } }],
    ['hmac is not hexadecimal', { ...theirs, hmac: { S: `${'ab'.repeat(31)}a` } }],
    ['hmac is not hexadecimal', { ...theirs, hmac: { S: `0x${'ab'.repeat(32)}` } }],
    ['hmac is not hexadecimal', { ...theirs, hmac: { B: original.hmac } }],
    ['hmac has the type N and not S or B', { ...theirs, hmac: { N: '1' } }],
    ['digest names an unknown digest', { ...theirs, digest: { S: 'canary' } }],
    ['digest names an unknown digest', { ...ours, digest: { S: 'sha256' } }],
    ['digest is missing', (({ digest: _, ...rest }) => rest)(ours)],
    ['comment has the type NULL and not S', { ...ours, comment: { NULL: true } }],
    ['created is not an RFC 3339 time in UTC', { ...ours, created: { S: 'canary' } }],
    ['cipher names an unknown cipher', { ...ours, cipher: { S: 'canary' } }],
    ['cipher names an unknown cipher', { ...theirs, cipher: { S: 'AES-256-CTR' } }],
    ['cipher names an unknown cipher', { ...theirs, cipher: { S: '' } }],
    ['contents has the type S and not B', { ...ours, contents: { S: 'canary' } }],
    ['key has the type unknown and not B', { ...ours, key: { canary: 1 } }],
  ])('%s', (problem, item) => {
    expectRefusal(item);
    expect(() => parseItem(item)).toThrow(
      `version 0000000000000000001 of n is malformed: its attribute ${problem}`,
    );
  });
});

describe('a header', () => {
  it('has what a listing shows', () => {
    expect(parseHeader(encodeItem({ ...current, comment: 'c' }))).toEqual({
      name: 'n',
      version: '0000000000000000001',
      cipher: 'AES-256-GCM',
      digest: 'SHA256',
      created: '2026-11-23T09:31:00Z',
      comment: 'c',
    });
    expect(parseHeader(encodeItem(original))).toEqual({
      name: 'n',
      version: '0000000000000000001',
      cipher: 'AES-256-CTR',
      digest: 'SHA256',
    });
  });

  it('is read of a broken item too, without what is no text', () => {
    const broken = { name: { S: 'n' }, version: { S: '1' }, comment: { N: '1' }, cipher: { B: 1 } };
    expect(parseHeader(broken)).toEqual({ name: 'n', version: '1', cipher: '' });
    expect(parseHeader({})).toEqual({ name: '', version: '', cipher: 'AES-256-CTR' });
  });
});

describe('the size of an item', () => {
  it('is that of the names of its attributes, its texts in UTF-8 and its bytes', () => {
    const names = 'nameversioncipherdigestcreatedkeycontentshmac'.length;
    const texts = 'n0000000000000000001AES-256-GCMSHA2562026-11-23T09:31:00Z'.length;
    const sealed = current.key.length + current.contents.length + current.hmac.length;
    expect(measureItem(current)).toBe(names + texts + sealed);
    expect(measureItem({ ...current, comment: 'ü🔑' })).toBe(
      names + texts + sealed + 'comment'.length + 6,
    );
  });

  it('of an original entry is that of its base64 and of its digits', () => {
    const names = 'nameversiondigestkeycontentshmac'.length;
    expect(measureItem(original)).toBe(names + 1 + 19 + 6 + 8 + 16 + 64);
  });
});
