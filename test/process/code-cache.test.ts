import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { canMount, startMounts } from '../support/mounts.ts';
import { builtCommand, type Program, run } from '../support/run.ts';
import {
  asText,
  type Ended,
  ok,
  type Place,
  type Running,
  vaultProcess,
} from '../end-to-end/backends.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * What V8 compiled is kept for the next start. Whatever is wrong with it, the command does what it always does.
 */

const folder = temporaryFolder();
let running: Running;
let place: Place;
let homes = 0;

beforeAll(async () => {
  running = await vaultProcess.start();
  place = await running.place();
  await place.cs(['put', 'a', 'secret'], { env: { CREDSTASH_CODE_CACHE: '0' } });
});
afterAll(async () => {
  await running.close();
});

/** A home of its own, and the command in it. */
function user(env: Readonly<Record<string, string>> = {}): {
  home: string;
  code: string;
  get: (more?: Readonly<Record<string, string>>) => Promise<Ended>;
} {
  const home = join(folder, `home-${++homes}`);
  mkdirSync(home);
  return {
    home,
    code: join(home, '.cache', 'credstash', 'code'),
    get: (more) =>
      place.cs(['get', 'a'], {
        executable: builtCommand,
        env: { HOME: home, XDG_CACHE_HOME: '', ...env, ...more },
      }),
  };
}

function files(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name))
    .sort();
}

/** A hook that tells which modules took a cache, which had theirs rejected, and which had none. */
const hook = join(folder, 'hook.cjs');
writeFileSync(
  hook,
  `const vm = require('node:vm');
const fs = require('node:fs');
const seen = { taken: 0, rejected: 0, none: 0 };
const Script = vm.Script;
vm.Script = class extends Script {
  constructor(source, options) {
    super(source, options);
    if (!options.cachedData) seen.none += 1;
    else if (this.cachedDataRejected) seen.rejected += 1;
    else seen.taken += 1;
  }
};
process.on('exit', () => fs.writeFileSync(process.env.REPORT, JSON.stringify(seen)));
`,
);

async function told(get: ReturnType<typeof user>['get'], flags = ''): Promise<object> {
  const REPORT = join(folder, 'report');
  expect(await get({ NODE_OPTIONS: `--require ${hook} ${flags}`, REPORT })).toEqual(ok('secret\n'));
  return JSON.parse(readFileSync(REPORT, 'utf8')) as object;
}

test('the second start writes it, readable by its owner alone; the next one takes it and writes nothing', async () => {
  const { get, code } = user();
  expect(await told(get)).toMatchObject({ taken: 0, rejected: 0 });
  expect(files(code)).toEqual([]);
  const first = (await told(get)) as { none: number };
  expect(first).toEqual({ taken: 0, rejected: 0, none: first.none });
  expect(first.none).toBeGreaterThan(2);
  const written = files(code);
  expect(written).toHaveLength(first.none);
  for (const each of written) expect(statSync(each).mode & 0o777, each).toBe(0o600);
  for (const each of [code, dirname(written[0] ?? '')])
    expect(statSync(each).mode & 0o777).toBe(0o700);
  const times = written.map((each) => statSync(each).mtimeMs);
  expect(await told(get)).toEqual({ taken: first.none, rejected: 0, none: 0 });
  expect(files(code).map((each) => statSync(each).mtimeMs)).toEqual(times);
});

test('no secret is in it, whatever the run that wrote it was about', async () => {
  const { get, code } = user();
  for (const _ of [1, 2]) expect(await get()).toEqual(ok('secret\n'));
  expect(files(code).length).toBeGreaterThan(2);
  const key = readFileSync(join(place.where.replace('the vault ', ''), 'master.key'));
  for (const each of files(code)) {
    const bytes = readFileSync(each);
    expect(bytes.includes(key), each).toBe(false);
    expect(bytes.includes(place.where.replace('the vault ', '')), each).toBe(false);
  }
});

test('every byte counts: one that is damaged is not taken, and is made again', async () => {
  const { get, code } = user();
  await told(get);
  const { none } = (await told(get)) as { none: number };
  const damages = [
    (bytes: Buffer) => bytes.subarray(0, bytes.length >> 1),
    () => Buffer.alloc(0),
    () => Buffer.alloc(100_000, 1),
    ...[0, 31, 32, 60, 1000].map((at) => (bytes: Buffer) => {
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      return bytes;
    }),
    (bytes: Buffer) => Buffer.concat([bytes, Buffer.of(0)]),
  ];
  // Each file is damaged in a way of its own, until every way has been tried.
  for (let tried = 0; tried < damages.length; tried += none) {
    for (const [i, each] of files(code).entries()) {
      const damage = damages[(tried + i) % damages.length];
      if (damage) writeFileSync(each, damage(readFileSync(each)));
    }
    expect(await told(get)).toEqual({ taken: 0, rejected: 0, none });
    expect(await told(get)).toEqual({ taken: none, rejected: 0, none: 0 });
  }
});

