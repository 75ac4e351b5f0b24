import { Table } from '../../src/backend/aws/table.ts';
import type * as crypto from 'node:crypto';
import { join } from 'node:path';
import {
  DynamoDBClient,
  GetItemCommand,
  QueryCommand,
  ScanCommand,
} from '@aws-sdk/client-dynamodb';
import type { AsyncCipher } from '@noble/ciphers/utils.js';
import type * as aes from '@noble/ciphers/webcrypto.js';
import { mockClient } from 'aws-sdk-client-mock';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AwsEntryStore } from '../../src/backend/aws/entry-store.ts';
import type { EntryStore } from '../../src/backend/entry-store.ts';
import type { KeyService } from '../../src/backend/key-service.ts';
import { openLocal } from '../../src/backend/local/index.ts';
import { checkContext, type Context } from '../../src/model/context.ts';
import { Credstash } from '../../src/credstash.ts';
import type { PutAllOptions } from '../../src/operations/put-all.ts';
import type { Entry } from '../../src/model/entry.ts';
import { encodeItem, type Item, type Attribute } from '../../src/model/item.ts';
import { CredstashError, type ErrorCode } from '../../src/errors.ts';
import { computeHmac, splitDataKey } from '../../src/seal/data-key.ts';
import { FORMATS } from '../../src/seal/formats.ts';
import { encodeHeader } from '../../src/seal/gcm-hmac.ts';
import { eventually } from '../support/eventually.ts';
import { outcomesOf } from '../support/outcomes.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * What becomes of data keys, on a real vault: the very buffers that were handed out are looked at once all is over.
 */

/** Every key that somebody held, and what stood in it. */
const keysSeen = vi.hoisted((): { what: string; buffer: Uint8Array; was: Uint8Array }[] => []);
const watch = vi.hoisted(() => <T extends Uint8Array>(what: string, buffer: T): T => {
  keysSeen.push({ what, buffer, was: Uint8Array.from(buffer) });
  return buffer;
});

/** Every secret that was decrypted. */
const secretsSeen = vi.hoisted((): Uint8Array[] => []);
const wrapping = vi.hoisted(() => ({ fails: false }));

// Where the vault's data keys and its master key come from.
vi.mock('node:crypto', async (original) => {
  const real = await original<typeof crypto>();
  const randomBytes = (size: number): Buffer =>
    size === 32 || size === 64
      ? watch(`${size} random bytes`, real.randomBytes(size))
      : real.randomBytes(size);
  return { ...real, randomBytes };
});
// All that AES gives out: data keys of the vault, and secrets.
vi.mock('@noble/ciphers/webcrypto.js', async (original) => {
  const real = await original<typeof aes>();
  const spied =
    (cipher: (...args: never[]) => AsyncCipher) =>
    (...args: never[]): AsyncCipher => {
      const made = cipher(...args);
      return {
        encrypt: async (bytes) => {
          if (wrapping.fails) throw new RangeError('out of memory');
          return made.encrypt(bytes);
        },
        decrypt: async (bytes) => {
          const opened = await made.decrypt(bytes);
          // No secret here is that long.
          if (opened.length === 64) return watch('a data key of the vault', opened);
          secretsSeen.push(opened);
          return opened;
        },
      };
    };
  return { ...real, gcm: spied(real.gcm), ctr: spied(real.ctr) };
});

function isZero(buffer: Uint8Array): boolean {
  return buffer.every((byte) => byte === 0);
}

let folder: string;
let vault: ReturnType<typeof openLocal>;
let entries: EntryStore;
let credstash: Credstash;

/** What was asked of the key service and of the store, in this order. */
let calls: string[];

/** Stands between `credstash` and the vault; without it the vault answers. */
let meddle: (call: string, answer: () => Promise<unknown>) => Promise<unknown>;

const own = (_: string, answer: () => Promise<unknown>): Promise<unknown> => answer();

/** `target`, whose methods are counted, and may be meddled with. */
function between<T extends object>(target: T): T {
  return new Proxy(target, {
    get: (_, property) => {
      const member: unknown = Reflect.get(target, property);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        const call = String(property);
        if (call === 'withSignal') return between(Reflect.apply(member, target, args) as object);
        calls.push(call);
        const answer = (): unknown => Reflect.apply(member, target, args);
        const isListing = ['scan', 'headers', 'versions'].includes(call);
        return isListing ? answer() : meddle(call, answer as () => Promise<unknown>);
      };
    },
  });
}

