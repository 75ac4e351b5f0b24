import { spawn } from 'node:child_process';
import { type Program, sandbox } from './sandbox.ts';

export { leftOn, pty, type Pty, type PtyOptions } from './pty.ts';
export {
  builtCommand,
  nodeUnderTest,
  type Program,
  replacesProcess,
  standaloneUnderTest,
} from './sandbox.ts';

/** How a process ended, and what it printed. */
export interface Outcome {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** As `input`: a pipe that stays open and in which nothing ever comes. */
export const silence = Symbol('silence');

export interface RunOptions extends Program {
  /** What stands on stdin; /dev/null unless given. */
  readonly input?: string | Uint8Array | typeof silence;
  /** When the process is killed and the run rejects (default 2 min). */
  readonly timeoutMs?: number;
  /** When it resolves the process is killed (SIGKILL), if it has not ended. */
  readonly kill?: Promise<unknown>;
}

/** Runs the built command to its end, whatever its exit status. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const { cwd, env, command, remove } = sandbox(args, options);
  const [program, ...rest] = command;
  const { input, timeoutMs = 120_000 } = options;
  try {
    return await new Promise<Outcome>((resolve, reject) => {
      const stdin = input === undefined ? 'ignore' : 'pipe';
      // Detached, it has no terminal that it could ask on, also where a person runs the tests in one.
      const stdio = [stdin, 'pipe', 'pipe'] as const;
      const child = spawn(program, rest, { cwd, env, stdio: [...stdio], detached: true });
      const stdout: Buffer[] = [];
      const stderr: Buffer[] = [];
      child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
      child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
      const printed = (): Pick<Outcome, 'stdout' | 'stderr'> => ({
        stdout: Buffer.concat(stdout),
        stderr: Buffer.concat(stderr).toString(),
      });
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
        const { stdout, stderr } = printed();
        const what = `credstash ${args.join(' ')} did not end in ${timeoutMs} ms`;
        reject(new Error(`${what}\nstdout: ${stdout.toString()}\nstderr: ${stderr}`));
      }, timeoutMs);
      void options.kill?.then(() => child.kill('SIGKILL'));
      child.on('error', reject);
      child.on('close', (status, signal) => {
        clearTimeout(timer);
        resolve({ status, signal, ...printed() });
      });
      // A command may end without reading all of its input.
      child.stdin?.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') reject(error);
      });
      if (input !== undefined && input !== silence) child.stdin?.end(input);
    });
  } finally {
    remove();
  }
}
