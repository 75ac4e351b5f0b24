import { createCipheriv, createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import * as ctr from '../../src/seal/ctr-hmac.ts';
import { openItem } from './vectors.ts';

/*
 * Items whose HMAC is right, made with the data key and node:crypto: each of them can be refused only by the one
 * check that its title names, and would open, or throw something else, without it.
 */

type Texts = Readonly<Record<string, string>>;

const dataKey = randomBytes(64);
const secret = Buffer.from('correct horse battery staple');
const usual = {
  name: 'db.password',
  version: '0000000000000000001',
  cipher: 'AES-256-GCM',
  digest: 'SHA256',
  created: '2026-11-23T09:31:00Z',
  comment: 'rotated by ops',
};

function u32be(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value);
  return buffer;
}

function headerOf(texts: Texts): Buffer {
  const parts = ['name', 'version', 'cipher', 'digest', 'created', 'comment'].flatMap((name) => {
    const bytes = Buffer.from(texts[name] ?? '');
    return [u32be(bytes.length), bytes];
  });
  return Buffer.concat([Buffer.from('credstash/2'), ...parts]);
}

function contentsOf(texts: Texts): Buffer {
  const nonce = randomBytes(12);
  const gcm = createCipheriv('aes-256-gcm', dataKey.subarray(0, 32), nonce);
  gcm.setAAD(headerOf(texts));
  return Buffer.concat([nonce, gcm.update(secret), gcm.final(), gcm.getAuthTag()]);
}

/** An item with a right HMAC, whatever its attributes and contents are. */
function forged(
  texts: Texts,
  { algorithm = 'sha256', contents = contentsOf(texts), hmacKey = dataKey.subarray(32) } = {},
): Record<string, unknown> {
  const hmac = createHmac(algorithm, hmacKey)
    .update(headerOf(texts))
    .update(u32be(contents.length))
    .update(contents)
    .digest();
  return {
    ...Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, { S: text }])),
    key: { B: randomBytes(100) },
    contents: { B: contents },
    hmac: { B: hmac },
  };
}

function flip(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.set([(copy.at(at) ?? 0) ^ 1], at < 0 ? copy.length + at : at);
  return copy;
}

async function expectRefusal(
  item: Record<string, unknown>,
  key: Uint8Array = dataKey,
): Promise<void> {
  await expect(openItem(item, key)).rejects.toThrow(
    expect.objectContaining({ code: 'INTEGRITY', exitStatus: 5 }) as Error,
  );
}

describe('an item under a right HMAC', () => {
  it('opens when nothing is wrong with it, so that what follows shows something', async () => {
    expect(Buffer.from(await openItem(forged(usual), dataKey)).equals(secret)).toBe(true);
  });

  it.each([
    ['SHA', 'sha1'],
    ['SHA224', 'sha224'],
    ['MD5', 'md5'],
  ])('is refused for the digest %s, which originals alone may have', async (digest, algorithm) => {
    await expectRefusal(forged({ ...usual, digest }, { algorithm }));
  });

  it.each(['', 'sha256', 'SHA3', 'constructor', '__proto__'])(
    'is refused for the digest %j',
    async (digest) => {
      await expectRefusal(forged({ ...usual, digest }));
    },
  );

  it.each(['', 'aes-256-gcm', 'AES-256-CBC', 'AES-256-CTR', 'constructor'])(
    'is refused for the cipher %j',
    async (cipher) => {
      await expectRefusal(forged({ ...usual, cipher }));
    },
  );

  it.each([
    'yesterday',
    '',
    '2026-11-23',
    '2026-11-23T09:31:00.5Z',
    '2026-11-23T09:31:00+01:00',
    '2026-11-23T09:31:00Z\n',
  ])('is refused for the time %j', async (created) => {
    await expectRefusal(forged({ ...usual, created }));
  });

  it.each([
    ['nonce', 0],
    ['ciphertext', 12],
    ['tag', -1],
  ])('is refused for a flipped bit in its %s', async (_, at) => {
    await expectRefusal(forged(usual, { contents: flip(contentsOf(usual), at) }));
  });

  it('is refused when its tag was made for another header', async () => {
    await expectRefusal(forged(usual, { contents: contentsOf({ ...usual, name: 'db.user' }) }));
  });

  it.each([0, 1, 12, 16, 27, 28])('is refused when its contents have %d bytes', async (length) => {
    await expectRefusal(forged(usual, { contents: contentsOf(usual).subarray(0, length) }));
  });

  it('is refused under a data key of 32 bytes, whose second half is the empty key', async () => {
    await expectRefusal(forged(usual, { hmacKey: Buffer.alloc(0) }), dataKey.subarray(0, 32));
  });

  it.each([63, 65])('is refused under a data key of %d bytes', async (length) => {
    const key = Buffer.concat([dataKey, Buffer.alloc(1)]).subarray(0, length);
    await expectRefusal(forged(usual, { hmacKey: key.subarray(32) }), key);
  });
});