/** The service, remembering the very buffers that it hands out. */
function watching(keys: KeyService): KeyService {
  return {
    generate: async (context) => {
      const made = await keys.generate(context);
      watch('a data key that was made', made.plaintext);
      return made;
    },
    unwrap: async (wrapped, context) =>
      watch('a data key that was unwrapped', await keys.unwrap(wrapped, context)),
    warmUp: () => {
      keys.warmUp();
    },
    wrap: (plaintext, context) => keys.wrap(plaintext, context),
    rewrap: (wrapped, context) => keys.rewrap(wrapped, context),
    withSignal: (signal) => watching(keys.withSignal(signal)),
  };
}

beforeEach(() => {
  folder = temporaryFolder();
  vault = openLocal(join(folder, 'vault'), { create: true });
  entries = between(vault.entries);
  credstash = Credstash.over({ keys: watching(between(vault.keys)), entries: entries });
  meddle = own;
  wrapping.fails = false;
  forget();
});
afterEach(() => {
  vault.vault.close();
});

function forget(): void {
  keysSeen.length = 0;
  secretsSeen.length = 0;
  calls = [];
}

/** Once nothing is under way any more, every key is zero, of `count` that were handed out. */
async function expectWiped(count: number): Promise<void> {
  const handedOut = (): typeof keysSeen => keysSeen.filter(({ what }) => what.includes('that was'));
  await eventually(() => {
    expect(handedOut().filter(({ buffer }) => isZero(buffer))).toHaveLength(count);
  });
  expect(handedOut()).toHaveLength(count);
  for (const { what, buffer, was } of keysSeen) {
    expect(isZero(was), `${what} was zero from the start`).toBe(false);
    expect(isZero(buffer), what).toBe(true);
  }
}

/** Some keys are not zero yet, so that what follows shows something. */
function expectHeld(): void {
  expect(keysSeen.some(({ buffer }) => !isZero(buffer))).toBe(true);
}

const error = (code: ErrorCode): CredstashError => new CredstashError(code, 'on purpose');
const coded = (code: ErrorCode): Error => expect.objectContaining({ code }) as Error;
const prod = checkContext([['env', 'prod']]);

/** Puts `error` in the place of the answers to `call`: of those whose number `which` takes, counted from 1. */
function fail(call: string, error: Error, which = (_: number): boolean => true): void {
  const before = meddle;
  let count = 0;
  meddle = (asked, answer) =>
    asked === call && which(++count) ? Promise.reject(error) : before(asked, answer);
}

/** Holds back the answers to `call`, until it is released. */
function hold(call: string): () => void {
  const before = meddle;
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  meddle = async (asked, answer) => {
    if (asked === call) await released;
    return before(asked, answer);
  };
  return release;
}

/** Hands out data keys of another length. */
function falsify(length: number): void {
  meddle = async (call, answer) => {
    const given = await answer();
    const other = new Uint8Array(length).fill(7);
    if (call === 'generate') {
      const { plaintext, wrapped } = given as { plaintext: Uint8Array; wrapped: Uint8Array };
      plaintext.fill(0);
      return { plaintext: other, wrapped };
    }
    if (call !== 'unwrap') return given;
    (given as Uint8Array).fill(0);
    return other;
  };
}

/** Changes the entry that stands under a name. */
async function tamper(
  name: string,
  change: (entry: Entry) => Partial<Entry> | Promise<Partial<Entry>>,
): Promise<void> {
  const entry = await vault.entries.latest(name);
  if (!entry) throw new Error(`there is no ${name}`);
  await vault.entries.replace({ ...entry, ...(await change(entry)) }, entry);
}

const wrongHmac = ({ hmac }: Entry): Partial<Entry> => ({ hmac: hmac.map((byte) => byte ^ 1) });

/** A wrong tag under a right HMAC, as a holder of the data key alone can make it. */
async function wrongTag(entry: Entry): Promise<Partial<Entry>> {
  const contents = Uint8Array.from(entry.contents);
  contents[contents.length - 1] = (contents.at(-1) ?? 0) ^ 1;
  const dataKey = await vault.keys.unwrap(entry.key, FORMATS[entry.cipher].context({}, entry.name));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(contents.length);
  const parts = [encodeHeader(entry), length, contents];
  const right = computeHmac(entry.digest ?? '', splitDataKey(dataKey).hmacKey, parts);
  dataKey.fill(0);
  return { contents, hmac: right };
}

