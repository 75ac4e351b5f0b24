import { copyFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { escapeUnseen } from '../../src/format/visible.ts';
import { compareUtf8 } from '../../src/util/utf8.ts';
import { awsEnv, backends, type Place, type Running, vault } from '../end-to-end/backends.ts';
import { type Database, openDatabase, type Value } from '../../src/backend/local/sqlite.ts';
import { join } from 'node:path';
import { originals, vectors } from '../seal/vectors.ts';
import { canary as CANARY, type Ended, expectTame, inProcess } from '../support/in-process.ts';
import { type KmsServer, startKmsServer } from '../support/kms-server.ts';
import { type Recorder, startRecorder } from '../support/recorder.ts';
import { Random, seed } from '../support/seed.ts';
import { isLong, size, Tally, timeout } from './campaign.ts';
import {
  type Genuine,
  type Hostile,
  hostile,
  nasty,
  Oracle,
  text,
  type Wire,
} from './hostile-items.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * A writer of the table makes items of every kind. Whatever they make: no crash, no hang, no stack trace, no byte of a
 * secret; status 5 or 6 with the entry named; and no other entry is hidden by it.
 */

/** The entry that nobody touched; the others are told apart by it. */
const HONEST = 'honest';

const home = temporaryFolder();
const random = new Random(seed);
const tally = new Tally();

/** All of these in the long form; in the short one as many as `count`, chosen at random. */
function sample<T>(of: readonly T[], count = 1): readonly T[] {
  if (isLong) return of;
  const left = [...of];
  return Array.from({ length: count }, () => left.splice(random.below(left.length), 1)).flat();
}

/** A table that answers with what it is told to, also with what DynamoDB would never store. */
class Table {
  items: readonly Wire[] = [];
  /** Where it is set, the answer to whatever is asked for. */
  only: Wire | undefined;
  /** Items to a page. */
  page = Infinity;
  stored: Wire[] = [];

  answer(action: string, sent: string): object {
    const input = JSON.parse(sent) as Record<string, unknown>;
    switch (action) {
      case 'DynamoDB.PutItem':
        this.stored.push(input['Item'] as Wire);
        return {};
      case 'DynamoDB.GetItem':
        return this.only ? { Item: this.only } : this.#found(input['Key'] as Wire);
      case 'DynamoDB.Query':
        return { Items: this.only ? [this.only] : this.#query(input) };
      case 'DynamoDB.Scan':
        return this.#scan(input);
      default:
        return {};
    }
  }

  #found(key: Wire): object {
    const Item = this.items.find(
      (item) =>
        text(item, 'name') === text(key, 'name') && text(item, 'version') === text(key, 'version'),
    );
    return Item ? { Item } : {};
  }

  #query(input: Record<string, unknown>): Wire[] {
    const { ':name': name } = input['ExpressionAttributeValues'] as Record<string, { S: string }>;
    const sorted = this.items
      .filter((item) => text(item, 'name') === name?.S)
      .sort((a, b) => compareUtf8(text(a, 'version') ?? '', text(b, 'version') ?? ''));
    if (input['ScanIndexForward'] === false) sorted.reverse();
    return sorted.slice(0, Number(input['Limit'] ?? Infinity));
  }

  #scan(input: Record<string, unknown>): object {
    // All items are in one segment: DynamoDB's hash may do so too.
    if (Number(input['Segment'] ?? 0) > 0) return { Items: [] };
    const { name } = (input['ExclusiveStartKey'] ?? {}) as { name?: { S: string } };
    const start = Number(name?.S ?? 0);
    const end = start + this.page;
    const values = (input['ExpressionAttributeValues'] ?? {}) as Record<string, { S: string }>;
    const prefixes = Object.values(values).map(({ S }) => S);
    const Items = this.items
      .slice(start, end)
      .filter(
        (item) =>
          prefixes.length === 0 || prefixes.some((each) => text(item, 'name')?.startsWith(each)),
      );
    const next = { name: { S: String(end) }, version: { S: '0' } };
    return end < this.items.length ? { Items, LastEvaluatedKey: next } : { Items };
  }
}

