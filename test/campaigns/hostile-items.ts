import type { Random } from '../support/seed.ts';

/** An item in DynamoDB JSON, as a service answers it: whatever a writer of the table made of it. */
export type Wire = Readonly<Record<string, unknown>>;

/** An entry that the command stored. */
export interface Genuine {
  readonly item: Wire;
  readonly secret: Buffer;
}

/** What the formats name. */
const ATTRIBUTES = [
  ...['name', 'version', 'cipher', 'digest', 'created', 'comment', 'key', 'contents', 'hmac'],
];

/** The value of an attribute that has this one type, and is there. */
function only(item: Wire, name: string, type: 'S' | 'B'): string | undefined {
  const value = Object.hasOwn(item, name) ? item[name] : undefined;
  if (typeof value !== 'object' || value === null || Object.keys(value).join() !== type) {
    return undefined;
  }
  const inner = (value as Record<string, unknown>)[type];
  return typeof inner === 'string' ? inner : undefined;
}

/** A text of an item; undefined where it has none of that name. */
export function text(item: Wire, name: string): string | undefined {
  return only(item, name, 'S');
}

function sameAttribute(a: Wire, b: Wire, name: string): boolean {
  return JSON.stringify(a[name]) === JSON.stringify(b[name]);
}

/** The digits of an original's hmac, of type B or, as Python 2 wrote it, S: in either case, a line may end behind them. */
function digits(item: Wire): string | undefined {
  const bytes = only(item, 'hmac', 'B');
  const found =
    bytes === undefined ? text(item, 'hmac') : Buffer.from(bytes, 'base64').toString('latin1');
  return found?.toLowerCase().trimEnd();
}

/** What an original's base64 stands for, however it is written; of a current entry, the attribute as it is. */
function meaningOf(item: Wire, name: 'key' | 'contents'): string {
  const written = 'cipher' in item ? undefined : text(item, name);
  return written === undefined
    ? JSON.stringify(item[name])
    : `base64 ${Buffer.from(written, 'base64').toString('hex')}`;
}

/** A name of a digest without what its spellings differ in; SHA256 for none. */
function digestOf(item: Wire): string | undefined {
  const isNone = [undefined, '{"NULL":true}'].includes(JSON.stringify(item['digest']));
  const name = isNone ? '' : text(item, 'digest');
  return name === '' ? 'sha256' : name?.toLowerCase().replace(/^sha1$/, 'sha');
}

/** The entries that were stored, by what they hold. */
export class Oracle {
  readonly #byContents = new Map<string, Genuine>();

  constructor(genuine: readonly Genuine[]) {
    for (const each of genuine) this.#byContents.set(meaningOf(each.item, 'contents'), each);
  }

  /**
   * The secret that a changed item may give, and why: that of an entry that is as it was stored, or one of the
   * exceptions that docs/reference/entry-format.md and docs/explanation/threat-model.md name. Undefined for all else, which must not open.
   */
  opens(item: Wire): { readonly secret: Buffer; readonly because: string } | undefined {
    const genuine = this.#byContents.get(meaningOf(item, 'contents'));
    if (!genuine || item['contents'] === undefined) return undefined;
    const { item: was, secret } = genuine;
    const changed = ATTRIBUTES.filter((name) => !sameAttribute(item, was, name));
    const extra = Object.keys(item).some((name) => !ATTRIBUTES.includes(name));
    if (changed.length === 0) {
      return { secret, because: extra ? 'an attribute that no format names' : 'as it was stored' };
    }
    // An absent comment counts as the empty text (rule 9).
    const noComment = (each: Wire): boolean =>
      each['comment'] === undefined || text(each, 'comment') === '';
    if ('cipher' in was) {
      return changed.join() === 'comment' && noComment(item) && noComment(was)
        ? { secret, because: 'current: an empty comment' }
        : undefined;
    }
    const isText = (name: string): boolean => text(item, name) !== undefined;
    const harmless: Readonly<Record<string, boolean>> = {
      name: isText('name'),
      version: isText('version'),
      // No reader of the original looks at it.
      comment: true,
      // Absent is SHA256 (rule 17).
      digest: digestOf(item) !== undefined && digestOf(item) === digestOf(was),
      // Any encoding that a port of the original writes (rule 21).
      key: isText('key') && meaningOf(item, 'key') === meaningOf(was, 'key'),
      contents: true,
      created: true,
      hmac: digits(item) !== undefined && digits(item) === digits(was),
    };
    return changed.every((name) => harmless[name])
      ? { secret, because: `original: another ${changed.join(', ')}` }
      : undefined;
  }
}

