import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startKmsServer, type KmsServer } from '../support/kms-server.ts';
import { awsError, type Recorder, startRecorder } from '../support/recorder.ts';
import { pty } from '../support/pty.ts';
import { run, type RunOptions, silence } from '../support/run.ts';
import {
  asText,
  awsEnv,
  dynalite,
  type Ended,
  failed,
  ok,
  type Place,
  runHere,
  type Running,
  stored,
} from '../end-to-end/backends.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * A table or a KMS that throttles for ever, or never answers: a command says what it waits for, and --timeout ends it.
 * Each command that waits is a process, because the end of one is what is tried.
 */

const folder = temporaryFolder();
let running: Running;
let place: Place;
let table: string;
/** DynamoDB, which throttles every request. */
let throttled: Recorder;
let recorder: Recorder;
let kms: KmsServer;
let silent: KmsServer;

beforeAll(async () => {
  running = await dynalite.start();
  place = await running.place();
  table = place.args[1] ?? '';
  expect(await place.cs(['put', 'app.db', 'secret'])).toEqual(stored('app.db'));
  const dynamo = running.dynamo ?? '';
  const services = { DynamoDB: dynamo, KMS: running.kms?.url ?? '' };
  [throttled, recorder] = await Promise.all([startRecorder(services), startRecorder(services)]);
  throttled.meddle = () => Promise.resolve(awsError('ProvisionedThroughputExceededException'));
  [kms, silent] = await Promise.all([startKmsServer(), startKmsServer()]);
  kms.fault('throttle');
  silent.fault('hang');
  writeFileSync(join(folder, 'template'), '{{ credstash://app.db }}');
});
afterAll(async () => {
  await Promise.all([running, throttled, recorder, kms, silent].map((each) => each.close()));
});

/** What throttles or is silent, with what a command is told of it. */
const faults: Readonly<Record<string, { env: () => Record<string, string>; said: () => string }>> =
  {
    'a table that throttles': {
      env: () => awsEnv(throttled.url, throttled.url),
      said: () => `the table ${table} is throttled`,
    },
    'a KMS that throttles': {
      env: () => awsEnv(running.dynamo ?? '', kms.url),
      said: () => 'KMS in us-east-1 is throttled',
    },
    'a KMS that does not answer': {
      env: () => awsEnv(running.dynamo ?? '', silent.url),
      said: () => 'waiting for KMS in us-east-1',
    },
  };

/** The times of a wait that is told after five seconds, or a little later, with a limit of 20 seconds. */
const TIMES = /: [5-9] s, at most (?:\d|1[0-5]) s more/;
const TOLD = ': N s, at most N s more';

const ran = join(folder, 'ran');
const written = join(folder, 'written');
const readers: readonly (readonly string[])[] = [
  ['get', 'app.db'],
  ['getall'],
  ['render', join(folder, 'template')],
  ['get', 'app.db', '-o', written],
  ['exec', 'app.*', '--', 'touch', ran],
  ['exec', '--env', 'DB=app.db', '--', 'touch', ran],
];

async function cs(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  options: RunOptions = {},
): Promise<Ended> {
  return asText(await run(['-t', table, ...args], { ...options, env }));
}

/** The same, in this process: for what is over before anything is waited for. */
async function here(args: readonly string[], env: Record<string, string>): Promise<Ended> {
  return asText(await runHere(['-t', table, ...args], { env }));
}

describe.each(Object.keys(faults))('%s', (name) => {
  const fault = faults[name];
  if (!fault) throw new Error(name);

  test('is told after five seconds, and --timeout ends the command, which did nothing', async () => {
    // Seven processes start at once, for which a busy machine takes many seconds: they count in the limit, and not in the wait.
    const limit = ['--timeout', '20s'];
    const [quiet, ...ended] = await Promise.all([
      cs([...limit, '--quiet', 'get', 'app.db'], fault.env()),
      ...readers.map((args) => cs([...limit, ...args], fault.env())),
    ]);
    const line = `credstash: ${fault.said()}${TOLD}\n`;
    const error = `credstash: error: not done after 20 s (--timeout): ${fault.said()}\n`;
    for (const [i, one] of ended.entries()) {
      expect(one, readers[i]?.join(' ')).toMatchObject({ status: 7, stdout: '' });
      const stderr = one.stderr.replace(TIMES, TOLD);
      expect(stderr.slice(0, line.length + error.length)).toBe(line + error);
      expect(stderr.slice(line.length + error.length)).toMatch(/^credstash: hint: [^\n]*\n$/);
    }
    expect([ran, written].filter(existsSync)).toEqual([]);
    expect(quiet).toEqual(failed(7, error.trim()));
  });
});

