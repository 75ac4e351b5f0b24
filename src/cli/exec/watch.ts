import type { Credstash } from '../../credstash.ts';
import { CredstashError, hasCode } from '../../errors.ts';
import { formatDuration, parseDuration } from '../../model/age.ts';
import { SHORTEST_WATCH_INTERVAL_MS, WATCH_INTERVAL_MS } from '../../model/defaults.ts';
import type { WatchRequest } from '../../operations/index.ts';
import type { Io } from '../terminal/io.ts';
import type { Secret } from '../../model/entry.ts';
import type { ExecRequest } from './request.ts';
import type { Got, Start } from './start.ts';

/** How long COMMAND has to end, in milliseconds, unless --grace says otherwise. */
const GRACE_MS = 10_000;

export interface WatchTimes {
  /** The time between two looks, in milliseconds. */
  readonly interval: number;
  readonly graceMs: number;
}

/**
 * The times of --watch and --grace; undefined without --watch.
 *
 * @throws CredstashError USAGE
 */
export function parseWatchTimes(options: {
  readonly watch?: string;
  readonly grace?: string;
}): WatchTimes | undefined {
  const { watch, grace } = options;
  if (watch === undefined) {
    if (grace === undefined) return undefined;
    throw new CredstashError(
      'USAGE',
      '--grace is for --watch; without it credstash stops no COMMAND',
    );
  }
  const interval = watch === '' ? WATCH_INTERVAL_MS : parseTime('--watch', watch);
  if (interval < SHORTEST_WATCH_INTERVAL_MS) {
    throw new CredstashError(
      'USAGE',
      `--watch looks every ${formatDuration(SHORTEST_WATCH_INTERVAL_MS)} at most`,
      { hint: `--watch=${SHORTEST_WATCH_INTERVAL_MS / 1000}s looks as often as it can` },
    );
  }
  if (grace === undefined) return { interval, graceMs: GRACE_MS };
  const isNone = /^0(?:ms|s|m|h)?$/.test(grace);
  return { interval, graceMs: isNone ? 0 : parseTime('--grace', grace) };
}

function parseTime(option: string, text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds !== undefined) return milliseconds;
  throw new CredstashError('USAGE', `the value of ${option} is not a duration`, {
    hint: 'a duration looks like 30s, 5m or 1h; a number without a unit is in seconds',
  });
}

/** A word that was perhaps meant as the interval: `--watch 30s`. The option takes its value only behind a `=`. */
export function suggestEquals(words: readonly string[]): (error: unknown) => never {
  return (error) => {
    const word = words.find((each) => parseDuration(each) !== undefined);
    if (word === undefined || !hasCode(error, 'SECRET_NOT_FOUND')) throw error;
    throw error.reworded(error.message, `write the interval behind a =: --watch=${word}`);
  };
}

/** How the secrets of COMMAND are got. */
export interface StartSource {
  readonly request: ExecRequest;
  readonly label: string | undefined;
  readonly interval: number;
  /** Gets every secret. @throws CredstashError */
  readonly fetch: () => Promise<Got>;
  /** Makes an environment and files, and wipes the secrets. @throws CredstashError */
  readonly build: (got: Got) => Start;
  readonly report: (error: unknown) => void;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/**
 * Yields the environment of COMMAND with its files, and a new one after each change of a secret. From the first one on, COMMAND has the terminal.
 * A failure after that is printed, and COMMAND goes on with what it has.
 *
 * @throws CredstashError what the first get or the first environment throws
 */
export async function* watchStarts(
  credstash: Credstash,
  { request, label, interval, fetch, build, report, signal }: StartSource,
  io: Io,
): AsyncGenerator<Start> {
  const { context, globs, named, inherited, spread } = request;
  const wanted: WatchRequest[] = [
    ...inherited,
    ...named,
    ...spread,
    ...globs.map((glob) => ({ glob, context, label })),
  ];
  const onError = (error: unknown): void => {
    report(error);
    io.note('credstash: warning: COMMAND goes on with the secrets that it has');
  };
  // With its key: a field that has another key and the same value is a change.
  const secretsOf = ({ secrets, resolved }: Got): Secret[] =>
    [...resolved, ...secrets].map(({ name, key, value }) => ({
      name: JSON.stringify([name, key]),
      value,
    }));
  const sets = credstash.follow(wanted, { interval, signal, onError }, { fetch, secretsOf });
  let isFirst = true;
  for await (const got of sets) {
    let start: Start;
    try {
      // COMMAND has ended, and the folder of its files with it.
      if (signal.aborted) break;
      start = build(got);
    } catch (error) {
      if (isFirst) throw error;
      onError(error);
      continue;
    }
    if (isFirst) {
      // The time is over before COMMAND is started, or it may take any.
      io.deadline?.signal.throwIfAborted();
      io.deadline?.stop();
      io.status.quiet = true;
      io.isLent = true;
      isFirst = false;
    }
    yield start;
  }
}
