import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { replacesProcess, run, type RunOptions, standaloneUnderTest } from '../support/run.ts';
import { startRecorder } from '../support/recorder.ts';
import {
  asText,
  awsPlace,
  backends,
  dynalite,
  type Ended,
  failed,
  ok,
  type Place,
  type Running,
  vault,
} from '../end-to-end/backends.ts';
import { shell } from '../end-to-end/shell.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { v } from '../support/version.ts';

const folder = temporaryFolder();
const file = (name: string): string => join(folder, name);
const running: Running[] = [];
/** A vault that every test but those of the backends is on. */
let place: Place;
let cs: Place['cs'];

async function put(
  on: Place,
  secrets: Readonly<Record<string, string | Uint8Array>>,
): Promise<void> {
  for (const [name, value] of Object.entries(secrets)) {
    const empty = value.length === 0 ? ['--allow-empty'] : [];
    expect(await on.cs(['put', name, '-', ...empty], { input: value })).toMatchObject({
      status: 0,
    });
  }
}

/** The environment that a command gets, by its name and in bytes. */
async function environmentOf(
  args: readonly string[],
  options: RunOptions = {},
  on = place,
): Promise<Record<string, string>> {
  const { status, stdout, stderr } = await on.raw(['exec', ...args, '--', 'env', '-0'], options);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return Object.fromEntries(
    stdout
      .toString()
      .split('\0')
      .filter((each) => each !== '')
      .map((each) => [each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1)]),
  );
}

/** As a shell tells how a process ended. */
function statusOf({ status, signal }: { status: number | null; signal: string | null }): number {
  return status ?? 128 + constants.signals[signal as NodeJS.Signals];
}

const replaces = replacesProcess();
beforeAll(async () => {
  running.push(await vault.start());
  place = (await running[0]?.place()) as Place;
  cs = place.cs;
  await put(place, {
    'prod.api.db-password': 's3cret',
    'prod.api.login': 'app',
    'prod.api.nasty': `'"$(id)\`\\ \n\t#=%é😀 `,
    'prod.api.empty': '',
    'bin.nul': 'canary\0',
    'bin.bytes': Uint8Array.of(0x63, 0xff),
    'bin.large': 'x'.repeat(140_000),
    'twin.a-b': 'one',
    'twin.a.b': 'two',
  });
  expect(await cs(['put', '-a', 'prod.api.login', 'newer'])).toMatchObject({ status: 0 });
  expect(await cs(['put', 'context.db', 'in a context', 'env=prod'])).toMatchObject({ status: 0 });
});
afterAll(async () => {
  await Promise.all(running.map((each) => each.close()));
});

describe.each(backends)('on $name', ({ start }) => {
  test('the secrets whose name matches, references, and the context', async () => {
    const here = await start();
    running.push(here);
    const on = await here.place();
    await put(on, { 'prod.db-password': 's3cret', 'prod.login': 'app', other: 'x' });
    await on.cs(['put', 'bound', 'in a context', 'env=prod']);
    const env = { DB: 'credstash://prod.db-password?version=1', KEPT: 'as it is' };
    const got = await environmentOf(['prod.*', '--env', 'X=other', '--resolve'], { env }, on);
    expect(got).toMatchObject({
      ...on.env,
      KEPT: 'as it is',
      DB: 's3cret',
      DB_PASSWORD: 's3cret',
      LOGIN: 'app',
      X: 'x',
    });
    expect(await environmentOf(['bound', 'env=prod'], {}, on)).toMatchObject({
      BOUND: 'in a context',
    });
    expect(await on.cs(['exec', 'bound', '--', 'touch', file('ran')])).toMatchObject({ status: 6 });
    expect(existsSync(file('ran'))).toBe(false);
  });
});

