import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants as files, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Program, type Pty, pty, replacesProcess } from '../support/run.ts';
import { eventually } from '../support/eventually.ts';
import { startRecorder } from '../support/recorder.ts';
import { describeUnless, programMissing } from '../support/needed.ts';
import { sandbox } from '../support/sandbox.ts';
import { awsEnv, stored, vaultPlace } from '../end-to-end/backends.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const { O_NONBLOCK } = files;
const folder = temporaryFolder();
const { cs, raw, args } = vaultPlace(join(folder, 'vault'));
const replaces = replacesProcess();
beforeAll(async () => {
  expect(await cs(['put', 'a.secret', 's3cret'])).toEqual(stored('a.secret'));
});

/** A program that tells each of these signals once it has it, and ends with status 9 on a line of input. */
function listener(...signals: NodeJS.Signals[]): string[] {
  const script = `for (const signal of ${JSON.stringify(signals)}) process.on(signal, () => console.log('<' + signal + '>'));
process.stdin.on('data', () => process.exit(9)).on('end', () => process.exit(9));
console.log('ready ' + process.pid);`;
  return [process.execPath, '-e', script];
}

interface Started {
  readonly child: ChildProcess;
  /** Waits until this stands on stdout, and gives all that does. */
  readonly waitFor: (pattern: RegExp) => Promise<RegExpExecArray>;
  readonly printed: () => { readonly stdout: string; readonly stderr: string };
  readonly ended: Promise<{ status: number | null; signal: NodeJS.Signals | null }>;
}

function start(
  command: readonly string[],
  env: Record<string, string> = {},
  under?: readonly [string, ...string[]],
): Started {
  const program: Program = under ? { env, under } : { env };
  const { cwd, env: clean, command: line, remove } = sandbox(command, program);
  const [file, ...rest] = line;
  const child = spawn(file, rest, { cwd, env: clean, detached: true });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  const ended = once(child, 'close').then(([status, signal]) => {
    remove();
    return { status: status as number | null, signal: signal as NodeJS.Signals | null };
  });
  const waitFor = (pattern: RegExp): Promise<RegExpExecArray> =>
    eventually(() => {
      const match = pattern.exec(stdout);
      if (match) return match;
      throw new Error(`${String(pattern)} is not in ${stdout} ${stderr}`);
    });
  return { child, waitFor, printed: () => ({ stdout, stderr }), ended };
}

const FORWARDED = [
  'SIGTERM',
  'SIGINT',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGVTALRM',
  'SIGPROF',
  'SIGIO',
  'SIGPWR',
  'SIGSTKFLT',
  'SIGABRT',
  'SIGTRAP',
  'SIGSYS',
  'SIGXCPU',
  'SIGWINCH',
] as const satisfies NodeJS.Signals[];

/** Whether a process that a signal ends leaves a core (signal(7)). */
function dumpsCore(signal: NodeJS.Signals): boolean {
  return ['SIGQUIT', 'SIGABRT', 'SIGTRAP', 'SIGSYS', 'SIGXCPU'].includes(signal);
}

describe('a signal to the process', () => {
  test('reaches the command, once, and the process goes on until the command ends', async () => {
    const { child, waitFor, printed, ended } = start([
      ...args,
      'exec',
      'a.*',
      '--',
      ...listener(...FORWARDED, 'SIGCONT'),
    ]);
    await waitFor(/ready/);
    for (const signal of [...FORWARDED, 'SIGCONT'] as const) {
      child.kill(signal);
      await waitFor(RegExp(`<${signal}>`));
    }
    // Whatever came twice has come by now.
    await sleep(200);
    const expected = [...FORWARDED, 'SIGCONT'].map((signal) => `<${signal}>\n`).join('');
    expect(printed().stdout.replace(/^ready.*\n/, '')).toBe(expected);
    child.stdin?.end();
    expect(await ended).toEqual({ status: 9, signal: null });
    expect(printed().stderr).toBe('');
  });

  test.each(FORWARDED.filter((signal) => signal !== 'SIGWINCH'))(
    'that the command does not expect ends it: %s',
    async (signal) => {
      const { child, waitFor, ended } = start([
        ...args,
        'exec',
        '--',
        'sh',
        '-c',
        'ulimit -c 0; echo ready; exec sleep 60',
      ]);
      await waitFor(/ready/);
      await sleep(100);
      child.kill(signal);
      // A process that was replaced is the command, which has been told to leave no core.
      expect(await ended).toEqual(
        replaces || !dumpsCore(signal)
          ? { status: null, signal }
          : { status: 128 + constants.signals[signal], signal: null },
      );
    },
  );

  test('kill -9 of the command ends it by SIGKILL', async () => {
    const { waitFor, ended } = start([...args, 'exec', '--', ...listener()]);
    const [, pid] = await waitFor(/ready (\d+)/);
    process.kill(Number(pid), 'SIGKILL');
    expect(await ended).toEqual({ status: null, signal: 'SIGKILL' });
  });

  test('while the secrets are got ends it, opens no debugger, and runs nothing', async () => {
    const recorder = await startRecorder();
    recorder.meddle = () => Promise.resolve({ status: 200, body: '', delivery: 'never' });
    try {
      for (const signal of ['SIGUSR1', 'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGALRM'] as const) {
        recorder.requests.length = 0;
        const { child, printed, ended } = start(
          ['exec', 'a.*', '--', 'echo', 'ran'],
          awsEnv(recorder.url, recorder.url),
        );
        while (recorder.requests.length === 0) await sleep(20);
        child.kill(signal);
        expect(await ended).toEqual({ status: null, signal });
        expect(printed()).toEqual({ stdout: '', stderr: '' });
      }
    } finally {
      await recorder.close();
    }
  });
});

