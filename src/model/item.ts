import { CredstashError } from '../errors.ts';
import { byteLength } from '../util/utf8.ts';
import {
  WRITTEN_DIGESTS,
  findDigestAlgorithm,
  type AnyItem,
  type Entry,
  type EntryHeader,
} from './entry.ts';
import { isLabel } from './label.ts';

// Over 250 lines: writing and reading an item are one encoding, and each checks the other.

/** A DynamoDB attribute value of the two types that entries use: text and bytes. */
export type Attribute = { readonly S: string } | { readonly B: Uint8Array };

/** The attributes of an entry in a table. Labels are not included, because they move independently. */
export type Item = Readonly<Record<string, Attribute>>;

/** DynamoDB's limit for an item: names and values of its attributes, in bytes (400 KB). */
export const MAX_ITEM_BYTES = 409_600;

/** KMS takes from 1 byte to this many: https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html */
const MAX_WRAPPED_BYTES = 6144;

const CREATED = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/**
 * Encodes an entry as a table item: the exact inverse of `parseItem` on the attributes of the format. Leaves out labels,
 * which a store keeps when it replaces an entry.
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
    const hmacHex = Buffer.from(entry.hmac).toString('hex');
    item['key'] = { S: Buffer.from(entry.key).toString('base64') };
    item['contents'] = { S: Buffer.from(entry.contents).toString('base64') };
    item['hmac'] = entry.hmacAsText ? { S: hmacHex } : { B: Buffer.from(hmacHex, 'latin1') };
  }
  return item;
}

/**
 * Reads an entry from a table item. Attributes that the format does not name are ignored: a later version of this
 * project, or a user, may have added them.
 *
 * A current entry must be in its one canonical encoding. An original entry is read as the original, nodecredstash 2 and the
 * port that wrote it read it: base64 with line breaks, hex in upper case, any spelling of a digest, a digest that is
 * NULL, a comment of any type. Its HMAC tells whether it is genuine.
 *
 * @throws CredstashError INTEGRITY, naming the entry and the attribute and never its content, for an attribute that is missing,
 *   of the wrong type or wrongly encoded, or that names an unknown cipher or digest
 */
export function parseItem(item: AnyItem): Entry {
  const malformed = (problem: string): CredstashError =>
    new CredstashError(
      'INTEGRITY',
      `version ${readText(item, 'version') ?? '?'} of ${readText(item, 'name') ?? '?'} is malformed: ${problem}`,
    );
  /** @param what the expected encoding, for a message about an attribute of the right type that cannot be read */
  const required = <T>(
    name: string,
    types: string,
    what: string,
    read: (item: AnyItem, name: string) => T | undefined,
  ): T => {
    const value = read(item, name);
    if (value !== undefined) return value;
    if (!Object.hasOwn(item, name)) throw malformed(`its attribute ${name} is missing`);
    const type = describeType(item[name]);
    throw malformed(
      types.split(' or ').includes(type)
        ? `its attribute ${name} is not ${what}`
        : `its attribute ${name} has the type ${type} and not ${types}`,
    );
  };
  const requiredText = (name: string): string => required(name, 'S', 'text', readText);
  const wrappedKey = (key: Uint8Array): Uint8Array => {
    if (key.length > 0 && key.length <= MAX_WRAPPED_BYTES) return key;
    throw malformed(
      `its attribute key has ${key.length} bytes, and a wrapped data key has 1 to ${MAX_WRAPPED_BYTES}`,
    );
  };
  const optionalText = (name: string): string | undefined =>
    item[name] === undefined ? undefined : requiredText(name);
  const cipher = optionalText('cipher');
  const common = {
    name: requiredText('name'),
    version: requiredText('version'),
    ...readLabels(item),
  };
  if (cipher === undefined) {
    const digest =
      readAttribute(item, 'digest', 'NULL') === true ? undefined : optionalText('digest');
    // The comment is not authenticated, and the original ignores it when it reads a secret.
    const comment = readText(item, 'comment');
    if (digest && findDigestAlgorithm(digest) === undefined) {
      throw malformed('its attribute digest names an unknown digest');
    }
    const asText = readText(item, 'hmac') !== undefined;
    const entry: Entry = {
      ...common,
      ...(comment === undefined ? {} : { comment }),
      cipher: 'AES-256-CTR',
      ...(digest ? { digest } : {}),
      key: wrappedKey(required('key', 'S', 'base64', readBase64)),
      contents: required('contents', 'S', 'base64', readBase64),
      hmac: required('hmac', 'S or B', 'hexadecimal', asText ? readHexText : readHexBytes),
      ...(asText ? { hmacAsText: true } : {}),
    };
    return isCanonical(entry, item) ? entry : { ...entry, stored: item };
  }
  if (cipher !== 'AES-256-GCM') throw malformed('its attribute cipher names an unknown cipher');
  const comment = optionalText('comment');
  const digest = requiredText('digest');
  if (!WRITTEN_DIGESTS.some((known) => known === digest)) {
    throw malformed('its attribute digest names an unknown digest');
  }
  const created = requiredText('created');
  if (!CREATED.test(created))
    throw malformed('its attribute created is not an RFC 3339 time in UTC');
  return {
    ...common,
    ...(comment === undefined ? {} : { comment }),
    cipher,
    digest,
    created,
    key: wrappedKey(required('key', 'B', 'bytes', readBytes)),
    contents: required('contents', 'B', 'bytes', readBytes),
    hmac: required('hmac', 'B', 'bytes', readBytes),
  };
}