describe('the environment of the command', () => {
  test('is what was inherited and the secrets, and nothing else', async () => {
    const env = { EMPTY: '', NODE_V8_COVERAGE: file('coverage'), CREDSTASH_CIPHER: 'AES-256-GCM' };
    const bare = await environmentOf([], { env });
    expect(Object.keys(bare).sort()).toEqual(
      ['AWS_EC2_METADATA_DISABLED', 'HOME', 'PATH', 'XDG_CACHE_HOME', ...Object.keys(env)].sort(),
    );
    expect(bare).toMatchObject(env);
    const { HOME: _, ...with_ } = await environmentOf(['prod.api.*'], { env });
    expect(with_).toEqual({
      ...with_,
      ...env,
      DB_PASSWORD: 's3cret',
      LOGIN: 'newer',
      NASTY: `'"$(id)\`\\ \n\t#=%é😀 `,
      EMPTY: '',
    });
    expect(Object.keys(with_).sort()).toEqual(
      [...Object.keys(bare), 'DB_PASSWORD', 'LOGIN', 'NASTY'].filter((n) => n !== 'HOME').sort(),
    );
  });

  test('names: of a whole name, by --full-names, by --env', async () => {
    expect(await environmentOf(['prod.api.login'])).toMatchObject({ PROD_API_LOGIN: 'newer' });
    const full = await environmentOf(['prod.api.*', '--full-names']);
    expect(full).toMatchObject({ PROD_API_LOGIN: 'newer', PROD_API_DB_PASSWORD: 's3cret' });
    expect(full).not.toHaveProperty('LOGIN');
    const named = [
      'A=prod.api.login',
      'B=prod.api.login?version=1',
      'b.c=credstash://context.db?env=prod',
    ];
    expect(await environmentOf(named.flatMap((each) => ['--env', each]))).toMatchObject({
      A: 'newer',
      B: 'app',
      'b.c': 'in a context',
    });
    // Pairs of the command line hold for references too.
    const context = ['env=prod', '--env=A=context.db', '--resolve'];
    expect(await environmentOf(context, { env: { B: 'credstash://context.db' } })).toMatchObject({
      A: 'in a context',
      B: 'in a context',
    });
  });

  test('--pristine and --keep', async () => {
    const env = { A: 'credstash://prod.api.login', B: 'credstash://absent', TERM: 'dumb', C: 'c' };
    const { PATH, ...rest } = await environmentOf(
      ['prod.api.db*', '--resolve', '--pristine', '--keep', 'A', '--keep', 'C', '--keep', 'UNSET'],
      { env: { ...env, NODE_V8_COVERAGE: file('coverage') } },
    );
    expect(PATH).toBe(process.env.PATH);
    // What is not kept is not looked at either.
    expect(rest).toEqual({
      A: 'newer',
      C: 'c',
      HOME: rest['HOME'],
      TERM: 'dumb',
      _PASSWORD: 's3cret',
    });
  });

  test('secrets win over what is inherited, unless --no-override', async () => {
    const env = { LOGIN: 'me', EMPTY: 'no' };
    expect(await environmentOf(['prod.api.*'], { env })).toMatchObject({
      LOGIN: 'newer',
      EMPTY: '',
    });
    expect(await environmentOf(['prod.api.*', '--no-override'], { env })).toMatchObject({
      ...env,
      DB_PASSWORD: 's3cret',
    });
  });

  test('a reference and a secret of one variable: an error, unless they are the same', async () => {
    const both = ['prod.api.*', '--resolve'];
    const same = { env: { LOGIN: 'credstash://prod.api.login' } };
    expect(await environmentOf(both, same)).toMatchObject({ LOGIN: 'newer' });
    const other = { env: { LOGIN: 'credstash://prod.api.db-password' } };
    expect(await environmentOf([...both, '--no-override'], other)).toMatchObject({
      LOGIN: 's3cret',
    });
    expect(await cs(['exec', ...both, '--', 'touch', file('ran')], other)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(
        'error: prod.api.login: its variable would be LOGIN, as that of prod.api.db-password\n',
      ) as string,
    });
    expect(existsSync(file('ran'))).toBe(false);
  });

  test('a secret is in no command line, and not in the environment of the process that stays', async () => {
    const script =
      'cat /proc/$$/cmdline /proc/$PPID/cmdline /proc/$PPID/environ; echo; echo $LOGIN';
    const { status, stdout } = await cs(['exec', 'prod.api.*', '--', 'sh', '-c', script]);
    const [processes, secret] = stdout.trim().split('\n').slice(-2);
    expect({ status, secret }).toEqual({ status: 0, secret: 'newer' });
    expect(processes).not.toMatch(/newer|s3cret/);
  });
});

