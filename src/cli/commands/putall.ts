import { existsSync } from 'node:fs';
import { parseContext } from '../../model/context.ts';
import { type Failure, combineFailures, concernsOneSecret, CredstashError } from '../../errors.ts';
import { commandLine } from '../../util/shell-word.ts';
import { escapeUnseen } from '../../format/visible.ts';
import { defineCommand } from '../command.ts';
import { chooseBackend } from '../options/backend.ts';
import { readArgument } from '../files/input.ts';
import { nameRemarks } from '../advice/name-remarks.ts';
import { printFirstWarnings, warnOfOvertaken } from '../advice/overtaken.ts';
import { SEAL_OPTIONS, toPutOptions } from '../options/seal.ts';

/** Of what is read at once; under V8's longest text, about 512 MB. */
const MAX_INPUT_BYTES = 256 * 1024 * 1024;

const INPUT_HELP = `SECRETS is one of
  -           the text on stdin
  @FILE       the text in FILE
  other text  the text itself: it shows in the process list of this machine and
              stays in the shell's history, so prefer one of the above
It is a JSON object or a YAML mapping of names to texts, as getall prints it; a
value that is not text is {"base64": "…"} or !!binary.`;

/** How a file looks whose @ was forgotten. */
const FILE_NAME = /^[^\s{}:"'@-][^\s{}"']*\.(?:json|ya?ml)$/i;

/** Adds the hint for the name of a file without the @ before it. */
function adviseOnFile(error: unknown, argument: string): unknown {
  const isFile = existsSync(argument);
  if (!(error instanceof CredstashError) || !(isFile || FILE_NAME.test(argument))) return error;
  // Text that is not the name of a file may be a secret.
  const word = isFile ? commandLine([`@${argument}`]) : '@FILE';
  return error.reworded(
    error.message,
    `write @ before the name of a file: credstash putall ${word}`,
  );
}

const EMPTY_HINT =
  'give a JSON object or a YAML mapping of names to texts, such as {"db.user": "app"}';

export const command = defineCommand({
  name: 'putall',
  group: 'many',
  summary: 'store several secrets',
  description: 'Store several secrets, each as version 1 or the one that -v or -a says.',
  arguments: [
    { flags: '<secrets>', description: 'the secrets, or where they are read from' },
    {
      flags: '[context...]',
      description: 'encryption context as KEY=VALUE; a get must give the same',
    },
  ],
  options: {
    skipUnchanged: {
      flags: '--skip-unchanged',
      description: 'skip secrets that are stored already with the same value',
    },
    ...SEAL_OPTIONS,
  },
  notes: INPUT_HELP,
  examples: [
    {
      line: 'credstash putall -a --skip-unchanged @secrets.json',
      description: 'Store what changed in a file of names and values',
    },
    {
      line: 'credstash getall env=dev | credstash putall - env=test',
      description: 'Store all secrets under another encryption context',
    },
  ],
  run: async ({ args: [argument, pairs], options, io }) => {
    const context = parseContext(pairs);
    const seal = { ...toPutOptions(options, context, io), skipUnchanged: options.skipUnchanged };
    const withBackend = chooseBackend(options, io, { create: true });
    const { parseSecrets } = await import('../../format/parse.ts');
    const input = await readArgument(io, argument, MAX_INPUT_BYTES, { hint: EMPTY_HINT });
    const secrets = await parseSecrets(input).catch((error: unknown) => {
      throw adviseOnFile(error, argument);
    });
    await withBackend(async (credstash, changes) => {
      const failures: Failure[] = [];
      const stored: string[] = [];
      // An output that takes no more must not leave the rest unsaid.
      let unwritten: Error | undefined;
      const say = async (line: string): Promise<void> => {
        await io.write(line).catch((error: unknown) => {
          unwritten ??= error as Error;
        });
      };
      const progress = io.progress('secrets done');
      for await (const each of changes.putAll(secrets, { ...seal, progress })) {
        if (each.done === 'failed') failures.push(each);
        else if (each.done === 'stored') {
          stored.push(each.name);
          await say(`${escapeUnseen(each.name)} has been stored\n`);
        } else await say(`${escapeUnseen(each.name)} is unchanged\n`);
      }
      printFirstWarnings(io, stored.flatMap(nameRemarks), 'such names');
      // What ended the rest would end these requests too.
      const isCutShort = failures.some(({ error }) => !concernsOneSecret(error));
      if (seal.version !== undefined && !seal.autoversion && !isCutShort) {
        await warnOfOvertaken(io, credstash, stored, seal.version);
      }
      if (failures.length === 0) {
        if (unwritten !== undefined) throw unwritten;
        return;
      }
      throw combineFailures(
        `${failures.length} of ${secrets.length} secrets have not been stored in ${await credstash.location()}`,
        failures,
        options.skipUnchanged
          ? '-a stores a secret with another value as its next version'
          : 'run it again with --skip-unchanged to store only the missing ones',
      );
    });
  },
});
