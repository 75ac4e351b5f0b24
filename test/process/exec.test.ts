import { existsSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { replacesProcess, standaloneUnderTest } from '../support/run.ts';
import {
  backends,
  dynalite,
  failed,
  ok,
  type Place,
  type Running,
} from '../end-to-end/backends.ts';
import { environmentOf, put, runInPlace, startExecVault } from '../end-to-end/exec.ts';
import { shell } from '../end-to-end/shell.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * What exec leaves to the runtime: how COMMAND takes the place of the process, its arguments, environment, streams and signals.
 * Each runtime runs these tests. Which secrets COMMAND gets under which names is in exec-secrets.test.ts.
 */

const folder = temporaryFolder();
const file = (name: string): string => join(folder, name);
const running: Running[] = [];
/** A vault that every test but those of the backends is on. */
let place: Place;
let cs: Place['cs'];

/** As a shell tells how a process ended. */
function statusOf({ status, signal }: { status: number | null; signal: string | null }): number {
  return status ?? 128 + constants.signals[signal as NodeJS.Signals];
}

const replaces = replacesProcess();
beforeAll(async () => {
  const started = await startExecVault();
  running.push(started.running);
  place = started.place;
  cs = place.cs;
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
    expect(await runInPlace(on, ['put', 'bound', 'in a context', 'env=prod'])).toMatchObject({
      status: 0,
    });
    const env = { DB: 'credstash://prod.db-password?version=1', KEPT: 'as it is' };
    const got = await environmentOf(on, ['prod.*', '--env', 'X=other', '--resolve'], { env });
    expect(got).toMatchObject({
      ...on.env,
      KEPT: 'as it is',
      DB: 's3cret',
      DB_PASSWORD: 's3cret',
      LOGIN: 'app',
      X: 'x',
    });
    expect(await environmentOf(on, ['bound', 'env=prod'])).toMatchObject({
      BOUND: 'in a context',
    });
    expect(await on.cs(['exec', 'bound', '--', 'touch', file('ran')])).toMatchObject({ status: 6 });
    expect(existsSync(file('ran'))).toBe(false);
  });
});

describe('the environment of the command', () => {
  test('is what was inherited and the secrets, and nothing else', async () => {
    const env = { EMPTY: '', NODE_V8_COVERAGE: file('coverage'), CREDSTASH_CIPHER: 'AES-256-GCM' };
    const bare = await environmentOf(place, [], { env });
    expect(Object.keys(bare).sort()).toEqual(
      ['AWS_EC2_METADATA_DISABLED', 'HOME', 'PATH', 'XDG_CACHE_HOME', ...Object.keys(env)].sort(),
    );
    expect(bare).toMatchObject(env);
    const { HOME: _, ...with_ } = await environmentOf(place, ['prod.api.*'], { env });
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

  test('--pristine and --keep', async () => {
    const env = { A: 'credstash://prod.api.login', B: 'credstash://absent', TERM: 'dumb', C: 'c' };
    const { PATH, ...rest } = await environmentOf(
      place,
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

  test('a secret is in no command line, and not in the environment of the process that stays', async () => {
    const script =
      'cat /proc/$$/cmdline /proc/$PPID/cmdline /proc/$PPID/environ; echo; echo $LOGIN';
    const { status, stdout } = await cs(['exec', 'prod.api.*', '--', 'sh', '-c', script]);
    const [processes, secret] = stdout.trim().split('\n').slice(-2);
    expect({ status, secret }).toEqual({ status: 0, secret: 'newer' });
    expect(processes).not.toMatch(/newer|s3cret/);
  });
});

describe('nothing is run', () => {
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

  test('with more than the system takes', async () => {
    for (let i = 0; i < 8; i++) await put(place, { [`large.${i}`]: 'x'.repeat(100_000) });
    expect(await cs(['exec', 'large.*', '--', 'sh', '-c', 'echo ${#_7}'])).toEqual(ok('100000\n'));
    // A quarter of the stack's limit is for the environment and the arguments.
    const under = ['sh', '-c', 'ulimit -s 2048; exec "$@"', 'sh'] as const;
    expect(await cs(['exec', 'large.*', '--', 'touch', file('ran')], { under })).toEqual(
      failed(2, 'together larger than the system takes'),
    );
    expect(existsSync(file('ran'))).toBe(false);
  });

  test('with values that no variable can hold', async () => {
    const got = await cs(['exec', 'bin.*', '--', 'touch', file('ran')]);
    expect(got).toMatchObject({ status: 2, stdout: '' });
    expect(got.stderr).toMatch(
      /^credstash: error: 3 of the secrets.*\n.*bin\.bytes: it is not UTF-8.*\n.*bin\.large: .* 140007 bytes, .*\n.*bin\.nul: it has a NUL/,
    );
    expect(got.stderr).not.toContain('canary');
    expect(existsSync(file('ran'))).toBe(false);
  });

  test('whose interpreter does not exist', async () => {
    writeFileSync(file('orphan'), '#!/nonexistent/sh\n', { mode: 0o755 });
    expect(await cs(['exec', '--', file('orphan')])).toEqual(
      failed(127, 'needs /nonexistent/sh, which does not exist'),
    );
  });

  test('no secret decides which program is run', async () => {
    await put(place, { path: folder });
    writeFileSync(file('env'), '#!/bin/sh\necho stolen\n', { mode: 0o755 });
    const { stdout } = await cs(['exec', 'path', '--', 'env']);
    expect(stdout).toContain(`PATH=${folder}\n`);
  });
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

  test('the name of the command is the word that was typed', async () => {
    expect(
      await cs(['exec', '--', 'sh', '-c', 'tr "\\0" " " </proc/$$/cmdline | cut -c1-3']),
    ).toEqual(ok('sh \n'));
  });

  test('a script without #! is one of /bin/sh', async () => {
    writeFileSync(file('bare'), 'echo "$LOGIN $1"\n', { mode: 0o755 });
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
    const wrap = (command: string): string => `sleep 0.5 | { ${command} 2>&1; } | cat`;
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
