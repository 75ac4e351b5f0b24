import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  asText,
  awsPlace,
  dynalite,
  type Ended,
  failed,
  ok,
  type Place,
  runHere,
  type Running,
} from '../end-to-end/backends.ts';
import { environmentOf, put, runInPlace, startExecVault } from '../end-to-end/exec.ts';
import { shell } from '../end-to-end/shell.ts';
import { type Recorder, startRecorder } from '../support/recorder.ts';
import { run } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { v } from '../support/version.ts';
import { CLOSED } from '../support/tls.ts';

/*
 * Which secrets exec gives to COMMAND, under which names, and what it refuses before it starts COMMAND: the same on every
 * runtime. What depends on the runtime is in exec.test.ts.
 */

const folder = temporaryFolder();
const file = (name: string): string => join(folder, name);
const running: Running[] = [];
/** A vault that every test but those of AWS is on. */
let place: Place;
let cs: Place['cs'];

/** Runs exec on a command line that it refuses, in this process. */
const refuse = (
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  on: Pick<Place, 'args' | 'env'> = place,
): Promise<Ended> => runInPlace(on, ['exec', ...args], { env });

/** AWS where nothing answers. */
const nowhere: Pick<Place, 'args' | 'env'> = {
  args: [],
  env: {
    AWS_ENDPOINT_URL: CLOSED,
    AWS_ACCESS_KEY_ID: 'x',
    AWS_SECRET_ACCESS_KEY: 'x',
  },
};

beforeAll(async () => {
  const started = await startExecVault();
  running.push(started.running);
  place = started.place;
  cs = place.cs;
});
afterAll(async () => {
  await Promise.all(running.map((each) => each.close()));
});

