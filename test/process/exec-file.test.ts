import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { failed, ok, type Place, runHere, stored, vaultPlace } from '../end-to-end/backends.ts';
import { put, runInPlace } from '../end-to-end/exec.ts';
import { eventually } from '../support/eventually.ts';
import { bound, canMount, startMounts } from '../support/mounts.ts';
import { makeFolder, removeFolder, temporaryFolder } from '../support/temporary-folder.ts';
import { sandbox } from '../support/sandbox.ts';

/** Bytes that no variable can hold. */
const BYTES = Buffer.from([0, 0xff, 0x0a, 0x61, 0]);

const folder = temporaryFolder();
const vault = vaultPlace(join(folder, 'vault'));
beforeAll(async () => {
  await put(vault, { 'app.tls': BYTES, 'app.db': 's3cret', empty: '' });
});

let counter = 0;
/** A runtime folder of its own, so that a test sees what is left. */
function runtimeFolder(): string {
  const path = join(folder, `runtime-${++counter}`);
  mkdirSync(path, { mode: 0o700 });
  return path;
}

/** Runs, in this process, an `exec` that is refused before COMMAND is started. */
function refuse(runtime: string, words: readonly string[]): ReturnType<Place['cs']> {
  return runInPlace(vault, ['exec', ...words], { env: { XDG_RUNTIME_DIR: runtime } });
}

/** Runs `exec` in a runtime folder. */
function exec(
  runtime: string,
  words: readonly string[],
  env: Record<string, string> = {},
): ReturnType<Place['cs']> {
  return vault.cs(['exec', ...words], { env: { XDG_RUNTIME_DIR: runtime, ...env } });
}

interface Started {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly ended: Promise<unknown[]>;
}

function start(runtime: string, words: readonly string[], place: Place = vault): Started {
  const box = sandbox([...place.args, 'exec', ...words], { env: { XDG_RUNTIME_DIR: runtime } });
  const [file, ...rest] = box.command;
  const child = spawn(file, rest, { cwd: box.cwd, env: box.env, detached: true });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  const ended = once(child, 'exit').finally(box.remove);
  return { child, stdout: () => stdout, ended };
}

/** Prints the path of the file, and waits for the end of this test's process. */
const WAITS = [
  '--',
  process.execPath,
  '-e',
  `console.log(process.env.F); process.stdin.on('end', () => process.exit()).resume()`,
];

/** Starts COMMAND with a file, and returns the file's path. */
async function startWaiting(
  runtime: string,
  options: readonly string[] = [],
): Promise<Started & { readonly path: string }> {
  const started = start(runtime, [...options, '--file', 'F=app.db', ...WAITS]);
  await eventually(() => {
    expect(started.stdout()).toMatch(/\n$/);
  });
  return { ...started, path: started.stdout().trim() };
}