describe('an item under the HMAC of something close to it', () => {
  it('is refused when a character moved from one attribute to the next', async () => {
    const whole = forged(usual);
    await expectRefusal({
      ...whole,
      name: { S: `${usual.name}0` },
      version: { S: usual.version.slice(1) },
    });
    await expectRefusal({
      ...whole,
      comment: { S: '' },
      created: { S: usual.created + usual.comment },
    });
  });

  it('is refused when the length of its contents was left out', async () => {
    const contents = contentsOf(usual);
    const mac = createHmac('sha256', dataKey.subarray(32)).update(headerOf(usual)).update(contents);
    await expectRefusal({ ...forged(usual, { contents }), hmac: { B: mac.digest() } });
  });

  it('is refused when the HMAC is cut short or longer', async () => {
    const item = forged(usual);
    const { B: hmac } = item['hmac'] as { B: Buffer };
    await expectRefusal({ ...item, hmac: { B: hmac.subarray(0, 31) } });
    await expectRefusal({ ...item, hmac: { B: Buffer.concat([hmac, Buffer.alloc(1)]) } });
  });

  it('is refused as an original entry, though that HMAC has the same key', async () => {
    const { cipher: _, created: __, ...item } = forged(usual);
    const { B: contents } = item['contents'] as { B: Buffer };
    const { B: hmac } = item['hmac'] as { B: Buffer };
    await expectRefusal({
      ...item,
      key: { S: randomBytes(100).toString('base64') },
      contents: { S: contents.toString('base64') },
      hmac: { B: Buffer.from(hmac.toString('hex')) },
    });
  });
});

describe('[rule 29] the contents of an original entry MUST NOT begin as a header does', () => {
  /** A current entry as an original one: all that its HMAC covers as the contents. */
  const asOriginal = (item: Record<string, unknown>, covered: Buffer): Record<string, unknown> => {
    const { B: hmac } = item['hmac'] as { B: Buffer };
    return {
      name: item['name'],
      version: item['version'],
      digest: item['digest'],
      key: { S: randomBytes(100).toString('base64') },
      contents: { S: covered.toString('base64') },
      hmac: { B: Buffer.from(hmac.toString('hex')) },
    };
  };

  it.each([
    ['SHA256', 'sha256'],
    ['SHA384', 'sha384'],
    ['SHA512', 'sha512'],
  ])('a current entry under %s does not open as an original one', async (digest, algorithm) => {
    const texts = { ...usual, digest };
    const contents = contentsOf(texts);
    const covered = Buffer.concat([headerOf(texts), u32be(contents.length), contents]);
    await expectRefusal(asOriginal(forged(texts, { contents, algorithm }), covered));
  });

  it('nor do the eleven bytes alone, while one byte less or another one is a ciphertext as any other', async () => {
    const original = (contents: Buffer): Record<string, unknown> => {
      const hmac = createHmac('sha256', dataKey.subarray(32)).update(contents).digest();
      return asOriginal({ ...forged(usual), hmac: { B: hmac } }, contents);
    };
    await expectRefusal(original(Buffer.from('credstash/2')));
    for (const text of ['credstash/', 'credstash/1', 'Credstash/2 and more', '']) {
      expect(await openItem(original(Buffer.from(text)), dataKey)).toHaveLength(text.length);
    }
  });

  it('a writer does not store such contents', async () => {
    const header = { name: 'n', version: '1', cipher: 'AES-256-CTR', digest: 'SHA256' };
    const { contents: zeros } = await ctr.seal(header, dataKey, Buffer.alloc(11));
    // What the key stream turns into the label.
    const unlucky = Buffer.from('credstash/2').map((byte, i) => byte ^ (zeros[i] ?? 0));
    await expect(ctr.seal(header, dataKey, unlucky)).rejects.toThrow(
      expect.objectContaining({ code: 'INTEGRITY' }) as Error,
    );
    const { contents } = await ctr.seal(header, randomBytes(64), unlucky);
    expect(contents).toHaveLength(11);
  });
});