/** Somebody else's next version of a secret. */
async function another(name: string): Promise<void> {
  await Credstash.over({ keys: vault.keys, entries: vault.entries }).put(name, value, {
    autoversion: true,
  });
}

const ciphers = ['AES-256-GCM', 'AES-256-CTR'];
const value = Buffer.from('secret');
const names = Array.from({ length: 40 }, (_, i) => `n${String(i).padStart(2, '0')}`);
const many = names.map((name) => ({ name, value: Buffer.from(`of ${name}`) }));

async function outcomes(options: PutAllOptions = {}, secrets = many): Promise<string[]> {
  return (await outcomesOf(credstash.putAll(secrets, options))).map(({ done }) => done);
}

describe.each(ciphers)('the data key of a put (%s) is zeroed', (cipher) => {
  it('once it is stored', async () => {
    await credstash.put('n', value, { cipher });
    await expectWiped(1);
  });

  it.each(['VERSION_EXISTS', 'THROTTLED', 'UNREACHABLE', 'TOO_LARGE'] as const)(
    'when it is not stored: %s',
    async (code) => {
      fail('create', error(code));
      await expect(credstash.put('n', value, { cipher })).rejects.toThrow(coded(code));
      await expectWiped(1);
    },
  );

  it('when the store fails in a way that nobody foresaw', async () => {
    fail('create', new TypeError('x'));
    await expect(credstash.put('n', value, { cipher })).rejects.toThrow(TypeError);
    await expectWiped(1);
  });

  it.each([32, 63, 65])('when it has %d bytes', async (length) => {
    falsify(length);
    await expect(credstash.put('n', value, { cipher })).rejects.toThrow(coded('INTEGRITY'));
    await expectWiped(1);
  });

  it('after conflicts, of which each was sealed with it', async () => {
    let others = 3;
    meddle = async (call, answer) => {
      if (call === 'create' && others-- > 0) await another('n');
      return answer();
    };
    await credstash.put('n', value, { cipher, autoversion: true });
    expect(calls.filter((call) => call === 'create')).toHaveLength(4);
    await expectWiped(1);
  });

  it('after a conflict that is met again, and one after which the newest version cannot be read', async () => {
    await another('n');
    const put = (): Promise<unknown> => credstash.put('n', value, { cipher, autoversion: true });
    fail('create', error('VERSION_EXISTS'));
    await expect(put()).rejects.toThrow(coded('VERSION_EXISTS'));
    await expectWiped(1);
    fail('newestHeader', error('THROTTLED'), (n) => n === 2);
    await expect(put()).rejects.toThrow(coded('THROTTLED'));
    await expectWiped(2);
  });
});

describe('the data keys of a putAll are zeroed', () => {
  it('once all are stored', async () => {
    expect(new Set(await outcomes())).toEqual(new Set(['stored']));
    await expectWiped(many.length);
  });

  it('when one cannot be stored, and the others are', async () => {
    await credstash.put('n07', value);
    forget();
    expect((await outcomes()).filter((done) => done === 'failed')).toHaveLength(1);
    await expectWiped(many.length);
  });

  it('when one stops all the others', async () => {
    fail('create', error('UNREACHABLE'), (n) => n > 3);
    expect((await outcomes()).filter((done) => done === 'stored')).toHaveLength(3);
    // 16 at once, and up to three more in the places of those that were stored.
    const made = calls.filter((call) => call === 'generate').length;
    expect(made).toBeGreaterThanOrEqual(16);
    expect(made).toBeLessThanOrEqual(19);
    await expectWiped(made);
  });

  it('when an error that nobody foresaw ends it, with others under way', async () => {
    const release = hold('create');
    fail('create', new TypeError('x'), (n) => n === 1);
    await expect(outcomes()).rejects.toThrow(TypeError);
    expectHeld();
    release();
    await expectWiped(16);
  });

  it('when whoever asked goes away half way', async () => {
    const release = hold('create');
    fail('create', error('VERSION_EXISTS'), (n) => n === 1);
    const gone = new Error('gone');
    const all = credstash.putAll(many, {
      onOutcome: (each) => {
        expect(each).toMatchObject({ name: 'n00', done: 'failed' });
        throw gone;
      },
    });
    await expect(all).rejects.toBe(gone);
    // What was under way has ended with it.
    await expectWiped(16);
    release();
  });

  it('with the stored secrets that they are compared with', async () => {
    await outcomes();
    await credstash.put('n01', Buffer.from('changed'), { version: '2' });
    await credstash.put('n02', value, { version: '2', context: prod });
    await credstash.put('n03', value, { version: '2' });
    await tamper('n03', wrongHmac);
    forget();
    const done = await outcomes({ skipUnchanged: true, autoversion: true });
    expect(done.slice(0, 5)).toEqual(['unchanged', 'stored', 'failed', 'failed', 'unchanged']);
    await expectWiped(many.length);
    expect(secretsSeen).toHaveLength(many.length - 2);
    expect(secretsSeen.every(isZero)).toBe(true);
  });
});

