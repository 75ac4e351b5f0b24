import type { Command } from 'commander';
import { type Context, parseContext } from '../context.ts';
import { CredstashError, type Failure, together } from '../errors.ts';
import type { Change, ChangeOptions, Target } from '../flows.ts';
import { shortVersion } from '../version.ts';
import { visible } from '../format/visible.ts';
import type { Io } from './io.ts';

/** What the commands that change many entries have in common. */
export interface ChangeFlags {
  readonly dryRun?: true;
  readonly yes?: true;
  readonly rate?: string;
}

/** What a command does to an entry: `rekey`, `rekeyed`, to another key. */
export interface Words {
  readonly verb: string;
  readonly done: string;
  readonly to?: string;
}

/** @param asks whether the command asks before it deletes or rewrites more than one entry */
export function addChangeOptions(command: Command, { asks }: { asks: boolean }): Command {
  command
    .option('--dry-run', 'print what would be done, and change nothing')
    .option('--rate <n>', 'at most so many entries a second (default: 100)');
  return asks ? command.option('-y, --yes', 'do not ask on a terminal') : command;
}

/** `[GLOB] [KEY=VALUE…]`, of which a word with a = is encryption context. */
export function globAndContext(words: readonly string[]): { glob: string; context: Context } {
  const [first = '', ...rest] = words;
  const isGlob = words.length > 0 && !first.includes('=');
  return { glob: isGlob ? first : '*', context: parseContext(isGlob ? rest : words, 'open') };
}

/**
 * Runs a flow that changes many entries: asks where it must, prints what is done, and ends with a count.
 *
 * @param where what it is done in, for questions and errors
 * @throws CredstashError with `failures` where any failed; INTERRUPTED when the answer is no
 */
export async function runChanges(
  io: Io,
  flow: (options: ChangeOptions) => AsyncIterable<Change>,
  flags: ChangeFlags,
  words: Words,
  where: string,
): Promise<void> {
  const { verb, done } = words;
  const counts = { changed: 0, planned: 0, skipped: 0, failed: 0 };
  const failures: Failure[] = [];
  // An output that takes no more must not leave the rest unsaid, nor undone.
  let unwritten: unknown;
  const say = async (line: string): Promise<void> => {
    await io.write(line).catch((error: unknown) => {
      unwritten ??= error;
    });
  };
  const changes = flow({
    dryRun: flags.dryRun,
    rate: rateOf(flags),
    progress: io.progress('entries done'),
    ...(flags.yes || !io.interactive
      ? {}
      : { confirm: (planned) => confirm(io, planned, words, where) }),
  });
  for await (const change of changes) {
    counts[change.done] += 1;
    const entry = `${visible(change.name)} -- version ${visible(change.version)}`;
    if (change.done === 'changed') await say(`${done} ${entry}\n`);
    else if (change.done === 'planned') await say(`would ${verb} ${entry}\n`);
    else if (change.done === 'failed') {
      failures.push({
        name: `${change.name} version ${shortVersion(change.version)}`,
        error: change.error,
      });
    }
  }
  const first = flags.dryRun ? `${counts.planned} to ${verb}` : `${counts.changed} ${done}`;
  await say(`${first}, ${counts.skipped} skipped, ${counts.failed} failed\n`);
  if (failures.length > 0) {
    const total = counts.changed + counts.planned + counts.skipped + counts.failed;
    throw together(
      `${counts.failed} of ${total} entries have not been ${done} in ${where}`,
      failures,
      'what is done stays done: the same command goes on with the rest',
    );
  }
  if (unwritten !== undefined) throw unwritten as Error;
}

function rateOf({ rate }: ChangeFlags): number | undefined {
  if (rate === undefined) return undefined;
  const value = Number(rate);
  if (/^\d+(\.\d+)?$/.test(rate) && value > 0) return value;
  throw new CredstashError('USAGE', '--rate is not a number above 0');
}

async function confirm(
  io: Io,
  planned: readonly Target[],
  { verb, to = '' }: Words,
  where: string,
): Promise<boolean> {
  if (planned.length === 1) return true;
  const secrets = new Set(planned.map(({ name }) => name)).size;
  const what = `${planned.length} entries of ${secrets === 1 ? 'one secret' : `${secrets} secrets`}`;
  if (await io.confirm(`${verb} ${what} in ${where}${to}?`)) return true;
  io.note('credstash: nothing was changed');
  throw new CredstashError('INTERRUPTED', 'the answer was no');
}