test.concurrent('what waits for credentials names these, and no time at which that ends', async () => {
  const config = join(folder, 'config');
  writeFileSync(config, '[profile slow]\ncredential_process = sleep 25\n');
  const { AWS_ACCESS_KEY_ID: _, AWS_SECRET_ACCESS_KEY: __, ...env } = place.env;
  const slow = { ...env, AWS_CONFIG_FILE: config, AWS_PROFILE: 'slow' };
  const [late, whole] = await Promise.all([
    cs(['--timeout', '20s', 'get', 'app.db'], slow),
    cs(['get', 'app.db'], slow),
  ]);
  expect(late).toMatchObject({ status: 7, stdout: '' });
  expect(late.stderr.replace(TIMES, TOLD).split('\n').slice(0, 2)).toEqual([
    `credstash: waiting for AWS credentials${TOLD}`,
    'credstash: error: not done after 20 s (--timeout): waiting for AWS credentials',
  ]);
  expect(whole.status).toBe(6);
  expect(whole.stderr).toMatch(
    /^credstash: waiting for AWS credentials: [5-9] s\ncredstash: error: no AWS/,
  );
});

/*
 * A limit counts from the start of the process, and most of these are to end something that comes after that: on a busy machine
 * a start takes seconds. They wait at once.
 */
