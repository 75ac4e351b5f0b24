import { readFileSync } from 'node:fs';
import type { Environment } from './environment.ts';
import { byteLength } from '../../util/utf8.ts';
import type { Io } from '../terminal/io.ts';
import { ChildHost } from './child.ts';
import type { Program } from './find-program.ts';
import { watchOrphans } from './orphans.ts';
import { restoreDefault } from './signals.ts';

/** Exists in Node.js 22.15 and later and in Bun, but not on Windows. */
type Execve = (file: string, argv: readonly string[], environment: Environment) => never;

/**
 * Replaces this process by a program if the system can, and then never returns. Otherwise runs the program as a child with the
 * streams, process group and terminal of this process, and forwards signals to it. A signal that ends the child ends this
 * process too.
 *
 * @param options.stays whether this process runs the program as a child in any case, because it has to clean up afterwards
 * @returns the program's exit status; 128 plus the number of the signal that ended it, if this process cannot end by that signal
 * @throws CredstashError COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, or TOO_LARGE if it cannot be started
 */
export async function runProgram(
  program: Program,
  environment: Environment,
  io: Io,
  { stays = false } = {},
): Promise<number> {
  const { execve } = process as { execve?: Execve };
  io.release();
  // If execve fails, Node.js aborts, and may dump its memory: call it only if it is known to succeed.
  if (
    execve &&
    !stays &&
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
  return runChild(program, environment, io);
}

/** Whether the arguments and the environment fit execve (execve(2), "Limits on size of arguments and environment"). */
export function fitsExecve({ file, argv }: Program, environment: Environment): boolean {
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

async function runChild(program: Program, environment: Environment, io: Io): Promise<number> {
  const host = await ChildHost.open();
  let orphans: NodeJS.Timeout | undefined;
  try {
    const child = host.start(program, environment);
    orphans = watchOrphans(() => child.pid, io);
    return host.finish(await child.ended);
  } finally {
    clearInterval(orphans);
    host.close();
  }
}