let kms: KmsServer;
let recorder: Recorder;
const table = new Table();
/** Answers in the place of the table, where a test sets it. */
let answer: ((action: string) => { status: number; body: string } | undefined) | undefined;

beforeAll(async () => {
  kms = await startKmsServer();
  recorder = await startRecorder({ KMS: kms.url });
  recorder.meddle = (action, _, sent) => {
    const said = answer?.(action);
    if (said || !action.startsWith('DynamoDB')) return Promise.resolve(said);
    return Promise.resolve({ status: 200, body: JSON.stringify(table.answer(action, sent)) });
  };
});
afterAll(async () => {
  await Promise.all([kms.close(), recorder.close()]);
  tally.print('a hostile table');
});

/** @param foreign whether a service may say what nobody foresaw, which is status 1 */
async function cs(
  args: readonly string[],
  input?: string | Uint8Array,
  foreign = false,
): Promise<Ended> {
  const env = {
    ...awsEnv(recorder.url, recorder.url),
    HOME: home,
    AWS_MAX_ATTEMPTS: '1',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  const ended = await inProcess(args, { env, ...(input === undefined ? {} : { input }) });
  recorder.requests.length = 0;
  kms.requests.length = 0;
  tally.add('commands in this process');
  expectTame(foreign && ended.status === 1 ? { ...ended, status: 7 } : ended, args);
  return ended;
}

/** Secrets of both formats, with every digest, with a comment and without, in two versions or one. */
async function store(
  count: number,
  context: readonly string[],
  command: (args: readonly string[], input: Buffer) => Promise<{ status: number }>,
): Promise<Map<string, Buffer>> {
  const secrets = new Map<string, Buffer>();
  for (let i = 0; i < count; i += 1) {
    const name = i === 0 ? HONEST : `secret.${i % 7 === 2 ? i - 1 : i}`;
    const version = secrets.has(`${name} 1`) ? '2' : '1';
    const digest = ['SHA256', 'SHA384', 'SHA512'][i % 3] ?? '';
    const tail = i % 4 === 0 ? Buffer.of(0xff, 0x1b, i) : Buffer.from(`-${i}`);
    const secret = Buffer.concat([Buffer.from(`${CANARY}${i}`), tail]);
    const comment = i % 2 === 0 ? ['-c', `comment ${i}`] : [];
    const cipher = i % 3 === 2 ? ['--cipher', 'AES-256-CTR'] : [];
    const args = ['put', name, '-', ...context, '-v', version, '-d', digest, ...comment, ...cipher];
    expect((await command(args, secret)).status).toBe(0);
    secrets.set(`${name} ${version}`, secret);
  }
  return secrets;
}

function genuineOf(items: readonly Wire[], secrets: ReadonlyMap<string, Buffer>): Genuine[] {
  return items.map((item) => {
    const version = String(Number(text(item, 'version')));
    const secret = secrets.get(`${text(item, 'name')} ${version}`);
    if (!secret) throw new Error('not stored');
    return { item, secret };
  });
}

const isHandy = ({ length }: Buffer): boolean => length > 0 && length < 10_000;

/** The vectors that others wrote, with their data keys in this KMS. */
function fromVectors(): Genuine[] {
  const keys = new Set<string>();
  const own = vectors.flatMap(({ item, dataKey, secret }) => {
    const plaintext = Buffer.from(secret ?? '', 'base64');
    const name = text(item, 'name') ?? '';
    const key = Buffer.from(String(item['key']?.['B']), 'base64');
    // Large ones would take most of the time.
    if (secret === undefined || !isHandy(plaintext) || !('cipher' in item)) return [];
    // Vectors share wrapped keys that a key service would not.
    if (keys.has(key.toString('hex'))) return [];
    keys.add(key.toString('hex'));
    kms.importDataKey(key, { 'credstash:name': name }, Buffer.from(dataKey, 'base64'));
    return [{ item, secret: plaintext }];
  });
  const others = originals.flatMap(({ item, context, dataKey, secret }) => {
    if (Object.keys(context).length > 0 || !isHandy(Buffer.from(secret))) return [];
    const key = Buffer.from(String(item['key']?.['S']), 'base64');
    kms.importDataKey(key, {}, Buffer.from(dataKey, 'base64'));
    return [{ item, secret: Buffer.from(secret) }];
  });
  return [...own, ...others];
}

interface Reader {
  readonly context: readonly string[];
  readonly genuine: readonly Genuine[];
  readonly honest: Genuine;
}

async function reader(count: number, context: readonly string[]): Promise<Reader> {
  table.stored = [];
  const secrets = await store(count, context, cs);
  const all = genuineOf(table.stored, secrets);
  const [honest, ...genuine] = [...all, ...(context.length === 0 ? fromVectors() : [])];
  if (!honest) throw new Error('nothing was stored');
  return { context, genuine, honest };
}

/** What a getall opens of these items: the newest of each name. */
function newest(items: readonly Wire[]): Map<string, Wire> {
  const chosen = new Map<string, Wire>();
  for (const item of items) {
    const name = text(item, 'name') ?? '';
    const before = chosen.get(name);
    const version = text(item, 'version') ?? '';
    if (!before || compareUtf8(text(before, 'version') ?? '', version) < 0) chosen.set(name, item);
  }
  return chosen;
}

/** The name and version of an item, as an error gives them. */
function named(item: Wire): string {
  const part = (name: string): string => escapeUnseen(text(item, name) ?? '?');
  return `version ${part('version')} of ${part('name')}`;
}

function fromJson(stdout: Buffer): Map<string, Buffer> {
  const values = JSON.parse(stdout.toString()) as Record<string, string | { base64: string }>;
  return new Map(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === 'string' ? Buffer.from(value) : Buffer.from(value.base64, 'base64'),
    ]),
  );
}

