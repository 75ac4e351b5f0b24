import type { IncomingHttpHeaders } from 'node:http';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openAws } from '../../src/backend/aws/index.ts';
import { Credstash } from '../../src/credstash.ts';
import { compareUtf8 } from '../../src/util/utf8.ts';
import { awsEnv } from '../end-to-end/backends.ts';
import { createTable, type Dynamo, startDynalite } from '../support/dynamo.ts';
import { expectTame, inProcess, WAIT } from '../support/in-process.ts';
import { type KmsServer, startKmsServer } from '../support/kms-server.ts';
import { type Answer, awsError, type Recorder, startRecorder } from '../support/recorder.ts';
import { run } from '../support/run.ts';
import { Random, seed } from '../support/seed.ts';
import { size, Tally, timeout } from './campaign.ts';

/*
 * Commands on a network and on services that fail, each at the share of requests that its title says. Several lanes at
 * once do one thing after the other, each to secrets of its own; after everything that writes, what is in the table is
 * read over a connection that does not fail, and compared with what the command said.
 */
const LANES = size(2, 4);

/** Secrets of a lane. */
const NAMES = size(3, 5);
const timeoutMs = 400_000;

/** What strikes a request: in the place of the service, or once it has done what it was asked. */
type Strike = (service: string, answer: () => Promise<Answer>) => Promise<Answer>;

const THROTTLING: Readonly<Record<string, string>> = {
  DynamoDB: 'ProvisionedThroughputExceededException',
  KMS: 'ThrottlingException',
};
const NOTHING: Answer = { status: 200, body: '{}' };

const strikes = {
  throttled: (service) => Promise.resolve(awsError(THROTTLING[service] ?? '')),
  failed: () => Promise.resolve(awsError('InternalServerError', '', 500)),
  unavailable: () => Promise.resolve(awsError('ServiceUnavailable', '', 503)),
  'failed after the work': async (_, answer) => {
    await answer();
    return awsError('InternalServerError', '', 500);
  },
  reset: () => Promise.resolve({ ...NOTHING, delivery: 'reset' }),
  'reset after the work': async (_, answer) => ({ ...(await answer()), delivery: 'reset' }),
  'half an answer': async (_, answer) => ({ ...(await answer()), delivery: 'half' }),
  'a slow answer': async (_, answer) => ({ ...(await answer()), delivery: 'slow' }),
  'no answer': () => Promise.resolve({ ...NOTHING, delivery: 'never' }),
  'no answer after the work': async (_, answer) => ({ ...(await answer()), delivery: 'never' }),
} satisfies Record<string, Strike>;

type StrikeName = keyof typeof strikes;

/** The strikes after which a write is done and nobody was told. */
const LOSE_ANSWERS: readonly StrikeName[] = [
  'failed after the work',
  'reset after the work',
  'half an answer',
  'no answer after the work',
];

interface Mix {
  readonly title: string;
  /** The share of requests that each meets. */
  readonly shares: Partial<Record<StrikeName, number>>;
  /** Only writes to the table are struck, and each once: nothing may fail for good. */
  readonly onceForEachWrite?: boolean;
  /** What the service's clock is ahead, in minutes. */
  readonly clock?: number;
  /** Whether a command may fail for good, after its retries. */
  readonly mayFail: boolean;
  /** It takes its time, so it is for the long form alone. */
  readonly isSlow?: boolean;
}

const every: readonly Mix[] = [
  { title: 'no fault', shares: {}, mayFail: false },
  { title: 'throttling at 30 %', shares: { throttled: 0.3 }, mayFail: false, isSlow: true },
  { title: 'throttling at 60 %', shares: { throttled: 0.6 }, mayFail: false, isSlow: true },
  {
    title: '500 and 503 at 30 %',
    shares: { failed: 0.1, unavailable: 0.1, 'failed after the work': 0.1 },
    mayFail: true,
  },
  {
    title: 'connections reset at 30 %, before and after the work',
    shares: { reset: 0.15, 'reset after the work': 0.15 },
    mayFail: true,
  },
  { title: 'half an answer at 30 %', shares: { 'half an answer': 0.3 }, mayFail: true },
  { title: 'slow bytes at 30 %', shares: { 'a slow answer': 0.3 }, mayFail: false },
  {
    title: 'hangs at 4 %',
    shares: { 'no answer': 0.02, 'no answer after the work': 0.02 },
    mayFail: true,
    isSlow: true,
  },
  {
    title: 'the first answer of each write lost',
    shares: { 'failed after the work': 0.3, 'reset after the work': 0.4, 'half an answer': 0.3 },
    onceForEachWrite: true,
    mayFail: false,
  },
  { title: 'a clock 20 minutes behind', shares: {}, clock: 20, mayFail: false },
  { title: 'a clock 20 minutes ahead', shares: {}, clock: -20, mayFail: false },
  {
    title: 'everything together',
    shares: {
      throttled: 0.15,
      failed: 0.04,
      unavailable: 0.04,
      'failed after the work': 0.04,
      reset: 0.04,
      'reset after the work': 0.04,
      'half an answer': 0.04,
      'a slow answer': 0.03,
    },
    mayFail: true,
  },
];