describe.each(ciphers)('the data key of a get (%s) is zeroed', (cipher) => {
  beforeEach(async () => {
    await credstash.put('n', value, { cipher });
    forget();
  });

  it('once the secret is open', async () => {
    expect(Buffer.from(await credstash.get('n'))).toEqual(value);
    expect(Buffer.from(await credstash.get('n', { version: '1' }))).toEqual(value);
    await expectWiped(2);
  });

  it('when the HMAC is wrong', async () => {
    await tamper('n', wrongHmac);
    await expect(credstash.get('n')).rejects.toThrow(coded('INTEGRITY'));
    await expectWiped(1);
    expect(secretsSeen).toEqual([]);
  });

  it.each([32, 63, 65])('when it has %d bytes', async (length) => {
    falsify(length);
    await expect(credstash.get('n')).rejects.toThrow(coded('INTEGRITY'));
    await expectWiped(1);
    expect(secretsSeen).toEqual([]);
  });

  it('by never being, when the context is another', async () => {
    await expect(credstash.get('n', { context: prod })).rejects.toThrow(coded('WRONG_CONTEXT'));
    expect(calls).toEqual(['warmUp', 'latest', 'unwrap']);
    expect(keysSeen).toEqual([]);
  });
});

describe('the data keys of a get and of a getAll are zeroed', () => {
  it('when the tag is wrong, and the HMAC right', async () => {
    await credstash.put('n', value);
    await tamper('n', wrongTag);
    forget();
    await expect(credstash.get('n')).rejects.toThrow(coded('INTEGRITY'));
    await expectWiped(1);
    expect(secretsSeen).toEqual([]);
  });

  it('whether all opens or some do not', async () => {
    await outcomes();
    forget();
    expect((await credstash.getAll()).secrets).toHaveLength(many.length);
    await expectWiped(many.length);
    await tamper('n05', wrongHmac);
    await tamper('n06', wrongTag);
    forget();
    await expect(credstash.getAll()).rejects.toThrow(coded('INTEGRITY'));
    await expectWiped(many.length);
    const { leftOut } = await credstash.getAll({ skipUndecryptable: true });
    expect(leftOut.map(({ name }) => name)).toEqual(['n05', 'n06']);
    await expectWiped(2 * many.length);
  });

  it('when an error stops it, with others under way', async () => {
    await outcomes();
    forget();
    const release = hold('unwrap');
    fail('unwrap', error('UNREACHABLE'), (n) => n === 1);
    await expect(credstash.getAll()).rejects.toThrow(coded('UNREACHABLE'));
    release();
    await expectWiped(31);
  });
});

describe('the keys of a vault', () => {
  const context = checkContext([]);
  const failing = async (call: () => Promise<unknown>): Promise<void> => {
    wrapping.fails = true;
    await expect(call()).rejects.toThrow();
    wrapping.fails = false;
  };

  it('are zeroed when they cannot be wrapped', async () => {
    const absent = openLocal(join(folder, 'absent'), { create: false });
    await expect(absent.keys.generate(context)).rejects.toThrow(coded('VAULT_NOT_FOUND'));
    await failing(() => vault.keys.generate(context));
    // Without a vault none is made.
    expect(keysSeen.filter(({ buffer }) => buffer.length === 64)).toHaveLength(1);
    for (const { what, buffer } of keysSeen) expect(isZero(buffer), what).toBe(true);
  });

  it('are zeroed when they are wrapped again, and when that fails', async () => {
    const { wrapped, plaintext } = await vault.keys.generate(context);
    plaintext.fill(0);
    await vault.keys.rewrap(wrapped, context);
    await failing(() => vault.keys.rewrap(wrapped, context));
    expect(keysSeen.filter(({ what }) => what === 'a data key of the vault')).toHaveLength(2);
    for (const { what, buffer } of keysSeen) expect(isZero(buffer), what).toBe(true);
  });

  it('are zeroed on close: the master key', async () => {
    await credstash.put('n', value);
    const masterKey = vault.vault.masterKey();
    expect(isZero(masterKey)).toBe(false);
    vault.vault.close();
    expect(isZero(masterKey)).toBe(true);
    // As it was made, too.
    const made = keysSeen.filter(({ buffer }) => buffer.length === 32);
    expect(made).toHaveLength(1);
    expect(made.every(({ buffer }) => isZero(buffer))).toBe(true);
  });
});