describe('exec --file', () => {
  test('gives the bytes in a file that only this user can read, in memory, and removes it', async () => {
    const look = `const { readFileSync, statSync, statfsSync } = require('node:fs');
const { dirname } = require('node:path');
const [file, part] = [process.env.F, dirname(process.env.F)];
console.log(JSON.stringify({ file, hex: readFileSync(file).toString('hex'), type: statfsSync(file).type,
  modes: [file, part, dirname(part)].map((path) => (statSync(path).mode & 0o777).toString(8)) }));`;
    const { stdout, stderr, status } = await vault.cs([
      ...['exec', '--file', 'F=app.tls', '--', process.execPath, '-e', look],
    ]);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    const seen = JSON.parse(stdout) as { file: string; hex: string; type: number; modes: string[] };
    expect(seen).toMatchObject({ hex: BYTES.toString('hex'), modes: ['600', '700', '700'] });
    if (existsSync('/dev/shm')) expect(seen).toMatchObject({ type: 0x01021994 });
    expect(existsSync(join(seen.file, '../..'))).toBe(false);
  });

  test('several files, with --env, GLOBs and the context; the status of COMMAND', async () => {
    const runtime = runtimeFolder();
    expect(await runInPlace(vault, ['put', 'sealed', 'for prod', 'env=prod'])).toEqual(
      stored('sealed'),
    );
    const script = `cat "$A" "$B"; wc -c <"$C"; echo "$DB $PLAIN"; ls "$(dirname "$A")"; exit 7`;
    const files = [
      '--file',
      'A=app.db',
      '--file',
      'B=credstash://sealed?env=prod',
      '--file',
      'C=empty',
    ];
    expect(
      await exec(runtime, [
        'app.d*',
        '--full-names',
        ...files,
        '--env',
        'PLAIN=app.db',
        '--env',
        'DB=app.db',
        '--',
        'sh',
        '-c',
        script,
      ]),
    ).toEqual({ status: 7, stdout: 's3cretfor prod0\ns3cret s3cret\nA\nB\nC\n', stderr: '' });
    expect(readdirSync(runtime)).toEqual([]);
  });

  test('a variable that the environment has wins with --no-override; two secrets for one are refused', async () => {
    const runtime = runtimeFolder();
    const print = ['--', 'sh', '-c', 'echo "$KUBECONFIG"'];
    const file = ['--file', 'KUBECONFIG=app.db'];
    const env = { KUBECONFIG: 'mine' };
    expect(await exec(runtime, [...file, '--no-override', ...print], env)).toEqual(ok('mine\n'));
    expect((await exec(runtime, [...file, ...print], env)).stdout).toMatch(/\/KUBECONFIG\n$/);
    for (const other of [
      ['--env', 'KUBECONFIG=app.db'],
      ['--file', 'KUBECONFIG=app.tls'],
    ]) {
      expect(await refuse(runtime, [...file, ...other, ...print])).toMatchObject({
        status: 2,
        stdout: '',
        stderr: expect.stringContaining('its variable would be KUBECONFIG, as that of') as string,
      });
    }
    expect(await exec(runtime, [...file, ...file, ...print])).toMatchObject({ status: 0 });
    expect(readdirSync(runtime)).toEqual([]);
  });

  test('resolves no reference of the environment, unless --resolve is there', async () => {
    const env = { DB: 'credstash://app.db' };
    const words = ['--file', 'F=app.db', '--', 'sh', '-c', 'echo "$DB"'];
    expect(await exec(runtimeFolder(), words, env)).toEqual(ok('credstash://app.db\n'));
    expect(await exec(runtimeFolder(), ['--resolve', ...words], env)).toEqual(ok('s3cret\n'));
  });

  test.each([
    ['F', /--file F is not of the form NAME=REFERENCE/],
    ['=app.db', /is not of the form/],
    ['../F=app.db', /cannot be a variable and a file/],
    [`${'F'.repeat(256)}=app.db`, /cannot be a variable and a file/],
    ['F=credstash://app.db?version', /the reference is malformed/],
  ])('refuses %s', async (file, said) => {
    const runtime = runtimeFolder();
    expect(await refuse(runtime, ['--file', file, '--', 'echo', 'ran'])).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringMatching(said) as string,
    });
    expect(readdirSync(runtime)).toEqual([]);
  });

  test('a secret or a COMMAND that is missing leaves nothing', async () => {
    const runtime = runtimeFolder();
    expect(await exec(runtime, ['--file', 'F=none', '--', 'true'])).toMatchObject({ status: 3 });
    expect(await refuse(runtime, ['--file', 'F=app.db', '--', '/nonexistent'])).toMatchObject({
      status: 127,
    });
    writeFileSync(join(folder, 'broken'), '#!/nonexistent\n', { mode: 0o755 });
    expect(await exec(runtime, ['--file', 'F=app.db', '--', join(folder, 'broken')])).toMatchObject(
      {
        status: expect.toSatisfy((status) => [126, 127].includes(status as number)) as number,
      },
    );
    expect(readdirSync(runtime)).toEqual([]);
  });

  test('what COMMAND makes of the folder goes too; a file that it linked elsewhere stays whole', async () => {
    const runtime = runtimeFolder();
    const kept = join(runtime, 'kept');
    const script = `cd "$(dirname "$F")"; mkdir -p sub/x; echo x >sub/x/y; ln -s /etc/passwd link; chmod 0 sub; chmod 400 "$F"; ln "$F" ${kept}; mv "$F" other`;
    expect(await exec(runtime, ['--file', 'F=app.db', '--', 'sh', '-c', script])).toEqual(ok(''));
    expect(readdirSync(runtime)).toEqual(['kept']);
    expect(readFileSync(kept, 'utf8')).toBe('s3cret');
    expect(existsSync('/etc/passwd')).toBe(true);
  });

  test('its bytes are overwritten before it is removed', async () => {
    const runtime = runtimeFolder();
    // A process that COMMAND leaves behind has the file open.
    const script = `exec 3<"$F"; (while [ -e "$F" ]; do sleep 0.02; done; cat <&3 | od -An -c >${runtime}/seen.new; mv ${runtime}/seen.new ${runtime}/seen) >/dev/null 2>&1 &`;
    expect(await exec(runtime, ['--file', 'F=app.db', '--', 'sh', '-c', script])).toEqual(ok(''));
    await eventually(() => {
      expect(readFileSync(join(runtime, 'seen'), 'utf8').trim()).toMatch(/^(?:\\0\s*){6}$/);
    });
  });
});

