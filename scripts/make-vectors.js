import { createCipheriv, createHmac, createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/*
 * Writes test/vectors/gcm-hmac.json from docs/reference/entry-format.md and node:crypto only. It uses nothing of src, so the
 * vectors check the implementation instead of repeating it. Data keys and nonces are fixed.
 */

/** @param {string} seed @param {number} length */
const fixed = (seed, length) => {
  const blocks = [];
  for (let i = 0; i * 32 < length; i += 1) {
    blocks.push(createHash('sha256').update(`${seed} ${i}`).digest());
  }
  return Buffer.concat(blocks).subarray(0, length);
};

/** @param {string} text */
const prefixed = (text) => {
  const bytes = Buffer.from(text, 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

const b64 = (/** @type {Uint8Array} */ bytes) => Buffer.from(bytes).toString('base64');

/** @param {{name: string, version: string, cipher: string, digest: string, created: string, comment?: string}} entry */
const headerOf = (entry) =>
  Buffer.concat([
    Buffer.from('credstash/2'),
    ...[
      entry.name,
      entry.version,
      entry.cipher,
      entry.digest,
      entry.created,
      entry.comment ?? '',
    ].map(prefixed),
  ]);

/** @param {string} digest @param {Buffer} key @param {Buffer} header @param {Buffer} contents */
const macOf = (digest, key, header, contents) => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(contents.length);
  return createHmac(digest.toLowerCase(), key)
    .update(Buffer.concat([header, length, contents]))
    .digest();
};

const plain = {
  name: 'db.password',
  version: '0000000000000000001',
  cipher: 'AES-256-GCM',
  digest: 'SHA256',
  created: '2026-11-23T10:00:00Z',
};

/** @param {typeof plain & {comment?: string}} entry @param {Buffer} secret @param {Buffer} [dataKey] */
const sealed = (entry, secret, dataKey = fixed(`key of ${entry.name} ${entry.version}`, 64)) => {
  const nonce = fixed(`nonce of ${entry.name}`, 12);
  const header = headerOf(entry);
  const gcm = createCipheriv('aes-256-gcm', dataKey.subarray(0, 32), nonce).setAAD(header);
  const contents = Buffer.concat([nonce, gcm.update(secret), gcm.final(), gcm.getAuthTag()]);
  return {
    entry,
    dataKey,
    header,
    contents,
    hmac: macOf(entry.digest, dataKey.subarray(32), header, contents),
  };
};

/** @param {ReturnType<typeof sealed>} parts */
const itemOf = ({ entry, contents, hmac }) => ({
  ...Object.fromEntries(Object.entries(entry).map(([name, value]) => [name, { S: value }])),
  key: { B: b64(fixed(`wrapped ${entry.name}`, 100)) },
  contents: { B: b64(contents) },
  hmac: { B: b64(hmac) },
});

const vectors = [];

/** @param {string} title @param {typeof plain & {comment?: string}} entry @param {Buffer} secret */
const good = (title, entry, secret) => {
  const parts = sealed(entry, secret);
  vectors.push({ title, item: itemOf(parts), dataKey: b64(parts.dataKey), secret: b64(secret) });
};

good('a text', plain, Buffer.from('s3cr3t'));
good('the empty secret', { ...plain, name: 'empty' }, Buffer.alloc(0));
good(
  'all byte values',
  { ...plain, name: 'bytes' },
  Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
);
good('100,000 bytes', { ...plain, name: 'large' }, fixed('large', 100_000));
good('a comment', { ...plain, comment: 'rotated by ops, ticket 42' }, Buffer.from('c'));
good('an empty comment that is there', { ...plain, comment: '' }, Buffer.from('c'));
good(
  'a name and a comment that are not ASCII',
  { ...plain, name: 'größe/名前 🔑', comment: '注释' },
  Buffer.from('ü'),
);
good('SHA384', { ...plain, name: 'sha384', digest: 'SHA384' }, Buffer.from('value'));
good('SHA512', { ...plain, name: 'sha512', digest: 'SHA512' }, Buffer.from('value'));
good(
  'a version longer than the padding',
  { ...plain, version: '20261123T100000Z-build-77' },
  Buffer.from('v'),
);
good(
  'a version that is no number',
  { ...plain, version: '00000000000000.1.9.1' },
  Buffer.from('v'),
);

const base = sealed({ ...plain, comment: 'first' }, Buffer.from('s3cr3t'));
const item = itemOf(base);

/** @param {string} title @param {object} changed @param {Buffer} [dataKey] */
const bad = (title, changed, dataKey = base.dataKey) => {
  vectors.push({ title, item: changed, dataKey: b64(dataKey), error: 'INTEGRITY' });
};

/** @param {Buffer} bytes @param {number} at */
const flipped = (bytes, at) => {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return { B: b64(copy) };
};

bad('another name', { ...item, name: { S: 'db.passwore' } });
bad('another version', { ...item, version: { S: '0000000000000000002' } });
bad('a version that lost its padding', { ...item, version: { S: '1' } });
bad('another digest', { ...item, digest: { S: 'SHA384' } });
bad('another time', { ...item, created: { S: '2026-11-23T10:00:01Z' } });
bad('a time that is none', { ...item, created: { S: 'yesterday' } });
bad('another comment', { ...item, comment: { S: 'firsu' } });
bad('a comment moved into the time', {
  ...item,
  created: { S: '2026-11-23T10:00:00Zfirst' },
  comment: { S: '' },
});
bad('a bit of the nonce', { ...item, contents: flipped(base.contents, 0) });
bad('a bit of the ciphertext', { ...item, contents: flipped(base.contents, 12) });
bad('a bit of the tag', { ...item, contents: flipped(base.contents, base.contents.length - 1) });
bad('a bit of the hmac', { ...item, hmac: flipped(base.hmac, 31) });
bad('contents cut short', { ...item, contents: { B: b64(base.contents.subarray(0, -1)) } });
bad('contents made longer', {
  ...item,
  contents: { B: b64(Buffer.concat([base.contents, Buffer.alloc(1)])) },
});
bad('empty contents', { ...item, contents: { B: '' } });
bad('an hmac cut short', { ...item, hmac: { B: b64(base.hmac.subarray(0, 16)) } });
bad('an empty hmac', { ...item, hmac: { B: '' } });
bad('an unknown cipher', { ...item, cipher: { S: 'AES-256-GCM-SIV' } });
bad('a cipher in lower case', { ...item, cipher: { S: 'aes-256-gcm' } });
bad('an unknown digest', { ...item, digest: { S: 'SHA1' } });
bad('SHA, which only original entries have', { ...item, digest: { S: 'SHA' } });
bad('MD5, which only original entries have', { ...item, digest: { S: 'MD5' } });
for (const name of Object.keys(item)) {
  const without = Object.fromEntries(Object.entries(item).filter(([each]) => each !== name));
  // A missing comment counts as the empty comment, which the HMAC covers too.
  bad(`no ${name}`, without);
  bad(`${name} of another type`, { ...item, [name]: { N: '1' } });
  bad(`${name} as a list`, { ...item, [name]: { L: [] } });
}
bad('key as text', { ...item, key: { S: item.key.B } });
bad('contents as text', { ...item, contents: { S: item.contents.B } });
bad('hmac as text', { ...item, hmac: { S: item.hmac.B } });
bad('another data key', item, fixed('another', 64));
bad(
  'the halves of the data key swapped',
  item,
  Buffer.concat([base.dataKey.subarray(32), base.dataKey.subarray(0, 32)]),
);
bad('a data key of 32 bytes', item, base.dataKey.subarray(0, 32));
bad('a data key of 63 bytes', item, base.dataKey.subarray(0, 63));
bad('a data key of 65 bytes', item, Buffer.concat([base.dataKey, Buffer.alloc(1)]));
bad('no data key', item, Buffer.alloc(0));

// Somebody who has the data key can make the HMAC right, and the tag must still be checked.
const forged = Buffer.from(base.contents);
forged[forged.length - 1] = (forged[forged.length - 1] ?? 0) ^ 1;
const macOfForged = (/** @type {Buffer} */ contents) => ({
  B: b64(macOf('SHA256', base.dataKey.subarray(32), base.header, contents)),
});
bad('a wrong tag under a right hmac', {
  ...item,
  contents: { B: b64(forged) },
  hmac: macOfForged(forged),
});
const short = base.contents.subarray(0, 27);
bad('contents too short for a tag under a right hmac', {
  ...item,
  contents: { B: b64(short) },
  hmac: macOfForged(short),
});

// An original entry: its own attributes are text, and its HMAC covers only the ciphertext.
const originalKey = fixed('key of an original', 64);
const counter = Buffer.from('00000000000000000000000000000001', 'hex');
const ctr = createCipheriv('aes-256-ctr', originalKey.subarray(0, 32), counter);
const ciphertext = Buffer.concat([ctr.update('original'), ctr.final()]);
const hex = createHmac('sha256', originalKey.subarray(32)).update(ciphertext).digest('hex');
const original = {
  name: { S: 'original' },
  version: { S: '0000000000000000001' },
  digest: { S: 'SHA256' },
  key: { S: b64(fixed('wrapped original', 100)) },
  contents: { S: b64(ciphertext) },
  hmac: { B: b64(Buffer.from(hex)) },
};
vectors.push({
  title: 'an original entry',
  item: original,
  dataKey: b64(originalKey),
  secret: b64(Buffer.from('original')),
});
vectors.push({
  title: 'an original entry with its hmac as text and no digest',
  item: { ...original, digest: undefined, hmac: { S: hex } },
  dataKey: b64(originalKey),
  secret: b64(Buffer.from('original')),
});
bad('a current entry passed off as an original', { ...item, cipher: undefined });
bad(
  'a current entry rewritten as an original',
  { ...original, contents: { S: item.contents.B }, hmac: { S: base.hmac.toString('hex') } },
  base.dataKey,
);
bad(
  'an original passed off as a current entry',
  {
    ...item,
    name: { S: 'original' },
    contents: { B: b64(ciphertext) },
    hmac: { B: b64(Buffer.from(hex, 'hex')) },
  },
  originalKey,
);
bad(
  'an original with another ciphertext',
  { ...original, contents: { S: b64(Buffer.concat([ciphertext, Buffer.alloc(1)])) } },
  originalKey,
);
for (const [title, attributes] of /** @type {const} */ ([
  ['without padding in its base64', { contents: { S: original.contents.S.replace('=', '') } }],
  ['with a line break in its base64', { contents: { S: `${original.contents.S}\n` } }],
  ['with its hmac in upper case', { hmac: { S: hex.toUpperCase() } }],
  ['with its digest in lower case', { digest: { S: 'sha256' } }],
  ['with a comment that is NULL', { comment: { NULL: true } }],
])) {
  vectors.push({
    title: `an original ${title}`,
    item: { ...original, ...attributes },
    dataKey: b64(originalKey),
    secret: b64(Buffer.from('original')),
  });
}
bad(
  'an original with half a byte of hmac',
  { ...original, hmac: { S: hex.slice(1) } },
  originalKey,
);
bad('an original with an empty hmac', { ...original, hmac: { S: '' } }, originalKey);
bad('an original with an unknown digest', { ...original, digest: { S: 'WHIRLPOOL' } }, originalKey);
bad(
  'an original with a digest named as a method of every object',
  { ...original, digest: { S: 'toString' } },
  originalKey,
);

const file = join(import.meta.dirname, '..', 'test', 'vectors', 'gcm-hmac.json');
const about =
  'Items in DynamoDB JSON (B values in base64), the data key (base64) that the key service gives for the attribute key, and the secret (base64) or the error that opening must end in. Made by scripts/make-vectors.js.';
writeFileSync(file, `${JSON.stringify({ about, vectors }, null, 1)}\n`);