describe('the environment of the command', () => {
  test('names: of a whole name, by --full-names, by --env', async () => {
    expect(await environmentOf(place, ['prod.api.login'])).toMatchObject({
      PROD_API_LOGIN: 'newer',
    });
    const full = await environmentOf(place, ['prod.api.*', '--full-names']);
    expect(full).toMatchObject({ PROD_API_LOGIN: 'newer', PROD_API_DB_PASSWORD: 's3cret' });
    expect(full).not.toHaveProperty('LOGIN');
    const named = [
      'A=prod.api.login',
      'B=prod.api.login?version=1',
      'b.c=credstash://context.db?env=prod',
    ];
    expect(
      await environmentOf(
        place,
        named.flatMap((each) => ['--env', each]),
      ),
    ).toMatchObject({
      A: 'newer',
      B: 'app',
      'b.c': 'in a context',
    });
    // Pairs of the command line hold for references too.
    const context = ['env=prod', '--env=A=context.db', '--resolve'];
    expect(
      await environmentOf(place, context, { env: { B: 'credstash://context.db' } }),
    ).toMatchObject({
      A: 'in a context',
      B: 'in a context',
    });
  });

  test('secrets win over what is inherited, unless --no-override', async () => {
    const env = { LOGIN: 'me', EMPTY: 'no' };
    expect(await environmentOf(place, ['prod.api.*'], { env })).toMatchObject({
      LOGIN: 'newer',
      EMPTY: '',
    });
    expect(await environmentOf(place, ['prod.api.*', '--no-override'], { env })).toMatchObject({
      ...env,
      DB_PASSWORD: 's3cret',
    });
  });

  test('a reference and a secret of one variable: an error, unless they are the same', async () => {
    const both = ['prod.api.*', '--resolve'];
    const same = { env: { LOGIN: 'credstash://prod.api.login' } };
    expect(await environmentOf(place, both, same)).toMatchObject({ LOGIN: 'newer' });
    const other = { env: { LOGIN: 'credstash://prod.api.db-password' } };
    expect(await environmentOf(place, [...both, '--no-override'], other)).toMatchObject({
      LOGIN: 's3cret',
    });
    expect(await refuse([...both, '--', 'touch', file('ran')], other.env)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(
        'error: prod.api.login: its variable would be LOGIN, as that of prod.api.db-password\n',
      ) as string,
    });
    expect(existsSync(file('ran'))).toBe(false);
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
      const command = [...args, '--', 'touch', file('ran')];
      expect(await refuse(command, env)).toMatchObject({ status: 6 });
      expect(existsSync(file('ran'))).toBe(false);
      return;
    }
    const pristine = (args as readonly string[]).includes('--pristine');
    const got = await environmentOf(place, args, { env });
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
    const got = await refuse([...args, '--', 'touch', file('ran')], env, nowhere);
    expect(got).toEqual(failed(2, said));
    expect(existsSync(file('ran'))).toBe(false);
  });

  test('the hint of an error is followed to its end', async () => {
    const got = await refuse(['--pristine', '--resolve=MINE', '--', 'env'], env);
    const [, keep = '', name = ''] = /hint: .*(--keep) (\w+)\n/.exec(got.stderr) ?? [];
    const args = ['--pristine', '--resolve=MINE', keep, name];
    expect(await environmentOf(place, args, { env })).toMatchObject({ MINE: 'newer' });
    const none = await refuse(['--resolve=MINE', '--', 'env']);
    expect(none).toEqual(failed(2, 'no MINE', 'a value that begins with credstash://'));
  });

  test('--resolve takes no word behind a space', async () => {
    const got = await cs(['exec', '--resolve', 'prod.api.l*', '--', 'printenv', 'OGIN'], { env });
    expect(got).toEqual(ok('newer\n'));
    expect(await refuse(['--resolve', 'MINE', '--', 'env'], env)).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('there is no secret MINE') as string,
    });
  });

  test('of a malformed one that is not resolved nothing is said', async () => {
    const malformed = { ...env, BROKEN: 'credstash://' };
    expect(await environmentOf(place, ['prod.*'], { env: malformed })).toMatchObject(malformed);
    expect(await environmentOf(place, ['--resolve=MINE'], { env: malformed })).toMatchObject({
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
    const got = await refuse([...args, '--', 'touch', ran], env);
    expect(got).toMatchObject({ status, stdout: '' });
    expect(got.stderr).toMatch(/^credstash: error: /);
    expect(got.stderr).toMatch(said);
    expect(got.stderr).not.toMatch(/canary|s3cret/);
    expect(existsSync(ran)).toBe(false);
  });

  test('where -- is forgotten: the words behind are not repeated', async () => {
    const got = await refuse(['prod.*', 'curl', '-ucanary:s3cret']);
    expect(got).toEqual(
      failed(2, 'exec does not know one of the options', 'put -- before the command'),
    );
    expect(got.stderr).not.toContain('canary');
    const other = await cs(['get', 'prod.api.login', '-xcanary']);
    expect(other).toEqual(failed(2, "unknown option '-x'", 'credstash get --help'));
  });

  test('with an entry that does not verify among those that match', async () => {
    const broken = (await running[0]?.place()) as Place;
    await put(broken, { 'a.good': 'x', 'a.bad': 'y' });
    const item = (await broken.items()).find(
      ({ name }) => name && 'S' in name && name.S === 'a.bad',
    );
    await broken.plant({ ...item, comment: { S: 'another' } });
    const { status, stderr } = await refuse(['a.*', '--', 'touch', file('ran')], {}, broken);
    expect({ status, stderr }).toMatchObject({ status: 5 });
    expect(stderr).toContain(`error: a.bad: version ${v(1)} of a.bad: `);
    expect(existsSync(file('ran'))).toBe(false);
  });

  test('without a command', async () => {
    const none = failed(2, 'there is no command to run', 'credstash exec GLOB -- COMMAND');
    expect(await refuse(['prod.*'])).toEqual(none);
    expect(await refuse(['prod.*', '--'])).toEqual(none);
    expect(await refuse([])).toEqual(none);
  });

  test('that is not there, or cannot be executed, and no secret is asked for', async () => {
    const exec = (...command: string[]): Promise<Ended> =>
      refuse(['prod.*', '--', ...command], {}, nowhere);
    expect(await exec('nowhere-at-all')).toEqual(failed(127, 'nowhere-at-all is not found'));
    expect(await exec('/nonexistent/x')).toEqual(failed(127, '/nonexistent/x is not found'));
    expect(await exec('')).toEqual(failed(127, 'the command "" is not found'));
    writeFileSync(file('plain'), '', { mode: 0o644 });
    expect(await exec(file('plain'))).toEqual(failed(126, `${file('plain')} is not executable`));
    expect(await exec('/')).toEqual(failed(126, '/ is not executable'));
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
      const ended = await refuse(['twin.a-b', '--', ...command]);
      expect(ended).toEqual(expected);
      const [, advice = ''] = / (exec … -- .*)\n$/.exec(ended.stderr) ?? [];
      const typed = advice
        .replace('…', '--env _LOGIN=prod.api.login?version=1')
        .replace('COMMAND', 'true');
      expect(await shell(place, `credstash ${typed} ${rest}`)).toEqual(ok(says));
    },
  );

  test('the example of the help works', async () => {
    const { stdout: help } = await refuse(['--help']);
    const [, example = ''] = /^ {2}credstash (exec db -- .*)$/m.exec(help) ?? [];
    await put(place, { db: 's3cret of db' });
    expect(await shell(place, `credstash ${example}`)).toEqual(ok('s3cret of db\n'));
  });
});

test('with nothing to get, no backend is opened', async () => {
  const exec = ['exec', '--local=/nonexistent/vault', '--', 'echo', 'ran'];
  expect(asText(await run(exec))).toEqual(ok('ran\n'));
  const absent = { args: ['--local=/nonexistent/vault'], env: {} };
  expect(await refuse(['--', 'echo', 'ran'], { A: 'credstash://a' }, absent)).toEqual(
    failed(3, '/nonexistent/vault'),
  );
});