describe.concurrent('the files of exec', () => {
  test.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGALRM'] as const)(
    'are removed after %s, which COMMAND gets',
    async (signal) => {
      const runtime = runtimeFolder();
      const { child, path, ended } = await startWaiting(runtime);
      expect(readFileSync(path, 'utf8')).toBe('s3cret');
      child.kill(signal);
      const [status, by] = await ended;
      expect([status, by]).toContain(signal === 'SIGQUIT' ? 131 : signal);
      expect(readdirSync(runtime)).toEqual([]);
    },
  );

  test('that SIGKILL leaves are removed by the next run, which leaves those of live runs', async () => {
    const runtime = runtimeFolder();
    const live = await startWaiting(runtime);
    const killed = await startWaiting(runtime);
    killed.child.kill('SIGKILL');
    await killed.ended;
    expect(existsSync(killed.path)).toBe(true);
    // It was killed while it made its folder, or makes it now.
    const [old, fresh] = ['credstash-AAAAAA', 'credstash-BBBBBB'].map((name) => {
      const prefix = readdirSync(runtime)[0]?.replace(/\w+$/, '') ?? '';
      const path = join(runtime, name.replace('credstash-', prefix));
      mkdirSync(path, { mode: 0o700 });
      return path;
    }) as [string, string];
    utimesSync(old, 0, 0);
    // What is not ours.
    const others = ['credstash-x', 'else'].map((name) => join(runtime, name));
    for (const path of others) mkdirSync(path);
    symlinkSync(old, join(runtime, 'credstash-CCCCCC'));
    expect(await exec(runtime, ['--file', 'F=app.db', '--', 'true'])).toEqual(ok(''));
    expect(existsSync(join(killed.path, '../..'))).toBe(false);
    expect(existsSync(old)).toBe(false);
    for (const path of [fresh, ...others, live.path]) expect(existsSync(path)).toBe(true);
    // A run that is stopped lives.
    live.child.kill('SIGSTOP');
    expect(await exec(runtime, ['--file', 'F=app.db', '--', 'true'])).toEqual(ok(''));
    expect(readFileSync(live.path, 'utf8')).toBe('s3cret');
    live.child.kill('SIGCONT');
    live.child.stdin?.end();
    expect(await live.ended).toEqual([0, null]);
    expect(existsSync(live.path)).toBe(false);
  });

  test('are there anew after a restart by --watch, also one that COMMAND removed', async () => {
    const runtime = runtimeFolder();
    const place = vaultPlace(join(folder, `vault-${++counter}`), runHere);
    for (const [name, value] of [
      ['app.a', 'one'],
      ['app.b', 'stays'],
    ] as const) {
      expect(await place.cs(['put', name, value])).toEqual(stored(name));
    }
    const script = `const { readFileSync, rmSync } = require('node:fs');
const { A, B } = process.env;
process.on('SIGTERM', () => { console.log('still ' + readFileSync(A)); process.exit(9); });
console.log(readFileSync(A) + ' ' + readFileSync(B));
rmSync(B);
setInterval(() => undefined, 1000);`;
    const files = ['--file', 'A=app.a', '--file', 'B=app.b'];
    const { child, stdout, ended } = start(
      runtime,
      ['--watch=5', ...files, '--', process.execPath, '-e', script],
      place,
    );
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
    await eventually(() => {
      expect(stdout()).toBe('one stays\n');
    });
    await place.cs(['put', '-a', 'app.a', 'two']);
    await eventually(() => {
      expect(stdout()).toBe('one stays\nstill one\ntwo stays\n');
    });
    expect(stderr).toBe('credstash: A has changed: restarting COMMAND\n');
    // Only the files of this start.
    const [run = ''] = readdirSync(runtime);
    expect(readdirSync(join(runtime, run)).sort()).toEqual(['2', 'alive']);
    child.kill('SIGTERM');
    expect(await ended).toEqual([9, null]);
    expect(stdout()).toBe('one stays\nstill one\ntwo stays\nstill two\n');
    expect(readdirSync(runtime)).toEqual([]);
  });
});