const mixes = every.filter(({ isSlow }) => isSlow !== true || size(0, 1) === 1);

/** Of each mix, by the region that its requests are signed for. */
interface Weather {
  readonly mix: Mix;
  readonly random: Random;
  readonly struck: Set<string>;
  readonly tally: Tally;
}

const weathers = new Map<string, Weather>();
const regionOf = (mix: Mix): string => `faults-${mixes.indexOf(mix)}`;
/** Of those that expire. */
const EXPIRED = 'expired';

let dynamo: Dynamo;
let kms: KmsServer;
let proxy: Recorder;

/** A service with a clock of its own refuses what is five minutes off (General Reference, Signature Version 4). */
function refusedByClock(headers: IncomingHttpHeaders, date: Date): Answer | undefined {
  const stamp = String(headers['x-amz-date']).replace(
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/,
    '$1-$2-$3T$4:$5:$6Z',
  );
  if (Math.abs(Date.parse(stamp) - date.getTime()) < 300_000) return undefined;
  const message = `Signature expired: ${stamp} is now earlier than ${date.toISOString()} - 5 min.`;
  return awsError('InvalidSignatureException', message);
}

function chosen({ mix, random }: Weather): StrikeName | undefined {
  let at = random.next();
  for (const [name, share] of Object.entries(mix.shares) as [StrikeName, number][]) {
    if (at < share) return name;
    at -= share;
  }
  return undefined;
}

beforeAll(async () => {
  [dynamo, kms] = await Promise.all([startDynalite(), startKmsServer()]);
  proxy = await startRecorder({ DynamoDB: dynamo.url, KMS: kms.url });
  for (const [name, value] of Object.entries(awsEnv(proxy.url, proxy.url))) vi.stubEnv(name, value);
  proxy.meddle = async (action, answer, sent, headers) => {
    // Thousands of answers, some of 400 KB, are not kept.
    proxy.requests.length = 0;
    const [, region = ''] = /\/\d{8}\/([^/]+)\//.exec(headers.authorization ?? '') ?? [];
    const weather = weathers.get(region);
    if (!weather) return undefined;
    const { mix, struck, tally } = weather;
    const [service = '', operation = ''] = action.split('.');
    tally.add('requests');
    if (mix.clock !== undefined) {
      const date = new Date(Date.now() + mix.clock * 60_000);
      const refused = refusedByClock(headers, date);
      if (refused) tally.add('requests refused for their time');
      return { ...(refused ?? (await answer())), date };
    }
    const isWrite = /^(?:Put|Update|Delete)Item$/.test(operation);
    if (mix.onceForEachWrite) {
      // The same request again is the SDK's.
      if (!isWrite || struck.has(sent)) return undefined;
      struck.add(sent);
    }
    const name = chosen(weather);
    if (name === undefined) return undefined;
    tally.add(`struck: ${name}`);
    if (isWrite && LOSE_ANSWERS.includes(name)) tally.add('answers of writes that were lost');
    return strikes[name](service, answer);
  };
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await Promise.all([proxy.close(), dynamo.close(), kms.close()]);
});

/** What a secret has: values by version. */
type Versions = ReadonlyMap<number, string>;

/** How a command ended. */
interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Creates a table, and reads and writes it over a connection that does not fail. */
class CleanTable {
  readonly #aws: Awaited<ReturnType<typeof openAws>>;
  readonly credstash: Credstash;

