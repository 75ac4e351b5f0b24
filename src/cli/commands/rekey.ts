import { CredstashError } from '../../errors.ts';
import { defineCommand } from '../command.ts';
import { chooseBackend } from '../options/backend.ts';
import { CHANGE_OPTIONS, parseGlobAndContext, runChanges, YES_OPTION } from '../options/batch.ts';

export const command = defineCommand({
  name: 'rekey',
  group: 'many',
  summary: 'move secrets to another KMS key',
  description:
    'Wrap the data keys of secrets under another KMS key (KMS ReEncrypt): nobody sees a secret or a data key. Entries that are under that key already are skipped.',
  usage: '[glob] -k KEY [options] [KEY=VALUE...]',
  arguments: [
    {
      flags: '[glob...]',
      description:
        'names, * for any run of characters, quoted from the shell (default: all); KEY=VALUE is the encryption context',
    },
  ],
  options: {
    key: { flags: '-k, --key <key>', description: 'the new KMS key: alias, id or ARN' },
    ...CHANGE_OPTIONS,
    ...YES_OPTION,
  },
  examples: [
    { line: 'credstash rekey -k alias/new --dry-run', description: 'Print what would be rekeyed' },
    {
      line: "credstash rekey 'app.*' -k alias/new env=prod",
      description: 'Rekey those of an encryption context',
    },
  ],
  isResumable: true,
  run: async ({ args: [words], options, io }) => {
    const { glob, context } = parseGlobAndContext(words);
    const withBackend = chooseBackend(options, io);
    const { key } = options;
    if (key === undefined) {
      throw new CredstashError('USAGE', 'rekey was not told the new key', {
        hint: 'give it with -k; a vault has one key, which a copy into a new vault changes: credstash copy --to-local=FOLDER',
      });
    }
    await withBackend(async (credstash, changes) => {
      await runChanges(
        io,
        (common) => changes.rekey({ ...common, glob, context }),
        options,
        { verb: 'rekey', done: 'rekeyed', to: ` to ${key}` },
        await credstash.location(),
      );
    });
  },
});