describe('the references of the environment', () => {
  const env = {
    MINE: 'credstash://prod.api.login',
    TITLE: 'credstash://prod.api.db-password',
    PLAIN: 'plain',
  };
  const resolved = { MINE: 'newer', TITLE: 's3cret' };

  test.each([
    ['nothing else is asked for', [], resolved],
    ['only an encryption context is given', ['env=prod'], undefined],
    ['--pristine keeps them', ['--pristine', '--keep', 'MINE', '--keep', 'TITLE'], resolved],
    ['a GLOB is given', ['prod.api.l*'], {}],
    ['a name is given', ['prod.api.login'], {}],
    ['--env is given', ['--env', 'X=prod.api.login'], {}],
    ['a GLOB is given, and --pristine keeps them', ['prod.*', '--pristine', '--keep', 'MINE'], {}],
    ['a GLOB and --no-override are given', ['prod.api.l*', '--no-override'], {}],
    ['--resolve and a GLOB are given', ['--resolve', 'prod.api.l*'], resolved],
    ['--resolve stands behind the GLOB', ['prod.api.l*', '--resolve'], resolved],
    ['--resolve and --env are given', ['--env', 'X=prod.api.login', '--resolve'], resolved],
    ['--resolve alone is given', ['--resolve'], resolved],
    ['one is named', ['--resolve=MINE'], { MINE: 'newer' }],
    ['one is named beside a GLOB', ['prod.api.l*', '--resolve=MINE'], { MINE: 'newer' }],
    ['both are named', ['prod.api.login', '--resolve=MINE', '--resolve=TITLE'], resolved],
    ['one is named twice', ['--resolve=TITLE', '--resolve=TITLE'], { TITLE: 's3cret' }],
    ['one is named, and all', ['--resolve=MINE', '--resolve'], resolved],
  ] as const)('where %s', async (_, args, changed) => {
    if (changed === undefined) {
      // They are asked for under that context.
      const command = ['exec', ...args, '--', 'touch', file('ran')];
      expect(await cs(command, { env })).toMatchObject({ status: 6 });
      expect(existsSync(file('ran'))).toBe(false);
      return;
    }
    const pristine = (args as readonly string[]).includes('--pristine');
    const got = await environmentOf(args, { env });
    for (const [name, value] of Object.entries({ ...env, ...changed })) {
      const isKept = !pristine || (args as readonly string[]).includes(name);
      expect([name, got[name]]).toEqual([name, isKept ? value : undefined]);
    }
  });

  test.each([
    [['--resolve=UNSET'], /no UNSET\n.*hold references: MINE, TITLE\n/],
    [['--resolve=mine'], /no mine\n/],
    [['--resolve=PLAIN', 'prod.*'], /the value of PLAIN is not a reference\n/],
    [['--resolve=UNSET', '--resolve=PLAIN', '--resolve'], /no UNSET, and the value of PLAIN is/],
    [['--resolve='], /the value of --resolve is empty\n/],
    [['prod.*', '--pristine', '--resolve=MINE'], /leaves out MINE.*\n.*--keep MINE\n/],
    [['--resolve=__proto__'], /no __proto__\n/],
  ] as const)('an error before any request: %j', async (args, said) => {
    // Where nothing answers.
    const nowhere = { AWS_ENDPOINT_URL: 'http://127.0.0.1:1', ...env };
    const got = await run(['exec', ...args, '--', 'touch', file('ran')], { env: nowhere });
    expect(asText(got)).toEqual(failed(2, said));
    expect(existsSync(file('ran'))).toBe(false);
  });

  test('the hint of an error is followed to its end', async () => {
    const got = await cs(['exec', '--pristine', '--resolve=MINE', '--', 'env'], { env });
    const [, keep = '', name = ''] = /hint: .*(--keep) (\w+)\n/.exec(got.stderr) ?? [];
    const args = ['--pristine', '--resolve=MINE', keep, name];
    expect(await environmentOf(args, { env })).toMatchObject({ MINE: 'newer' });
    const none = await cs(['exec', '--resolve=MINE', '--', 'env']);
    expect(none).toEqual(failed(2, 'no MINE', 'a value that begins with credstash://'));
  });

  test('--resolve takes no word behind a space', async () => {
    const got = await cs(['exec', '--resolve', 'prod.api.l*', '--', 'printenv', 'OGIN'], { env });
    expect(got).toEqual(ok('newer\n'));
    expect(await cs(['exec', '--resolve', 'MINE', '--', 'env'], { env })).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('there is no secret MINE') as string,
    });
  });

  test('of a malformed one that is not resolved nothing is said', async () => {
    const malformed = { ...env, BROKEN: 'credstash://' };
    expect(await environmentOf(['prod.*'], { env: malformed })).toMatchObject(malformed);
    expect(await environmentOf(['--resolve=MINE'], { env: malformed })).toMatchObject({
      ...malformed,
      MINE: 'newer',
    });
  });
});