  static async create(table: string): Promise<CleanTable> {
    await createTable(dynamo.url, table);
    const region = 'us-east-1';
    return new CleanTable(await openAws({ table, key: 'alias/credstash', region }));
  }

  private constructor(aws: Awaited<ReturnType<typeof openAws>>) {
    this.#aws = aws;
    this.credstash = Credstash.over({ keys: aws.keys, entries: aws.entries });
  }

  /** Every version of these secrets, opened: what does not open, or is there in part, throws. */
  async versionsOf(names: readonly string[]): Promise<Map<string, Versions>> {
    const found = new Map(names.map((name) => [name, new Map<number, string>()]));
    for (const { name, version } of await this.credstash.list()) {
      const versions = found.get(name);
      if (!versions) continue;
      const value = await this.credstash.get(name, { version });
      versions.set(Number(version), Buffer.from(value).toString());
    }
    return found;
  }

  close(): void {
    this.#aws.close();
  }
}

const newest = (versions: Versions): number => Math.max(0, ...versions.keys());
const plus = (versions: Versions, version: number, value: string): Versions =>
  new Map([...versions, [version, value]]);

/** One lane: its own secrets, and what they hold. */
class Lane {
  readonly #mix: Mix;
  readonly #random: Random;
  readonly #tally: Tally;
  readonly #table: CleanTable;
  readonly #names: string[];
  readonly #prefix: string;
  #truth: Map<string, Versions>;
  #count = 0;

  constructor({ mix, tally }: Weather, table: CleanTable, number: number) {
    this.#mix = mix;
    this.#table = table;
    this.#tally = tally;
    this.#random = new Random(seed + mixes.indexOf(mix) * 100 + number);
    this.#prefix = `${regionOf(mix)}.${number}.`;
    this.#names = Array.from({ length: NAMES }, (_, i) => `${this.#prefix}${i}`);
    this.#truth = new Map(this.#names.map((name) => [name, new Map()]));
  }

  /** Does one thing of each kind, in an order that chance gives; in the short form, of half of the kinds. */
  async round(): Promise<void> {
    const kinds = [
      () => this.#put(),
      () => this.#putNext(),
      () => this.#putVersion(),
      () => this.#putAll(),
      () => this.#putAll('--skip-unchanged'),
      () => this.#putAll('-a'),
      () => this.#get(),
      () => this.#getVersion(),
      () => this.#getAll(),
      () => this.#getAll(),
      () => this.#getAll(),
      () => this.#list(),
      () => this.#keys(),
      () => this.#delete(),
      () => this.#deleteVersion(),
      () => this.#setup(),
    ];
    while (kinds.length > size(10, 0))
      await kinds.splice(this.#random.below(kinds.length), 1)[0]?.();
  }

  /** Everything as it was said to be, after all of it. */
  async check(): Promise<void> {
    expect(await this.#table.versionsOf(this.#names)).toEqual(this.#truth);
    let stored = 0;
    for (const versions of this.#truth.values()) stored += versions.size;
    this.#tally.add('entries at the end, each as reported', stored);
  }

  #of(name: string): Versions {
    return this.#truth.get(name) ?? new Map<number, string>();
  }

  /** A value that is nobody else's, of any size up to 30 KB. */
  #value(): string {
    this.#count += 1;
    return `${this.#prefix}${this.#count}.${'x'.repeat(this.#random.below(4) === 0 ? this.#random.below(30_000) : 20)}`;
  }

  async #run(kind: string, args: readonly string[], input?: string): Promise<Ended> {
    const region = regionOf(this.#mix);
    const words = ['-r', region, ...(args.includes('-t') ? [] : ['-t', region]), ...args];
    const options = { timeoutMs, ...(input === undefined ? {} : { input }) };
    // One in 25 is a process of its own, with which the rest are the same but for the start.
    const env = awsEnv(proxy.url, proxy.url);
    const ended =
      this.#random.below(25) === 0
        ? await run(words, { ...options, env })
        : await inProcess(words, options);
    const { status, stderr } = ended;
    const what = `${args.join(' ').slice(0, 200)}\n${stderr}`;
    expectTame(ended, args);
    if (status === 0) expect(stderr.replace(WAIT, ''), what).toBe('');
    else {
      expect([3, 4, 7], what).toContain(status);
      if (status === 7) expect(this.#mix.mayFail, what).toBe(true);
    }
    this.#tally.add(kind);
    if (status === 7) this.#tally.add('commands that failed for good, with status 7');
    return { status, stdout: ended.stdout.toString(), stderr };
  }

  /** What a secret has now, which must be one of these. */
  async #becomes(name: string, ...possible: Versions[]): Promise<void> {
    const now = (await this.#table.versionsOf([name])).get(name) ?? new Map<number, string>();
    expect(possible).toContainEqual(now);
    this.#truth.set(name, now);
  }

  async #store(args: string[], name: string, version: number, value: string): Promise<void> {
    const before = this.#of(name);
    const { status } = await this.#run('put', ['put', name, ...args, '-'], value);
    const after = plus(before, version, value);
    if (before.has(version)) {
      expect([4, 7]).toContain(status);
      await this.#becomes(name, before);
    } else {
      // Its own entry is no conflict.
      expect([0, 7]).toContain(status);
      await this.#becomes(name, ...(status === 0 ? [after] : [before, after]));
      this.#tally.add(status === 0 ? 'puts reported stored' : 'puts reported failed');
    }
  }

  async #put(): Promise<void> {
    await this.#store([], this.#random.of(this.#names), 1, this.#value());
  }

