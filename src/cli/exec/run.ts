import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import type { Environment } from './environment.ts';
import { CredstashError } from '../../errors.ts';
import { byteLength } from '../../util/utf8.ts';
import type { Io } from '../terminal/io.ts';
import { notStarted, type Program } from './find-program.ts';
import { endBySignal, forwardSignals, restoreDefault } from './signals.ts';
import { saveTerminalSettings } from '../terminal/saved-settings.ts';

/** Exists in Node.js 22.15 and later and in Bun, but not on Windows. */
type Execve = (file: string, argv: readonly string[], environment: Environment) => never;

/**
 * Replaces this process by a program if the system can, and then never returns. Otherwise runs the program as a child with the
 * streams, process group and terminal of this process, and forwards signals to it. A signal that ends the child ends this
 * process too.
 *
 * @returns the program's exit status; 128 plus the number of the signal that ended it, if this process cannot end by that signal
 * @throws CredstashError COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, or TOO_LARGE if it cannot be started
 */
export async function runProgram(
  program: Program,
  environment: Environment,
  io: Io,
): Promise<number> {
  const { execve } = process as { execve?: Execve };
  io.release();
  // If execve fails, Node.js aborts, and may dump its memory: call it only if it is known to succeed.
  if (
    execve &&
    process.platform === 'linux' &&
    program.isCertain &&
    fitsExecve(program, environment)
  ) {
    // execve emits no exit event. Emit it here, so that the launcher writes its code cache.
    process.emit('exit', 0);
    // Node.js ignores these signals, and execve keeps them ignored: `yes | head` would never end.
    restoreDefault('SIGPIPE');
    restoreDefault('SIGXFSZ');
    try {
      execve(program.file, program.argv, environment);
    } catch {
      // Bun throws an error where Node.js aborts. A child process reports the reason.
    }
  }
  return runChild(program, environment);
}

/** Whether the arguments and the environment fit execve (execve(2), "Limits on size of arguments and environment"). */
function fitsExecve({ file, argv }: Program, environment: Environment): boolean {
  const strings = [file, ...argv, ...Object.entries(environment).map((pair) => pair.join('='))];
  // Each string takes a NUL and a pointer. A script adds its first line, which is at most a page.
  const size = strings.reduce((sum, text) => sum + byteLength(text) + 1 + 8, 4096);
  const limit = Math.min(6 * 1024 * 1024, readStackLimit() / 4);
  return size <= Math.max(limit, 128 * 1024);
}

/** Reads the soft limit of the stack in bytes; 0 if it is unknown, because the system has no /proc. */
function readStackLimit(): number {
  try {
    const size = /^Max stack size +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return size === undefined ? Infinity : Number(size);
  } catch {
    return 0;
  }
}

async function runChild({ file, argv }: Program, environment: Environment): Promise<number> {
  const [argv0 = '', ...args] = argv;
  // Loaded on use, because most commands start no child.
  const { spawn, spawnSync } = await import('node:child_process');
  // child_process would add this variable to an environment without it.
  Reflect.deleteProperty(process.env, 'NODE_V8_COVERAGE');
  const restoreTerminal = saveTerminalSettings(spawnSync);
  // Listen before the child exists: a signal that arrives in between is forwarded as soon as the child exists.
  const signals = forwardSignals();
  try {
    const ended = await new Promise<number | NodeJS.Signals>((resolve, reject) => {
      const child = spawn(file, args, { argv0, env: environment, stdio: 'inherit' });
      child.on('error', reject);
      child.on('exit', (status, signal) => {
        resolve(signal ?? status ?? 1);
      });
      signals.to(child);
    });
    if (typeof ended === 'number') return ended;
    restoreTerminal();
    endBySignal(ended);
    return 128 + constants.signals[ended];
  } catch (error) {
    if (error instanceof CredstashError) throw error;
    throw notStarted(file, error);
  } finally {
    signals.stop();
  }
}
