import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Credstash } from '../../src/credstash.ts';
import { CredstashError, hasCode } from '../../src/errors.ts';
import { followChanges } from '../../src/operations/follow.ts';
import { Looker, type Seen } from '../../src/operations/look.ts';
import type { WatchRequest } from '../../src/operations/index.ts';
import { type Aws, dynamoEngines, startAws } from '../support/aws.ts';
import { createTable } from '../support/dynamo.ts';
import { eventually } from '../support/eventually.ts';
import { makeGate } from '../support/gate.ts';
import { awsError, type Recorder, startRecorder } from '../support/recorder.ts';
import { testCredential } from '../support/sigv4.ts';
import { text } from '../support/bytes.ts';

/** Far below what `watch` takes: these tests call what is behind it. */
const INTERVAL = 40;

interface Watching {
  /** The sets so far, each with the values of its secrets by name. */
  readonly sets: Record<string, string>[];
  readonly errors: unknown[];
  /** Whatever ended it. */
  readonly ended: Promise<unknown>;
  readonly stop: () => Promise<unknown>;
}

const watches: Watching[] = [];
afterEach(async () => {
  await Promise.all(watches.splice(0).map(({ stop }) => stop()));
});

function start(
  credstash: Credstash,
  wanted: readonly WatchRequest[],
  interval = INTERVAL,
): Watching {
  const controller = new AbortController();
  const { signal } = controller;
  const sets: Record<string, string>[] = [];
  const errors: unknown[] = [];
  const onError = (error: unknown): void => {
    errors.push(error);
  };
  // As `watch` does, which takes no interval as short as this.
  const named = wanted.flatMap((each) => ('glob' in each ? [] : [each]));
  const globs = wanted.flatMap((each) => ('glob' in each ? [each] : []));
  const fetch = async (): Promise<{ name: string; value: Uint8Array }[]> => {
    const all = await Promise.all(globs.map((each) => credstash.getAll(each)));
    return [...(await credstash.getMany(named)), ...all.flatMap(({ secrets }) => secrets)];
  };
  const following = credstash.follow(
    wanted,
    { interval, signal, onError },
    { fetch, secretsOf: (secrets) => secrets },
  );
  const ended = (async () => {
    try {
      for await (const set of following) {
        sets.push(Object.fromEntries(set.map(({ name, value }) => [name, text(value)])));
      }
      return undefined;
    } catch (error) {
      return error;
    }
  })();
  const stop = (): Promise<unknown> => {
    controller.abort(new Error('stopped'));
    return ended;
  };
  const watching = { sets, errors, ended, stop };
  watches.push(watching);
  return watching;
}

/** Lets several looks pass. */
const wait = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, INTERVAL * 8));

let counter = 0;

interface Place {
  readonly open: () => Promise<Credstash>;
  readonly close: () => Promise<void>;
}

const places: [name: string, start: () => Promise<Place>][] = [
  [
    'in memory',
    () =>
      Promise.resolve({
        open: () => Promise.resolve(Credstash.inMemory()),
        close: () => Promise.resolve(),
      }),
  ],
  [
    'in a vault',
    () => {
      const folder = mkdtempSync(join(tmpdir(), 'credstash-follow-'));
      return Promise.resolve({
        open: () => Promise.resolve(Credstash.local(join(folder, String(++counter)))),
        close: () => {
          rmSync(folder, { recursive: true, force: true });
          return Promise.resolve();
        },
      });
    },
  ],
  // Labels need transactions, which dynalite has not.
  ...dynamoEngines()
    .filter(({ name }) => name !== 'dynalite')
    .map(({ name, start }): [string, () => Promise<Place>] => [
      `on ${name}`,
      async () => {
        const aws = await startAws(start);
        return {
          open: async () => {
            const table = `follow-${++counter}`;
            await createTable(aws.dynamo.url, table);
            return openAt(aws, table, { DynamoDB: aws.dynamo.url, KMS: aws.kms.url });
          },
          close: aws.close,
        };
      },
    ]),
];