  async #putNext(): Promise<void> {
    const name = this.#random.of(this.#names);
    await this.#store(['-a'], name, newest(this.#of(name)) + 1, this.#value());
  }

  async #putVersion(): Promise<void> {
    const version = 1 + this.#random.below(4);
    await this.#store(
      ['-v', String(version)],
      this.#random.of(this.#names),
      version,
      this.#value(),
    );
  }

  async #putAll(option?: '--skip-unchanged' | '-a'): Promise<void> {
    const values = new Map(
      this.#names.map((name) => {
        const current = this.#of(name).get(newest(this.#of(name)));
        const same = option === '--skip-unchanged' && this.#random.below(2) === 0;
        return [name, same && current !== undefined ? current : this.#value()];
      }),
    );
    const input = JSON.stringify(Object.fromEntries(values));
    const args = ['putall', '-', ...(option === undefined ? [] : [option])];
    const { status, stdout, stderr } = await this.#run('putall', args, input);
    expect(status === 0).toBe(!stderr.includes('error'));
    for (const [name, value] of values) {
      const before = this.#of(name);
      const version = option === '-a' ? newest(before) + 1 : 1;
      const after = plus(before, version, value);
      const lines = stdout.split('\n');
      if (lines.includes(`${name} has been stored`)) {
        expect(before.has(version)).toBe(false);
        await this.#becomes(name, after);
        this.#tally.add('puts reported stored');
      } else if (lines.includes(`${name} is unchanged`)) {
        expect(before.get(newest(before))).toBe(value);
        await this.#becomes(name, before);
      } else {
        expect(stderr).toContain(`credstash: error: ${name}: `);
        if (before.has(version)) {
          await this.#becomes(name, before);
        } else {
          // The status is that of the first that failed.
          expect([4, 7]).toContain(status);
          await this.#becomes(name, before, after);
          this.#tally.add('puts reported failed');
        }
      }
    }
  }

  async #get(): Promise<void> {
    const name = this.#random.of(this.#names);
    const value = this.#of(name).get(newest(this.#of(name)));
    this.#expectValue(await this.#run('get', ['get', '-n', name]), value);
  }

  async #getVersion(): Promise<void> {
    const name = this.#random.of(this.#names);
    const version = 1 + this.#random.below(4);
    const ended = await this.#run('get', ['get', '-n', name, '-v', String(version)]);
    this.#expectValue(ended, this.#of(name).get(version));
  }

  #expectValue({ status, stdout }: Ended, value: string | undefined): void {
    if (status === 7) expect(stdout).toBe('');
    else
      expect({ status, stdout }).toEqual({
        status: value === undefined ? 3 : 0,
        stdout: value ?? '',
      });
  }

  async #getAll(): Promise<void> {
    const { status, stdout } = await this.#run('getall', ['getall']);
    if (status === 7) {
      expect(stdout).toBe('');
      return;
    }
    expect(status).toBe(0);
    // Other lanes' come and go; ours are all there.
    const given = Object.entries(JSON.parse(stdout) as Record<string, string>);
    const ours = given.filter(([name]) => name.startsWith(this.#prefix));
    const all = [...this.#truth].filter(([, versions]) => versions.size > 0);
    expect(new Map(ours)).toEqual(
      new Map(all.map(([name, versions]) => [name, versions.get(newest(versions))])),
    );
    this.#tally.add('getall that gave all', 1);
  }

  async #list(): Promise<void> {
    const { status, stdout } = await this.#run('list', ['list', '--json']);
    if (status === 7) {
      expect(stdout).toBe('');
      return;
    }
    const rows = JSON.parse(stdout) as { name: string; version: string }[];
    const ours = rows.filter(({ name }) => name.startsWith(this.#prefix));
    expect(ours.map(({ name, version }) => `${name} ${Number(version)}`).sort()).toEqual(
      [...this.#truth]
        .flatMap(([name, versions]) => [...versions.keys()].map((version) => `${name} ${version}`))
        .sort(),
    );
  }

  async #keys(): Promise<void> {
    const { status, stdout } = await this.#run('keys', ['keys']);
    const ours = stdout.split('\n').filter((name) => name.startsWith(this.#prefix));
    const all = this.#names.filter((name) => this.#of(name).size > 0).sort(compareUtf8);
    expect(ours).toEqual(status === 7 ? [] : all);
  }

  async #delete(): Promise<void> {
    const name = this.#random.of(this.#names);
    const before = this.#of(name);
    const { status, stdout } = await this.#run('delete', ['delete', name]);
    const gone = [...stdout.matchAll(/-- version (\d+)$/gm)].map(([, version]) => Number(version));
    const ascending = [...before.keys()].sort((a, b) => a - b);
    expect(gone).toEqual(ascending.slice(0, gone.length));
    if (before.size === 0) expect([3, 7]).toContain(status);
    else expect(status === 0).toBe(gone.length === before.size);
    // The oldest go first. One more may be gone than was said, when a removal has no answer.
    const left = (count: number): Versions =>
      new Map([...before].filter(([version]) => !ascending.slice(0, count).includes(version)));
    await this.#becomes(name, left(gone.length), ...(status === 7 ? [left(gone.length + 1)] : []));
    this.#tally.add('entries reported deleted', gone.length);
  }

  async #deleteVersion(): Promise<void> {
    const name = this.#random.of(this.#names);
    const before = this.#of(name);
    const version = 1 + this.#random.below(4);
    const { status } = await this.#run('delete', ['delete', name, '-v', String(version)]);
    const after = new Map([...before].filter(([each]) => each !== version));
    if (status !== 7) expect(status).toBe(before.has(version) ? 0 : 3);
    if (status === 0) this.#tally.add('entries reported deleted');
    await this.#becomes(name, after, ...(status === 7 ? [before] : []));
  }

  async #setup(): Promise<void> {
    this.#count += 1;
    const table = `${this.#prefix}${this.#count}`;
    const { status } = await this.#run('setup', ['-t', table, 'setup']);
    if (status !== 0) return;
    const again = await inProcess(['-t', table, 'setup']);
    expect(again.stdout.toString()).toContain('already exists');
  }
}

describe.concurrent.each(mixes)('$title', (mix) => {
  test('what was said is true', { timeout }, async () => {
    const tally = new Tally();
    const random = new Random(seed + mixes.indexOf(mix));
    const weather = { mix, random, struck: new Set<string>(), tally };
    weathers.set(regionOf(mix), weather);
    const table = await CleanTable.create(regionOf(mix));
    const lanes = Array.from({ length: LANES }, (_, i) => new Lane(weather, table, i));
    // Of 16 commands in each lane.
    const rounds = Number(process.env['ROUNDS'] ?? size(1, 16));
    await Promise.all(
      lanes.map(async (lane) => {
        for (let round = 0; round < rounds; round += 1) await lane.round();
        await lane.check();
      }),
    );
    table.close();
    tally.print(`faults: ${mix.title}`);
    if (Object.keys(mix.shares).length > 0) {
      expect(Object.keys(mix.shares).some((name) => tally.of(`struck: ${name}`) > 0)).toBe(true);
    }
    if (mix.clock !== undefined) {
      expect(tally.of('requests refused for their time')).toBeGreaterThan(0);
    }
    if (mix.onceForEachWrite) {
      expect(tally.of('answers of writes that were lost')).toBeGreaterThan(0);
      expect(tally.of('puts reported failed')).toBe(0);
    }
  });
});

describe('credentials that expire half way', () => {
  const names = Array.from({ length: 100 }, (_, i) => `n-${String(i).padStart(3, '0')}`);
  let table: CleanTable;
  let left = Infinity;
  /** Different ones: the SDK tries each once more, with credentials that it asks for anew. */
  const asked = new Set<string>();
  let before: Recorder['meddle'];
  beforeAll(async () => {
    before = proxy.meddle;
    proxy.meddle = (_, __, sent) => {
      asked.add(sent);
      left -= 1;
      return Promise.resolve(left < 0 ? awsError('ExpiredTokenException') : undefined);
    };
    const secrets = names.map((name) => ({ name, value: Buffer.from(`of ${name}`) }));
    table = await CleanTable.create(EXPIRED);
    for (const each of await table.credstash.putAll(secrets)) expect(each.done).toBe('stored');
    // Of this one, many versions, and so much that they are several pages.
    for (let i = 1; i <= 12; i += 1) {
      await table.credstash.put('large', Buffer.alloc(250_000, i), { version: String(i) });
    }
  });
  afterAll(() => {
    table.close();
    proxy.meddle = before;
  });

  const after = (
    requests: number,
    args: readonly string[],
    input?: string,
  ): ReturnType<typeof run> => {
    left = requests;
    asked.clear();
    const words = ['-t', EXPIRED, ...args];
    return run(words, { env: awsEnv(proxy.url, proxy.url), ...(input ? { input } : {}) });
  };
  const expired = expect.stringContaining(
    'refused the AWS credentials: they have expired',
  ) as unknown;

  test.each([0, 2, 20])('get of many, after %i requests: exit 6, and nothing of it', async (n) => {
    const ended = await after(n, ['get', 'n-0*']);
    expect(ended).toMatchObject({ status: 6, stdout: Buffer.of(), stderr: expired });
    // What was under way, and nothing more.
    expect(asked.size).toBeLessThanOrEqual(n + 32);
  });

  test('list of several pages: exit 6, and nothing of it', async () => {
    const ended = await after(2, ['list']);
    expect(ended).toMatchObject({ status: 6, stdout: Buffer.of(), stderr: expired });
    // What was answered, and one request of each segment that was under way.
    expect(asked.size).toBeLessThanOrEqual(2 + 4);
  });

  test('putall: what was reported stored is there, and the rest was not tried', async () => {
    const values = Object.fromEntries(names.map((name) => [name, `new of ${name}`]));
    const ended = await after(60, ['putall', '-v', '2', '-'], JSON.stringify(values));
    expect(ended).toMatchObject({ status: 6, stderr: expired });
    expect(asked.size).toBeLessThanOrEqual(60 + 32);
    left = Infinity;
    const stored = [...ended.stdout.toString().matchAll(/^(\S+) has been stored$/gm)];
    expect(stored.length).toBeGreaterThan(10);
    const there = await table.versionsOf(names);
    for (const [, name = ''] of stored) expect(there.get(name)?.get(2)).toBe(values[name]);
    const newer = [...there.values()].filter((versions) => versions.size === 2);
    expect(newer).toHaveLength(stored.length);
  });

  test('delete of many versions: the newest stay', async () => {
    const name = 'large';
    const ended = await after(6, ['delete', name]);
    expect(ended).toMatchObject({ status: 6, stderr: expired });
    const gone = ended.stdout.toString().split('\n').length - 1;
    left = Infinity;
    const there = await table.versionsOf([name]);
    expect([...(there.get(name)?.keys() ?? [])]).toEqual(
      Array.from({ length: 12 - gone }, (_, i) => gone + 1 + i),
    );
    expect(gone).toBeGreaterThan(0);
  });
});

test('a clock that is wrong, and a service that does not say the time: exit 6, with a hint', async () => {
  const before = proxy.meddle;
  proxy.meddle = () => Promise.resolve(awsError('InvalidSignatureException', 'Signature expired'));
  const ended = await run(['get', 'any'], { env: awsEnv(proxy.url, proxy.url) });
  proxy.meddle = before;
  expect(ended).toMatchObject({ status: 6, stdout: Buffer.of() });
  expect(ended.stderr).toMatch(/^credstash: error: .*InvalidSignatureException.*\n.*clock/);
});
