import { CredstashError } from './errors.ts';
import { isLabel } from './label.ts';
import { byteLength } from './utf8.ts';

/** The two formats: ours, and the original's (an item with no `cipher` attribute). */
export type Cipher = 'AES-256-GCM' | 'AES-256-CTR';

/** A secret's name and its bytes. */
export interface Secret {
  readonly name: string;
  readonly value: Uint8Array;
}

/** What a listing tells of an entry. Nothing here is verified: only opening the entry verifies it. */
export interface EntryHeader {
  readonly name: string;
  /** As it stands in the table, padded. */
  readonly version: string;
  /** `AES-256-CTR` for an original entry; text of any kind where a table was tampered with. */
  readonly cipher: string;
  /** Absent on original entries of before 2016: SHA256. */
  readonly digest?: string;
  /** RFC 3339, UTC, seconds; original entries have none. */
  readonly created?: string;
  readonly comment?: string;
  /** What names this version beside its number, sorted; absent where there are none. */
  readonly labels?: readonly string[];
}

/** One stored version of one secret, sealed. */
export interface Entry extends EntryHeader {
  readonly cipher: Cipher;
  /** The data key as the key service wrapped it (KMS CiphertextBlob). */
  readonly key: Uint8Array;
  /** Current format: nonce (12 bytes) ‖ ciphertext ‖ tag (16 bytes). Original: the ciphertext. */
  readonly contents: Uint8Array;
  /** The raw HMAC, 16 to 64 bytes by digest. */
  readonly hmac: Uint8Array;
  /** Original entries of Python 2 and of other ports hold the hmac as text; kept, so that encoding restores it. */
  readonly hmacAsText?: true;
}

/** A DynamoDB attribute value of the two types that entries use: text and bytes. */
export type Attribute = { readonly S: string } | { readonly B: Uint8Array };

/** An entry as a table holds it, attribute by attribute; labels are no part of it, because they move by themselves. */
export type Item = Readonly<Record<string, Attribute>>;

/** Names of the digests, and node:crypto's. Each format says which of them it takes. */
export const DIGESTS: Readonly<Record<string, string>> = Object.assign(
  Object.create(null) as Record<string, string>,
  {
    SHA256: 'sha256',
    SHA384: 'sha384',
    SHA512: 'sha512',
    SHA224: 'sha224',
    SHA: 'sha1',
    MD5: 'md5',
  },
);

/** The digests that are written. SHA, SHA224 and MD5 are read, in original entries alone. */
export const WRITTEN_DIGESTS = ['SHA256', 'SHA384', 'SHA512'] as const;

/** DynamoDB's limit for an item: names and values of its attributes, in bytes (400 KB). */
export const MAX_ITEM_BYTES = 409_600;

/** KMS takes from 1 byte to this many: https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html */
const MAX_WRAPPED_BYTES = 6144;

const CREATED = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/**
 * The table item of an entry: the exact inverse of `parseItem` on the attributes that the format has. Labels are left
 * out: a store keeps them where it replaces an entry, and sets them by themselves.
 */
export function encodeItem(entry: Entry): Item {
  const item: Record<string, Attribute> = {
    name: { S: entry.name },
    version: { S: entry.version },
  };
  if (entry.digest !== undefined) item['digest'] = { S: entry.digest };
  if (entry.comment !== undefined) item['comment'] = { S: entry.comment };
  if (entry.cipher === 'AES-256-GCM') {
    item['cipher'] = { S: entry.cipher };
    if (entry.created !== undefined) item['created'] = { S: entry.created };
    item['key'] = { B: entry.key };
    item['contents'] = { B: entry.contents };
    item['hmac'] = { B: entry.hmac };
  } else {
    const hex = Buffer.from(entry.hmac).toString('hex');
    item['key'] = { S: Buffer.from(entry.key).toString('base64') };
    item['contents'] = { S: Buffer.from(entry.contents).toString('base64') };
    item['hmac'] = entry.hmacAsText ? { S: hex } : { B: Buffer.from(hex, 'latin1') };
  }
  return item;
}

/**
 * Reads an entry from a table item. Attributes that the format does not name are left alone: a later version
 * of this project, or a user, may have added them.
 *
 * @throws CredstashError INTEGRITY, naming the entry, when an attribute is missing, of the wrong type, not in its
 *   one canonical encoding, or names a cipher or digest that the format does not have
 */