describe('bad input asks neither the key service nor the store anything', () => {
  const badNames = ['', 'x'.repeat(2049), 'a\0b', '\ud800'];
  const badVersions = ['', 'x'.repeat(1025), 'a\0b', '\ud800'];
  const badContexts: Context[] = [
    { '': 'x' },
    { k: '' },
    { k: 'a\0b' },
    { k: '\ud800' },
    { k: 'v'.repeat(8192) },
    { 'credstash:name': 'other' },
    JSON.parse('{"__proto__": "x"}') as Context,
  ];
  const badSealing = [
    { cipher: 'AES-256-CBC' },
    { cipher: 'constructor' },
    { digest: 'MD5' },
    { digest: 'constructor' },
    { comment: '\ud800' },
    { comment: 'x'.repeat(409_600) },
  ];
  const ofEach = badNames.map((name) => ({ name }));
  const options = [
    ...badVersions.map((version) => ({ version })),
    ...badContexts.map((context) => ({ context })),
  ];
  // With the name it is too long, which getAll cannot know before it has read the names.
  const longContext = { context: { k: 'v'.repeat(8191) } };
  const puts = [...ofEach, ...options, longContext, ...badSealing];
  const describedAs = (bad: object): string => JSON.stringify(bad).slice(0, 60);
  const cases: [method: string, bad: object, call: () => Promise<unknown>][] = [
    ...puts.flatMap((bad): typeof cases => {
      const { name, ...rest } = { name: 'n', ...bad };
      const several = [...many, { name, value }];
      return [
        ['put', bad, () => credstash.put(name, value, rest)],
        ['put -a', bad, () => credstash.put(name, value, { ...rest, autoversion: true })],
        ['putAll', bad, () => outcomes(rest, several)],
        ['putAll, skipUnchanged', bad, () => outcomes({ ...rest, skipUnchanged: true }, several)],
      ];
    }),
    ['put', { value: 'of 410 KB' }, () => credstash.put('n', Buffer.alloc(410_000))],
    ['putAll', { name: 'twice' }, () => outcomes({}, [...many, ...many])],
    ...[...ofEach, ...options, longContext].map((bad): (typeof cases)[number] => {
      const { name, ...rest } = { name: 'n', ...bad };
      return ['get', bad, () => credstash.get(name, rest)];
    }),
    ...options.map((bad): (typeof cases)[number] => [
      'getAll',
      bad,
      () => credstash.getAll({ ...bad, skipUndecryptable: true }),
    ]),
    ...[...ofEach, ...badVersions.map((version) => ({ version }))].map(
      (bad): (typeof cases)[number] => {
        const { name, ...rest } = { name: 'n', ...bad };
        return ['delete', bad, () => credstash.delete(name, rest)];
      },
    ),
  ];

  it.each(cases.map(([method, bad, call]) => [method, describedAs(bad), call] as const))(
    '%s: %s',
    async (_, __, call) => {
      const refused = expect.toSatisfy(
        (thrown: unknown) => thrown instanceof CredstashError && thrown.exitStatus === 2,
      ) as Error;
      await expect(call()).rejects.toEqual(refused);
      expect(calls).toEqual([]);
      expect(keysSeen).toEqual([]);
    },
  );
});

