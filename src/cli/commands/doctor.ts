import manifest from '../../../package.json' with { type: 'json' };
import { parseContext } from '../../model/context.ts';
import { CredstashError } from '../../errors.ts';
import { escapeUnseen, formatVisibleJson } from '../../format/visible.ts';
import { okStep, type Step, failedStep } from '../../backend/diagnosis.ts';
import { defineCommand } from '../command.ts';
import { chooseBackend, type WithBackend } from '../options/backend.ts';
import type { Io } from '../terminal/io.ts';
import type { Style } from '../terminal/style.ts';
import type { GlobalOptions } from '../options/global.ts';
import { COMMIT } from '../commit.ts';
import { JSON_OPTION } from '../options/listing.ts';
import { KEY_OPTION } from '../options/seal.ts';
import { findRuntimeDanger } from '../options/runtime.ts';
import { hintInPlace } from '../advice/same-place.ts';
import { chooseCipher, listOrigins } from '../options/settings.ts';

const HELP = `Each line has a state (ok, warning, failed or unknown), a subject and a finding;
the next line says how to mend it. Only an administrator can check what is
unknown. doctor fails if a check failed.`;

export const command = defineCommand({
  name: 'doctor',
  group: 'setup',
  summary: 'look at all that it takes to work, and say what is wrong',
  description: 'Look at all that it takes to work, and say what is wrong. Nothing is written.',
  arguments: [
    {
      flags: '[context...]',
      description: 'encryption context as KEY=VALUE, to try a data key under',
    },
  ],
  options: {
    ...KEY_OPTION,
    write: {
      flags: '--write',
      description: 'require what a writer needs; store, read and remove an entry',
    },
    name: {
      flags: '--name <prefix>',
      description: 'try names that begin so, where a policy grants by name',
    },
    ...JSON_OPTION,
  },
  notes: HELP,
  examples: [
    { line: 'credstash doctor', description: 'Check what a reader needs' },
    {
      line: 'credstash doctor --write env=prod',
      description: 'Check what a writer needs, by storing an entry',
    },
    { line: 'credstash doctor --json', description: 'Print the checks as JSON' },
  ],
  isReader: true,
  run: async ({ args: [pairs], options, io }) => {
    const context = parseContext(pairs);
    const steps: Step[] = [];
    const tell = async (found: Step): Promise<void> => {
      const { hint } = found;
      const step = hint === undefined ? found : { ...found, hint: hintInPlace(options, hint) };
      steps.push(step);
      if (!options.json) await io.write(formatStep(step, io.style('stdout'), io.columns('stdout')));
    };
    await tell(runtimeStep());
    const danger = findRuntimeDanger();
    if (danger) await tell(failedStep('runtime', danger));
    // Every other command refuses to run so, and nothing is sent here either.
    const chosen = danger ? undefined : await reportSettings(options, io, tell);
    await chosen?.withBackend(async (credstash) => {
      const { write = false, name: prefix } = options;
      const looks = credstash.doctor({ context, write, prefix, cipher: chosen.cipher });
      for await (const step of looks) await tell(step);
    });
    await io.write(options.json ? formatVisibleJson(steps) : `\n${formatSummary(steps)}`);
    throwIfFailed(steps);
  },
});

function runtimeStep(): Step {
  const { bun, node } = process.versions;
  const engine = bun === undefined ? `Node.js ${node}` : `Bun ${bun}`;
  const { platform, arch } = process;
  const build = `credstash ${manifest.version} on ${engine}, ${platform} ${arch}`;
  return okStep('runtime', `${build}, commit ${COMMIT ?? 'unknown'}`);
}

/** Tells the settings and chooses a backend; undefined where a setting cannot be. */
async function reportSettings(
  options: GlobalOptions & { readonly key?: string },
  io: Io,
  tell: (step: Step) => Promise<void>,
): Promise<{ withBackend: WithBackend; cipher: string | undefined } | undefined> {
  const title = 'configuration';
  try {
    const withBackend = chooseBackend(options, io, { saysRegion: true });
    for (const { name, value, from } of listOrigins(options)) {
      await tell(okStep(title, `${name}: ${value} (${from})`));
    }
    return { withBackend, cipher: chooseCipher({}) };
  } catch (error) {
    if (!(error instanceof CredstashError) || error.code === 'IO') throw error;
    await tell(failedStep(title, error));
    return undefined;
  }
}

const STATE_WIDTH = 'warning'.length;
const TITLE_WIDTH = 'configuration'.length;

/** How each state looks on a terminal. */
const STATE_STYLES = {
  ok: 'green',
  warning: 'yellow',
  failed: 'red',
  unknown: 'dim',
} as const satisfies Record<Step['state'], keyof Style>;

/** @param columns of the terminal, undefined for no limit */
function formatStep(
  { state, title, found, hint, serviceMessage: words }: Step,
  style: Style,
  columns = Infinity,
): string {
  const line = `${state.padEnd(STATE_WIDTH)}  ${title.padEnd(TITLE_WIDTH)}  `;
  const below = [hint, words === undefined ? undefined : `service says: ${words}`].filter(
    (each) => each !== undefined,
  );
  const width = Math.max(20, columns - line.length);
  // Marked up last, because the codes take no column.
  const marked = `${style[STATE_STYLES[state]](state)}${line.slice(state.length)}`;
  return [found, ...below]
    .flatMap((text) => wrapWords(escapeUnseen(text), width))
    .map((text, i) => `${i === 0 ? marked : ' '.repeat(line.length)}${text}\n`)
    .join('');
}

/** Breaks a text at spaces. A longer word, such as an ARN, keeps a line of its own. */
function wrapWords(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** How many checks had each result: `11 checks: 9 ok, 1 warning, 1 failed`. */
function formatSummary(steps: readonly Step[]): string {
  const counts = ['ok', 'warning', 'failed', 'unknown'].flatMap((state) => {
    const count = steps.filter((step) => step.state === state).length;
    if (count === 0) return [];
    return [`${count} ${state}${state === 'warning' && count > 1 ? 's' : ''}`];
  });
  return `${steps.length} checks: ${counts.join(', ')}\n`;
}

/** @throws CredstashError when a step failed: with the code of the first, or INTEGRITY if any did not verify */
function throwIfFailed(steps: readonly Step[]): void {
  const failed = steps.filter(({ state }) => state === 'failed');
  const worst = failed.find(({ code }) => code === 'INTEGRITY') ?? failed[0];
  if (!worst) return;
  const titles = [...new Set(failed.map(({ title }) => title))].join(', ');
  throw new CredstashError(
    worst.code ?? 'UNEXPECTED',
    `${failed.length} of ${steps.length} checks failed: ${titles}`,
  );
}