describe('nothing is run', () => {
  const cases: readonly [string, string[], Record<string, string>, number, RegExp][] = [
    [
      'a glob that matches nothing',
      ['none.*'],
      {},
      3,
      /no secret in the vault .* matches none\.\*/,
    ],
    ['one of two globs that matches nothing', ['prod.*', 'none.*'], {}, 3, /matches none/],
    [
      'a secret that is not there',
      ['prod.api.login', 'none'],
      {},
      3,
      /error: none: there is no secret/,
    ],
    ['--env of none', ['--env', 'A=none'], {}, 3, /error: A: there is no secret none/],
    [
      'a version that is not there',
      ['--env', 'A=prod.api.login?version=9'],
      {},
      3,
      /error: A: .*no version 9/,
    ],
    [
      'a reference that does not resolve',
      ['prod.*', '--resolve'],
      { A: 'credstash://none' },
      3,
      /error: A: there is no/,
    ],
    [
      'a malformed reference',
      [],
      { A: 'credstash://', B: 'credstash://a?x' },
      2,
      /error: A: .*\n.*error: B: /,
    ],
    ['a NUL', ['bin.nul'], {}, 2, /error: bin\.nul: it has a NUL/],
    ['bytes that are no UTF-8', ['bin.bytes'], {}, 2, /error: bin\.bytes: it is not UTF-8/],
    ['140 KB', ['bin.large'], {}, 2, /error: bin\.large: .* 140011 bytes, and 131072 are possible/],
    [
      'several of them',
      ['bin.*'],
      {},
      2,
      /3 of the secrets.*\n.*bin\.bytes.*\n.*bin\.large.*\n.*bin\.nul/,
    ],
    [
      'two secrets of one variable',
      ['twin.*'],
      {},
      2,
      /error: twin\.a\.b: .* A_B, as that of twin\.a-b/,
    ],
    [
      'two versions of one',
      ['prod.api.login', '--env', 'PROD_API_LOGIN=prod.api.login?version=1'],
      {},
      2,
      /as that of prod\.api\.login/,
    ],
    ['another context', ['context.*'], {}, 6, /error: context\.db: /],
    [
      'a reference without a variable',
      ['credstash://prod.api.login?version=1'],
      {},
      2,
      /--env NAME=credstash/,
    ],
    ['--keep without --pristine', ['prod.*', '--keep', 'A'], {}, 2, /--keep is for --pristine/],
    ['--env without a name', ['--env', '=prod.api.login'], {}, 2, /not of the form NAME=REFERENCE/],
    ['--env without a value', ['prod.*', '--env'], {}, 2, /the value of --env is missing/],
    ['a pair without a key', ['prod.*', '=x'], {}, 2, /not of the form KEY=VALUE/],
    ['an option that nobody knows', ['prod.*', '--unknown'], {}, 2, /unknown option '--unknown'/],
    ['an empty name', [''], {}, 2, /name of a secret cannot be empty/],
    ['an option of AWS', ['-r', 'eu-west-1'], {}, 2, /for AWS/],
  ];
  test.each(cases)('with %s', async (_, args, env, status, said) => {
    const ran = file('ran');
    const got = await cs(['exec', ...args, '--', 'touch', ran], { env });
    expect(got).toMatchObject({ status, stdout: '' });
    expect(got.stderr).toMatch(/^credstash: error: /);
    expect(got.stderr).toMatch(said);
    expect(got.stderr).not.toMatch(/canary|s3cret/);
    expect(existsSync(ran)).toBe(false);
  });

  test('where -- is forgotten: the words behind are not repeated', async () => {
    const got = await cs(['exec', 'prod.*', 'curl', '-ucanary:s3cret']);
    expect(got).toEqual(
      failed(2, 'exec does not know one of the options', 'put -- before the command'),
    );
    expect(got.stderr).not.toContain('canary');
    const other = await cs(['get', 'prod.api.login', '-xcanary']);
    expect(other).toEqual(failed(2, "unknown option '-x'", 'credstash get --help'));
  });

  test('with a variable that is not UTF-8', async () => {
    const script =
      "export L=$(printf 'caf\\351'); credstash exec -- env; credstash exec --pristine -- env";
    const { stderr, stdout } = await shell(place, script);
    expect(stderr).toMatch(
      /^credstash: error: of the environment, L is not valid UTF-8.*\n.*env -u L/,
    );
    expect(stdout).toMatch(/^PATH=/m);
    expect(stdout).not.toMatch(/^L=/m);
  });

  test('with an entry that does not verify among those that match', async () => {
    const broken = (await running[0]?.place()) as Place;
    await put(broken, { 'a.good': 'x', 'a.bad': 'y' });
    const item = (await broken.items()).find(
      ({ name }) => name && 'S' in name && name.S === 'a.bad',
    );
    await broken.plant({ ...item, comment: { S: 'another' } });
    const { status, stderr } = await broken.cs(['exec', 'a.*', '--', 'touch', file('ran')]);
    expect({ status, stderr }).toMatchObject({ status: 5 });
    expect(stderr).toContain(`error: a.bad: version ${v(1)} of a.bad: `);
    expect(existsSync(file('ran'))).toBe(false);
  });

  test('with more than the system takes', async () => {
    const large = (await running[0]?.place()) as Place;
    for (let i = 0; i < 8; i++) await put(large, { [`a.${i}`]: 'x'.repeat(100_000) });
    expect(await large.cs(['exec', 'a.*', '--', 'sh', '-c', 'echo ${#_7}'])).toEqual(
      ok('100000\n'),
    );
    // A quarter of the stack's limit is for the environment and the arguments.
    const under = ['sh', '-c', 'ulimit -s 2048; exec "$@"', 'sh'] as const;
    expect(await large.cs(['exec', 'a.*', '--', 'touch', file('ran')], { under })).toEqual(
      failed(2, 'together larger than the system takes'),
    );
    expect(existsSync(file('ran'))).toBe(false);
  });

  test('without a command', async () => {
    const none = failed(2, 'there is no command to run', 'credstash exec GLOB -- COMMAND');
    expect(await cs(['exec', 'prod.*'])).toEqual(none);
    expect(await cs(['exec', 'prod.*', '--'])).toEqual(none);
    expect(await cs(['exec'])).toEqual(none);
  });

  test('that is not there, or cannot be executed, and no secret is asked for', async () => {
    const exec = (...command: string[]): Promise<Ended> =>
      run(['exec', 'prod.*', '--', ...command], {
        // Where nothing answers.
        env: {
          AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
          AWS_ACCESS_KEY_ID: 'x',
          AWS_SECRET_ACCESS_KEY: 'x',
        },
      }).then(asText);
    expect(await exec('nowhere-at-all')).toEqual(failed(127, 'nowhere-at-all is not found'));
    expect(await exec('/nonexistent/x')).toEqual(failed(127, '/nonexistent/x is not found'));
    expect(await exec('')).toEqual(failed(127, 'the command "" is not found'));
    writeFileSync(file('plain'), '', { mode: 0o644 });
    expect(await exec(file('plain'))).toEqual(failed(126, `${file('plain')} is not executable`));
    expect(await exec('/')).toEqual(failed(126, '/ is not executable'));
    writeFileSync(file('orphan'), '#!/nonexistent/sh\n', { mode: 0o755 });
    expect(await cs(['exec', '--', file('orphan')])).toEqual(
      failed(127, 'needs /nonexistent/sh, which does not exist'),
    );
  });

  test.each([
    [['FOO=BAR', 'printenv', 'FOO'], 'env FOO=BAR printenv', 'FOO', 'BAR\n'],
    [
      ['A=1', "B=it's", 'sh', '-c', 'echo $A $B'],
      `env A=1 'B=it'\\''s' sh`,
      `-c 'echo $A $B'`,
      "1 it's\n",
    ],
    [['FOO=/usr/bin'], 'env FOO=/usr/bin COMMAND', '', ''],
    [['echo "$_LOGIN" | tr a-z A-Z'], `sh -c 'echo "$_LOGIN" | tr a-z A-Z'`, '', 'APP\n'],
  ])(
    'that is written for a shell has a hint, which works: %j',
    async (command, hint, rest, says) => {
      const expected = failed(
        127,
        'is not found',
        `without a shell`,
        `credstash exec … -- ${hint}`,
      );
      const ended = await cs(['exec', 'twin.a-b', '--', ...command]);
      expect(ended).toEqual(expected);
      const [, advice = ''] = / (exec … -- .*)\n$/.exec(ended.stderr) ?? [];
      const typed = advice
        .replace('…', '--env _LOGIN=prod.api.login?version=1')
        .replace('COMMAND', 'true');
      expect(await shell(place, `credstash ${typed} ${rest}`)).toEqual(ok(says));
    },
  );

  test('the example of the help works', async () => {
    const { stdout: help } = await cs(['exec', '--help']);
    const [, example = ''] = /^ {2}credstash (exec db -- .*)$/m.exec(help) ?? [];
    await put(place, { db: 's3cret of db' });
    expect(await shell(place, `credstash ${example}`)).toEqual(ok('s3cret of db\n'));
  });

  test('no secret decides which program is run', async () => {
    const path = (await running[0]?.place()) as Place;
    await put(path, { path: folder });
    writeFileSync(file('env'), '#!/bin/sh\necho stolen\n', { mode: 0o755 });
    const { stdout } = await path.cs(['exec', 'path', '--', 'env']);
    expect(stdout).toContain(`PATH=${folder}\n`);
  });
});

