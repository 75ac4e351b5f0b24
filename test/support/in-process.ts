import { Readable, Writable } from 'node:stream';
import { Io } from '../../src/cli/io.ts';
import { main } from '../../src/cli/main.ts';

/** How a command ended in this process. */
export interface Ended {
  readonly status: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface InProcessOptions {
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** When the run rejects. */
  readonly timeoutMs?: number;
}

function sink(chunks: Buffer[]): Writable {
  return new Writable({
    write: (chunk: Buffer, _, done) => {
      chunks.push(chunk);
      done();
    },
  });
}

/**
 * Runs the command in this process, where a campaign has thousands of them: a process of its own takes a third of a
 * second. One at a time, because the environment is this process's.
 */
export async function inProcess(
  args: readonly string[],
  { env, input = '', timeoutMs = 30_000 }: InProcessOptions,
): Promise<Ended> {
  const before = { ...process.env };
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  const streams = { stdin: Readable.from([input]), stdout: sink(stdout), stderr: sink(stderr) };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`credstash ${args.join(' ')} did not end in ${timeoutMs} ms`));
    }, timeoutMs);
  });
  try {
    setEnvironment(env);
    const status = await Promise.race([main(args, new Io(streams)), late]);
    return { status, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() };
  } finally {
    clearTimeout(timer);
    setEnvironment(before);
  }
}

function setEnvironment(environment: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(process.env)) {
    if (!(name in environment)) Reflect.deleteProperty(process.env, name);
  }
  Object.assign(process.env, environment);
}
