import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { openDatabase } from '../../src/backend/local/sqlite.ts';
import { openLocal } from '../../src/backend/local/index.ts';
import { Credstash } from '../../src/credstash.ts';
import { failed, ok, type Place, runHere, stored, vaultPlace } from '../end-to-end/backends.ts';
import { canMount, type Mounts, startMounts, bound } from '../support/mounts.ts';
import type { Outcome, RunOptions } from '../support/run.ts';
import { Random, seed } from '../support/seed.ts';
import { copyInCommit } from '../support/vault-files.ts';
import { isLong, size, Tally, timeout } from './campaign.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * The vault, when its processes are killed, its disk is full, or it cannot be written.
 */
const random = new Random(seed);
const root = temporaryFolder();
let folders = 0;
const timeoutMs = 120_000;

const FILES = ['master.key', 'vault.db'];
const AT_ONCE = size(4, 8);

/** A value that no other put has; sometimes one that takes many pages. */
let values = 0;

function newValue(): string {
  return `value ${++values} ${'x'.repeat(random.of([0, 10, 300, 1000, 3000, 3000, 3000, 30_000]))}`;
}

/** Every entry, opened: `name version` and its value. */
async function held(folder: string): Promise<Map<string, string>> {
  const { keys, entries, vault } = openLocal(folder, { create: false });
  const credstash = Credstash.over({ keys: keys, entries: entries });
  const all = new Map<string, string>();
  for (const { name, version } of await credstash.list()) {
    const value = await credstash.get(name, { version });
    all.set(`${name} ${version}`, Buffer.from(value).toString());
  }
  vault.close();
  return all;
}

