import type { BackendSource } from '../backend/backend.ts';
import { validateContext, type Context } from '../model/context.ts';
import type { ProgressOptions } from '../util/progress.ts';
import { getMany } from './get-many.ts';
import type { Limit } from './options.ts';
import { CredstashError, type Failure, combineFailures } from '../errors.ts';
import {
  addSharedContext,
  malformedReference,
  parseAll,
  parseReference,
  type PlacedReference,
  SCHEME,
} from '../model/reference.ts';
import { shellWord } from '../util/shell-word.ts';
import { decodeUtf8, utf8 } from '../util/utf8.ts';

/** The largest template. It may consist only of references, each of which takes memory until it is resolved. */
export const MAX_TEMPLATE_BYTES = 4 * 1024 * 1024;

/** The largest result: a large secret may occur in it many times. */
const MAX_RENDERED_BYTES = 256 * 1024 * 1024;

/** A parsed template: texts, with a slot for a secret between each two of them. */
export interface Template {
  readonly texts: readonly Uint8Array[];
  readonly slots: readonly Slot[];
}

/** The slot of a secret, with its filters. Its place is `line 3, column 7`, counted in characters from 1. */
export interface Slot extends PlacedReference {
  readonly filters: readonly Filter[];
}

/** Escapes a secret. @throws CredstashError USAGE if it cannot hold the secret; the message continues a sentence that begins with the secret's name */
export type Filter = (secret: Uint8Array) => Uint8Array;

const FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['base64', (secret) => utf8(Buffer.from(secret).toString('base64'))],
  ['json', (secret) => utf8(encodeJson(requireText('json', secret)))],
  [
    'shell',
    (secret) => {
      const text = requireText('shell', secret);
      if (!text.includes('\0')) return utf8(shellWord(text));
      throw new CredstashError('USAGE', 'has a NUL, which no word of a shell can have');
    },
  ],
]);

/** Replaces the references of a template by secrets: `Credstash.render`. */
export async function render(
  source: BackendSource,
  template: Uint8Array,
  options: ProgressOptions & Limit & { readonly context?: Context | undefined } = {},
): Promise<Uint8Array> {
  const { texts, slots } = parseTemplate(template, validateContext(options.context, 'open'));
  return fillTemplate(texts, await getMany(source, slots, options));
}

/**
 * Splits a template at each `{{ REFERENCE }}` and `{{ REFERENCE | FILTER }}`, with any white space inside the braces. All
 * else is text, in any encoding that contains ASCII. Linear in the template's length.
 *
 * @param shared pairs that hold for every reference; a reference's own pairs win
 * @throws CredstashError USAGE with `failures`, one for each reference that is malformed, named by line and column
 */
export function parseTemplate(template: Uint8Array, shared: Context): Template {
  const bytes = Buffer.from(template.buffer, template.byteOffset, template.length);
  const tags = [...findTags(bytes)];
  const slots = parseAll(
    tags.map((tag) => [tag.place, tag] as const),
    ({ inside }) => parseTag(inside, shared),
  );
  const starts = [0, ...tags.map(({ end }) => end)];
  const ends = [...tags.map(({ start }) => start), bytes.length];
  return { texts: starts.map((start, i) => bytes.subarray(start, ends[i])), slots };
}

/** The position of a reference, with its braces; `inside` is undefined if they are not closed. */
interface Tag {
  readonly place: string;
  readonly start: number;
  readonly end: number;
  readonly inside: Uint8Array | undefined;
}

function* findTags(bytes: Buffer): Generator<Tag> {
  const findPlace = createPlaceFinder(bytes);
  let offset = 0;
  for (;;) {
    const start = bytes.indexOf('{{', offset);
    if (start === -1) return;
    let inner = start + 2;
    while (WHITE_SPACE.has(bytes[inner])) inner += 1;
    if (!SCHEME_BYTES.every((byte, i) => bytes[inner + i] === byte)) {
      offset = start + 1;
      continue;
    }
    // The tag must close before the next one opens, so that no byte is scanned twice.
    let end = inner;
    while (end < bytes.length && !isPair(bytes, end, CLOSE) && !isPair(bytes, end, OPEN)) end += 1;
    const closes = isPair(bytes, end, CLOSE);
    const inside = closes ? bytes.subarray(inner, end) : undefined;
    offset = closes ? end + 2 : end;
    yield { place: findPlace(start), start, end: offset, inside };
  }
}