test('with nothing to get, no backend is opened', async () => {
  const exec = ['exec', '--local=/nonexistent/vault', '--', 'echo', 'ran'];
  expect(asText(await run(exec))).toEqual(ok('ran\n'));
  const env = { A: 'credstash://a' };
  expect(asText(await run(exec, { env }))).toEqual(failed(3, '/nonexistent/vault'));
});

describe('the command line', () => {
  test('behind -- reaches the command untouched', async () => {
    const script = 'printf "<%s>" "$0" "$@"';
    const words = [
      '--',
      '-v',
      '--version',
      '',
      'a b',
      '-t',
      '--local',
      '*',
      '-- x',
      'put',
      '--help',
    ];
    expect(await cs(['exec', '--', 'sh', '-c', script, '-n', ...words])).toEqual(
      ok(['-n', ...words].map((word) => `<${word}>`).join('')),
    );
  });

  test('before -- takes the global options, before and after the name', async () => {
    const [local = ''] = place.args;
    for (const args of [
      [local, 'exec', 'prod.api.login'],
      ['exec', local, 'prod.api.login'],
      ['exec', 'prod.api.login', local, '--log-level', 'error'],
    ]) {
      const ended = await run([...args, '--', 'sh', '-c', 'echo $PROD_API_LOGIN']);
      expect(asText(ended)).toEqual(ok('newer\n'));
    }
  });

  test('has a help of its own, and the command’s --help is the command’s', async () => {
    const { status, stdout } = await cs(['exec', '--help']);
    expect(status).toBe(0);
    expect(stdout).toContain('Usage: credstash exec [glob...] [KEY=VALUE...] [options] -- COMMAND');
    expect((await cs(['exec', '--', 'env', '--help'])).stdout).toMatch(/^Usage: env/);
  });

  test('the name of the command is the word that was typed', async () => {
    expect(
      await cs(['exec', '--', 'sh', '-c', 'tr "\\0" " " </proc/$$/cmdline | cut -c1-3']),
    ).toEqual(ok('sh \n'));
  });

  test('a script without #! is one of /bin/sh', async () => {
    writeFileSync(file('bare'), 'echo "$LOGIN $1"\n', { mode: 0o755 });
    expect(await cs(['exec', 'prod.api.l*', '--', file('bare'), '-x'])).toEqual(ok(' -x\n'));
    expect(await cs(['exec', 'prod.api.*', '--', file('bare'), '-x'])).toEqual(ok('newer -x\n'));
  });
});