describe('the command line', () => {
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
    const { status, stdout } = await refuse(['--help']);
    expect(status).toBe(0);
    expect(stdout).toContain('Usage: credstash exec [glob...] [KEY=VALUE...] [options] -- COMMAND');
    expect((await cs(['exec', '--', 'env', '--help'])).stdout).toMatch(/^Usage: env/);
  });
});

describe('AWS, on which every request is recorded', () => {
  let aws: Running;
  let recorder: Recorder;
  beforeAll(async () => {
    aws = await dynalite.start();
    running.push(aws);
    recorder = await startRecorder({ DynamoDB: aws.dynamo ?? '', KMS: aws.kms?.url ?? '' });
  });
  afterAll(() => recorder.close());
  beforeEach(() => {
    recorder.requests.length = 0;
  });

  /** A table, and the same behind the recorder. */
  async function recordedPlace(): Promise<{ on: Place; recorded: Place }> {
    const on = await aws.place();
    return { on, recorded: awsPlace(recorder.url, recorder.url, on.args[1] ?? '', runHere) };
  }

  test('a glob of 50 secrets is one read of the table, and each data key once', async () => {
    const { on, recorded } = await recordedPlace();
    const names = Array.from({ length: 50 }, (_, i) => `many.${i}`);
    const secrets = JSON.stringify(
      Object.fromEntries(names.map((name) => [name, `value of ${name}`])),
    );
    expect(await on.cs(['putall', '-'], { input: secrets })).toMatchObject({ status: 0 });
    const got = await environmentOf(recorded, ['many.*']);
    expect(names.map((_, i) => got[`_${i}`])).toEqual(names.map((name) => `value of ${name}`));
    // What the command used itself is passed on.
    expect(got).toMatchObject(recorded.env);
    const count = (action: string): number =>
      recorder.requests.filter((request) => request.action === action).length;
    expect([count('DynamoDB.Scan'), count('KMS.Decrypt'), recorder.requests.length]).toEqual([
      1, 50, 51,
    ]);
  });

  test('several globs are one read of the table, and what two of them match is opened once', async () => {
    const { on, recorded } = await recordedPlace();
    await put(on, { 'a.one': '1', 'b.two': '2', 'b.three': '3', 'c.four': '4', other: '5' });
    const got = await environmentOf(recorded, ['a.*', 'b.*', 'b.t*', 'c.*']);
    expect(got).toMatchObject({ ONE: '1', TWO: '2', WO: '2', THREE: '3', HREE: '3', FOUR: '4' });
    const actions = (): string[] => recorder.requests.map(({ action }) => action).sort();
    expect(actions()).toEqual([...Array<string>(4).fill('KMS.Decrypt'), 'DynamoDB.Scan'].sort());
    // Every glob must match something.
    recorder.requests.length = 0;
    expect(await refuse(['a.*', 'nothing.*', '--', 'true'], {}, recorded)).toEqual(
      failed(3, `no secret in ${on.where} matches nothing.*`),
    );
    expect(actions().filter((action) => action === 'DynamoDB.Scan')).toHaveLength(1);
  });

  test('a table of several pages is read once in segments, whole, and in the order of names', async () => {
    const { on, recorded } = await recordedPlace();
    const names = Array.from({ length: 40 }, (_, i) => `many.${String(i).padStart(2, '0')}`);
    for (const version of ['1', '2']) {
      const values = names.map((name) => [name, `${version}${'x'.repeat(30_000)}`]);
      const input = JSON.stringify(Object.fromEntries(values));
      expect(await on.cs(['putall', '-v', version, '-'], { input })).toMatchObject({ status: 0 });
    }
    const globs = ['many.0*', 'many.1*', 'many.39*'];
    const { stdout, stderr } = await recorded.cs([
      ...['exec', ...globs, '--full-names', '--'],
      ...['sh', '-c', 'env | grep ^MANY | cut -c1-9 | sort'],
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
  });

  test('of a reference that an outsider wrote, nothing is asked', async () => {
    const { on, recorded } = await recordedPlace();
    await put(on, { 'ci.token': 'tok', 'db.password': 's3cret' });
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
      expect(await environmentOf(recorded, args, job), args.join(' ')).toMatchObject(title);
      const sent = recorder.requests.map((each) => each.sent).join('\n');
      expect(sent, args.join(' ')).not.toContain('db.password');
      const asked = recorder.requests.filter(({ action }) => action === 'KMS.Decrypt');
      expect(asked, args.join(' ')).toHaveLength(decrypts);
    }
    // What the attack would have had.
    expect(await environmentOf(recorded, ['ci.*', '--resolve'], job)).toMatchObject({
      CI_COMMIT_TITLE: 's3cret',
    });
  });
});

test('an error of exec is in the log file, and what the command prints is not', async () => {
  const log = file('log');
  await refuse(['--log-file', log, 'none.*', '--', 'true']);
  await cs(['exec', '--log-file', log, 'prod.*', '--', 'sh', '-c', 'echo $DB_PASSWORD']);
  expect(readFileSync(log, 'utf8')).toMatch(/no secret in .* matches none/);
  expect(readFileSync(log, 'utf8')).not.toContain('s3cret');
});