describe('the place of the files', () => {
  test('is $XDG_RUNTIME_DIR only if nobody else can enter it, and never a link or folder of others', async () => {
    const print = ['--file', 'F=app.db', '--', 'sh', '-c', 'echo $F'];
    const runtime = runtimeFolder();
    expect((await exec(runtime, print)).stdout.startsWith(`${runtime}/credstash-`)).toBe(true);
    chmodSync(runtime, 0o755);
    expect((await exec(runtime, print)).stdout).not.toContain(runtime);
    expect((await exec('runtime', print)).stdout).toMatch(/^\//);
    expect((await exec(join(runtime, 'none'), print)).stdout).not.toContain(runtime);
  });

  test('is one that takes them; without any nothing is run', async () => {
    const runtime = runtimeFolder();
    const long = join(runtime, 'x'.repeat(100));
    mkdirSync(long, { mode: 0o700 });
    const open = join(folder, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    const words = ['--file', 'F=app.db', '--', 'sh', '-c', 'echo $F'];
    const { stdout } = await exec(long, words, { TMPDIR: runtime });
    expect(stdout).not.toContain(long);
    expect(readdirSync(long)).toEqual([]);
  });

  describe.runIf(canMount())('on file systems of their own', () => {
    test('a full or read-only one is an error, and nothing is run or left', async () => {
      const [full, closed] = [makeFolder(), makeFolder()];
      const mounts = await startMounts(
        `mount -t tmpfs -o size=8k,mode=0700 none ${full}; mount -t tmpfs -o ro,mode=0700 none ${closed}; mount -t tmpfs -o ro none /dev/shm`,
      );
      try {
        await put(vault, { large: 'x'.repeat(100_000) });
        const run = (runtime: string, tmp: string): ReturnType<Place['cs']> =>
          vault.cs(['exec', '--file', 'F=large', '--', 'echo', 'ran'], {
            env: { XDG_RUNTIME_DIR: runtime, TMPDIR: tmp },
            under: [...mounts.under, ...bound],
          });
        expect(await run(full, full)).toEqual(
          failed(1, `no file with a secret can be written in ${full} (ENOSPC)`, 'the disk is full'),
        );
        expect(readdirSync(mounts.inside(full))).toEqual([]);
        expect(await run(closed, closed)).toEqual(
          failed(
            1,
            `no folder for files with secrets can be made: ${closed} (EROFS), /dev/shm (EROFS)`,
            'set TMPDIR to a folder',
          ),
        );
        expect(await run(closed, full)).toMatchObject({ status: 1 });
      } finally {
        await mounts.close();
        for (const path of [full, closed]) removeFolder(path);
      }
    });
  });
});
