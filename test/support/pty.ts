import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { type Program, sandbox } from './sandbox.ts';

export interface PtyOptions extends Program {
  /**
   * Makes the shell script that runs in the terminal from the quoted command line; it is the
   * command alone unless given. `(command) => `${command}; stty -a`` shows the terminal after it.
   */
  readonly script?: (command: string) => string;
}

/** A command on a pseudo-terminal of 80 columns and 24 rows. */
export interface Pty {
  /** Types; a line ends with `\r`, ^C is `\x03` and ^D is `\x04`. */
  readonly send: (text: string) => void;
  /**
   * Waits until the text or pattern appears after what earlier calls waited for, and returns all
   * that stood before its end; rejects with all that appeared after 2 min or when the command ends.
   */
  readonly waitFor: (expected: string | RegExp) => Promise<string>;
  /** All that appeared on the terminal: what was typed too, where it was echoed. */
  readonly output: () => string;
  /** Resolves when the script has ended; a status above 128 is a signal. */
  readonly done: Promise<{ readonly status: number; readonly output: string }>;
  /** Takes the terminal away from under the command, as closing its window does; status 137. */
  readonly kill: () => void;
}

const limitMs = 120_000;

/**
 * What is left on the terminal in the end, where a line that is erased leaves nothing. The command writes such lines when a
 * busy machine takes a second for what it does.
 */
export function leftOn(output: string): string {
  return output.replace(/[^\n]*\r\x1b\[K/g, ''); // oxlint-disable-line no-control-regex -- it erases a line
}

/** Quotes one word for a POSIX shell. */
function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** Where the end of the first match is in the text, from an index on. */
function matchEnd(text: string, from: number, expected: string | RegExp): number | undefined {
  const rest = text.slice(from);
  if (typeof expected === 'string') {
    const at = rest.indexOf(expected);
    return at < 0 ? undefined : from + at + expected.length;
  }
  const match = new RegExp(expected.source, expected.flags.replace(/[gy]/g, '')).exec(rest);
  return match ? from + match.index + match[0].length : undefined;
}

/** Runs the built command on a real pseudo-terminal, which util-linux `script` makes. */
export function pty(args: readonly string[], options: PtyOptions = {}): Pty {
  const { cwd, env, command, remove } = sandbox(args, options);
  // An interactive fish without this folder reads every manual page of the machine in the background, for a minute.
  mkdirSync(join(env['HOME'] ?? '', '.local/share/fish/generated_completions'), {
    recursive: true,
  });
  const line = command.map(quote).join(' ');
  const shell = `stty cols 80 rows 24; ${options.script?.(line) ?? line}`;
  // script turns the echo of the terminal off when its own stdin is a pipe; people have it on.
  const flags = ['--quiet', '--return', '--flush', '--echo', 'always', '--command', shell];
  const child = spawn('script', [...flags, '/dev/null'], {
    cwd,
    // Without colour, so that a test reads words. A test of colour gives an empty NO_COLOR.
    env: { TERM: 'xterm-256color', SHELL: '/bin/sh', NO_COLOR: '1', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });

  let output = '';
  let ended = false;
  let seen = 0;
  const watchers = new Set<() => void>();
  const wake = (): void => {
    for (const watcher of watchers) watcher();
  };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
    wake();
  });
  // Typing into a terminal that has just closed is no failure; waitFor tells what is missing.
  child.stdin.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') child.emit('error', error);
  });
  const done = new Promise<{ status: number; output: string }>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => {
      ended = true;
      wake();
      remove();
      resolve({ status: status ?? 128 + constants.signals[signal ?? 'SIGKILL'], output });
    });
  });
  const waitFor = (expected: string | RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const settle = (settled: () => void): void => {
        clearTimeout(timer);
        watchers.delete(look);
        settled();
      };
      const fail = (why: string): void => {
        settle(() => {
          reject(
            new Error(`${String(expected)} did not appear ${why}; the terminal shows:\n${output}`),
          );
        });
      };
      const look = (): void => {
        const end = matchEnd(output, seen, expected);
        if (end !== undefined) {
          const before = output.slice(0, end);
          seen = end;
          settle(() => {
            resolve(before);
          });
        } else if (ended) fail('before the end');
      };
      const timer = setTimeout(() => {
        fail(`in ${limitMs} ms`);
      }, limitMs);
      watchers.add(look);
      look();
    });

  return {
    send: (text) => {
      child.stdin.write(text);
    },
    waitFor,
    output: () => output,
    done,
    kill: () => {
      // The kernel closes the terminal when script is gone; script itself ignores SIGHUP.
      child.kill('SIGKILL');
    },
  };
}
