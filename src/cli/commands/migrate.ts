import { CredstashError } from '../../errors.ts';
import { defineCommand } from '../command.ts';
import { chooseBackend } from '../options/backend.ts';
import { CHANGE_OPTIONS, parseGlobAndContext, runChanges, YES_OPTION } from '../options/batch.ts';
import { cipherOption, KEY_OPTION } from '../options/seal.ts';

export const command = defineCommand({
  name: 'migrate',
  group: 'many',
  summary: 'seal original entries in the current format, or back',
  description:
    'Seal entries of the original credstash in the current format, or back, each in its place under its version and comment. Each is read back before the next one.',
  usage: '[glob] [options] [KEY=VALUE...]',
  arguments: [
    {
      flags: '[glob...]',
      description:
        'names, * for any run of characters, quoted from the shell (default: all); KEY=VALUE is the encryption context',
    },
  ],
  options: {
    ...KEY_OPTION,
    cipher: cipherOption('AES-256-GCM, whatever CREDSTASH_CIPHER says'),
    padVersions: {
      flags: '--pad-versions',
      description:
        'pad versions that are numbers (1, 2, 10) with zeros, so that they sort, and change no format',
    },
    ...CHANGE_OPTIONS,
    ...YES_OPTION,
  },
  examples: [
    { line: 'credstash migrate --dry-run', description: 'Print what would be migrated' },
    {
      line: "credstash migrate 'app.*' --cipher AES-256-CTR",
      description: 'Turn some back into the format of the original',
    },
    {
      line: 'credstash migrate --pad-versions',
      description: 'Make unpadded versions sort as numbers',
    },
  ],
  isResumable: true,
  run: async ({ args: [words], options, io }) => {
    if (options.padVersions && options.cipher !== undefined) {
      throw new CredstashError('USAGE', '--pad-versions changes no format, and --cipher does', {
        hint: 'run one after the other',
      });
    }
    // Never from the environment: what says how to put must not turn a whole table back.
    const { cipher = 'AES-256-GCM' } = options;
    const { glob, context } = parseGlobAndContext(words);
    const withBackend = chooseBackend(options, io);
    await withBackend(async (credstash, changes) => {
      await runChanges(
        io,
        (common) =>
          options.padVersions
            ? changes.padVersions({ ...common, glob, context })
            : changes.migrate({ ...common, glob, context, cipher }),
        options,
        options.padVersions
          ? { verb: 'pad', done: 'padded' }
          : { verb: 'migrate', done: 'migrated', to: ` to ${cipher}` },
        await credstash.location(),
      );
    });
  },
});