function openAt(_: Aws, table: string, urls: { DynamoDB: string; KMS: string }): Credstash {
  return new Credstash({
    region: 'us-east-1',
    table,
    credentials: testCredential,
    clientOptions: { dynamodb: { endpoint: urls.DynamoDB }, kms: { endpoint: urls.KMS } },
  });
}

describe.each(places)('%s', (_, startPlace) => {
  let place: Place;
  beforeAll(async () => {
    place = await startPlace();
  });
  afterAll(() => place.close());

  it('a new version, by a name and by a pattern, and a secret that a pattern matches from now on', async () => {
    const credstash = await place.open();
    await credstash.putAll([
      { name: 'a', value: '1' },
      { name: 'app.b', value: '1' },
      { name: 'other', value: '1' },
    ]);
    const { sets, errors } = start(credstash, [{ name: 'a' }, { glob: 'app.*' }]);
    await eventually(() => {
      expect(sets).toEqual([{ a: '1', 'app.b': '1' }]);
    });
    await credstash.put('a', '2', { autoversion: true });
    await eventually(() => {
      expect(sets[1]).toEqual({ a: '2', 'app.b': '1' });
    });
    await credstash.put('app.b', '2', { autoversion: true });
    await eventually(() => {
      expect(sets[2]).toEqual({ a: '2', 'app.b': '2' });
    });
    await credstash.put('app.new', '1');
    await eventually(() => {
      expect(sets[3]).toEqual({ a: '2', 'app.b': '2', 'app.new': '1' });
    });
    await credstash.put('other', '2', { autoversion: true });
    // The older version, and a label that nobody asks for, change nothing.
    await credstash.delete('a', { version: '1' });
    await wait();
    expect(sets).toHaveLength(4);
    expect(errors).toEqual([]);
    await credstash.close();
  });

  it('a label that moves, and no other version', async () => {
    const credstash = await place.open();
    await credstash.put('a', '1', { label: 'live' });
    const { sets, errors } = start(credstash, [{ name: 'a', label: 'live' }]);
    await eventually(() => {
      expect(sets).toEqual([{ a: '1' }]);
    });
    await credstash.put('a', '2', { autoversion: true });
    await wait();
    expect(sets).toHaveLength(1);
    await credstash.label('a', 'live');
    await eventually(() => {
      expect(sets).toEqual([{ a: '1' }, { a: '2' }]);
    });
    await credstash.unlabel('a', 'live');
    await eventually(() => {
      expect(errors).toHaveLength(1);
    });
    expect(String(errors[0])).toContain('no version of a has the label live any more');
    await credstash.label('a', 'live', { version: '1' });
    await eventually(() => {
      expect(sets[2]).toEqual({ a: '1' });
    });
    await credstash.close();
  });

  it('a deleted secret is told once, and yields nothing; what changes later does', async () => {
    const credstash = await place.open();
    await credstash.putAll([
      { name: 'app.a', value: '1' },
      { name: 'app.b', value: '1' },
    ]);
    const { sets, errors } = start(credstash, [{ glob: 'app.*' }]);
    await eventually(() => {
      expect(sets).toHaveLength(1);
    });
    await credstash.delete('app.a');
    await eventually(() => {
      expect(errors).toHaveLength(1);
    });
    expect(hasCode(errors[0], 'SECRET_NOT_FOUND')).toBe(true);
    expect(String(errors[0])).toContain('the secret app.a is no longer in');
    await wait();
    expect([sets.length, errors.length]).toEqual([1, 1]);
    await credstash.put('app.b', '2', { autoversion: true });
    await eventually(() => {
      expect(sets).toEqual([{ 'app.a': '1', 'app.b': '1' }, { 'app.b': '2' }]);
    });
    await credstash.put('app.a', '3');
    await eventually(() => {
      expect(sets[2]).toEqual({ 'app.a': '3', 'app.b': '2' });
    });
    expect(errors).toHaveLength(1);
    await credstash.close();
  });
});

