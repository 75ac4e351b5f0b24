import { Readable, Writable } from 'node:stream';
import { expect } from 'vitest';
import { Io } from '../../src/cli/terminal/io.ts';
import { main } from '../../src/cli/main.ts';

/** How a command ended in this process. */
export interface Ended {
  readonly status: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface InProcessOptions {
  /** The whole environment; as this process has it unless given. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** When the run rejects. */
  readonly timeoutMs?: number;
}

function sink(chunks: Buffer[]): Writable {
  return new Writable({
    write: (chunk: Buffer, _, done) => {
      // A copy: the command wipes what it has written.
      chunks.push(Buffer.from(chunk));
      done();
    },
  });
}

/**
 * Runs the command in this process, where a campaign has thousands of them: a process of its own takes a third of a
 * second. With an environment one at a time, because it is this process's.
 */
export async function inProcess(
  args: readonly string[],
  { env, input = '', timeoutMs = 120_000 }: InProcessOptions = {},
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
    if (env) setEnvironment(env);
    const status = await Promise.race([main(args, new Io(streams)), late]);
    return { status, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() };
  } finally {
    clearTimeout(timer);
    if (env) setEnvironment(before);
  }
}

function setEnvironment(environment: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(process.env)) {
    if (!(name in environment)) Reflect.deleteProperty(process.env, name);
  }
  Object.assign(process.env, environment);
}

/** Stands in every secret of a campaign, and nowhere else. */
export const canary = 'canary-';

/**
 * What a terminal obeys, what nobody sees, and what the runner of a job obeys. A line break ends a line of ours.
 */
export const UNSEEN =
  /(?!\n)\p{C}|\p{Default_Ignorable_Code_Point}|(?! )\p{Z}|[\u2800\u{13441}\u{13442}\u{1d159}]|^\s*::|##\w*\[/mu;

/** A wait, which a command on a busy machine tells of. */
export const WAIT = /^credstash: [^\n]+: \d+ (?:s|min)(?:, at most [^\n]+)?\n/gm;

/**
 * What holds for every command, whatever it was given and whatever it met: a status that docs/reference/errors.md has, no crash,
 * nothing that drives a terminal, and a secret on stdout alone, of a command that succeeds.
 */
export function expectTame(
  { status, stdout, stderr }: Pick<Ended, 'stdout' | 'stderr'> & { readonly status: number | null },
  args: readonly string[],
): void {
  const refuse = (why: string): void => {
    expect.unreachable(`${why}: ${JSON.stringify({ args, status, stderr }).slice(0, 5000)}`);
  };
  if (![0, 2, 3, 4, 5, 6, 7].includes(status ?? -1)) refuse('status');
  const told = stderr.replace(WAIT, '');
  if (!/^(?:credstash: (?:error|warning|hint|service says|debug): [^\n]*\n)*$/.test(told)) {
    refuse('not in our words');
  }
  // The warning of the default region comes first.
  const isTold = /^(?:credstash: warning: [^\n]*\n)*credstash: error: /.test(told);
  if (status !== 0 && !isTold) refuse('no error');
  if (/unexpected failure/.test(stderr)) refuse('a crash');
  const isDebug = args.some((arg) => /debug/i.test(arg));
  if (!isDebug && /\bat .*:\d+:\d+/.test(stderr)) refuse('a stack trace');
  if (stderr.includes(canary)) refuse('a secret on stderr');
  if (UNSEEN.test(stderr)) refuse('stderr drives a terminal or a runner');
  // A secret, a template, and the VALUE of --default are printed as they are.
  if (status === 0 && (args.includes('get') || args.includes('render'))) return;
  const said = stdout.toString();
  if (UNSEEN.test(said)) refuse('stdout drives a terminal or a runner');
  if (status !== 0 && said.includes(canary)) refuse('a secret on stdout');
}