describe('the exit status', () => {
  test.each([0, 1, 3, 126, 255])('is that of the command: %d', async (status) => {
    const ended = await cs(['exec', 'prod.*', '--', 'sh', '-c', `echo said >&2; exit ${status}`]);
    expect(ended).toEqual({ status, stdout: '', stderr: 'said\n' });
  });

  test.each(['KILL', 'TERM', 'SEGV', 'INT'] as const)(
    'of SIG%s is 128 and its number to a shell',
    async (name) => {
      const script = `ulimit -c 0; kill -${name} $$`;
      const ended = await place.raw(['exec', '--', 'sh', '-c', script]);
      expect(statusOf(ended)).toBe(128 + constants.signals[`SIG${name}`]);
      // A process that was replaced is the command, and one whose core would hold secrets leaves none.
      expect(ended.signal).toBe(replaces || name !== 'SEGV' ? `SIG${name}` : null);
      expect(ended.stderr).toBe('');
    },
  );
});

describe('the process', () => {
  test('is replaced where Node.js can, and its parent elsewhere', async () => {
    const script =
      'sh -c "echo \\$\\$; exec $credstash exec -- sh -c \'echo \\$\\$; echo \\$PPID\'"';
    const [own, pid, parent] = (await shell(place, script)).stdout.split('\n');
    expect(replaces ? pid : parent).toBe(own);
  });

  test('has no ignored signal and no non-blocking stream more than without', async () => {
    const look = `grep -h flags /proc/self/fdinfo/0 /proc/self/fdinfo/1 /proc/self/fdinfo/2
grep -h -e SigIgn -e SigBlk /proc/self/status`;
    // A pipe on each stream.
    const wrap = (command: string): string => `sleep 1 | { ${command} 2>&1; } | cat`;
    const aws = await dynalite.start();
    running.push(aws);
    for (const on of [place, await aws.place()]) {
      await put(on, { 'a.b': 'x' });
      const exec = await shell(on, wrap(`credstash exec 'a.*' -- bash -c '${look}'`));
      expect(exec).toEqual(await shell(on, wrap(`bash -c '${look}'`)));
      expect(exec.stdout).toMatch(/^flags:.*\nflags:.*\nflags:.*\n/);
      expect(exec.stdout).toMatch(/SigIgn:\t0{16}\n/);
    }
  });

  test('has the open descriptors that the documents say', async () => {
    const from3To = (to: number): number[] => Array.from({ length: to - 2 }, (_, i) => i + 3);
    // The documented rule of Node.js, tried where it begins and ends.
    for (const [open, onNode] of [
      [[3], []],
      [[3, 15], []],
      [[16], []],
      [[17], [17]],
      [[16, 17], []],
      [[16, 18], [18]],
      [
        [3, 20, 30],
        [20, 30],
      ],
      [from3To(40), []],
      [[...from3To(18), 20], [20]],
    ] as const) {
      // Those of whoever runs the tests are closed. 255 is bash's own, and what it looks with is gone when it looks again.
      const each = 'for path in /proc/$$/fd/*; do fd=${path##*/}; [ $fd -gt 2 ] && [ $fd -lt 255 ]';
      const script = `${each} && eval "exec $fd<&-"; done
for fd in ${open.join(' ')}; do eval "exec $fd</dev/null"; done
credstash exec -- bash -c '${each} && [ -e /proc/$$/fd/$fd ] && echo $fd; done; :'`;
      const expected = standaloneUnderTest() === undefined ? onNode : [];
      expect(await shell(place, script), open.join(' ')).toEqual(
        ok(expected.map((fd) => `${fd}\n`).join('')),
      );
    }
  });

  test('of a reader that goes away ends by SIGPIPE', async () => {
    const script = 'credstash exec -- yes | head -1; echo "${PIPESTATUS[*]}"';
    expect(await shell(place, script)).toEqual(ok('y\n141 0\n'));
  });

  test('reads stdin from its beginning', async () => {
    const input = 'x'.repeat(200_000);
    const { stdout } = await cs(['exec', 'prod.*', '--', 'cat'], { input });
    expect(stdout).toBe(input);
  });
});