export function parseItem(item: Readonly<Record<string, unknown>>): Entry {
  const broken = (why: string): CredstashError =>
    new CredstashError(
      'INTEGRITY',
      `version ${text(item, 'version') ?? '?'} of ${text(item, 'name') ?? '?'} is malformed: ${why}`,
    );
  const required = <T>(name: string, read: (item: AnyItem, name: string) => T | undefined): T => {
    const value = read(item, name);
    if (value === undefined) throw broken(`its attribute ${name} is missing or not as it must be`);
    return value;
  };
  const wrappedKey = (read: typeof bytes): Uint8Array => {
    const key = required('key', read);
    if (key.length > 0 && key.length <= MAX_WRAPPED_BYTES) return key;
    throw broken(`its attribute key has ${key.length} bytes`);
  };
  const optional = (name: string): string | undefined =>
    item[name] === undefined ? undefined : required(name, text);

  const cipher = optional('cipher');
  const digest = optional('digest');
  const comment = optional('comment');
  const common = {
    name: required('name', text),
    version: required('version', text),
    ...(comment === undefined ? {} : { comment }),
    ...labels(item),
  };
  if (cipher === undefined) {
    if (digest !== undefined && DIGESTS[digest] === undefined) throw broken('unknown digest');
    const asText = text(item, 'hmac') !== undefined;
    return {
      ...common,
      cipher: 'AES-256-CTR',
      ...(digest === undefined ? {} : { digest }),
      key: wrappedKey(base64),
      contents: required('contents', base64),
      hmac: required('hmac', asText ? hexText : hexBytes),
      ...(asText ? { hmacAsText: true } : {}),
    };
  }
  if (cipher !== 'AES-256-GCM') throw broken('unknown cipher');
  if (!WRITTEN_DIGESTS.some((known) => known === digest)) throw broken('unknown digest');
  const created = required('created', text);
  if (!CREATED.test(created)) throw broken('its attribute created is no time');
  return {
    ...common,
    cipher,
    digest: required('digest', text),
    created,
    key: wrappedKey(bytes),
    contents: required('contents', bytes),
    hmac: required('hmac', bytes),
  };
}

/**
 * Reads what a listing shows. Never throws for what it finds: one broken item must not hide the others, and
 * what is no text is left out.
 */
export function parseHeader(item: Readonly<Record<string, unknown>>): EntryHeader {
  const digest = text(item, 'digest');
  const created = text(item, 'created');
  const comment = text(item, 'comment');
  return {
    name: text(item, 'name') ?? '',
    version: text(item, 'version') ?? '',
    cipher: item['cipher'] === undefined ? 'AES-256-CTR' : (text(item, 'cipher') ?? ''),
    ...(digest === undefined ? {} : { digest }),
    ...(created === undefined ? {} : { created }),
    ...(comment === undefined ? {} : { comment }),
    ...labels(item),
  };
}

/** Headers by name, each in the order in which they came. */
export function byName(headers: readonly EntryHeader[]): Map<string, EntryHeader[]> {
  const names = new Map<string, EntryHeader[]>();
  for (const header of headers) {
    const known = names.get(header.name);
    if (known) known.push(header);
    else names.set(header.name, [header]);
  }
  return names;
}

/** The size of an entry's item as DynamoDB counts it: UTF-8 bytes of attribute names and texts, and bytes. */
export function itemSize(entry: Entry): number {
  return Object.entries(encodeItem(entry)).reduce(
    (sum, [name, value]) =>
      sum + byteLength(name) + ('S' in value ? byteLength(value.S) : value.B.length),
    0,
  );
}

/** @throws CredstashError TOO_LARGE when the entry's item would be over DynamoDB's limit */
export function checkItemSize(entry: Entry): void {
  const size = itemSize(entry);
  if (size > MAX_ITEM_BYTES) throw tooLarge(entry.name, size);
}

/** The error of an entry of `size` bytes. */
export function tooLarge(name: string, size: number): CredstashError {
  return new CredstashError(
    'TOO_LARGE',
    `${name} is too large: its entry would have ${size} bytes, and DynamoDB takes ${MAX_ITEM_BYTES} (400 KB)`,
    { hint: 'store large data elsewhere, encrypted, and its key here' },
  );
}

type AnyItem = Readonly<Record<string, unknown>>;

/** Nothing authenticates labels, and an entry opens without them: what is no label is none. */
function labels(item: AnyItem): { labels?: readonly string[] } {
  const set = only(item, 'labels', 'SS');
  const found = Array.isArray(set) ? set.filter(isLabel).sort() : [];
  return found.length === 0 ? {} : { labels: found };
}

function only(item: AnyItem, name: string, type: 'S' | 'B' | 'SS'): unknown {
  const value = Object.hasOwn(item, name) ? item[name] : undefined;
  return typeof value === 'object' && value !== null && Object.keys(value).join() === type
    ? (value as Record<string, unknown>)[type]
    : undefined;
}

function text(item: AnyItem, name: string): string | undefined {
  const value = only(item, name, 'S');
  return typeof value === 'string' ? value : undefined;
}

function bytes(item: AnyItem, name: string): Uint8Array | undefined {
  const value = only(item, name, 'B');
  return value instanceof Uint8Array ? value : undefined;
}

// Buffer decodes what it can and drops the rest without a word, so each decoding is checked by encoding it
// again: an entry has one encoding only (RFC 4648, sections 3.3 to 3.5, warns of the others).
function base64(item: AnyItem, name: string): Uint8Array | undefined {
  return canonical(text(item, name), 'base64');
}

function hexText(item: AnyItem, name: string): Uint8Array | undefined {
  return canonical(text(item, name), 'hex');
}

function hexBytes(item: AnyItem, name: string): Uint8Array | undefined {
  const value = bytes(item, name);
  return value && canonical(Buffer.from(value).toString('latin1'), 'hex');
}

function canonical(value: string | undefined, encoding: 'base64' | 'hex'): Uint8Array | undefined {
  if (value === undefined) return undefined;
  const decoded = Buffer.from(value, encoding);
  return decoded.toString(encoding) === value ? decoded : undefined;
}
