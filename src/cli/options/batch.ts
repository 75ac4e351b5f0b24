import { type Context, parseContext } from '../../model/context.ts';
import { ChangesError, CredstashError, type Failure, worstFirst } from '../../errors.ts';
import type { Change, ChangeOptions, Target } from '../../operations/options.ts';
import { unpadVersion } from '../../model/version.ts';
import { escapeUnseen } from '../../format/visible.ts';
import type { Io } from '../terminal/io.ts';
import { defineOptions, type OptionValues } from './define.ts';

/** The options of the commands that change many entries. */
export const CHANGE_OPTIONS = defineOptions({
  dryRun: { flags: '--dry-run', description: 'print what would be done, and change nothing' },
  rate: {
    flags: '--rate <n>',
    description: 'at most so many changes a second (default: 100)',
  },
});

/** The option of the commands that ask before they delete or rewrite more than one entry. */
export const YES_OPTION = defineOptions({
  yes: { flags: '-y, --yes', description: 'do not ask on a terminal' },
});

type ChangeFlags = OptionValues<typeof CHANGE_OPTIONS & typeof YES_OPTION>;

/** The words for a command's effect on an entry: `rekey`, `rekeyed`, ` to another key`. */
export interface Words {
  readonly verb: string;
  readonly done: string;
  readonly to?: string;
}

/** Parses `[GLOB] [KEY=VALUE…]`. A first word with a = is a pair of the encryption context. @throws CredstashError USAGE */
export function parseGlobAndContext(words: readonly string[]): { glob: string; context: Context } {
  const [first = '', ...rest] = words;
  const isGlob = words.length > 0 && !first.includes('=');
  return { glob: isGlob ? first : '*', context: parseContext(isGlob ? rest : words, 'open') };
}

const GO_ON = 'what is done stays done: the same command goes on with the rest';

/**
 * Runs an operation that changes many entries: asks for confirmation if needed, prints each change, and ends with a count.
 *
 * @param where the table or vault, for questions and errors
 * @param hintOf finds the hint for an error; default: the error's own
 * @throws CredstashError with `failures` if changes failed; INTERRUPTED if the answer is no
 */
export async function runChanges(
  io: Io,
  operation: (options: ChangeOptions) => AsyncIterable<Change>,
  flags: ChangeFlags,
  words: Words,
  where: string,
  hintOf = ({ hint }: CredstashError): string | undefined => hint,
): Promise<void> {
  const { verb, done } = words;
  const counts = { changed: 0, planned: 0, skipped: 0, failed: 0 };
  /** The entries that failed, by their error. A batch has one error for several entries. */
  const failed = new Map<CredstashError, Target[]>();
  // If stdout fails, the operation still goes on, and its failures are still reported.
  let unwritten: unknown;
  const say = async (line: string): Promise<void> => {
    await io.write(line).catch((error: unknown) => {
      unwritten ??= error;
    });
  };
  const changes = operation({
    dryRun: flags.dryRun,
    rate: parseRate(flags),
    progress: io.progress('entries done'),
    ...(flags.yes || !io.interactive
      ? {}
      : { confirm: (planned) => confirm(io, planned, words, where) }),
  });
  for await (const change of replaceHints(changes, hintOf)) {
    counts[change.done] += 1;
    const entry = `${escapeUnseen(change.name)} -- version ${escapeUnseen(change.version)}`;
    if (change.done === 'changed') await say(`${done} ${entry}\n`);
    else if (change.done === 'planned') await say(`would ${verb} ${entry}\n`);
    else if (change.done === 'failed') {
      const targets = failed.get(change.error);
      if (targets) targets.push(change);
      else failed.set(change.error, [change]);
    }
  }
  const first = flags.dryRun ? `${counts.planned} to ${verb}` : `${counts.changed} ${done}`;
  await say(`${first}, ${counts.skipped} skipped, ${counts.failed} failed\n`);
  if (failed.size > 0) {
    const total = counts.changed + counts.planned + counts.skipped + counts.failed;
    const failures = [...failed].map(([error, targets]) => toFailure(targets, error));
    const [worst] = worstFirst(failures);
    const hint = worst && hintOf(worst.error);
    throw new ChangesError(
      worst?.error.code ?? 'UNEXPECTED',
      `${counts.failed} of ${total} entries have not been ${done} in ${where}`,
      { failures, hint: hint === undefined ? GO_ON : `${hint}; ${GO_ON}` },
    );
  }
  if (unwritten !== undefined) throw unwritten as Error;
}

/** Yields the same changes. An error that they throw gets the hint of `hintOf`. */
async function* replaceHints(
  changes: AsyncIterable<Change>,
  hintOf: (error: CredstashError) => string | undefined,
): AsyncGenerator<Change> {
  try {
    yield* changes;
  } catch (error) {
    const hint = error instanceof CredstashError ? hintOf(error) : undefined;
    if (!(error instanceof CredstashError) || hint === error.hint) throw error;
    throw error.reworded(error.message, hint);
  }
}

function toFailure([first, ...others]: readonly Target[], error: CredstashError): Failure {
  const { name, version } = first ?? { name: '', version: '' };
  const more = others.length === 0 ? '' : ` and ${others.length} more`;
  return { name: `${name} version ${unpadVersion(version)}${more}`, error };
}

function parseRate({ rate }: ChangeFlags): number | undefined {
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
  const subject = `${planned.length} entries of ${secrets === 1 ? 'one secret' : `${secrets} secrets`}`;
  await confirmOrStop(io, `${verb} ${subject} in ${where}${to}?`);
  return true;
}

/** Asks for confirmation on the terminal. @throws CredstashError INTERRUPTED if the answer is no; TIMEOUT */
export async function confirmOrStop(io: Io, question: string): Promise<void> {
  if (await io.confirm(question)) return;
  io.note('credstash: nothing was changed');
  throw new CredstashError('INTERRUPTED', 'you answered no');
}