function expectLines(stderr: string, starts: readonly string[]): void {
  const lines = stderr.split('\n').filter((line) => /^credstash: (error|warning): /.test(line));
  for (const [i, start] of starts.entries()) {
    if (!lines[i]?.startsWith(start))
      expect.unreachable(`${lines[i] ?? 'no line'} is not ${start}`);
  }
  expect(lines).toHaveLength(starts.length);
}

/** Every command that reads the whole table, on a table of hostile items and an honest one. */
async function readAll(
  { context, honest, genuine }: Reader,
  items: readonly Wire[],
  strict: boolean,
): Promise<void> {
  const oracle = new Oracle([honest, ...genuine]);
  table.items = items;
  const chosen = newest(items);
  const names = [...chosen.keys()].sort(compareUtf8);
  const opening = new Map<string, Buffer>();
  const failing: [name: string, item: Wire][] = [];
  for (const name of names) {
    const item = chosen.get(name) ?? {};
    const opened = oracle.opens(item);
    if (opened) opening.set(name, opened.secret);
    else failing.push([name, item]);
  }

  const some = await cs(['getall', ...context, '--skip-undecryptable']);
  expect(some.status).toBe(0);
  expect(fromJson(some.stdout)).toEqual(opening);
  expectLines(
    some.stderr,
    failing.map(
      ([name, item]) => `credstash: warning: ${escapeUnseen(name)} is left out: ${named(item)}`,
    ),
  );
  if (strict) {
    const all = await cs(['getall', ...context]);
    expect(failing.length === 0 ? [0] : [5, 6]).toContain(all.status);
    if (failing.length > 0) {
      expectLines(all.stderr, [
        `credstash: error: ${failing.length} of ${chosen.size} secrets`,
        ...failing.map(([name, item]) => `credstash: error: ${escapeUnseen(name)}: ${named(item)}`),
      ]);
    }
  }

  const list = await cs(['list']);
  expect(list).toMatchObject({ status: 0, stderr: '' });
  expect(list.stdout.toString().split('\n')).toHaveLength(items.length + 1);
  const rows = JSON.parse((await cs(['list', '--json'])).stdout.toString()) as Wire[];
  expect(rows.map(({ name }) => name).sort()).toEqual(
    items.map((item) => text(item, 'name') ?? '').sort(),
  );
  const keys = await cs(['keys']);
  expect(keys).toMatchObject({ status: 0, stderr: '' });
  expect(keys.stdout.toString()).toBe(names.map((name) => `${escapeUnseen(name)}\n`).join(''));

  const get = await cs(['get', '-n', HONEST, ...context]);
  expect(get).toMatchObject({ status: 0, stdout: honest.secret });
  const glob = await cs(['get', `${HONEST}*`, ...context]);
  expect(fromJson(glob.stdout)).toEqual(new Map([[HONEST, honest.secret]]));
}

