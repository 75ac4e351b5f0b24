import { CredstashError } from '../../errors.ts';
import { sleep } from '../../util/sleep.ts';
import type { Io } from '../terminal/io.ts';
import { type Child, ChildHost } from './child.ts';
import type { Environment } from './environment.ts';
import type { Start } from './start.ts';
import type { Program } from './find-program.ts';
import { watchOrphans } from './orphans.ts';
import { fitsExecve } from './run.ts';

/** How many changed variables a line names. */
const NAMED = 5;

export interface Followed {
  /** Finds COMMAND, again before each start: a new release may have replaced it. @throws CredstashError */
  readonly findProgram: () => Program;
  /** What to run COMMAND with. The first one starts it, each later one restarts it. */
  readonly starts: AsyncIterator<Start, unknown, undefined>;
  /** How long COMMAND has to end after SIGTERM, in milliseconds, before SIGKILL. */
  readonly graceMs: number;
  /** Prints an error while COMMAND goes on. */
  readonly report: (error: unknown) => void;
  /** Whether nothing is said of a restart. */
  readonly isQuiet: boolean;
}

/**
 * Runs a program as a child, and restarts it with each new environment and its files. A program that ends by itself ends this.
 *
 * @returns the program's exit status, as `runProgram` does
 * @throws CredstashError what the first environment throws; COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, TOO_LARGE when the
 *   program cannot be started
 */
export async function runFollowing(
  { findProgram, starts, graceMs, report, isQuiet }: Followed,
  io: Io,
): Promise<number> {
  const first = await starts.next();
  if (first.done) return 0;
  let current = first.value;
  io.release();
  const host = await ChildHost.open();
  let child: Child | undefined;
  const orphans = watchOrphans(() => child?.pid, io);
  try {
    child = host.start(findProgram(), current.environment);
    for (;;) {
      const next = await takeNext(starts, child, report);
      if (!next) return host.finish(await child.ended);
      const changed = listChanged(current.compared, next.compared);
      if (changed.length === 0) {
        next.discard();
        continue;
      }
      let program: Program;
      try {
        program = findProgram();
        checkFits(program, next.environment);
      } catch (error) {
        next.discard();
        report(error);
        continue;
      }
      if (!(await mayRestart(host, child, graceMs))) return host.finish(await child.ended);
      if (!isQuiet) io.note(`credstash: ${describe(changed)}: restarting COMMAND`);
      const before = host.lastEnding;
      const stopped = await stop(child, graceMs);
      // It ended by itself just now, or somebody wants all of this to end.
      if (!stopped || host.lastEnding !== before) return host.finish(await child.ended);
      host.restoreTerminal();
      io.release();
      current.discard();
      current = next;
      child = host.start(program, current.environment);
    }
  } finally {
    clearInterval(orphans);
    host.close();
  }
}

/** What to restart the program with; undefined if the program ended first. */
async function takeNext(
  starts: Followed['starts'],
  { ended }: Child,
  report: Followed['report'],
): Promise<Start | undefined> {
  let isOver = false;
  const next = starts.next().then(
    (result) => (result.done ? undefined : result.value),
    (error: unknown) => {
      // The program must not end with what follows its secrets.
      if (!isOver) report(error);
      return undefined;
    },
  );
  const over = ended.finally(() => {
    isOver = true;
  });
  const first = await Promise.race([next, over.then(() => undefined)]);
  if (first) return first;
  await over;
  return undefined;
}

/** The variables in which two environments differ. */
function listChanged(before: Environment, now: Environment): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(now)]);
  return [...names].filter((name) => before[name] !== now[name]).sort();
}

function describe(changed: readonly string[]): string {
  const more = changed.length - NAMED;
  const named = changed.slice(0, NAMED).join(', ');
  const verb = changed.length === 1 ? 'has' : 'have';
  return `${named}${more > 0 ? ` and ${more} more` : ''} ${verb} changed`;
}

/** @throws CredstashError TOO_LARGE, while the program still runs with its old environment */
function checkFits(program: Program, environment: Environment): void {
  if (process.platform !== 'linux' || fitsExecve(program, environment)) return;
  throw new CredstashError(
    'TOO_LARGE',
    'the new environment and the arguments are together larger than the system takes',
    { hint: 'take fewer secrets, or give large ones as files: --file NAME=SECRET' },
  );
}

/**
 * Whether the program may be restarted. Not if it was asked to end by SIGTERM, also if it takes long for that. After Ctrl-C, it
 * has the time of a stop to end; some programs only cancel their work.
 */
async function mayRestart(host: ChildHost, child: Child, graceMs: number): Promise<boolean> {
  for (let last = host.lastEnding; last; last = host.lastEnding) {
    if (last.signal === 'SIGTERM') return false;
    const rest = last.at + graceMs - performance.now();
    if (rest <= 0) return true;
    const hasEnded = child.ended.then(() => true);
    if (await Promise.race([hasEnded, sleep(rest).then(() => false)])) return false;
  }
  return true;
}

/** Ends a child by SIGTERM, and after the grace by SIGKILL. @returns false if it had ended by itself before */
async function stop(child: Child, graceMs: number): Promise<boolean> {
  if (!child.kill('SIGTERM')) return false;
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  try {
    await child.ended;
    return true;
  } finally {
    clearTimeout(timer);
  }
}