test('AWS: a glob of 50 secrets is one read of the table, and each data key once', async () => {
  const aws = await dynalite.start();
  running.push(aws);
  const recorder = await startRecorder({ DynamoDB: aws.dynamo ?? '', KMS: aws.kms?.url ?? '' });
  try {
    const on = await aws.place();
    const names = Array.from({ length: 50 }, (_, i) => `many.${i}`);
    const secrets = JSON.stringify(
      Object.fromEntries(names.map((name) => [name, `value of ${name}`])),
    );
    expect(await on.cs(['putall', '-'], { input: secrets })).toMatchObject({ status: 0 });
    const recorded = awsPlace(recorder.url, recorder.url, on.args[1] ?? '');
    const got = await environmentOf(['many.*'], {}, recorded);
    expect(names.map((_, i) => got[`_${i}`])).toEqual(names.map((name) => `value of ${name}`));
    // What the command used itself is passed on.
    expect(got).toMatchObject(recorded.env);
    const count = (action: string): number =>
      recorder.requests.filter((request) => request.action === action).length;
    expect([count('DynamoDB.Scan'), count('KMS.Decrypt'), recorder.requests.length]).toEqual([
      1, 50, 51,
    ]);
  } finally {
    await recorder.close();
  }
});

test('AWS: several globs are one read of the table, and what two of them match is opened once', async () => {
  const aws = await dynalite.start();
  running.push(aws);
  const recorder = await startRecorder({ DynamoDB: aws.dynamo ?? '', KMS: aws.kms?.url ?? '' });
  try {
    const on = await aws.place();
    await put(on, { 'a.one': '1', 'b.two': '2', 'b.three': '3', 'c.four': '4', other: '5' });
    const recorded = awsPlace(recorder.url, recorder.url, on.args[1] ?? '');
    const got = await environmentOf(['a.*', 'b.*', 'b.t*', 'c.*'], {}, recorded);
    expect(got).toMatchObject({ ONE: '1', TWO: '2', WO: '2', THREE: '3', HREE: '3', FOUR: '4' });
    const actions = (): string[] => recorder.requests.map(({ action }) => action).sort();
    expect(actions()).toEqual([...Array<string>(4).fill('KMS.Decrypt'), 'DynamoDB.Scan'].sort());
    // Every glob must match something.
    recorder.requests.length = 0;
    expect(await recorded.cs(['exec', 'a.*', 'nothing.*', '--', 'true'])).toEqual(
      failed(3, `no secret in ${on.where} matches nothing.*`),
    );
    expect(actions().filter((action) => action === 'DynamoDB.Scan')).toHaveLength(1);
  } finally {
    await recorder.close();
  }
});