/** Commands that ask for `name`, on a table that answers them with this item alone. */
async function askFor(
  { context, genuine, honest }: Reader,
  asked: Wire,
  item: Wire,
): Promise<void> {
  const [name, version] = [text(asked, 'name') ?? '', text(asked, 'version') ?? ''];
  const oracle = new Oracle([honest, ...genuine]);
  const opened = oracle.opens(item);
  const isNamed = text(item, 'name') === name;
  table.only = item;
  try {
    for (const pinned of [false, true]) {
      const found = text(item, 'version');
      const own = isNamed && (pinned ? found === version : found !== undefined);
      const ended = await cs(['get', '-n', name, ...context, ...(pinned ? ['-v', version] : [])]);
      if (opened && own) {
        expect(ended).toMatchObject({ status: 0, stdout: opened.secret });
      } else {
        expect([5, 6]).toContain(ended.status);
        expect(ended.stderr).toContain(own ? named(item) : escapeUnseen(name));
      }
    }
    table.stored = [];
    const put = await cs(['put', name, 'x', '-a', ...context]);
    expect([0, 2, 5]).toContain(put.status);
    expect(table.stored).toHaveLength(put.status === 0 ? 1 : 0);
    table.stored = [];
    const given = JSON.stringify({ [name]: `${CANARY}new` });
    const args = ['putall', '-', ...context, '--skip-unchanged', '-a'];
    const putAll = await cs(args, given);
    expect(opened && isNamed ? [0, 2] : [5, 6]).toContain(putAll.status);
    expect(table.stored).toHaveLength(putAll.status === 0 ? 1 : 0);
    const removed = await cs(['delete', name]);
    expect(isNamed ? [0, 5] : [5]).toContain(removed.status);
  } finally {
    table.only = undefined;
  }
}

function count(changes: readonly string[], became: string): void {
  tally.add(`${changes.length === 1 ? changes.join() : 'two of these at once'}: ${became}`);
}

describe('items of every kind', () => {
  test(
    'fail alone, by name, and give nothing of a secret',
    async () => {
      const goal = size(75, 100_000);
      const readers = [
        await reader(size(16, 240), []),
        await reader(size(8, 60), ['team=a', 'stage=b=c']),
      ];
      let made = 0;
      for (let batch = 0; made < goal; batch += 1) {
        const reader = readers[batch % 4 === size(1, 3) ? 1 : 0] as Reader;
        const { genuine, honest } = reader;
        const items: Wire[] = [honest.item];
        const asked: [Wire, Hostile][] = [];
        const oracle = new Oracle([honest, ...genuine]);
        for (const { item } of genuine) {
          const made = hostile(random, item, genuine);
          items.splice(random.below(items.length + 1), 0, made.item);
          // A version that is older, or newer, and is as it was.
          if (random.below(10) === 0) items.push(random.of(genuine).item);
          if (random.below(60) === 0) asked.push([item, made]);
          const because = oracle.opens(made.item)?.because;
          if (because) tally.add(`documented to open: ${because}`);
          count(made.changes, because ? 'opens' : 'fails');
        }
        made += genuine.length;
        table.page = random.of([7, 100, Infinity]);
        await readAll(reader, items, batch % 4 === 0);
        for (const [item, made] of asked) await askFor(reader, item, made.item);
      }
      tally.add('hostile items', made);
    },
    timeout,
  );
});