test('one of another module, or of another source, is not taken', async () => {
  const { get, code } = user();
  for (const _ of [1, 2]) await told(get);
  const [one = '', ...others] = files(code);
  for (const each of others) copyFileSync(one, each);
  expect(await told(get)).toMatchObject({ rejected: 0, none: others.length });
  // The source changes, and keeps its length: V8 by itself would take the cache of the old one for it.
  const bin = join(folder, 'bin');
  mkdirSync(join(bin, 'chunks'), { recursive: true });
  for (const each of ['.', 'chunks']) {
    for (const name of readdirSync(join(dirname(builtCommand), each))) {
      if (name.endsWith('.cjs'))
        copyFileSync(join(dirname(builtCommand), each, name), join(bin, each, name));
    }
  }
  const version = async (): Promise<string> =>
    asText(
      await run(['--version'], {
        executable: join(bin, 'credstash.cjs'),
        env: { HOME: folder, XDG_CACHE_HOME: '' },
      }),
    ).stdout;
  const before = (await version()).trim();
  for (const _ of [1, 2]) expect(await version()).toBe(`${before}\n`);
  const after = before.replace(/\d/g, '9');
  for (const each of readdirSync(bin, { recursive: true, encoding: 'utf8' })) {
    if (!each.endsWith('.cjs')) continue;
    const source = readFileSync(join(bin, each), 'utf8');
    const literal = `=\`${before}\``;
    if (source.includes(literal)) {
      writeFileSync(join(bin, each), source.replace(literal, literal.replace(before, after)));
    }
  }
  expect(after).not.toBe(before);
  expect(await version()).toBe(`${after}\n`);
});

test('flags of V8 have a cache of their own', async () => {
  const { get, code } = user();
  for (const _ of [1, 2]) await told(get);
  await told(get, '--stack-trace-limit=50');
  const { none } = (await told(get, '--stack-trace-limit=50')) as { none: number };
  expect(none).toBeGreaterThan(0);
  expect(readdirSync(code)).toHaveLength(2);
  expect(await told(get, '--stack-trace-limit=50')).toMatchObject({ none: 0, rejected: 0 });
  expect(await told(get)).toMatchObject({ none: 0, rejected: 0 });
});

test('it is turned off by CREDSTASH_CODE_CACHE=0, and moved by XDG_CACHE_HOME', async () => {
  const off = user({ CREDSTASH_CODE_CACHE: '0' });
  expect(await off.get()).toEqual(ok('secret\n'));
  expect(readdirSync(off.home)).toEqual([]);
  const moved = user({ XDG_CACHE_HOME: join(folder, 'elsewhere') });
  for (const _ of [1, 2]) expect(await moved.get()).toEqual(ok('secret\n'));
  expect(readdirSync(moved.home)).toEqual([]);
  expect(files(join(folder, 'elsewhere')).length).toBeGreaterThan(2);
});

test('a folder or a file that others can change, or that is no folder, is left alone', async () => {
  const { get, code, home } = user();
  await told(get);
  const { none } = (await told(get)) as { none: number };
  const [key = ''] = readdirSync(code);
  const own = join(code, key);
  chmodSync(own, 0o777);
  expect(await told(get)).toEqual({ taken: 0, rejected: 0, none });
  chmodSync(own, 0o700);
  for (const each of files(code)) chmodSync(each, 0o666);
  expect(await told(get)).toEqual({ taken: 0, rejected: 0, none });
  expect(await told(get)).toEqual({ taken: none, rejected: 0, none: 0 });
  const real = join(home, 'real');
  renameSync(own, real);
  symlinkSync(real, own);
  expect(await told(get)).toEqual({ taken: 0, rejected: 0, none });
  // Nothing of it can be written.
  const blocked = user();
  writeFileSync(join(blocked.home, '.cache'), '');
  expect(await blocked.get()).toEqual(ok('secret\n'));
  const none_ = user({ HOME: '/nonexistent/home' });
  expect(await none_.get()).toEqual(ok('secret\n'));
});

/** The command lines that write a cache: at the end, and before COMMAND takes the place of credstash. */
const STARTS: readonly [args: readonly string[], stdout: RegExp][] = [
  [['--version'], /^[^\n]*0\.\d+\.\d+\n$/],
  [['get', 'a'], /^secret\n$/],
  [['exec', '--env', 'A=a', '--', 'sh', '-c', 'echo $A'], /^secret\n$/],
];

/** Expects them to do their work where the cache is below this folder, which XDG_CACHE_HOME or HOME names. */
async function expectStarts(base: string, program: Program = {}): Promise<void> {
  for (const [i, [args, stdout]] of STARTS.entries()) {
    const env = i === 1 ? { XDG_CACHE_HOME: '', HOME: base } : { XDG_CACHE_HOME: base };
    const ended = await place.cs(args, { ...program, executable: builtCommand, env });
    expect(ended, args.join(' ')).toMatchObject({ status: 0, stderr: '' });
    expect(ended.stdout).toMatch(stdout);
  }
}