/** Checks that a vault is two files and that SQLite finds nothing wrong with it. */
function expectSound(folder: string): void {
  expect(readdirSync(folder).sort()).toEqual(FILES);
  const database = openDatabase(join(folder, 'vault.db'));
  expect(database.all('PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
  database.close();
}

function newFolder(): string {
  const folder = join(root, `vault-${++folders}`);
  mkdirSync(folder, { mode: 0o700 });
  return folder;
}

/** Whether there is a journal that is in force: its first byte says so (https://www.sqlite.org/fileformat.html). */
function isHot(folder: string): boolean {
  try {
    return readFileSync(join(folder, 'vault.db-journal'))[0] === 0xd9;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** A writer, and what it is to change. */
interface Job {
  readonly kind: string;
  readonly args: readonly string[];
  readonly input?: string;
  /** What it stores: name and value. */
  readonly puts: readonly (readonly [name: string, value: string])[];
  /** What it deletes, oldest first. */
  readonly deletes: readonly string[];
}

interface Done {
  readonly job: Job;
  readonly outcome: Outcome;
}

function put(name: string, ...options: string[]): Job {
  const value = newValue();
  const kind = ['put', ...options].join(' ');
  return {
    kind,
    args: ['put', name, '-', ...options],
    input: value,
    puts: [[name, value]],
    deletes: [],
  };
}

function putAll(names: readonly string[], ...options: string[]): Job {
  const puts = names.map((name) => [name, newValue()] as const);
  const input = JSON.stringify(Object.fromEntries(puts));
  const kind = ['putall', ...options].join(' ');
  return { kind, args: ['putall', '-', ...options], input, puts, deletes: [] };
}

function lines(outcome: Outcome, pattern: RegExp): string[] {
  return [...outcome.stdout.toString().matchAll(pattern)].map(([, ...found]) => found.join(' '));
}

/** Checks what became of a vault by what its writers said; whether each changed anything is counted. */
function expectKept(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
  done: readonly Done[],
  tally: Tally,
): void {
  const unexplained = new Set([...after.keys()].filter((at) => !before.has(at)));
  const added = new Map<string, string[]>();
  for (const at of unexplained) {
    const value = after.get(at) ?? '';
    added.set(value, [...(added.get(value) ?? []), at]);
  }
  for (const { job, outcome } of done) {
    const saidStored = lines(outcome, /^(\S+) has been stored$/gm);
    const saidDeleted = lines(outcome, /^Deleting (\S+) -- version (\S+)$/gm);
    let changes = 0;
    for (const [name, value] of job.puts) {
      const found = added.get(value) ?? [];
      // Stored once if it was said to be; else not at all, or whole.
      expect(found.length, name).toBeLessThanOrEqual(1);
      if (saidStored.includes(name))
        expect(found, `${name} was reported as stored`).toHaveLength(1);
      for (const at of found) {
        expect(at.split(' ')[0]).toBe(name);
        unexplained.delete(at);
        changes += 1;
      }
    }
    for (const at of saidDeleted) {
      expect(job.deletes).toContain(at);
      expect(after.has(at), `${at} was reported as deleted`).toBe(false);
    }
    // What is gone is the oldest.
    const gone = job.deletes.filter((at) => !after.has(at));
    expect(gone).toEqual(job.deletes.slice(0, gone.length));
    changes += gone.length;
    if (outcome.signal === 'SIGKILL') {
      const all = job.puts.length + job.deletes.length;
      tally.add('kills');
      tally.add(
        changes === 0
          ? 'kills before the first write'
          : changes < all
            ? 'kills half way'
            : 'kills after the last write',
      );
      if (changes > saidStored.length + saidDeleted.length)
        tally.add('kills between a write and its report');
    } else {
      expect(outcome, job.kind).toMatchObject({ status: 0, stderr: '' });
      expect([saidStored.length, saidDeleted.length]).toEqual([
        job.puts.length,
        job.deletes.length,
      ]);
    }
  }
  expect([...unexplained]).toEqual([]);
  const deletes = new Set(done.flatMap(({ job }) => job.deletes));
  for (const [at, value] of before) {
    if (after.has(at)) expect(after.get(at)).toBe(value);
    else expect(deletes, `${at} is lost`).toContain(at);
  }
  // The new versions of a name follow its newest, with no gap.
  const newest = new Map<string, number>();
  for (const at of [
    ...before.keys(),
    ...[...after.keys()].filter((each) => !before.has(each)).sort(),
  ]) {
    const [name = '', version] = at.split(' ');
    const last = newest.get(name) ?? 0;
    if (!before.has(at)) expect(Number(version), at).toBe(last + 1);
    newest.set(name, Math.max(last, Number(version)));
  }
}

/** Resolves at one of the moments at which a file whose name matches comes or goes; `close` ends the watch. */
function moment(
  folder: string,
  pattern: RegExp,
  skip: number,
): { seen: Promise<void>; close: () => void } {
  let close = (): void => undefined;
  const seen = new Promise<void>((resolve) => {
    let left = skip;
    const watcher = watch(folder, (_, file) => {
      if (file !== null && pattern.test(file) && --left < 0) resolve();
    });
    close = () => {
      watcher.close();
    };
  });
  return { seen, close };
}

/** When to kill a process that takes `ms`: at any moment of it, or towards its end. */
function killAfter(ms: number, style: string): Promise<void> {
  return wait(style === 'late' ? ms * (0.7 + 0.3 * random.next()) : ms * random.next());
}

/** Runs writers at once, each of which may be killed. */
function runAll(
  place: Place,
  jobs: readonly Job[],
  kill: (job: Job) => Promise<void> | undefined,
): Promise<Done[]> {
  return Promise.all(
    jobs.map(async (job) => {
      const dies = kill(job);
      const options: RunOptions = {
        timeoutMs,
        ...(job.input === undefined ? {} : { input: job.input }),
        ...(dies === undefined ? {} : { kill: dies }),
      };
      return { job, outcome: await place.raw(job.args, options) };
    }),
  );
}

/** Runs the next writer, undisturbed. */
async function runNext(folder: string, job: Job): Promise<Done> {
  const { args, input = '' } = job;
  return { job, outcome: await vaultPlace(folder, runHere).raw(args, { input }) };
}

/** The short form ends after some rounds, the long one when it has killed as many as this. */
function goesOn(round: number, tally: Tally, kills: number): boolean {
  return round < size(2, 0) || tally.of('kills') < size(1, kills);
}

const SHARED = ['shared.0', 'shared.1', 'shared.2'];

test('writers that are killed lose nothing and leave nothing half done', { timeout }, async () => {
  const folder = join(root, `vault-${++folders}`);
  const place = vaultPlace(folder);
  const tally = new Tally();
  const ever = new Set<string>();
  let before = new Map<string, string>();
  let took = 0;
  let names = 0;
  const fresh = (count: number): string[] => Array.from({ length: count }, () => `new.${++names}`);

  /** One writer of a kind, on what is there. */
  const job = (kind: string): Job => {
    const [name = ''] = fresh(1);
    switch (kind) {
      case 'put':
        return put(name);
      case 'put -a':
        return put(random.of(SHARED), '-a');
      case 'putall':
        return putAll(fresh(20));
      case 'putall -a':
        return putAll(SHARED, '-a');
      default: {
        // One version of a shared name that is not its newest, or every version of a name of its own.
        const of = kind === 'delete' ? `doomed.${names % AT_ONCE} ` : `${random.of(SHARED)} `;
        const all = [...before.keys()].filter((at) => at.startsWith(of)).sort();
        if (all.length < 2) return put(name);
        const deletes = kind === 'delete' ? all : [random.of(all.slice(0, -1))];
        const [which = '', version = ''] = deletes[0]?.split(' ') ?? [];
        const args = ['delete', which, ...(kind === 'delete' ? [] : ['-v', version])];
        return { kind, args, puts: [], deletes };
      }
    }
  };
  const KINDS = ['put', 'put', 'put -a', 'put -a', 'putall', 'putall -a', 'delete', 'delete -v'];
  /** Puts versions of these names, undisturbed. */
  const prepare = async (names: readonly string[]): Promise<void> => {
    const { keys, entries, vault } = openLocal(folder, { create: true });
    const credstash = Credstash.over({ keys: keys, entries: entries });
    for (const name of names) {
      const value = newValue();
      const { version } = await credstash.put(name, Buffer.from(value), { autoversion: true });
      before.set(`${name} ${version}`, value);
    }
    vault.close();
  };
  const doomed = Array.from({ length: 2 * AT_ONCE }, (_, i) => `doomed.${i % AT_ONCE}`);

  for (let round = 0; goesOn(round, tally, 500); round += 1) {
    await prepare(round === 0 ? [...SHARED, ...SHARED, ...SHARED, ...doomed] : doomed);
    // First without a kill, to see how long they take.
    const style = round === 0 ? 'none' : random.of(['any', 'late', 'journal', 'alone']);
    // With those that write for long, one of them is in the middle of a commit at nearly every moment.
    const atJournal = style === 'journal' || style === 'alone';
    const kinds = atJournal ? KINDS.slice(4, -1) : KINDS;
    const used = new Set<string>();
    const jobs: Job[] = [];
    while (jobs.length < (round === 0 ? KINDS.length : AT_ONCE)) {
      const next = job(round === 0 ? (KINDS[jobs.length] ?? '') : random.of(kinds));
      if (next.deletes.some((at) => used.has(at))) continue;
      for (const at of next.deletes) used.add(at);
      jobs.push(next);
    }
    // It is left alone, among the killed.
    const survivor = put(random.of(SHARED), '-a');
    for (const [at, value] of before) ever.add(`${at.split(' ')[0] ?? ''} ${value}`);
    for (const { puts } of [...jobs, survivor]) {
      for (const [name, value] of puts) ever.add(`${name} ${value}`);
    }
    const journal = moment(folder, /^vault\.db-journal$/, random.below(size(30, 200)));
    const seen = journal.seen.then(() => {
      // As near as can be to when a commit has begun and is not done: sooner than the next turn of the event loop.
      const until = performance.now() + (style === 'alone' ? 50 : 0);
      while (performance.now() < until && !isHot(folder));
    });
    const start = performance.now();
    const runs = runAll(place, style === 'alone' ? jobs : [...jobs, survivor], (job) => {
      if (style === 'none' || job === survivor) return undefined;
      return atJournal ? seen : killAfter(took, style);
    });
    // When all are killed at once, alone, nobody is left who would undo what they were in the middle of.
    const readers = style === 'alone' ? [] : [['getall'], ['list', '--json']];
    const [done, reads] = await Promise.all([
      runs,
      Promise.all(readers.map((args) => place.cs(args, { timeoutMs }))),
    ]);
    journal.close();
    // Fewer at once take less time.
    if (round === 0) took = ((performance.now() - start) * AT_ONCE) / KINDS.length;
    // Readers saw what somebody stored, and nothing else.
    for (const each of reads) expect(each).toMatchObject({ status: 0, stderr: '' });
    for (const [name, value] of printed(reads[0]?.stdout ?? '{}')) {
      expect(ever.has(`${name} ${value}`), name).toBe(true);
    }
    if (isHot(folder)) tally.add('commits that the next one undid');
    // Nothing is in the way of the next reader and the next writer.
    const got = await vaultPlace(folder, runHere).cs(['get', 'shared.0', '-n']);
    expect(got).toMatchObject({ status: 0, stderr: '' });
    done.push(await runNext(folder, put('last', '-a')));
    expectSound(folder);
    const after = await held(folder);
    expectKept(before, after, done, tally);
    before = after;
    tally.add('rounds');
  }
  tally.add('entries in the end', before.size);
  tally.print('Writers of a vault that were killed');
});

test('first writers that are killed leave a vault that works, or none', { timeout }, async () => {
  const tally = new Tally();
  let took = 0;
  for (let round = 0; goesOn(round, tally, 200); round += 1) {
    const folder = join(root, `vault-${++folders}`);
    const place = vaultPlace(folder);
    const jobs = Array.from({ length: AT_ONCE }, (_, i) => put(`first.${i}`));
    const style = round === 0 ? 'none' : random.of(['any', 'late', 'draft', 'draft']);
    const victims = new Set(jobs.slice(0, 1 + random.below(AT_ONCE)));
    let draft: ReturnType<typeof moment> | undefined;
    if (style === 'draft') {
      // Only a folder that is there can be watched.
      mkdirSync(folder, { mode: 0o700 });
      draft = moment(folder, /^(master\.key|vault\.db)/, random.below(3 * AT_ONCE));
    }
    const start = performance.now();
    const done = await runAll(place, jobs, (job) => {
      if (style === 'none' || !victims.has(job)) return undefined;
      return draft?.seen ?? killAfter(took, style);
    });
    draft?.close();
    if (round === 0) took = performance.now() - start;
    const left = existsSync(folder) ? readdirSync(folder) : [];
    if (left.some((file) => file.endsWith('.tmp'))) tally.add('folders with drafts');
    if (left.includes('master.key') && !left.includes('vault.db'))
      tally.add('keys without a database');
    if (!left.includes('vault.db')) tally.add('vaults that none of them made');
    done.push(await runNext(folder, put('next')));
    expectSound(folder);
    expectKept(new Map(), await held(folder), done, tally);
    tally.add('vaults');
    rmSync(folder, { recursive: true });
  }
  tally.print('First writers of a vault that were killed');
});

test(`many secrets by ${AT_ONCE} processes at once`, { timeout }, async () => {
  const folder = join(root, `vault-${++folders}`);
  const each = size(25, 1250);
  const jobs = Array.from({ length: AT_ONCE }, (_, i) =>
    putAll(Array.from({ length: each }, (_, j) => `many.${i}.${j}`)),
  );
  const tally = new Tally();
  const done = await Promise.all(
    jobs.map(async ({ args, input = '', ...job }) => {
      const outcome = await vaultPlace(folder).raw(args, { input, timeoutMs: 10 * timeoutMs });
      return { job: { ...job, args }, outcome };
    }),
  );
  expectSound(folder);
  const after = await held(folder);
  expectKept(new Map(), after, done, tally);
  tally.add('secrets', after.size);
  tally.print(`Secrets that ${AT_ONCE} processes put at once`);
});

/** A vault on a disk of its own, which is small. */
interface Disk {
  readonly folder: string;
  readonly cs: Place['cs'];
  /** Leaves this many bytes of the disk free. */
  readonly fill: (free: number) => void;
  /** Takes away what fills it. */
  readonly empty: () => void;
  readonly files: () => string[];
  /** A copy of the vault where there is room to look at it. */
  readonly copy: () => string;
}

const opened: Mounts[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((each) => each.close()));
});

async function mounts(script: string): Promise<Mounts> {
  const made = await startMounts(script);
  opened.push(made);
  return made;
}

async function disk(kilobytes: number): Promise<Disk> {
  const at = newFolder();
  const { under, inside } = await mounts(
    `mount -t tmpfs -o size=${kilobytes}k,mode=700 none ${at}`,
  );
  const folder = join(at, 'vault');
  const filler = inside(join(at, 'filler'));
  const files = (): string[] => {
    const path = inside(folder);
    return existsSync(path) ? readdirSync(path).sort() : [];
  };
  return {
    folder,
    cs: (args, options) => vaultPlace(folder).cs(args, { ...options, under, timeoutMs }),
    fill: (free) => {
      rmSync(filler, { force: true });
      const { bavail, bsize } = statfsSync(inside(at));
      writeFileSync(filler, Buffer.alloc(bavail * bsize - free));
    },
    empty: () => {
      rmSync(filler);
    },
    files,
    copy: () => {
      const copy = newFolder();
      for (const file of files()) copyFileSync(join(inside(folder), file), join(copy, file));
      return copy;
    },
  };
}

/** What getall printed. */
function printed(stdout: string): Map<string, string> {
  return new Map(Object.entries(JSON.parse(stdout) as Record<string, string>));
}

const NO_SPACE = 'there is no space left for the vault';

if (canMount()) {
  describe('on a full disk', () => {
    test('a put says so, and nothing that was stored is lost', { timeout }, async () => {
      const { folder, cs, fill, empty, copy } = await disk(1024);
      fill(size(200_000, 800_000));
      const kept = new Map<string, string>();
      for (const bytes of [100_000, 10_000, 1000, 10]) {
        for (;;) {
          const name = `s${bytes}.${kept.size}`;
          const value = `${name} ${'x'.repeat(bytes)}`;
          const ended = await cs(['put', name, '-'], { input: value });
          if (ended.status !== 0) {
            expect(ended).toEqual(failed(1, `${NO_SPACE} ${folder}`));
            break;
          }
          expect(ended).toEqual(stored(name));
          kept.set(name, value);
        }
      }
      // To the last block.
      fill(0);
      const [first = '', second = ''] = kept.keys();
      for (const args of [
        ['put', 'more', 'x'],
        ['put', first, '-a', 'x'],
        ['delete', first],
        ['delete', first, '-v', '1'],
      ]) {
        expect(await cs(args)).toEqual(failed(1, `${NO_SPACE} ${folder}`, 'make room'));
      }
      expect(printed((await cs(['getall'])).stdout)).toEqual(kept);
      expect(await cs(['get', second, '-n'])).toEqual(ok(kept.get(second) ?? ''));
      expectSound(copy());
      // A delete needs as much room as it makes.
      empty();
      expect(await cs(['delete', first])).toMatchObject({ status: 0, stderr: '' });
      kept.delete(first);
      const again = `again ${'y'.repeat(90_000)}`;
      expect(await cs(['put', 'again', '-'], { input: again })).toEqual(stored('again'));
      kept.set('again', again);
      expect(printed((await cs(['getall'])).stdout)).toEqual(kept);
      expectSound(copy());
    });

    test(
      'a first put succeeds or says so, and is in the way of no other',
      { timeout },
      async () => {
        const tally = new Tally();
        const first = async (blocks: number): Promise<void> => {
          const { folder, cs, fill, empty, files, copy } = await disk(100);
          fill(blocks * 4096);
          const ended = await cs(['put', 'first', 'x']);
          tally.add(
            `with ${blocks} blocks left: status ${ended.status} and ${files().length} files`,
          );
          if (ended.status === 0) expect(await cs(['get', 'first'])).toEqual(ok('x\n'));
          else expect(ended).toEqual(failed(1, `${NO_SPACE} ${folder}`));
          expect(FILES).toEqual(expect.arrayContaining(files()));
          empty();
          expect(await cs(['put', 'second', 'y'])).toEqual(stored('second'));
          expect(await cs(['get', 'second'])).toEqual(ok('y\n'));
          expectSound(copy());
        };
        // From not even a key to a vault with a secret.
        const every = [0, 1, 2, 3, 4, 6, 8, 12];
        // In the short form one of each outcome.
        const some = [0, random.of([1, 2, 3, 4]), random.of([6, 8]), 12];
        await Promise.all((isLong ? every : some).map(first));
        tally.print('First puts of a vault on a disk that is nearly full');
      },
    );

    test('a putall tells what fitted, and can be completed', { timeout }, async () => {
      const { folder, cs, fill, empty, copy } = await disk(2048);
      fill(400_000);
      const secrets = new Map<string, string>();
      for (let i = 0; i < 40; i += 1) secrets.set(`s${i}`, newValue());
      // What is sure to be too much, in the middle of what fits.
      secrets.set('s20', 'y'.repeat(250_000)).set('s21', 'z'.repeat(250_000));
      const input = JSON.stringify(Object.fromEntries(secrets));
      const ended = await cs(['putall', '-'], { input });
      const said = [...ended.stdout.matchAll(/^(\S+) has been stored$/gm)].map(([, name]) => name);
      const many = `${40 - said.length} of 40 secrets have not been stored in the vault ${folder}`;
      expect(ended.status).toBe(1);
      expect(ended.stderr).toContain(`credstash: error: ${many}\n`);
      expect(ended.stderr).toMatch(RegExp(`^credstash: error: s\\d+: ${NO_SPACE}`, 'm'));
      const fitted = new Map([...secrets].filter(([name]) => said.includes(name)));
      expect(fitted.size).toBeGreaterThan(0);
      expect(printed((await cs(['getall'])).stdout)).toEqual(fitted);
      expectSound(copy());
      empty();
      const rest = await cs(['putall', '-', '--skip-unchanged'], { input });
      expect([rest.status, rest.stderr]).toEqual([0, '']);
      expect(printed((await cs(['getall'])).stdout)).toEqual(secrets);
      expectSound(copy());
    });
  });
}

/** A vault with two secrets. */
async function filled(folder = newFolder()): Promise<Place> {
  const place = vaultPlace(folder, runHere);
  const put = await place.cs(['putall', '{"a": "of a", "b": "of b"}']);
  expect(put).toMatchObject({ status: 0, stderr: '' });
  return place;
}

/** Checks that the vault that `filled` made gives everything and takes nothing. */
async function expectReadOnly(folder: string, under: Mounts['under']): Promise<void> {
  const cs = (args: readonly string[]): ReturnType<Place['cs']> =>
    vaultPlace(folder).cs(args, { under, timeoutMs });
  const [get, keys, list, getAll, ...writes] = await Promise.all(
    [
      ['get', 'a'],
      ['keys'],
      ['list'],
      ['getall'],
      ['put', 'c', 'x'],
      ['put', 'a', 'x', '-a'],
      ['delete', 'a'],
      ['putall', '{"c": "x"}'],
    ].map(cs),
  );
  expect(get).toEqual(ok('of a\n'));
  expect(keys).toEqual(ok('a\nb\n'));
  expect(list).toMatchObject({ status: 0, stderr: '' });
  expect(printed(getAll?.stdout ?? '')).toEqual(
    new Map([
      ['a', 'of a'],
      ['b', 'of b'],
    ]),
  );
  const message = `the vault ${folder} is read-only`;
  const putAll = writes.pop();
  expect(putAll).toMatchObject({ status: 6, stdout: '' });
  expect(putAll?.stderr).toContain(`credstash: error: c: ${message}\n`);
  expect(writes).toHaveLength(3);
  for (const each of writes) expect(each).toEqual(failed(6, message, 'must be writable'));
}

/** A vault as it is on the disk when a writer is killed in the middle of a commit. */
function killedInCommit(folder: string): string {
  const image = join(root, `vault-${++folders}`);
  copyInCommit(folder, image);
  expect(isHot(image)).toBe(true);
  return image;
}

const CUT_SHORT = ['was cut short', 'is read-only', 'open it once where it can be written'];

describe('a vault without write permission', () => {
  test.each([
    { ofFolder: 0o500, ofFiles: 0o600 },
    { ofFolder: 0o700, ofFiles: 0o400 },
  ])('is read and not written: %o', async ({ ofFolder, ofFiles }) => {
    const folder = newFolder();
    await filled(folder);
    for (const file of FILES) chmodSync(join(folder, file), ofFiles);
    chmodSync(folder, ofFolder);
    await expectReadOnly(folder, bound);
    expect(readdirSync(folder).sort()).toEqual(FILES);
  });

  test.each([
    ['vault.db', 'cannot be opened'],
    ['master.key', 'no permission to use the vault'],
  ])('says so when its %s cannot be read', async (file, message) => {
    const folder = newFolder();
    const { cs } = await filled(folder);
    chmodSync(join(folder, file), 0);
    expect(await cs(['get', 'a'], { under: bound })).toEqual(failed(6, message, folder));
    expect(await cs(['put', 'c', 'x'], { under: bound })).toEqual(failed(6, message, folder));
  });

  test('in which a writer was killed says what to do, and gives nothing half done', async () => {
    const folder = newFolder();
    await filled(folder);
    const image = killedInCommit(folder);
    const { cs } = vaultPlace(image, runHere);
    chmodSync(image, 0o500);
    expect(await cs(['get', 'a'], { under: bound })).toEqual(failed(6, ...CUT_SHORT));
    chmodSync(image, 0o700);
    expect(await cs(['get', 'a'], { under: bound })).toEqual(ok('of a\n'));
    expectSound(image);
  });
});

if (canMount()) {
  describe('on a read-only file system', () => {
    /** A folder that can be written, and the same one where it cannot. */
    async function bindReadOnly(): Promise<Mounts & { writable: string; folder: string }> {
      const [writable, folder] = [newFolder(), newFolder()];
      const bind = `mount --bind ${writable} ${folder}; mount -o remount,bind,ro ${folder}`;
      return { writable, folder, ...(await mounts(bind)) };
    }

    test('a vault is read and not written', async () => {
      const { writable, folder, under } = await bindReadOnly();
      await filled(writable);
      await expectReadOnly(folder, under);
      const { cs } = vaultPlace(join(folder, 'none'));
      expect(await cs(['get', 'a'], { under })).toEqual(failed(3, 'there is no vault in'));
      expect(await cs(['put', 'a', 'x'], { under })).toEqual(failed(6, 'a read-only file system'));
    });

    test('a vault in which a writer was killed is to be opened where it can be written', async () => {
      const { writable, folder, under } = await bindReadOnly();
      const { cs } = await filled(writable);
      const image = killedInCommit(writable);
      for (const file of readdirSync(image)) copyFileSync(join(image, file), join(writable, file));
      for (const args of [['get', 'a'], ['list'], ['put', 'c', 'x']]) {
        expect(await vaultPlace(folder).cs(args, { under })).toEqual(failed(6, ...CUT_SHORT));
      }
      expect(await cs(['list'])).toMatchObject({ status: 0, stderr: '' });
      expectSound(writable);
      expect(await vaultPlace(folder).cs(['get', 'a'], { under })).toEqual(ok('of a\n'));
    });

    test('a vault is read while it is written elsewhere', { timeout }, async () => {
      const { writable, folder, under } = await bindReadOnly();
      const { cs } = vaultPlace(writable);
      const tally = new Tally();
      const puts = size(3, 300);
      const padding = 'x'.repeat(20_000);
      let done = 0;
      const write = async (): Promise<void> => {
        const value = `${done + 1} ${padding}`;
        expect(await cs(['put', 'n', '-a', value], { timeoutMs })).toEqual(stored('n'));
        done += 1;
        tally.add('writes');
      };
      const writeAll = async (): Promise<void> => {
        while (done < puts) await write();
      };
      const readAll = async (command: string): Promise<void> => {
        const args = command === 'get' ? ['get', 'n', '-n'] : [command];
        while (done < puts) {
          const before = done;
          const ended = await vaultPlace(folder).cs(args, { under, timeoutMs });
          expect(ended).toMatchObject({ status: 0, stderr: '' });
          const value = command === 'get' ? ended.stdout : printed(ended.stdout).get('n');
          const [version = '', rest] = value?.split(' ') ?? [];
          expect(rest).toBe(padding);
          // What was reported as stored before the read began is seen, and what has not begun is not.
          expect(Number(version)).toBeGreaterThanOrEqual(before);
          expect(Number(version)).toBeLessThanOrEqual(done + 1);
          tally.add('reads');
        }
      };
      await write();
      const readers = isLong ? ['get', 'get', 'getall'] : ['get', 'getall'];
      await Promise.all([writeAll(), ...readers.map(readAll)]);
      tally.print('A vault that is read on a read-only file system while it is written elsewhere');
    });
  });
}
