import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  awsPlace,
  dynalite,
  failed,
  ok,
  type Place,
  runHere,
  vaultPlace,
} from '../end-to-end/backends.ts';
import { eventually } from '../support/eventually.ts';
import { canMount, startMounts } from '../support/mounts.ts';
import { describeUnless, programMissing } from '../support/needed.ts';
import { startRecorder } from '../support/recorder.ts';
import { pty } from '../support/run.ts';
import { sandbox } from '../support/sandbox.ts';
import { makeFolder, removeFolder, temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
let counter = 0;

interface Desk {
  readonly place: Place;
  readonly runtime: string;
  /** Edits with a shell script that has the file as `$1`. */
  readonly edit: (script: string, ...words: string[]) => ReturnType<Place['cs']>;
}

function desk(place: Place = vaultPlace(join(folder, `vault-${++counter}`), runHere)): Desk {
  const runtime = join(folder, `runtime-${++counter}`);
  mkdirSync(runtime, { mode: 0o700 });
  const edit: Desk['edit'] = (script, ...words) => {
    const env = { XDG_RUNTIME_DIR: runtime, VISUAL: makeEditor(script) };
    return place.cs(['edit', ...words], { env });
  };
  return { place, runtime, edit };
}

/** Makes an editor of a shell script that has the file as `$1`. @returns its path */
function makeEditor(script: string): string {
  const editor = join(folder, `editor-${++counter}`);
  writeFileSync(editor, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return editor;
}

/** Starts to edit the secret a with a shell script. */
function start(
  place: Place,
  runtime: string,
  script: string,
): {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<unknown[]>;
  readonly stderr: () => string;
} {
  const env = { ...place.env, XDG_RUNTIME_DIR: runtime, EDITOR: makeEditor(script) };
  const box = sandbox([...place.args, 'edit', 'a'], { env });
  const [file, ...rest] = box.command;
  const child = spawn(file, rest, { cwd: box.cwd, env: box.env, detached: true });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  const ended = once(child, 'close').finally(box.remove);
  return { child, ended, stderr: () => stderr };
}

/** What a warning says of a kept text: its path, and the command that stores it. */
function keptOf(stderr: string): { readonly path: string; readonly command: string } {
  const path = /stays in (.*)\n/.exec(stderr)?.[1] ?? '';
  return {
    path,
    command: /(?:to|then) store it as the next version: credstash (.*)\n/.exec(stderr)?.[1] ?? '',
  };
}

/** Follows the advice: runs the words of the command up to `&&`, and the rest as it is. */
async function follow(place: Place, command: string): Promise<void> {
  const [put = '', remove = ''] = command.split(' && ');
  expect(await runHere(put.split(' '), { env: place.env })).toMatchObject({ status: 0 });
  expect(remove).toMatch(/^rm -r \/\S+\/credstash-kept-\w+$/);
  expect(readdirSync(remove.replace('rm -r ', ''))).toHaveLength(1);
}

describe.concurrent('edit', () => {
  test('stores the changed text as a new version; a new secret begins empty, and has no newline of the editor', async () => {
    const { place, runtime, edit } = desk();
    expect(
      await edit(`[ -f "$1" ] && [ ! -s "$1" ] && echo first >"$1"`, 'app.a', 'env=prod'),
    ).toEqual(ok('app.a has been stored as version 1\n'));
    const script = `stat -c '%a %n' "$1" "$(dirname "$1")" >${runtime}/seen; cat "$1" >>${runtime}/seen; printf 'second\\0\\377\\n' >"$1".new; mv "$1".new "$1"; echo copy >"$1~"`;
    expect(await edit(script, 'app.a', 'env=prod', '-c', 'why', '-d', 'SHA512')).toEqual(
      ok('app.a has been stored as version 2\n'),
    );
    expect(readFileSync(join(runtime, 'seen'), 'utf8')).toMatch(/^600 .*\/app-a\n700 .*\nfirst$/);
    const { stdout } = await place.raw(['get', '-n', 'app.a', 'env=prod']);
    expect(stdout).toEqual(Buffer.from('second\0\xff', 'latin1'));
    expect((await place.cs(['history', 'app.a'])).stdout).toMatch(/2 .* SHA512 .* why/);
    expect(
      await edit(`grep -q first "$1" && echo '{"a": 1}' >"$1"`, 'app.a', 'env=prod', '-v', '1'),
    ).toEqual(ok('app.a has been stored as version 3\n'));
    expect(
      await edit(`[ "\${1##*/}" = app-a.json ] && echo x >"$1"`, 'app.a', 'env=prod'),
    ).toMatchObject({ status: 0 });
    expect(readdirSync(runtime)).toEqual(['seen']);
  });

  test('stores nothing if the text is unchanged or empty, or the editor fails', async () => {
    const { place, runtime, edit } = desk();
    await place.cs(['put', 'a', 'text']);
    await place.cs(['put', 'n', 'text\n']);
    const unchanged = {
      status: 0,
      stdout: '',
      stderr: 'credstash: note: nothing has changed, so nothing was stored\n',
    };
    expect(await edit('true', 'a')).toEqual(unchanged);
    expect(await edit(`echo >>"$1"`, 'a')).toEqual(unchanged);
    expect(await edit('touch "$1"', 'n')).toEqual(unchanged);
    expect(await edit('true', 'new')).toEqual(unchanged);
    expect(await edit(`echo >"$1"`, 'new')).toEqual(unchanged);
    expect(await edit('echo x >"$1"; exit 3', 'a')).toEqual(
      failed(1, 'the editor ended with status 3'),
    );
    expect(await edit('echo x >"$1"; kill -SEGV $$', 'a')).toEqual(
      failed(1, 'was ended by SIGSEGV'),
    );
    expect(await edit(': >"$1"', 'a')).toEqual(failed(1, 'the text is empty', 'put -a'));
    expect(await edit('rm "$1"', 'a')).toEqual(failed(1, 'cannot be read (ENOENT)'));
    expect(await edit('ln -sf /etc/passwd "$1"', 'a')).toEqual(
      failed(1, 'cannot be read (not a file)'),
    );
    expect(readdirSync(runtime)).toEqual([]);
    expect((await place.cs(['list'])).stdout).not.toMatch(/new|2/);
  });

  test('asks nobody to type what it could not store', async () => {
    const { place, runtime, edit } = desk();
    await place.cs(['put', 'a', 'text', 'env=prod']);
    await place.cs(['put', 'odd', 'text', '-v', 'one.of.mine.and.longer']);
    const never = 'echo ran >&2; echo x >"$1"';
    expect(await edit(never, 'a')).toMatchObject({ status: 6 });
    expect(await edit(never, 'a', 'env=prod', '-v', '9')).toMatchObject({ status: 3 });
    expect(await edit(never, 'none', '-v', '1')).toMatchObject({ status: 3 });
    expect(await edit(never, 'odd')).toMatchObject({ status: 2 });
    expect(await edit(never, 'a', 'env=prod', '-d', 'SHA')).toMatchObject({ status: 2 });
    const env = { VISUAL: 'nonesuch', XDG_RUNTIME_DIR: runtime };
    expect(await place.cs(['edit', 'a', 'env=prod'], { env })).toEqual(
      failed(127, 'the editor nonesuch is not found', 'set VISUAL or EDITOR'),
    );
    // Without a terminal vi would print the secret to the log of a job.
    const unset = { ...env, VISUAL: '', EDITOR: '' };
    expect(await place.cs(['edit', 'a', 'env=prod'], { env: unset })).toEqual(
      failed(2, 'there is no terminal for the editor vi', 'put -a'),
    );
    expect(readdirSync(runtime)).toEqual([]);
  });

  test('--field changes one field; other writers of other fields win too, and of this one first', async () => {
    const { place, runtime, edit } = desk();
    const field = ['--field', 'a'];
    expect(await edit('echo x >"$1"', 'a', ...field)).toMatchObject({ status: 0 });
    await place.cs(['put', '-a', 'a', '{"a": "x",  "n": 5}']);
    const other = (...words: string[]): string =>
      sandbox([...place.args, 'put', 'a', ...words], {})
        .command.map((word) => `'${word}'`)
        .join(' ');
    expect(
      await edit(
        `grep -qx x "$1"; ${other('--field', 'b', 'theirs')}; echo y >"$1"`,
        'a',
        ...field,
      ),
    ).toMatchObject({ status: 0 });
    expect(await edit('echo 6 >"$1"', 'a', '--field', 'n')).toMatchObject({ status: 0 });
    expect(await place.cs(['get', '-n', 'a'])).toEqual(ok('{"a": "y",  "n": 6,  "b": "theirs"}'));
    const lost = await edit(
      `${other('--field', 'a', 'theirs')} >&2; echo mine >"$1"`,
      'a',
      ...field,
    );
    expect(lost.status).toBe(4);
    expect(lost.stderr).toContain('error: the field a of a has been changed while you edited it');
    await follow(place, keptOf(lost.stderr).command);
    expect(await place.cs(['get', 'a', ...field])).toEqual(ok('mine\n'));
    // A number stays one.
    expect(await edit('echo six >"$1"', 'a', '--field', 'n')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('the value is not JSON') as string,
    });
    expect(await edit('echo ran >&2', 'a', '--field', '/a/b')).toMatchObject({
      status: 2,
      stderr: expect.not.stringContaining('ran') as string,
    });
    // The two texts that were kept.
    expect(readdirSync(runtime)).toHaveLength(2);
  });

  test('keeps the text if somebody has stored a newer version, or if it is too large', async () => {
    const { place, runtime, edit } = desk();
    await place.cs(['put', 'a', 'one', 'env=prod']);
    const other = sandbox([...place.args, 'put', '-a', 'a', 'two', 'env=prod'], {}).command;
    const words = other.map((word) => `'${word}'`).join(' ');
    const { status, stderr } = await edit(
      `${words} >&2; echo mine >"$1"`,
      'a',
      'env=prod',
      '-c',
      'why',
    );
    expect(status).toBe(4);
    expect(stderr).toMatch(
      /\ncredstash: error: somebody stored version 2 of a while you edited it/,
    );
    const { path, command } = keptOf(stderr);
    expect(readFileSync(path, 'utf8')).toBe('mine');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
    // The next run does not take it for a leftover.
    expect(await edit('true', 'a', 'env=prod')).toMatchObject({ status: 0 });
    await follow(place, command);
    expect(await place.cs(['get', 'a', 'env=prod'])).toEqual(ok('mine\n'));
    expect((await place.cs(['history', 'a'])).stdout).toMatch(/3 .* why/);
    const large = await edit(`head -c 500000 /dev/zero >"$1"; echo copy >"$1~"`, 'a', 'env=prod');
    expect(large).toMatchObject({ status: 2 });
    expect(large.stderr).toContain('shorten it, then store it as the next version: credstash');
    const { path: largeText } = keptOf(large.stderr);
    expect(statSync(largeText).size).toBe(500_000);
    expect(readdirSync(dirname(largeText))).toEqual(['a']);
    expect(readdirSync(runtime)).toHaveLength(2);
  });

  test.each(['SIGTERM', 'SIGHUP'] as const)(
    '%s ends the editor, and the file is removed',
    async (signal) => {
      const { place, runtime, edit } = desk();
      await place.cs(['put', 'a', 'one']);
      const { child, ended } = start(place, runtime, 'echo two >"$1"; echo ready; exec sleep 60');
      await once(child.stdout, 'data');
      child.kill(signal);
      expect(await ended).toEqual([null, signal]);
      expect(readdirSync(runtime)).toEqual([]);
      expect(await edit('grep -q one "$1"', 'a')).toMatchObject({ status: 0 });
    },
  );

  test('the text is kept if AWS does not answer, and Ctrl-C ends the wait', async () => {
    const running = await dynalite.start();
    const services = { DynamoDB: running.dynamo ?? '', KMS: running.kms?.url ?? '' };
    const recorder = await startRecorder(services);
    try {
      const on = await running.place();
      const place = awsPlace(recorder.url, recorder.url, on.args[1] ?? '');
      await on.cs(['put', 'a', 'one']);
      const { runtime } = desk(place);
      recorder.meddle = (action) =>
        Promise.resolve(
          action === 'DynamoDB.PutItem' ? { status: 200, body: '', delivery: 'never' } : undefined,
        );
      const { child, ended, stderr } = start(place, runtime, 'echo two >"$1"');
      await eventually(() => {
        expect(recorder.requests.map(({ action }) => action)).toContain('DynamoDB.PutItem');
      });
      child.kill('SIGINT');
      expect(await ended).toEqual([null, 'SIGINT']);
      const { path, command } = keptOf(stderr());
      expect(readFileSync(path, 'utf8')).toBe('two');
      recorder.meddle = undefined;
      await follow(place, command);
      expect(await on.cs(['get', 'a'])).toEqual(ok('two\n'));
    } finally {
      await Promise.all([recorder.close(), running.close()]);
    }
  });
});

test.concurrent('^Z gives the terminal back, and fg goes on with the text', async () => {
  const { place, runtime } = desk();
  await place.cs(['put', 'a', 'one']);
  // With exec: a shell that is stopped while it starts a program may hang in its vfork.
  const EDITOR = makeEditor('echo rea""dy; exec head -n 1 >"$1"');
  const rc = join(folder, `rc-${++counter}`);
  const { send, waitFor, done } = pty([...place.args, 'edit', 'a'], {
    env: { ...place.env, EDITOR, XDG_RUNTIME_DIR: runtime },
    script: (line) => {
      writeFileSync(rc, `alias job='${line.replaceAll("'", "'\\''")}'\nPS1='prompt$ '\n`);
      return `exec bash --noprofile --rcfile ${rc} -i`;
    },
  });
  await waitFor('prompt$ ');
  send('job\r');
  await waitFor('ready\r\n');
  send('\x1a');
  await waitFor(/Stopped.*\r\n.*prompt\$ /s);
  expect(readdirSync(runtime)).toHaveLength(1);
  // Another run takes it for alive.
  const other = { XDG_RUNTIME_DIR: runtime, EDITOR: 'grep -q one' };
  expect(await place.cs(['edit', 'a'], { env: other })).toMatchObject({ status: 0 });
  send('fg\r');
  await waitFor(/fg[^\n]*\n[^\n]+\n/);
  send('typed\r');
  await waitFor('a has been stored as version 2');
  send('exit\r');
  await done;
  expect(await place.cs(['get', '-n', 'a'])).toEqual(ok('typed'));
  expect(readdirSync(runtime)).toEqual([]);
});

describe.runIf(canMount())('on a full file system', () => {
  test('the text is kept', async () => {
    const { place } = desk();
    const full = makeFolder();
    // The folder, the socket, the part and the file are all that it holds.
    const mounts = await startMounts(`mount -t tmpfs -o nr_inodes=5,mode=0700 none ${full}`);
    try {
      const EDITOR = makeEditor('head -c 500000 /dev/zero >"$1"');
      const { status, stderr } = await place.cs(['edit', 'a'], {
        env: { XDG_RUNTIME_DIR: full, EDITOR },
        under: mounts.under,
      });
      expect(status).toBe(2);
      expect(statSync(mounts.inside(keptOf(stderr).path)).size).toBe(500_000);
      expect(readdirSync(mounts.inside(full))).toHaveLength(1);
    } finally {
      await mounts.close();
      removeFolder(full);
    }
  });
});

/** Settings that send copies of a text to the home folder. */
const LEAKY = {
  '.vimrc':
    "set directory=~/copies backup writebackup backupdir=~/copies undofile undodir=~/copies updatecount=1\nset viminfo='100,<1000,n~/copies/viminfo\n",
  '.nanorc': 'set backup\nset backupdir "~/copies"\n',
};

function homeOf(secret: string): { readonly home: string; readonly leaks: () => string[] } {
  const home = join(folder, `home-${++counter}`);
  mkdirSync(join(home, 'copies'), { recursive: true });
  for (const [name, text] of Object.entries(LEAKY)) writeFileSync(join(home, name), text);
  const leaks = (): string[] =>
    (readdirSync(home, { recursive: true }) as string[]).filter((path) => {
      const file = join(home, path);
      return statSync(file).isFile() && readFileSync(file).includes(secret);
    });
  return { home, leaks };
}

describeUnless(
  programMissing('vim.tiny', '--version') ?? programMissing('nano', '--version'),
  'editors',
  () => {
    test.concurrent.each([
      ['vim.tiny', { typed: 'ccTYPED-IN\x1b', save: ':w\r', shows: 'written', end: ':q\r' }],
      ['nano', { typed: 'TYPED-IN', save: '\x13', shows: 'Wrote', end: '\x18' }],
    ])(
      '%s keeps its copies in the folder, whatever its settings are',
      async (EDITOR, { typed, save, shows, end }) => {
        const { place, runtime } = desk();
        await place.cs(['put', 'a', 'one']);
        const { home, leaks } = homeOf('TYPED-IN');
        const env = { HOME: home, EDITOR, XDG_RUNTIME_DIR: runtime };
        const { send, waitFor, done } = pty([...place.args, 'edit', 'a'], { env });
        await waitFor('one');
        send(typed);
        await waitFor('TYPED-IN');
        send(save);
        await waitFor(shows);
        expect(leaks()).toEqual([]);
        send(end);
        await waitFor('a has been stored as version 2');
        expect(await done).toMatchObject({ status: 0 });
        expect(leaks()).toEqual([]);
        expect(readdirSync(join(home, 'copies'))).toEqual([]);
        expect(readdirSync(runtime)).toEqual([]);
        expect((await place.cs(['get', 'a'])).stdout).toContain('TYPED-IN');
      },
    );
  },
);