describe('no core, which would hold secrets, is left', () => {
  /** A folder for it, and a shell that runs the command there and permits a core of any size. */
  function inFolder(name: string): { under: [string, ...string[]]; cores: () => string[] } {
    const cwd = mkdtempSync(join(folder, name));
    const script = `ulimit -c unlimited || exit 99; cd ${cwd}; exec "$@"`;
    return { under: ['sh', '-c', script, 'sh'], cores: () => readdirSync(cwd) };
  }

  test('a core is seen where one is left', async () => {
    const { under, cores } = inFolder('seen');
    const [program, ...rest] = under;
    await once(
      spawn(program, [...rest, 'sh', '-c', 'kill -SEGV $$'], { stdio: 'ignore' }),
      'close',
    );
    // Where the system keeps cores elsewhere, the folder tells nothing.
    if (!isAbsolute(readFileSync('/proc/sys/kernel/core_pattern', 'utf8').replace('|', '/'))) {
      expect(cores()).toHaveLength(1);
    }
  });

  test.each(['QUIT', 'ILL', 'TRAP', 'ABRT', 'BUS', 'FPE', 'SEGV', 'XCPU', 'XFSZ', 'SYS'] as const)(
    'by a command that ends by SIG%s',
    async (name) => {
      const { under, cores } = inFolder(name);
      const number = constants.signals[`SIG${name}`];
      // The command leaves none itself.
      const command = ['sh', '-c', `ulimit -c 0; kill -${number} $$`];
      const { status, signal } = await raw(['exec', 'a.*', '--', ...command], { under });
      expect(status ?? 128 + constants.signals[signal as NodeJS.Signals]).toBe(128 + number);
      if (!replaces) expect(signal).toBeNull();
      expect(cores()).toEqual([]);
    },
  );

  test('by SIGQUIT while the secrets are got', async () => {
    const recorder = await startRecorder();
    recorder.meddle = () => Promise.resolve({ status: 200, body: '', delivery: 'never' });
    const { under, cores } = inFolder('got');
    try {
      const env = awsEnv(recorder.url, recorder.url);
      const { child, ended } = start(['exec', 'a.*', '--', 'echo', 'ran'], env, under);
      while (recorder.requests.length === 0) await sleep(20);
      child.kill('SIGQUIT');
      expect(await ended).toEqual({ status: 131, signal: null });
      expect(cores()).toEqual([]);
    } finally {
      await recorder.close();
    }
  });
});

describeUnless(
  programMissing('unshare', '--pid', '--fork', 'true'),
  'as PID 1, as in a container',
  () => {
    const under = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'] as const;

    test('the command is PID 1 where it takes the place of the process', async () => {
      const look = ['sh', '-c', 'echo $$'];
      const { stdout } = await raw(['exec', 'a.*', '--', ...look], { under: [...under] });
      expect(stdout.toString() === '1\n').toBe(replaces);
    });

    test.each(['TERM', 'INT', 'KILL', 'SEGV'] as const)(
      'a child that ends by SIG%s: 128 and its number, because no signal ends PID 1',
      async (name) => {
        // The shell between is what the signal ends, also where it would be PID 1 itself.
        const command = ['sh', '-c', `sh -c 'ulimit -c 0; kill -${name} $$'; exit $?`];
        const child = ['sh', '-c', `ulimit -c 0; kill -${name} $$`];
        const ended = await raw(['exec', 'a.*', '--', ...(replaces ? command : child)], {
          under: [...under],
        });
        const { status, signal } = ended;
        expect({ status, signal }).toEqual({
          status: 128 + constants.signals[`SIG${name}`],
          signal: null,
        });
      },
    );
  },
);