describe('no data key is unwrapped for an item that is malformed', () => {
  const dynamodb = mockClient(DynamoDBClient);
  const store = new AwsEntryStore(
    new Table(new DynamoDBClient({ region: 'eu-west-1' }), 't', 'eu-west-1'),
  );
  const sealed: Omit<Entry, 'cipher'> = {
    name: 'n',
    version: '0000000000000000001',
    digest: 'SHA256',
    key: Buffer.alloc(100, 1),
    contents: Buffer.alloc(40, 2),
    hmac: Buffer.alloc(32, 3),
  };
  const created = '2026-11-23T09:31:00Z';
  const current = encodeItem({ ...sealed, cipher: 'AES-256-GCM', created, comment: 'c' });
  const original = encodeItem({ ...sealed, cipher: 'AES-256-CTR', comment: 'c' });
  const wrongTypes = [{ N: '1' }, { NULL: true }, { L: [] }, {}, { S: 'x', B: Uint8Array.of(1) }];
  const otherType = (value: Attribute): Attribute =>
    'S' in value ? { B: Buffer.from(value.S) } : { S: Buffer.from(value.B).toString('base64') };

  /** Every attribute of `whole` but the `unread` left out, of another type, and with each of these in its place. */
  function broken(
    whole: Item,
    required: readonly string[],
    others: Readonly<Record<string, readonly object[]>>,
    mayBeNull: readonly string[] = [],
    unread: readonly string[] = [],
  ): [what: string, item: Record<string, unknown>][] {
    const read = Object.entries(whole).filter(([name]) => !unread.includes(name));
    return read.flatMap(([name, value]) => [
      ...(required.includes(name) ? [[`${name} left out`, without(whole, name)] as const] : []),
      ...[...wrongTypes, otherType(value), ...(others[name] ?? [])]
        .filter((wrong) => !('NULL' in wrong && mayBeNull.includes(name)))
        .map(
          (wrong) =>
            [
              `${name} as ${JSON.stringify(wrong).slice(0, 40)}`,
              { ...whole, [name]: wrong },
            ] as const,
        ),
    ]) as [string, Record<string, unknown>][];
  }

  function without(item: Item, name: string): object {
    return Object.fromEntries(Object.entries(item).filter(([each]) => each !== name));
  }

  const texts = (...all: string[]): object[] => all.map((S) => ({ S }));
  const wrongKeys = [{ B: new Uint8Array(0) }, { B: new Uint8Array(6145) }];
  const items = [
    ...broken(current, ['digest', 'created', 'key', 'contents', 'hmac'], {
      cipher: texts('', 'aes-256-gcm', 'AES-256-CTR', 'constructor'),
      digest: texts('', 'MD5', 'SHA', 'constructor'),
      created: texts('', 'yesterday', `${created}\n`),
      key: wrongKeys,
    }),
    // Its base64, hex and digest may be in any encoding that a port writes (test/vectors/ports.json).
    ...broken(
      original,
      ['key', 'contents', 'hmac'],
      {
        digest: texts('SHA25', 'constructor'),
        key: texts('', '!', '=='),
        contents: texts('!', '=='),
        hmac: texts('xx', 'abc', '0xAB'),
      },
      ['digest'],
      ['comment'],
    ),
  ];

  it.each(items)('%s', async (_, item) => {
    dynamodb.reset();
    dynamodb.on(QueryCommand).resolves({ Items: [item as Item] });
    dynamodb.on(GetItemCommand).resolves({ Item: item as Item });
    dynamodb.on(ScanCommand).resolves({ Items: [item as Item] });
    const onAws = Credstash.over({ keys: between(vault.keys), entries: store });
    const integrity = coded('INTEGRITY');
    await expect(onAws.get('n')).rejects.toThrow(integrity);
    await expect(onAws.get('n', { version: '1' })).rejects.toThrow(integrity);
    await expect(onAws.getAll()).rejects.toThrow(integrity);
    const one = [{ name: 'n', value }];
    for (const each of await outcomesOf(onAws.putAll(one, { skipUnchanged: true }))) {
      expect(each).toMatchObject({ done: 'failed', error: { code: 'INTEGRITY' } });
    }
    // Nothing but being told that one will be wanted.
    expect(calls.filter((call) => call !== 'warmUp')).toEqual([]);
  });

  it('and one is unwrapped for those that are not', async () => {
    for (const item of [current, original]) {
      dynamodb.reset();
      dynamodb.on(QueryCommand).resolves({ Items: [item] });
      calls = [];
      await expect(
        Credstash.over({ keys: between(vault.keys), entries: store }).get('n'),
      ).rejects.toThrow();
      expect(calls).toEqual(['warmUp', 'unwrap']);
    }
  });
});