/** Whether `encodeItem` gives exactly the table's attributes of the original format. */
function isCanonical(entry: Entry, item: AnyItem): boolean {
  const encoded = encodeItem(entry);
  return ['digest', 'comment', 'key', 'contents', 'hmac'].every((name) => {
    const value = encoded[name];
    if (!value) return item[name] === undefined;
    // Only the digits can differ from the bytes that they were read from.
    if ('B' in value)
      return Buffer.compare(value.B, readBytes(item, name) ?? new Uint8Array()) === 0;
    return value.S === readText(item, name);
  });
}

/**
 * Reads the part of an item that a listing shows. Never throws, because one broken item must not hide the others. Leaves out
 * attributes that are not text.
 */
export function parseHeader(item: Readonly<Record<string, unknown>>): EntryHeader {
  const digest = readText(item, 'digest');
  const created = readText(item, 'created');
  const comment = readText(item, 'comment');
  return {
    name: readText(item, 'name') ?? '',
    version: readText(item, 'version') ?? '',
    cipher: item['cipher'] === undefined ? 'AES-256-CTR' : (readText(item, 'cipher') ?? ''),
    ...(digest === undefined ? {} : { digest }),
    ...(created === undefined ? {} : { created }),
    ...(comment === undefined ? {} : { comment }),
    ...readLabels(item),
  };
}

/** Measures an entry's item as DynamoDB counts it: the bytes of attribute names and values. */
export function measureItem(entry: Entry): number {
  return Object.entries(encodeItem(entry)).reduce(
    (sum, [name, value]) =>
      sum + byteLength(name) + ('S' in value ? byteLength(value.S) : value.B.length),
    0,
  );
}

/** @throws CredstashError TOO_LARGE if the entry's item would exceed DynamoDB's limit */
export function checkItemSize(entry: Entry): void {
  const size = measureItem(entry);
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

/** Reads the labels of an item, and drops invalid ones: labels are not authenticated, and an entry opens without them. */
function readLabels(item: AnyItem): { labels?: readonly string[] } {
  const set = readAttribute(item, 'labels', 'SS');
  const found = Array.isArray(set) ? set.filter(isLabel).sort() : [];
  return found.length === 0 ? {} : { labels: found };
}

function readAttribute(item: AnyItem, name: string, type: 'S' | 'B' | 'SS' | 'NULL'): unknown {
  const value = Object.hasOwn(item, name) ? item[name] : undefined;
  return typeof value === 'object' && value !== null && Object.keys(value).join() === type
    ? (value as Record<string, unknown>)[type]
    : undefined;
}

function readText(item: AnyItem, name: string): string | undefined {
  const value = readAttribute(item, name, 'S');
  return typeof value === 'string' ? value : undefined;
}

function readBytes(item: AnyItem, name: string): Uint8Array | undefined {
  const value = readAttribute(item, name, 'B');
  return value instanceof Uint8Array ? value : undefined;
}

/** The types that DynamoDB's answers name: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html */
const TYPES = ['S', 'N', 'B', 'SS', 'NS', 'BS', 'M', 'L', 'NULL', 'BOOL'];

/** The type of an attribute, for a person. */
function describeType(value: unknown): string {
  const names = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  const [name = ''] = names;
  return names.length === 1 && TYPES.includes(name) ? name : 'unknown';
}

/**
 * Reads base64 as Python, Node.js and Ruby do (RFC 2045, 6.8): skips line breaks and other foreign characters, and accepts
 * missing padding. Undefined if the text has no base64 at all.
 */
function readBase64(item: AnyItem, name: string): Uint8Array | undefined {
  const value = readText(item, name);
  if (value === undefined) return undefined;
  const decoded = Buffer.from(value, 'base64');
  return decoded.length > 0 || value.trim() === '' ? decoded : undefined;
}

function readHexText(item: AnyItem, name: string): Uint8Array | undefined {
  return parseHex(readText(item, name));
}

function readHexBytes(item: AnyItem, name: string): Uint8Array | undefined {
  const value = readBytes(item, name);
  return value && parseHex(Buffer.from(value).toString('latin1'));
}

/** Parses hexadecimal digits strictly: Buffer would silently stop at the first other character. */
function parseHex(value: string | undefined): Uint8Array | undefined {
  return value !== undefined && /^(?:[0-9a-f]{2})*\s*$/i.test(value)
    ? Buffer.from(value.trimEnd(), 'hex')
    : undefined;
}