/** What drives a terminal, ends a line, or turns the direction of text around. */
const NASTY = [
  ...['\x1b[2J', '\x1b]0;owned\x07', '\x9b31m', '\x1bPq\x1b\\', '\x1b[5n', '\x1b(0'],
  ...['\r', '\n', '\ncredstash: error: forged', '\b', '\x7f', '\0', '\x85', '\t', '\x0e'],
  ...['\u202e', '\u2066', '\u061c', '\u200f', '\u2028', '\u2029', '\ud800', '\udc00'],
  ...['\u200b', '\ufeff', '"', '\\u001b', ',', ' -- version 1', '😀', '../', '%s', '$(id)', '*'],
];

/** A text made to do harm. */
export function nasty(random: Random): string {
  return Array.from({ length: 1 + random.below(5) }, () =>
    random.below(4) === 0 ? String.fromCharCode(random.below(0x300)) : random.of(NASTY),
  ).join(random.of(['', 'a', ' ']));
}

function bytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)));
}

/** The text, and the bytes in base64, of an attribute that another change may have come to before. */
function parts(value: unknown): { readonly S?: string; readonly B?: string } {
  return Object.fromEntries(
    Object.entries(Object(value) as object).filter(([, inner]) => typeof inner === 'string'),
  );
}

/** A value of one of DynamoDB's types, of several at once, or of none. */
function ofAnyType(random: Random, was: unknown): unknown {
  const { S = '', B = '' } = parts(was);
  return random.of([
    { S: S || B },
    { S: Buffer.from(B, 'base64').toString('hex') },
    { B: Buffer.from(S, 'utf8').toString('base64') || B },
    { B: Buffer.from(S, 'base64').toString('base64') },
    { N: String(random.below(1e9) - 5e8) },
    { N: '1e125' },
    { BOOL: random.below(2) === 0 },
    { NULL: true },
    { SS: [S, 'other'] },
    { NS: ['1', '2.5'] },
    { BS: [B, 'YQ=='] },
    { L: [{ S }, { B }, { NULL: true }] },
    { M: { S: { S }, B: { B }, ['__proto__']: { S: 'x' } } },
    { S: S || 'x', N: '1' },
    { S, B },
    {},
    null,
    { S: 5 },
    { X: S },
  ]);
}

function emptied(random: Random): unknown {
  return random.of([{ S: '' }, { B: '' }, { SS: [] }, { L: [] }, { M: {} }, { BS: [] }]);
}

function huge(random: Random): unknown {
  // Over every limit there is now and then, and most of the time over those of names and wrapped keys.
  const length = random.below(50) === 0 ? 500_000 : 7000 + random.below(5000);
  return random.of([
    { S: 'A'.repeat(length) },
    { B: Buffer.alloc(length, random.below(256)).toString('base64') },
    { S: nasty(random).repeat(500) },
    { L: Array.from({ length: 500 }, () => ({ S: 'x' })) },
    { N: '9'.repeat(length) },
  ]);
}

/** The same type, with other bytes. */
function edited(
  was: unknown,
  editBytes: (bytes: Buffer) => Buffer,
  editText: (text: string) => string,
): unknown {
  const { S, B } = parts(was);
  if (B !== undefined) return { B: editBytes(Buffer.from(B, 'base64')).toString('base64') };
  return { S: editText(S ?? '') };
}

type Change = (item: Record<string, unknown>, random: Random, donors: readonly Genuine[]) => void;

/** Applies `change` to one attribute that the formats name. */
function toOne(change: (was: unknown, random: Random) => unknown): Change {
  return (item, random) => {
    const name = random.of(ATTRIBUTES);
    item[name] = change(item[name], random);
  };
}

function copied(random: Random, donors: readonly Genuine[], names: readonly string[]): Wire {
  const { item } = random.of(donors);
  return Object.fromEntries(names.flatMap((name) => (name in item ? [[name, item[name]]] : [])));
}