const SCHEME_BYTES = Buffer.from(SCHEME);
const OPEN = 0x7b;
const CLOSE = 0x7d;
const LINE_FEED = 0x0a;
const WHITE_SPACE = new Set<number | undefined>([0x09, LINE_FEED, 0x0d, 0x20]);

function isPair(bytes: Buffer, offset: number, brace: number): boolean {
  return bytes[offset] === brace && bytes[offset + 1] === brace;
}

/** Gives the line and column of offsets that ascend. A character is a byte that continues none (RFC 3629, section 3). */
function createPlaceFinder(bytes: Buffer): (offset: number) => string {
  const hasMark = bytes.subarray(0, 3).equals(Buffer.from('\ufeff'));
  // A byte order mark does not count as a character of the first line.
  let [at, line, column] = [hasMark ? 3 : 0, 1, 1];
  return (offset) => {
    for (; at < offset; at += 1) {
      const byte = bytes[at] ?? 0;
      if (byte === LINE_FEED) [line, column] = [line + 1, 1];
      else if ((byte & 0xc0) !== 0x80) column += 1;
    }
    return `line ${line}, column ${column}`;
  };
}

function parseTag(inside: Uint8Array | undefined, shared: Context): Omit<Slot, 'place'> {
  if (inside === undefined) throw malformedReference('it is not closed by }}');
  const text = decodeUtf8(inside);
  if (text === undefined) throw malformedReference('it is not UTF-8');
  const [reference = '', ...names] = text.split('|').map((part) => part.trim());
  const filters = names.map((name) => {
    const filter = FILTERS.get(name);
    if (filter) return filter;
    throw malformedReference(`a filter is one of ${[...FILTERS.keys()].join(', ')}`);
  });
  return { ...addSharedContext(parseReference(reference), shared), filters };
}

/**
 * Joins the texts and the filtered secrets.
 *
 * @param texts one more than secrets
 * @throws CredstashError USAGE with `failures`, one for each secret that its filter cannot hold; TOO_LARGE if the result
 *   exceeds 256 MB
 */
export function fillTemplate(
  texts: readonly Uint8Array[],
  secrets: readonly (Slot & { readonly value: Uint8Array })[],
): Uint8Array {
  const failures: Failure[] = [];
  const parts: Uint8Array[] = [];
  let length = 0;
  const add = (part: Uint8Array): void => {
    length += part.length;
    if (length > MAX_RENDERED_BYTES) {
      throw new CredstashError(
        'TOO_LARGE',
        `the template would become longer than the ${MAX_RENDERED_BYTES} bytes that are given`,
      );
    }
    parts.push(part);
  };
  for (const [i, text] of texts.entries()) {
    add(text);
    const secret = secrets[i];
    if (!secret) continue;
    try {
      add(secret.filters.reduce((value, filter) => filter(value), secret.value));
    } catch (error) {
      if (!(error instanceof CredstashError) || error.code !== 'USAGE') throw error;
      const about = new CredstashError('USAGE', `${secret.name} ${error.message}`);
      failures.push({ name: secret.place, error: about });
    }
  }
  if (failures.length === 0) return Buffer.concat(parts);
  throw combineFailures(
    `${failures.length} of the secrets cannot be put into the template`,
    failures,
    'base64 can hold any bytes',
  );
}

function requireText(filter: string, secret: Uint8Array): string {
  const text = decodeUtf8(secret);
  if (text !== undefined) return text;
  throw new CredstashError('USAGE', `is not UTF-8, which ${filter} needs`);
}

/**
 * Encodes a JSON text that YAML 1.1 and 1.2 read as the same text, because people use it in YAML files: escapes what YAML
 * takes for a line break, a byte order mark or a non-character, and leaves what would need a pair of escapes.
 */
function encodeJson(text: string): string {
  return JSON.stringify(text).replace(
    /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