/** Runs the command on the vault in a terminal. */
function terminal(command: readonly string[], script?: (line: string) => string): Pty {
  return pty([...args, 'exec', 'a.*', ...command], script ? { script } : {});
}

/** The words of a shell. */
const quoted = (words: readonly string[]): string =>
  words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');

describe('on a terminal', () => {
  test('the command has it: its name, its size, what is typed, and blocking', async () => {
    const look =
      'tty; stty size; read -r line; echo "<$line>"; grep -h flags /proc/self/fdinfo/[012]';
    const { send, waitFor, done } = terminal(['--', 'sh', '-c', look]);
    await waitFor('24 80');
    send('typed\r');
    const { status, output } = await done;
    expect(status).toBe(0);
    expect(output).toMatch(/^\/dev\/pts\/\d+\r\n24 80\r\ntyped\r\n<typed>\r\n/);
    const flags = [...output.matchAll(/flags:\t(\d+)/g)].map(([, flag]) => parseInt(flag ?? '', 8));
    expect(flags).toHaveLength(3);
    expect(flags.map((each) => each & O_NONBLOCK)).toEqual([0, 0, 0]);
  });

  test('^C reaches the command once, which decides what it does', async () => {
    // The shell around it has them too.
    const script = (line: string): string => `trap : INT QUIT; ${line}`;
    const { send, waitFor, done } = terminal(['--', ...listener('SIGINT', 'SIGQUIT')], script);
    await waitFor('ready');
    send('\x03');
    await waitFor('<SIGINT>');
    send('\x1c');
    await waitFor('<SIGQUIT>');
    await sleep(300);
    send('end\r');
    const { status, output } = await done;
    expect(status).toBe(9);
    expect(output.match(/<SIG\w+>/g)).toEqual(['<SIGINT>', '<SIGQUIT>']);
  });

  test('^C ends a command that does not expect it: status 130', async () => {
    // A shell that waits for it would end by the signal too.
    const script = (line: string): string => `trap : INT; ${line}; echo "status $?."`;
    const { send, waitFor } = terminal(['--', 'sh', '-c', 'echo ready; exec sleep 60'], script);
    await waitFor('ready');
    await sleep(200);
    send('\x03');
    await waitFor('status 130.');
  });

  const SHELLS = [
    ['bash', ['--noprofile', '--norc'], 'do', 'done'],
    ['zsh', ['-f'], 'do', 'done'],
    ['fish', ['--no-config'], '', 'end'],
    ['dash', [], 'do', 'done'],
  ] as const;

  describe.each(SHELLS)('^C in %s', (shell, options, begin, end) => {
    const job = ['--', 'sh', '-c', 'echo rea""dy; exec sleep 30'];
    const loop = (line: string): string => `for i in 1 2 3; ${begin} ${line}; ${end}`;

    test('stops the script around it', async () => {
      const file = join(folder, `loop.${shell}`);
      const { send, waitFor } = terminal(job, (line) => {
        writeFileSync(file, `${loop(line)}\necho went on\n`);
        // The shell around all of it has ^C too.
        return `trap : INT; ${shell} ${options.join(' ')} ${file}; echo "status $?."`;
      });
      await waitFor('ready');
      send('\x03');
      const output = await waitFor(/status \d+\./);
      expect(output).toContain('status 130.');
      expect(output.match(/ready/g)).toHaveLength(1);
      expect(output).not.toContain('went on');
    });

    test('stops the loop that somebody typed', async () => {
      // fish has a prompt of its own.
      const prompt = shell === 'fish' ? /\w+@.*[#>] / : 'prompt$ ';
      const file = join(folder, `typed.${shell}`);
      const { send, waitFor, done } = terminal(job, (line) => {
        writeFileSync(file, `exec ${line}\n`);
        return `export PS1='prompt$ '; exec ${shell} ${options.join(' ')} -i`;
      });
      await waitFor(prompt);
      send(`${loop(`sh ${file}`)}\r`);
      await waitFor('ready');
      send('\x03');
      await waitFor(prompt);
      send('echo "here ""again"\r');
      const output = await waitFor('here again');
      expect(output.match(/ready/g)).toHaveLength(1);
      send('exit\r');
      await done;
    });
  });

  test('a terminal without echo is restored when a signal has ended a child', async () => {
    const script = (line: string): string => `${line}; echo "status $?."; stty -a`;
    const { waitFor, done } = terminal(['--', 'sh', '-c', 'stty raw -echo; kill -TERM $$'], script);
    await waitFor('status 143.');
    const { output } = await done;
    // A command that has taken the place of the process has nothing behind it.
    const off = replaces ? '-' : '';
    for (const flag of ['echo', 'icanon', 'isig']) {
      expect(output).toMatch(RegExp(`[ \\n]${off}${flag}[ ;\\r]`));
    }
  });

  test('a change of its size reaches the command once', async () => {
    const { send, waitFor, done } = terminal(['--', ...listener('SIGWINCH')]);
    const [, pid] = /ready (\d+)/.exec(await waitFor(/ready \d+/)) ?? [];
    const tty = `/proc/${pid ?? ''}/fd/0`;
    await once(spawn('stty', ['-F', tty, 'cols', '100'], { stdio: 'ignore' }), 'close');
    await waitFor('<SIGWINCH>');
    await sleep(300);
    send('\r');
    expect((await done).output.match(/<SIG\w+>/g)).toEqual(['<SIGWINCH>']);
  });

  test('a signal from elsewhere reaches the command there too', async () => {
    const { send, waitFor, done } = terminal(
      ['--', ...listener('SIGTERM', 'SIGHUP')],
      // The pid is that of the process in whose place the command may be.
      (line) => `sh -c 'echo "pid $$."; exec "$@"' sh ${line}`,
    );
    const [, pid] = /pid (\d+)\./.exec(await waitFor(/pid \d+\./)) ?? [];
    await waitFor('ready');
    process.kill(Number(pid), 'SIGTERM');
    await waitFor('<SIGTERM>');
    process.kill(Number(pid), 'SIGHUP');
    await waitFor('<SIGHUP>');
    send('\r');
    expect((await done).output.match(/<SIG\w+>/g)).toEqual(['<SIGTERM>', '<SIGHUP>']);
  });

  describe('of a shell with job control', () => {
    /** An interactive shell in which `job` is the command line. */
    function interactive(command: readonly string[]): Pty {
      const rc = join(folder, 'rc');
      const start = (line: string): string => {
        writeFileSync(rc, `alias job=${quoted([line])}\nPS1='prompt$ '\n`);
        return `exec bash --noprofile --rcfile ${rc} -i`;
      };
      return terminal(command, start);
    }

    test('^Z gives the terminal back, and fg takes it again', async () => {
      const { send, waitFor, done } = interactive(['--', 'sh', '-c', 'echo rea""dy; exec cat']);
      await waitFor('prompt$ ');
      send('job\r');
      await waitFor('ready\r\n');
      send('one\r');
      await waitFor('one\r\none\r\n');
      send('\x1a');
      await waitFor(/Stopped.*\r\n.*prompt\$ /s);
      send('echo "$((6 * 7)) here"\r');
      await waitFor(/42 here.*prompt\$ /s);
      send('fg\r');
      // The shell says which job it takes up once the terminal is in order.
      await waitFor(/fg[^\n]*\n[^\n]+\n/);
      send('two\r');
      await waitFor('two\r\ntwo\r\n');
      send('\x04');
      await waitFor('prompt$ ');
      send('echo "status $?."; exit\r');
      await waitFor('status 0.');
      await done;
    });

    test('a command that first puts the terminal in order has the time to', async () => {
      const script = `process.on('SIGTSTP', () => setTimeout(() => { console.log('in order'); process.kill(process.pid, 'SIGSTOP'); }, 400));
process.on('SIGCONT', () => { console.log('back'); process.exit(4); });
setInterval(() => {}, 1000); console.log('ready');`;
      const editor = join(folder, 'editor.cjs');
      writeFileSync(editor, script);
      const { send, waitFor, done } = interactive(['--', process.execPath, editor]);
      await waitFor('prompt$ ');
      send('job\r');
      await waitFor('ready');
      send('\x1a');
      const before = await waitFor(/Stopped.*prompt\$ /s);
      expect(before).toMatch(/ready\r\n.*in order\r\n.*Stopped/s);
      send('fg\r');
      await waitFor('back');
      await waitFor('prompt$ ');
      send('echo "status $?."; exit\r');
      await waitFor('status 4.');
      await done;
    });

    test('a command that stops itself, in the background too', async () => {
      const { send, waitFor, done } = interactive([
        '--',
        'sh',
        '-c',
        'kill -STOP $$; echo went on',
      ]);
      await waitFor('prompt$ ');
      send('job\r');
      await waitFor(/Stopped.*prompt\$ /s);
      send('bg\r');
      await waitFor('went on');
      send('\rexit\r');
      await done;
    });
  });
});