describe('with requests that are counted, or fail', () => {
  let aws: Aws;
  let recorder: Recorder;
  beforeAll(async () => {
    const [engine] = dynamoEngines();
    if (!engine) throw new Error('no engine');
    aws = await startAws(engine.start);
    recorder = await startRecorder({ DynamoDB: aws.dynamo.url, KMS: aws.kms.url });
  });
  afterAll(async () => {
    await recorder.close();
    await aws.close();
  });
  afterEach(() => {
    recorder.meddle = undefined;
    vi.restoreAllMocks();
  });

  const open = async (): Promise<{ direct: Credstash; watched: Credstash }> => {
    const table = `counted-${++counter}`;
    await createTable(aws.dynamo.url, table);
    const direct = openAt(aws, table, { DynamoDB: aws.dynamo.url, KMS: aws.kms.url });
    const watched = openAt(aws, table, { DynamoDB: recorder.url, KMS: recorder.url });
    return { direct, watched };
  };

  /** The requests of one look that follows the first set. */
  async function countLook(watched: Credstash, wanted: WatchRequest[]): Promise<string[]> {
    const looks = vi.spyOn(Looker.prototype, 'look');
    /** For each request, how many looks had begun. */
    const begun: number[] = [];
    recorder.requests.length = 0;
    recorder.meddle = () => {
      begun.push(looks.mock.calls.length);
      return Promise.resolve(undefined);
    };
    const { stop } = start(watched, wanted);
    // The first set is got between two of them. The third finds it as it was, so that nothing else is sent before the fourth.
    await eventually(() => {
      expect(looks.mock.calls.length).toBeGreaterThan(3);
    });
    await stop();
    const ofThird = recorder.requests.filter((_, i) => begun[i] === 3);
    return ofThird.map(({ action, sent }) => {
      const { ProjectionExpression } = JSON.parse(sent) as { ProjectionExpression?: string };
      return `${action} of ${ProjectionExpression?.includes('contents') === false ? 'headers' : 'all'}`;
    });
  }

  const small = Array.from({ length: 30 }, (_, i) => ({ name: `s.${i}`, value: 'x' }));

  let counted: Promise<Credstash> | undefined;
  /** One table for all counts. */
  const openCounted = (): Promise<Credstash> =>
    (counted ??= (async () => {
      const { direct, watched } = await open();
      await direct.putAll(small);
      return watched;
    })());

  it.each([
    ['a name: one query', [{ name: 's.1' }], { 'DynamoDB.Query of headers': 1 }],
    [
      'a few names, of a table that no scan has measured: a query each',
      [{ name: 's.1' }, { name: 's.2', version: '1' }, { name: 's.2' }, { name: 's.3' }],
      { 'DynamoDB.Query of headers': 3 },
    ],
    [
      'more names than the table has pages: one scan',
      small.map(({ name }) => ({ name })),
      { 'DynamoDB.Scan of headers': 1 },
    ],
    ['a pattern: one scan', [{ glob: 's.*' }, { name: 's.1' }], { 'DynamoDB.Scan of headers': 1 }],
  ] as const)('a look at %s, and nothing of KMS', async (_, wanted, expected) => {
    const watched = await openCounted();
    const counts: Record<string, number> = {};
    for (const each of await countLook(watched, [...wanted]))
      counts[each] = (counts[each] ?? 0) + 1;
    expect(counts).toEqual(expected);
  });

  it('a pattern that matches few secrets of a large table: a query each, and a scan now and then', async () => {
    const { direct, watched } = await open();
    // Three in a page of a scan.
    const large = Array.from({ length: 12 }, (_, i) => ({
      name: `l.${i}`,
      value: 'x'.repeat(250_000),
    }));
    await direct.putAll([...large, { name: 'few.a', value: '1' }, { name: 'few.b', value: '1' }]);
    const { sets } = start(watched, [{ glob: 'few.*' }]);
    await eventually(() => {
      expect(sets).toHaveLength(1);
    });
    recorder.requests.length = 0;
    await eventually(() => {
      expect(
        recorder.requests.filter(({ action }) => action.endsWith('Query')).length,
      ).toBeGreaterThan(9);
    });
    await direct.put('few.c', '1');
    await eventually(() => {
      expect(sets[1]).toEqual({ 'few.a': '1', 'few.b': '1', 'few.c': '1' });
    });
    await direct.put('few.c', '2', { autoversion: true });
    await eventually(() => {
      expect(sets[2]).toMatchObject({ 'few.c': '2' });
    });
  });

  it('many names of a large table: the scan is given up, and never made again', async () => {
    const { direct, watched } = await open();
    const large = Array.from({ length: 40 }, (_, i) => ({
      name: `l.${i}`,
      value: 'x'.repeat(250_000),
    }));
    await direct.putAll(large);
    recorder.requests.length = 0;
    const { sets } = start(
      watched,
      large.slice(0, 11).map(({ name }) => ({ name })),
    );
    await eventually(() => {
      expect(sets).toHaveLength(1);
    });
    const scans = recorder.requests.filter(({ action }) => action.endsWith('Scan'));
    expect(scans.length).toBeGreaterThan(0);
    await wait();
    expect(recorder.requests.filter(({ action }) => action.endsWith('Scan'))).toHaveLength(
      scans.length,
    );
  });

  it('a role that may not scan: many names are queried', async () => {
    const { direct, watched } = await open();
    const many = small.slice(0, 11);
    await direct.putAll(many);
    recorder.meddle = (action) =>
      Promise.resolve(action.endsWith('Scan') ? awsError('AccessDeniedException') : undefined);
    const { sets, errors } = start(
      watched,
      many.map(({ name }) => ({ name })),
    );
    await eventually(() => {
      expect(sets).toHaveLength(1);
    });
    await direct.put('s.7', 'new', { autoversion: true });
    await eventually(() => {
      expect(sets[1]).toMatchObject({ 's.7': 'new', 's.8': 'x' });
    });
    expect(errors).toEqual([]);
  });

  it('a look that fails at the start keeps nobody from the secrets, and what fails later is told once', async () => {
    const { direct, watched } = await open();
    await direct.putAll(small.slice(0, 2));
    let denied = true;
    recorder.meddle = (action, _, sent) =>
      Promise.resolve(
        denied && action.endsWith('Query') && sent.includes('ProjectionExpression')
          ? awsError('AccessDeniedException')
          : undefined,
      );
    const { sets, errors } = start(watched, [{ name: 's.0' }, { name: 's.1' }]);
    await eventually(() => {
      expect(errors).toHaveLength(1);
    });
    await direct.put('s.1', 'new', { autoversion: true });
    await wait();
    expect(sets).toEqual([{ 's.0': 'x', 's.1': 'x' }]);
    expect(errors.map((error) => hasCode(error, 'ACCESS_DENIED'))).toEqual([true]);
    denied = false;
    await eventually(() => {
      expect(sets[1]).toEqual({ 's.0': 'x', 's.1': 'new' });
    });
  });

  it('a change that cannot be got whole is told once, and tried again until it can', async () => {
    const { direct, watched } = await open();
    await direct.putAll(small.slice(0, 2));
    const { sets, errors } = start(watched, [{ name: 's.0' }, { name: 's.1' }]);
    await eventually(() => {
      expect(sets).toHaveLength(1);
    });
    recorder.meddle = (action) =>
      Promise.resolve(action === 'KMS.Decrypt' ? awsError('AccessDeniedException') : undefined);
    await direct.put('s.1', 'new', { autoversion: true });
    await eventually(() => {
      expect(errors).toHaveLength(1);
    });
    const tried = (): number =>
      recorder.requests.filter(({ action }) => action === 'KMS.Decrypt').length;
    const before = tried();
    await eventually(() => {
      expect(tried()).toBeGreaterThan(before + 3);
    });
    expect([sets.length, errors.length]).toEqual([1, 1]);
    recorder.meddle = undefined;
    await eventually(() => {
      expect(sets[1]).toEqual({ 's.0': 'x', 's.1': 'new' });
    });
  });

  it('no set mixes versions from before and after a change', async () => {
    const { direct, watched } = await open();
    const names = ['s.0', 's.1', 's.2'];
    await direct.putAll(names.map((name) => ({ name, value: '0' })));
    let generation = 0;
    const rotate = async (): Promise<void> => {
      generation += 1;
      const value = String(generation);
      for (const name of names) await direct.put(name, value, { autoversion: true });
    };
    // Each get of s.1 finds that all of them have just been rotated, once for each turn.
    let turns = 0;
    // Between two rotations nothing is on its way: what stands between two of its puts is whole for a moment, too.
    let pause = Promise.resolve();
    recorder.meddle = async (action, _, sent) => {
      await pause;
      const isGet = action.endsWith('Query') && !sent.includes('ProjectionExpression');
      if (isGet && sent.includes('"s.1"') && turns > 0) {
        turns -= 1;
        await rotate();
      }
      return undefined;
    };
    turns = 2;
    const { sets } = start(
      watched,
      names.map((name) => ({ name })),
    );
    await eventually(() => {
      expect(sets).toHaveLength(1);
    });
    const { opened, open: goOn } = makeGate();
    pause = opened;
    await rotate();
    turns = 2;
    goOn();
    await eventually(() => {
      expect(sets.at(-1)?.['s.0']).toBe(String(generation));
      expect(turns).toBe(0);
    });
    for (const set of sets) expect(new Set(Object.values(set)).size).toBe(1);
  });
});

