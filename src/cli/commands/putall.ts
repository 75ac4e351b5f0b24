import { parseContext } from '../../model/context.ts';
import { type Failure, combineFailures, concernsOneSecret, CredstashError } from '../../errors.ts';
import { INPUT_FORMATS, guessFormat } from '../options/input-format.ts';
import { escapeUnseen } from '../../format/visible.ts';
import type { Secret } from '../../model/entry.ts';
import { checkName } from '../../model/name.ts';
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
value that is not text is {"base64": "…"} or !!binary. Or it is a dotenv file,
of which each variable is a secret.

Without --from, the ending of FILE's name says which: .json, .yaml, .yml, .env,
also .env.production. Otherwise it is JSON if it begins with {, else YAML.`;

/** @throws CredstashError USAGE for an empty prefix, which a variable that is not set leaves */
function checkNamePrefix(prefix: string): string {
  if (prefix !== '') return checkName(prefix);
  throw new CredstashError('USAGE', 'the value of --name-prefix is empty', {
    hint: 'leave out --name-prefix to store the names unchanged',
  });
}

function addPrefix(secrets: readonly Secret[], prefix: string): Secret[] {
  return secrets.map(({ name, value }) => ({ name: `${prefix}${checkName(name)}`, value }));
}

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
    from: {
      flags: '--from <format>',
      description: 'format of SECRETS (default: as the name of FILE ends)',
      choices: INPUT_FORMATS,
    },
    namePrefix: {
      flags: '--name-prefix <prefix>',
      description: 'put PREFIX before every name, such as prod.api.',
      parse: checkNamePrefix,
    },
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
      line: 'credstash putall @.env --name-prefix prod.api.',
      description: 'Store the variables of a dotenv file, such as prod.api.DB_USER',
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
    const { describeInput, parseSecrets } = await import('../../format/parse.ts');
    const format = options.from ?? guessFormat(argument);
    const whenEmpty = { hint: describeInput(format) };
    const input = await readArgument(io, argument, MAX_INPUT_BYTES, whenEmpty);
    const parsed = await parseSecrets(input, format).catch(async (error: unknown) => {
      const { adviseOnInput } = await import('../advice/input-format.ts');
      throw await adviseOnInput(error, { input, argument, format, isGuessed: !options.from });
    });
    const { namePrefix } = options;
    const secrets = namePrefix === undefined ? parsed : addPrefix(parsed, namePrefix);
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