describe('answers of every kind', () => {
  const deep = (open: string, inner: string, close: string): string =>
    open.repeat(20_000) + inner + close.repeat(20_000);
  const row = (attributes: string): string => `{"Items":[{${attributes}}]}`;
  const key = '{"name":{"S":"n"},"version":{"S":"1"}}';
  const bodies = [
    ...['', 'null', '5', '""', '[]', '{}', '{', '<html>', '\ufeff{}', '{"Items":null}'],
    ...['{}', '5', '"abc"', 'true', '[null]', '[5]', '["a"]', '[[]]', '[{}, null]'].map(
      (items) => `{"Items":${items},"Item":${items}}`,
    ),
    ...['5', '[]', '"a"', '{}', key, '{"name":{}}', '{"name":{"B":"%"}}'].map(
      (next) => `{"Items":[],"LastEvaluatedKey":${next}}`,
    ),
    ...[
      'null',
      '[]',
      '{"S":null}',
      '{"B":"%%%"}',
      '{"B":5}',
      '{"L":5}',
      '{"M":5}',
      '{"BS":[5]}',
    ].map((name) => row(`"name":${name}`)),
    row(`"name":${deep('{"M":{"a":', '{"S":"x"}', '}}')}`),
    row(`"name":${deep('{"L":[', '{"S":"x"}', ']}')}`),
    deep('[', '', ']'),
    deep('{"Items":', '5', '}'),
    row(Array.from({ length: 50_000 }, (_, i) => `"${i}":{"S":"x"}`).join()),
    `{"Items":[${'{},'.repeat(100_000)}{}]}`,
  ];

  afterAll(() => {
    answer = undefined;
  });

  test(
    'of DynamoDB: no crash, no endless loop, and nothing that is taken for an empty table',
    async () => {
      for (const body of bodies) {
        answer = (action) => (action.startsWith('DynamoDB') ? { status: 200, body } : undefined);
        const commands = [
          ...[['list'], ['keys'], ['getall'], ['get', 'n'], ['get', 'n', '-v', '1']],
          ...[
            ['get', 'n', '--default', 'x'],
            ['put', 'n', 'x', '-a'],
            ['delete', 'n'],
          ],
        ];
        for (const args of sample(commands)) {
          const { status } = await cs(args);
          // What can be read is a list of items that are no entries: a listing shows them.
          const isList = body.startsWith('{"Items":[{') && body.endsWith('}]}');
          const shown = isList && ['list', 'keys'].includes(args[0] ?? '');
          if (!(shown ? [0, 7] : [5, 7]).includes(status)) {
            expect.unreachable(`${args.join(' ')}: ${status} for ${body.slice(0, 100)}`);
          }
          tally.add(`answers of DynamoDB: status ${status}`);
        }
      }
    },
    timeout,
  );

  test(
    'of a page that is huge: it is read',
    async () => {
      answer = undefined;
      const { honest } = await reader(1, []);
      table.items = [];
      const large = { ...honest.item, comment: { S: '\x1b'.repeat(size(300_000, 20_000_000)) } };
      const many = Array.from({ length: size(1500, 100_000) }, (_, i) => ({
        ...large,
        name: { S: `n${i}` },
        comment: {},
      }));
      table.items = [{ ...large, name: { S: 'large' } }, ...many, honest.item];
      table.page = Infinity;
      expect(await cs(['list', HONEST])).toMatchObject({ status: 0, stderr: '' });
      expect((await cs(['list'])).stdout.toString().split('\n')).toHaveLength(many.length + 3);
      expect(await cs(['get', '-n', HONEST])).toMatchObject({ status: 0, stdout: honest.secret });
      expect((await cs(['get', 'large'])).status).toBe(6);
      expect((await cs(['getall'])).status).toBe(5);
    },
    timeout,
  );

  test(
    'of KMS, and errors of both: no crash, nothing stored, and no control character of theirs',
    async () => {
      table.items = [(await reader(1, [])).honest.item];
      const wrapped = '"CiphertextBlob":"YQ=="';
      const bodies = [
        ...['', 'null', '[]', '{}', '5', '<html>', '{', deep('{"a":', '5', '}')],
        ...['null', '5', '""', '"YQ=="', '"%%%"', '[]', '{}', `"${'A'.repeat(88)}"`].flatMap(
          (plaintext) => [`{"Plaintext":${plaintext}}`, `{"Plaintext":${plaintext},${wrapped}}`],
        ),
        `{"Plaintext":"${Buffer.alloc(64).toString('base64')}","CiphertextBlob":""}`,
      ];
      const errors = [
        'AccessDeniedException',
        'ValidationException',
        'Odd',
        '\x1b[2J',
        '',
        'a#b:c',
      ];
      const said = [
        ...bodies.map((body) => ({ status: 200, body })),
        ...errors.flatMap((code) =>
          [400, 403].map((status) => ({
            status,
            body: JSON.stringify({ __type: code, message: '\x1b]0;owned\x07\u202e\n\ud800' }),
          })),
        ),
      ];
      for (const each of said) {
        answer = (action) => (action.startsWith('KMS') ? each : undefined);
        table.stored = [];
        for (const args of sample([['get', HONEST], ['getall'], ['put', 'n', `${CANARY}x`]])) {
          const { status } = await cs(args, undefined, each.status !== 200);
          expect(status === 0 ? JSON.stringify([args, each]) : '').toBe('');
          tally.add(`answers of KMS: status ${status}`);
        }
        expect(table.stored).toEqual([]);
        if (each.status === 200) continue;
        answer = (action) => (action.startsWith('DynamoDB') ? each : undefined);
        for (const args of sample([['list'], ['get', 'n'], ['delete', 'n'], ['setup']])) {
          const { status } = await cs(args, undefined, true);
          expect(status).not.toBe(0);
          tally.add(`errors of DynamoDB: status ${status}`);
        }
      }
    },
    timeout,
  );
});