test('AWS: a table of several pages is read once in segments, whole, and in the order of names', async () => {
  const aws = await dynalite.start();
  running.push(aws);
  const recorder = await startRecorder({ DynamoDB: aws.dynamo ?? '', KMS: aws.kms?.url ?? '' });
  try {
    const on = await aws.place();
    const names = Array.from({ length: 40 }, (_, i) => `many.${String(i).padStart(2, '0')}`);
    for (const version of ['1', '2']) {
      const values = names.map((name) => [name, `${version}${'x'.repeat(60_000)}`]);
      const input = JSON.stringify(Object.fromEntries(values));
      expect(await on.cs(['putall', '-v', version, '-'], { input })).toMatchObject({ status: 0 });
    }
    const recorded = awsPlace(recorder.url, recorder.url, on.args[1] ?? '');
    const globs = ['many.0*', 'many.1*', 'many.39*'];
    const { stdout, stderr } = await recorded.cs([
      ...[
        'exec',
        ...globs,
        '--full-names',
        '--',
        'sh',
        '-c',
        'env | grep ^MANY | cut -c1-9 | sort',
      ],
    ]);
    const wanted = [...names.slice(0, 20), 'many.39'];
    expect({ stdout, stderr }).toEqual({
      stdout:
        wanted.map((name) => `${name.toUpperCase().replace('.', '_')}=2`.slice(0, 9)).join('\n') +
        '\n',
      stderr: '',
    });
    const scans = recorder.requests
      .filter(({ action }) => action === 'DynamoDB.Scan')
      .map(({ sent }) => JSON.parse(sent) as { Segment?: number; TotalSegments?: number });
    expect(
      scans.every(
        ({ Segment, TotalSegments }) => (Segment === undefined) === (TotalSegments === undefined),
      ),
    ).toBe(true);
    expect([...new Set(scans.map(({ Segment }) => Segment ?? 'first'))].sort()).toEqual([
      0,
      1,
      2,
      3,
      'first',
    ]);
    expect(await recorded.cs(['keys'])).toEqual(ok(names.map((name) => `${name}\n`).join('')));
    const got = await recorded.cs(['getall']);
    expect(Object.keys(JSON.parse(got.stdout) as object)).toEqual(names);
  } finally {
    await recorder.close();
  }
});

test('AWS: of a reference that an outsider wrote, nothing is asked', async () => {
  const aws = await dynalite.start();
  running.push(aws);
  const recorder = await startRecorder({ DynamoDB: aws.dynamo ?? '', KMS: aws.kms?.url ?? '' });
  try {
    const on = await aws.place();
    await put(on, { 'ci.token': 'tok', 'db.password': 's3cret' });
    const recorded = awsPlace(recorder.url, recorder.url, on.args[1] ?? '');
    // As GitLab has the title of a commit, which whoever sends it chooses.
    const title = { CI_COMMIT_TITLE: 'credstash://db.password' };
    const job = { env: { ...title, TOKEN_OF_JOB: 'credstash://ci.token' } };
    for (const [args, decrypts] of [
      [['ci.*'], 1],
      [['ci.token'], 1],
      [['--env', 'X=ci.token'], 1],
      [['ci.*', '--no-override'], 1],
      [['ci.*', '--pristine', '--keep', 'CI_COMMIT_TITLE'], 1],
      [['--resolve=TOKEN_OF_JOB'], 1],
      // Both are the same secret, which is opened once.
      [['ci.*', '--resolve=TOKEN_OF_JOB'], 1],
    ] as const) {
      recorder.requests.length = 0;
      expect(await environmentOf(args, job, recorded), args.join(' ')).toMatchObject(title);
      const sent = recorder.requests.map((each) => each.sent).join('\n');
      expect(sent, args.join(' ')).not.toContain('db.password');
      const asked = recorder.requests.filter(({ action }) => action === 'KMS.Decrypt');
      expect(asked, args.join(' ')).toHaveLength(decrypts);
    }
    // What the attack would have had.
    expect(await environmentOf(['ci.*', '--resolve'], job, recorded)).toMatchObject({
      CI_COMMIT_TITLE: 's3cret',
    });
  } finally {
    await recorder.close();
  }
});

test('an error of exec is in the log file, and what the command prints is not', async () => {
  const log = file('log');
  await cs(['exec', '--log-file', log, 'none.*', '--', 'true']);
  await cs(['exec', '--log-file', log, 'prod.*', '--', 'sh', '-c', 'echo $DB_PASSWORD']);
  expect(readFileSync(log, 'utf8')).toMatch(/no secret in .* matches none/);
  expect(readFileSync(log, 'utf8')).not.toContain('s3cret');
});