describe('followChanges', () => {
  const seenOf = (versions: Record<string, string>): Seen =>
    new Map(Object.entries(versions).map(([name, found]) => [name, { name, which: {}, found }]));
  const encode = (value: string): Uint8Array => Buffer.from(value);

  it('a burst of changes is one set', async () => {
    let looks = 0;
    let gets = 0;
    const versions = ['1', '1', '1', '2', '3', '4', '5', '5', '5'];
    const controller = new AbortController();
    const following = followChanges(
      {
        look: () => Promise.resolve(seenOf({ a: versions[looks++] ?? '5' })),
        fetch: () => Promise.resolve([{ name: 'a', value: encode(`get ${++gets}`) }]),
        secretsOf: (set) => set,
        location: () => 'here',
      },
      { interval: 10, settle: 5, signal: controller.signal },
      () => undefined,
    );
    const next = async (): Promise<string> => {
      const result = await following.next();
      return result.done ? '' : text(result.value[0]?.value ?? encode(''));
    };
    expect(await next()).toBe('get 1');
    expect(await next()).toBe('get 2');
    expect(versions[looks - 1]).toBe('5');
    const third = following.next();
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(gets).toBe(2);
    controller.abort(new Error('stopped'));
    await expect(third).rejects.toThrow('stopped');
  });

  it('a new version of the same value yields nothing, and its bytes are wiped', async () => {
    let looks = 0;
    const values: Uint8Array[] = [];
    const controller = new AbortController();
    const following = followChanges(
      {
        look: () => Promise.resolve(seenOf({ a: String(looks++ < 2 ? 1 : 2) })),
        fetch: () => {
          const value = new Uint8Array(encode('same'));
          values.push(value);
          return Promise.resolve([{ name: 'a', value }]);
        },
        secretsOf: (set) => set,
        location: () => 'here',
      },
      { interval: 5, settle: 1, signal: controller.signal },
      () => undefined,
    );
    await following.next();
    const second = following.next();
    await eventually(() => {
      expect(values.map(text)).toEqual(['same', '\0\0\0\0']);
    });
    controller.abort(new Error('stopped'));
    await expect(second).rejects.toThrow('stopped');
  });

  it('secrets that never come to rest are an error, and nothing of them is given', async () => {
    let looks = 0;
    const values: Uint8Array[] = [];
    const following = followChanges(
      {
        look: () => Promise.resolve(seenOf({ a: String(looks++) })),
        fetch: () => {
          const value = new Uint8Array(encode('x'));
          values.push(value);
          return Promise.resolve([{ name: 'a', value }]);
        },
        secretsOf: (set) => set,
        location: () => 'here',
      },
      { interval: 5, settle: 1 },
      () => undefined,
    );
    await expect(following.next()).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(values.map(text)).toEqual(Array(5).fill('\0'));
  });
});

