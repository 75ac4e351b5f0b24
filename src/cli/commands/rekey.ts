import type { Command } from 'commander';
import { CredstashError } from '../../errors.ts';
import { chooseBackend } from '../options/backend.ts';
import {
  addChangeOptions,
  type ChangeFlags,
  parseGlobAndContext,
  runChanges,
} from '../options/batch.ts';
import type { Io } from '../terminal/io.ts';
import { optionsOf } from '../options/settings.ts';

export function register(command: Command, io: Io): void {
  command
    .description(
      'Wrap the data keys of secrets under another KMS key (KMS ReEncrypt): nobody sees a secret or a data key. Entries that are under that key already are skipped.',
    )
    .usage('[glob] -k KEY [options] [KEY=VALUE...]')
    .argument(
      '[glob...]',
      'names, * for any run of characters, quoted from the shell (default: all); KEY=VALUE is the encryption context',
    )
    .option('-k, --key <key>', 'the new KMS key: alias, id or ARN');
  addChangeOptions(command, { asks: true }).action(
    async (words: string[], _: unknown, command: Command) => {
      const flags = optionsOf(command) as ChangeFlags & { key?: string };
      const { glob, context } = parseGlobAndContext(words);
      const withBackend = chooseBackend(command, io);
      const { key } = flags;
      if (key === undefined) {
        throw new CredstashError('USAGE', 'rekey was not told the new key', {
          hint: 'give it with -k; a vault has one key, which a copy into a new vault changes: credstash copy --to-local=FOLDER',
        });
      }
      await withBackend(async (credstash) => {
        await runChanges(
          io,
          (options) => credstash.rekey({ ...options, glob, context }),
          flags,
          { verb: 'rekey', done: 'rekeyed', to: ` to ${key}` },
          await credstash.location(),
        );
      });
    },
  );
}