/** An item as a table gives it to the SDK, in DynamoDB JSON. */
function wire(item: object): Wire {
  return Object.fromEntries(
    Object.entries(item).map(([name, value]: [string, { B?: Uint8Array } | undefined]) => [
      name,
      value?.B ? { B: Buffer.from(value.B).toString('base64') } : value,
    ]),
  );
}

/** Stores genuine entries at a place, by commands in this process. */
async function storeAt(place: Place, count: number): Promise<Genuine[]> {
  const secrets = await store(count, [], (args, input) => {
    const env = { ...place.env, HOME: home, AWS_EC2_METADATA_DISABLED: 'true' };
    return inProcess([...place.args, ...args], { env, input });
  });
  return genuineOf((await place.items()).map(wire), secrets);
}

/** Runs the built command, which must be tame. */
async function built(place: Place, args: readonly string[]): Promise<Ended> {
  const { status, stdout, stderr } = await place.raw(args);
  const ended = { status: status ?? -1, stdout, stderr };
  tally.add('commands as processes');
  expectTame(ended, args);
  return ended;
}

describe.each(backends.filter((each) => each !== vault))('in $name', ({ start }) => {
  let running: Running;
  beforeAll(async () => {
    running = await start();
  });
  afterAll(() => running.close());

  test(
    'what it stores of that fails alone, by name',
    async () => {
      for (let round = 0; round < size(1, 5); round += 1) {
        const place = await running.place();
        const all = await storeAt(place, size(12, 60));
        const honest = all.find(({ item }) => text(item, 'name') === HONEST);
        const genuine = all.filter((each) => each !== honest);
        const oracle = new Oracle(all);
        const names = new Set<string>();
        for (const { item } of genuine) {
          const made = hostile(random, item, genuine).item;
          try {
            await place.plant(made as unknown as Parameters<Place['plant']>[0]);
            names.add(text(made, 'name') ?? '');
          } catch {
            tally.add('items that DynamoDB does not store');
          }
        }
        const items = (await place.items()).map(wire);
        const newestOf = newest(items);
        for (const args of [['list'], ['list', '--json'], ['keys']]) {
          expect(await built(place, args)).toMatchObject({ status: 0, stderr: '' });
        }
        const opening = new Map<string, Buffer>();
        for (const [name, item] of newestOf) {
          const opened = oracle.opens(item);
          if (opened) opening.set(name, opened.secret);
        }
        const some = await built(place, ['getall', '--skip-undecryptable']);
        expect(fromJson(some.stdout)).toEqual(opening);
        expect((await built(place, ['getall'])).status).not.toBe(0);
        const get = await built(place, ['get', '-n', HONEST]);
        expect(get).toMatchObject({ status: 0, stdout: honest?.secret });

        // No command line has a NUL or half of a surrogate pair; a * asks for more than one.
        const askable = [...names].filter((name) => !/[\0*]/.test(name) && name.isWellFormed());
        for (const name of askable.slice(0, size(2, 60))) {
          const item = newestOf.get(name) ?? {};
          const opened = oracle.opens(item);
          const one = await built(place, ['get', '-n', '--', name]);
          if (opened) {
            expect(one).toMatchObject({ status: 0, stdout: opened.secret });
          } else {
            expect([5, 6]).toContain(one.status);
            expect(one.stderr).toContain(named(item));
          }
          expect((await built(place, ['delete', '--', name])).status).toBe(0);
          tally.add('hostile items as processes');
        }
      }
    },
    timeout,
  );
});