test.each(['/proc', '/proc/none', '/proc/self/fd'])(
  'a folder in which mkdir answers ENOENT, as %s, costs the cache and nothing else',
  async (base) => {
    await expectStarts(base);
  },
);

if (canMount()) {
  test('a mount whose source was deleted costs the cache and nothing else', async () => {
    const [source, at] = [join(folder, 'source'), join(folder, 'mounted')];
    const { under, close } = await startMounts(
      `mkdir ${source} ${at}; mount --bind ${source} ${at}; rmdir ${source}`,
    );
    await expectStarts(at, { under });
    await close();
  });
}

test("under sudo, in another user's home, nothing is taken and nothing is left", async () => {
  // Only root can give a folder away.
  if (process.getuid?.() !== 0) return;
  const { get, home, code } = user();
  chownSync(home, 65_534, 65_534);
  expect(await get()).toEqual(ok('secret\n'));
  expect(existsSync(code)).toBe(false);
});

test("another user's link on the way is not followed; one of this user, or root, is", async () => {
  // Only root can give a link away.
  if (process.getuid?.() !== 0) return;
  const { home } = user();
  const real = join(home, 'real', 'cache');
  mkdirSync(real, { recursive: true });
  const links = join(home, 'links');
  mkdirSync(links);
  const own = join(links, 'own');
  symlinkSync('../real', own);
  const theirs = join(links, 'theirs');
  symlinkSync(join(home, 'real'), theirs);
  lchownSync(theirs, 65_534, 65_534);
  const behind = join(links, 'behind');
  symlinkSync('theirs/../real', behind);
  symlinkSync('loop', join(links, 'loop'));
  for (const link of [theirs, behind, join(links, 'loop')]) {
    const { get } = user({ XDG_CACHE_HOME: join(link, 'cache') });
    for (const _ of [1, 2]) expect(await get()).toEqual(ok('secret\n'));
    expect(readdirSync(real), link).toEqual([]);
  }
  const mine = user({ XDG_CACHE_HOME: join(own, 'cache') });
  const { none } = [await told(mine.get), await told(mine.get)][1] as { none: number };
  expect(files(real)).toHaveLength(none);
  expect(await told(mine.get)).toEqual({ taken: none, rejected: 0, none: 0 });
  // Not even where it leads to what this user keeps.
  const foreign = user({ XDG_CACHE_HOME: join(theirs, 'cache') });
  expect(await told(foreign.get)).toEqual({ taken: 0, rejected: 0, none });
});

test('folders of somebody else on the way, and those that others can write to, are left alone', async () => {
  // Only root can give a folder away.
  if (process.getuid?.() !== 0) return;
  const { get, code, home } = user();
  mkdirSync(join(code, 'old'), { recursive: true });
  const then = Date.now() / 1000 - 200 * 24 * 3600;
  utimesSync(join(code, 'old'), then, then);
  for (const [path, spoil] of [
    [
      code,
      () => {
        chownSync(code, 65_534, 65_534);
      },
    ],
    [
      dirname(code),
      () => {
        chownSync(dirname(code), 65_534, 65_534);
      },
    ],
    [
      join(home, '.cache'),
      () => {
        chmodSync(join(home, '.cache'), 0o1777);
      },
    ],
  ] as const) {
    spoil();
    for (const _ of [1, 2]) expect(await get()).toEqual(ok('secret\n'));
    expect(readdirSync(code)).toEqual(['old']);
    chownSync(path, 0, 0);
    chmodSync(path, 0o700);
  }
  expect(await get()).toEqual(ok('secret\n'));
  expect(readdirSync(code)).not.toContain('old');
});

test('eight starts at once: each does its work, and one whole cache is there after them', async () => {
  const { get, code } = user();
  await get();
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => get()));
  expect(outcomes).toEqual(outcomes.map(() => ok('secret\n')));
  expect(files(code).filter((each) => each.endsWith('.tmp'))).toEqual([]);
  expect(await told(get)).toMatchObject({ rejected: 0 });
});

test('a release that comes removes what nobody has used for long', async () => {
  const { get, code } = user();
  await get();
  const [key = ''] = readdirSync(code);
  for (const [name, days] of [
    ['old', 100],
    ['young', 10],
  ] as const) {
    mkdirSync(join(code, name));
    writeFileSync(join(code, name, 'x'), '');
    const then = Date.now() / 1000 - days * 24 * 3600;
    utimesSync(join(code, name), then, then);
  }
  await get();
  expect(readdirSync(code).sort()).toEqual([key, 'old', 'young'].sort());
  await told(get, '--stack-trace-limit=50');
  expect(readdirSync(code)).not.toContain('old');
  expect(readdirSync(code)).toEqual(expect.arrayContaining([key, 'young']));
});