/** What a writer of the table may do to an item, by its name in the figures. */
const CHANGES: Readonly<Record<string, Change>> = {
  'an attribute missing': (item, random) => {
    Reflect.deleteProperty(item, random.of(Object.keys(item)));
  },
  'an attribute of another type': toOne((was, random) => ofAnyType(random, was)),
  'an attribute empty': toOne((_, random) => emptied(random)),
  'an attribute huge': toOne((_, random) => huge(random)),
  'an attribute truncated': toOne((was, random) =>
    edited(
      was,
      (all) => all.subarray(random.below(2), Math.max(0, all.length - random.below(20))),
      (all) => all.slice(random.below(2), Math.max(0, all.length - random.below(20))),
    ),
  ),
  'an attribute extended': toOne((was, random) =>
    edited(
      was,
      (all) =>
        Buffer.concat(
          random.of([
            [all, bytes(random, 16)],
            [bytes(random, 1), all],
          ]),
        ),
      (all) => random.of([`${all}0`, `0${all}`, `${all}\n`, `${all}=`, ` ${all}`, all + all]),
    ),
  ),
  'a bit flipped': toOne((was, random) =>
    edited(
      was,
      (all) => {
        const at = random.below(Math.max(1, all.length));
        return all.map((byte, i) => (i === at ? byte ^ (1 << random.below(8)) : byte)) as Buffer;
      },
      (all) => {
        const at = random.below(Math.max(1, all.length));
        const flipped = String.fromCharCode(all.charCodeAt(at) ^ (1 << random.below(7)));
        return all.slice(0, at) + flipped + all.slice(at + 1);
      },
    ),
  ),
  'another spelling of the same': toOne((was, random) =>
    edited(
      was,
      (all) => Buffer.from(all.toString('latin1').toUpperCase(), 'latin1'),
      (all) =>
        random.of([all.toUpperCase(), all.toLowerCase(), all.replace(/=+$/, ''), all.trim()]),
    ),
  ),
  "another entry's attribute": (item, random, donors) => {
    Object.assign(item, copied(random, donors, [random.of(ATTRIBUTES)]));
  },
  "another entry's key, contents and hmac": (item, random, donors) => {
    Object.assign(item, copied(random, donors, ['key', 'contents', 'hmac']));
  },
  'all of another entry but its name': (item, random, donors) => {
    const { name } = item;
    for (const each of Object.keys(item)) Reflect.deleteProperty(item, each);
    Object.assign(item, copied(random, donors, ATTRIBUTES), { name });
  },
  'an old version as the newest': (item) => {
    item['version'] = { S: '0000000000000009999' };
  },
  'downgraded to the original format': (item) => {
    for (const each of ['cipher', 'created']) Reflect.deleteProperty(item, each);
    const [key, contents, hmac] = [item['key'], item['contents'], item['hmac']].map(parts);
    if (key?.B === undefined) return;
    item['key'] = { S: key.B };
    item['contents'] = { S: contents?.B ?? '' };
    const hex = Buffer.from(hmac?.B ?? '', 'base64').toString('hex');
    item['hmac'] = { B: Buffer.from(hex).toString('base64') };
  },
  'the cipher removed': (item) => {
    Reflect.deleteProperty(item, 'cipher');
  },
  'an original as a current': (item) => {
    item['cipher'] = { S: 'AES-256-GCM' };
    item['created'] ??= { S: '2026-01-01T00:00:00Z' };
    for (const each of ['key', 'contents']) {
      const { S } = parts(item[each]);
      if (S !== undefined) item[each] = { B: Buffer.from(S, 'base64').toString('base64') };
    }
  },
  'an unknown cipher': (item, random) => {
    const unknown = ['AES-256-CTR', 'aes-256-gcm', 'AES-128-GCM', '', 'toString', '__proto__'];
    item['cipher'] = { S: random.of([...unknown, 'constructor', nasty(random)]) };
  },
  'an unknown digest': (item, random) => {
    const unknown = ['MD5', 'SHA', 'SHA224', 'sha256', 'SHA3-256', '', 'toString', '__proto__'];
    item['digest'] = { S: random.of([...unknown, 'hasOwnProperty', nasty(random)]) };
  },
  'a text that drives a terminal': (item, random) => {
    const texts = ['name', 'version', 'comment', 'digest', 'cipher', 'created'];
    item[random.of(texts)] = { S: nasty(random) };
  },
  'an attribute that no format names': (item, random) => {
    const name = random.of(['__proto__', 'constructor', 'toString', 'ttl', '', nasty(random)]);
    Object.defineProperty(item, name, {
      value: ofAnyType(random, { S: nasty(random) }),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  },
};

/** A hostile item, and what was done to it. */
export interface Hostile {
  readonly item: Wire;
  readonly changes: readonly string[];
}

/** `item` with one change, or two at once. */
export function hostile(random: Random, item: Wire, donors: readonly Genuine[]): Hostile {
  const changed: Record<string, unknown> = { ...item };
  const changes = Array.from({ length: random.below(5) === 0 ? 2 : 1 }, () =>
    random.of(Object.keys(CHANGES)),
  );
  for (const change of changes) CHANGES[change]?.(changed, random, donors);
  return { item: changed, changes };
}