describe.concurrent('the limit', () => {
  test('comes from CREDSTASH_TIMEOUT too, and the option goes before it', async () => {
    const env = { ...awsEnv(throttled.url, throttled.url), CREDSTASH_TIMEOUT: '1' };
    expect(await cs(['list'], env)).toEqual(failed(7, 'not done after 1 s (CREDSTASH_TIMEOUT)'));
    const option = ['--timeout', '1500ms'];
    expect(await cs([...option, 'list'], env)).toEqual(failed(7, 'after 1.5 s (--timeout)'));
    expect(await cs(['list', ...option], env)).toEqual(failed(7, 'after 1.5 s (--timeout)'));
  });

  test('is a duration: anything else is exit 2, before any request', async () => {
    const env = awsEnv(recorder.url, recorder.url);
    for (const limit of [
      '',
      '0',
      '0s',
      '-1',
      'soon',
      '1d',
      '1e3',
      ' 1',
      '30 s',
      '99999999h',
      '.5',
    ]) {
      const hint = 'hint: a duration looks like 30s';
      const option = await here([`--timeout=${limit}`, 'get', 'app.db'], env);
      expect(option, limit).toEqual(failed(2, '--timeout is not a duration', hint));
    }
    const variable = await here(['get', 'app.db'], { ...env, CREDSTASH_TIMEOUT: 'soon' });
    expect(variable).toEqual(failed(2, 'CREDSTASH_TIMEOUT is not a duration'));
    expect(recorder.requests).toEqual([]);
  });

  test('is no limit for COMMAND, nor for what is done in time', async () => {
    const { env } = place;
    const ended = await cs(['--timeout', '10s', 'exec', 'app.*', '--', 'sleep', '11'], env);
    expect(ended).toEqual(ok(''));
    expect(await cs(['--timeout', '60s', 'get', 'app.db'], env)).toEqual(ok('secret\n'));
  });

  test('ends what waits for its input', async () => {
    const args = ['--timeout', '10s', 'put', 'never', '-'];
    const ended = await cs(args, place.env, { input: silence });
    expect(ended).toEqual(
      failed(7, 'not done after 10 s (--timeout): waiting for stdin', 'hint: what was done before'),
    );
    expect(await place.cs(['get', 'never'])).toEqual(failed(3, 'there is no secret never'));
  });

  test('ends what waits for a FIFO that nobody writes to, and for a pipe of the shell', async () => {
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const waits: readonly (readonly string[])[] = [
      ['put', 'never', `@${fifo}`],
      ['putall', `@${fifo}`],
      ['render', fifo],
    ];
    const ended = waits.map((args) => cs(['--timeout', '10s', ...args], place.env));
    const shell = pty(['-t', table, '--timeout', '10s', 'put', 'never', '@/dev/fd/7'], {
      env: place.env,
      script: (command) => `sleep 60 | { exec 7<&0 </dev/null; ${command}; echo "status $?"; }`,
    });
    for (const each of await Promise.all(ended)) {
      expect(each).toEqual(failed(7, 'not done after 10 s (--timeout): waiting for '));
    }
    await shell.waitFor('not done after 10 s (--timeout): waiting for the file named after @');
    await shell.waitFor('status 7');
    shell.kill();
    expect(await place.cs(['get', 'never'])).toEqual(failed(3, 'there is no secret never'));
  });

  test('leaves what a FIFO and a pipe bring in time as it is, also nothing', async () => {
    const fifo = join(folder, 'slow');
    execFileSync('mkfifo', [fifo]);
    const other = await running.place();
    const limit = [...other.args, '--timeout', '60s'];
    const shell = pty([...limit, 'put', 'slow', `@${fifo}`], {
      env: other.env,
      script: (command) => `(sleep 1; printf one; sleep 1; printf two) >${fifo} & ${command}`,
    });
    expect((await shell.done).status).toBe(0);
    expect(await other.cs(['get', 'slow'])).toEqual(ok('onetwo\n'));
    const empty = pty([...limit, 'put', 'empty', '@/dev/fd/7'], {
      env: other.env,
      script: (command) => `: | { exec 7<&0 </dev/null; ${command}; }`,
    });
    expect(await empty.done).toMatchObject({
      status: 2,
      output: expect.stringContaining('the file named after @ is empty') as string,
    });
  });

  test('ends a question for yes or no, and one on a terminal that is not stdin', async () => {
    const other = await running.place();
    for (const version of ['1', '2']) await other.cs(['put', 'two', version, '-v', version]);
    const questions: readonly (readonly [string, string, string])[] = [
      ['delete two', '[y/N] ', ''],
      ['put never -P', 'never: ', '</dev/null'],
    ];
    const asks = async ([args, question, stdin]: (typeof questions)[number]): Promise<void> => {
      const terminal = pty([...other.args, '--timeout', '10s', ...args.split(' ')], {
        env: other.env,
        script: (command) => `${command} ${stdin}; echo "status $?"; stty -a`,
      });
      await terminal.waitFor(question);
      await terminal.waitFor(/\ncredstash: error: not done after 10 s .*: waiting for an answer/);
      await terminal.waitFor('status 7');
      expect((await terminal.done).output).toMatch(/[^-]echo\b/);
    };
    await Promise.all(questions.map(asks));
    expect(await other.cs(['get', 'two'])).toEqual(ok('2\n'));
  });

  test('ends a question, and the terminal echoes again', async () => {
    const terminal = pty(['-t', table, '--timeout', '10s', 'put', 'never'], {
      env: place.env,
      script: (command) => `${command}; echo "status $?"; stty -a`,
    });
    await terminal.waitFor('never: ');
    await terminal.waitFor('not done after 10 s (--timeout)');
    await terminal.waitFor('status 7');
    expect((await terminal.done).output).toMatch(/[^-]echo\b/);
  });

  test('of a put whose answer is awaited: the hint says that it may be stored', async () => {
    const ended = await cs(['--timeout', '1s', 'put', 'x', 'y'], awsEnv(throttled.url, kms.url));
    expect(ended).toEqual(
      failed(7, 'hint: what was done before stays done, and what was under way'),
    );
  });

  test('ends a change of many', async () => {
    const args = ['--timeout', '15s', 'rekey', '-k', 'alias/other', '--yes'];
    const ended = await cs(args, awsEnv(running.dynamo ?? '', kms.url));
    expect(ended).toMatchObject({ status: 7, stdout: '0 rekeyed, 0 skipped, 1 failed\n' });
    const said = 'app.db version 1: not done after 15 s (--timeout): KMS in us-east-1 is throttled';
    expect(ended.stderr).toContain(said);
    expect(ended.stderr).toContain('the same command goes on with the rest');
    expect(await place.cs(['get', 'app.db'])).toEqual(ok('secret\n'));
  });
});