describe('in the vault', () => {
  const columns = 'name version cipher digest created comment key contents hmac labels'.split(' ');

  /** The vault's database, with the entries as they were stored in `kept.entries`. */
  function open(folder: string): Database {
    const database = openDatabase(join(folder, 'vault.db'));
    database.exec(`ATTACH '${folder}.kept' AS kept`);
    return database;
  }

  function change(folder: string, sql: string, ...values: Value[]): void {
    const database = open(folder);
    try {
      database.run(sql, ...values);
    } finally {
      database.close();
    }
  }

  function ask(folder: string, what: string, where: string, ...values: Value[]): Value {
    const database = open(folder);
    try {
      const [row] = database.all(`SELECT ${what} AS it FROM entries WHERE ${where}`, ...values);
      return row?.['it'] ?? null;
    } finally {
      database.close();
    }
  }

  test(
    'rows that SQL changed fail alone, by name',
    async () => {
      const running = await vault.start();
      const place = running.absent();
      const folder = place.where.replace('the vault ', '');
      const local = (args: readonly string[]): Promise<Ended> => cs([...place.args, ...args]);
      const all = await storeAt(place, 4);
      const honest = all.find(({ item }) => text(item, 'name') === HONEST);
      copyFileSync(join(folder, 'vault.db'), `${folder}.kept`);
      const values: [what: string, sql: string, ...bind: Value[]][] = [
        ['NULL', 'NULL'],
        ['an integer', '5'],
        ['a large integer', '9223372036854775807'],
        ['a real', '1e300'],
        ['an empty text', "''"],
        ['an empty blob', "x''"],
        ['a text', '?', nasty(random).toWellFormed().replaceAll('\0', '')],
        ['a text with a NUL', "'a' || char(0) || 'b'"],
        ['a text that is no UTF-8', "CAST(x'ff41c0' AS TEXT)"],
        ['a blob', "x'00ff1b'"],
        ['a huge text', 'hex(zeroblob(1000000))'],
        ['a huge blob', 'zeroblob(2000000)'],
        ["another row's", '(SELECT max(COLUMN) FROM kept.entries)'],
        ['the same as a text', 'CAST(COLUMN AS TEXT)'],
        ['the same as a blob', 'CAST(COLUMN AS BLOB)'],
        ['the same and more', "COLUMN || 'x'"],
      ];
      const isOriginal = (item: Wire): boolean => !('cipher' in item);
      for (const { item, secret } of all.filter((each) => each !== honest)) {
        const own = [text(item, 'name') ?? '', text(item, 'version') ?? ''];
        for (const column of columns) {
          for (const [what, sql, ...bind] of values) {
            if (random.below(size(30, 1)) > 0) continue;
            change(folder, 'DELETE FROM entries');
            change(folder, `INSERT INTO entries SELECT ${columns.join()} FROM kept.entries`);
            const id = ask(folder, 'rowid', 'name = ? AND version = ?', ...own);
            const set = `UPDATE entries SET ${column} = ${sql.replaceAll('COLUMN', column)}`;
            try {
              change(folder, `${set} WHERE rowid = ?`, ...bind, id);
            } catch {
              tally.add('vault: rows that SQLite does not store');
              continue;
            }
            const is = ask(folder, `typeof(${column})`, 'rowid = ?', id);
            const same = ask(
              folder,
              `${column} IS (SELECT ${column} FROM kept.entries WHERE name = ? AND version = ?)`,
              'rowid = ?',
              ...own,
              id,
            );
            const noComment = column === 'comment' && !('comment' in item);
            const mayOpen =
              same === 1 ||
              // Nothing authenticates labels, and nothing is read of them but which version they are on.
              column === 'labels' ||
              (noComment && what === 'an empty text') ||
              (isOriginal(item) &&
                // Nothing authenticates a comment, and no reader of the original looks at it.
                (['created', 'comment'].includes(column) ||
                  (['name', 'version'].includes(column) && is === 'text') ||
                  (column === 'digest' && is === 'null') ||
                  // Behind its padding nothing of base64 is read, as Python has it.
                  (['key', 'contents'].includes(column) && what === 'the same and more') ||
                  (column === 'hmac' && what === 'the same as a text')));
            const label = `${column} as ${what} in ${own.join(' ')}`;

            const some = await local(['getall', '--skip-undecryptable']);
            expect(some.status, label).toBe(0);
            const opened = fromJson(some.stdout);
            expect(opened.get(HONEST), label).toEqual(honest?.secret);
            for (const [name, value] of opened) {
              const stored = all.filter(
                (each) =>
                  each.secret.equals(value) &&
                  (text(each.item, 'name') === name || isOriginal(each.item)),
              );
              expect(stored, label).not.toEqual([]);
              if (value.equals(secret)) expect(mayOpen, label).toBe(true);
            }
            const list = await local(['list']);
            expect(list.stdout.toString().split('\n'), label).toHaveLength(all.length + 1);
            const name = own[0] ?? '';
            const others = [
              ...[['getall'], ['list', '--json'], ['list', '-l'], ['keys'], ['get', name]],
              ...[
                ['history', name],
                ['get', name, '--label', 'live'],
                ['migrate', '--dry-run'],
              ],
            ];
            for (const args of sample(others, 3)) {
              await local(args);
            }
            tally.add(`vault: rows with a changed ${column}`);
          }
        }
      }
      await running.close();
    },
    timeout,
  );
});
