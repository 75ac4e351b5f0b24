import type { Command } from 'commander';
import manifest from '../../../package.json' with { type: 'json' };
import { parseContext } from '../../model/context.ts';
import { CredstashError } from '../../errors.ts';
import { visible, visibleJson } from '../../format/visible.ts';
import { okStep, type Step, failedStep } from '../../backend/diagnosis.ts';
import { chooseBackend, type WithBackend } from '../options/backend.ts';
import type { Io } from '../terminal/io.ts';
import { findRuntimeDanger } from '../options/runtime.ts';
import { hintInPlace } from '../advice/same-place.ts';
import { chooseCipher, optionsOf, listOrigins } from '../options/settings.ts';

interface DoctorOptions {
  readonly json?: true;
  readonly write?: true;
  readonly name?: string;
}

const HELP = `
Each line says ok, warning, failed or unknown, what was looked at and what was
found; below it stands how to mend it. Unknown is what only an administrator may
look at. It fails if one line says failed.`;

export function register(command: Command, io: Io): void {
  command
    .description('Look at all that it takes to work, and say what is wrong. Nothing is written.')
    .argument('[context...]', 'encryption context as KEY=VALUE, to try a data key under')
    .option('-k, --key <key>', 'KMS key: alias, id or ARN (default: alias/credstash)')
    .option('--write', 'require what a writer needs; store, read and remove an entry')
    .option('--name <prefix>', 'try names that begin so, where a policy grants by name')
    .option('--json', 'as a JSON array')
    .addHelpText('after', HELP)
    .action(async (pairs: string[], _: unknown, command: Command) => {
      const options = optionsOf(command) as DoctorOptions;
      const context = parseContext(pairs);
      const steps: Step[] = [];
      const tell = async (found: Step): Promise<void> => {
        const { hint } = found;
        const step = hint === undefined ? found : { ...found, hint: hintInPlace(command, hint) };
        steps.push(step);
        if (!options.json) await io.write(formatStep(step));
      };
      await tell(runtimeStep());
      const danger = findRuntimeDanger();
      if (danger) await tell(failedStep('runtime', danger));
      // Every other command refuses to run so, and nothing is sent here either.
      const chosen = danger ? undefined : await reportSettings(command, io, tell);
      await chosen?.withBackend(async (credstash) => {
        const { write = false, name: prefix } = options;
        const looks = credstash.doctor({ context, write, prefix, cipher: chosen.cipher });
        for await (const step of looks) await tell(step);
      });
      if (options.json) await io.write(visibleJson(steps));
      throwIfFailed(steps);
    });
}

function runtimeStep(): Step {
  const { bun, node } = process.versions;
  const engine = bun === undefined ? `Node.js ${node}` : `Bun ${bun}`;
  const found = `credstash ${manifest.version} on ${engine}, ${process.platform} ${process.arch}`;
  return okStep('runtime', found);
}

/** Tells the settings and chooses a backend; undefined where a setting cannot be. */
async function reportSettings(
  command: Command,
  io: Io,
  tell: (step: Step) => Promise<void>,
): Promise<{ withBackend: WithBackend; cipher: string | undefined } | undefined> {
  const title = 'configuration';
  try {
    const withBackend = chooseBackend(command, io, { saysRegion: true });
    for (const { name, value, from } of listOrigins(optionsOf(command))) {
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

function formatStep({ state, title, found, hint, serviceMessage: words }: Step): string {
  const line = `${state.padEnd(STATE_WIDTH)}  ${title.padEnd(TITLE_WIDTH)}  `;
  const below = [hint, words === undefined ? undefined : `service says: ${words}`]
    .filter((each) => each !== undefined)
    .map((each) => `${' '.repeat(line.length)}${visible(each)}\n`);
  return `${line}${visible(found)}\n${below.join('')}`;
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