describe('credstash.watch', () => {
  it('gives each of what is wanted with its secret, the first set at once, and ends with its signal', async () => {
    const credstash = Credstash.inMemory();
    await credstash.put('a', '1');
    await credstash.put('a', '2', { autoversion: true });
    await credstash.put('b.x', 'bound', { context: { env: 'prod' } });
    await credstash.put('b.y', 'bound', { context: { env: 'prod' } });
    const controller = new AbortController();
    const wanted = [
      { glob: 'b.*', context: { env: 'prod' }, mine: 1 },
      { name: 'a', mine: 2 },
      { name: 'a', version: '1' },
      { glob: 'none.*' },
      { glob: '*.y', context: { env: 'prod' } },
    ];
    const watching = credstash.watch(wanted, { signal: controller.signal, interval: 5000 });
    const first = await watching.next();
    const got = (first.done ? [] : first.value).map((each) => [
      each.name,
      text(each.value),
      each.mine,
    ]);
    expect(got).toEqual([
      ['b.x', 'bound', 1],
      ['b.y', 'bound', 1],
      ['a', '2', 2],
      ['a', '1', undefined],
      ['b.y', 'bound', undefined],
    ]);
    const next = watching.next();
    controller.abort(new Error('enough'));
    await expect(next).rejects.toThrow('enough');
  });

  it('ends with the signal of the instance, and with a loop that is left', async () => {
    const controller = new AbortController();
    const credstash = Credstash.inMemory({ signal: controller.signal });
    await credstash.put('a', '1');
    for await (const [a] of credstash.watch([{ name: 'a' }])) {
      expect(text(a?.value ?? new Uint8Array())).toBe('1');
      break;
    }
    const watching = credstash.watch([{ name: 'a' }]);
    await watching.next();
    const next = watching.next();
    controller.abort(new Error('over'));
    await expect(next).rejects.toThrow('over');
  });

  it('what cannot be got at first is thrown', async () => {
    const watching = Credstash.inMemory().watch([{ name: 'absent' }]);
    await expect(watching.next()).rejects.toMatchObject({ code: 'SECRET_NOT_FOUND' });
  });

  it.each([
    [[{}], {}, /wanted\[0\]\.name must be a string, not undefined/],
    [['a'], {}, /wanted\[0\] must be an object, not a string/],
    ['a', {}, /wanted must be a list of objects/],
    [[{ glob: 1 }], {}, /wanted\[0\]\.glob must be a string, not a number/],
    [[{ name: 'a', lable: 'x' }], {}, /lable, which is not an option/],
    [[{ glob: 'a', lable: 'x' }], {}, /lable, which is not an option/],
    [[{ name: 'a' }], { interval: 4999 }, /interval must be a number of milliseconds from 5000/],
    [[{ name: 'a' }], { intervall: 5000 }, /intervall, which is not an option of watch/],
    [[{ name: 'a' }], { onError: 'x' }, /onError must be a function/],
    [[{ name: '' }], {}, /cannot be empty/],
    [[{ name: 'a', glob: 'b' }], {}, /a name or a glob, not both/],
    [[{ name: 'a', version: '1', label: 'l' }], {}, /cannot both be asked for/],
  ])('wrong input is an error of usage: %j %j', async (wanted, options, said) => {
    const watching = Credstash.inMemory().watch(wanted as never, options as never);
    const error: unknown = await watching.next().catch((each: unknown) => each);
    expect(error).toBeInstanceOf(CredstashError);
    expect(hasCode(error, 'USAGE')).toBe(true);
    expect(String(error)).toMatch(said);
  });
});
