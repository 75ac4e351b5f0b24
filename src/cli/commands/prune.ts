import type { Command } from 'commander';
import { parseAge } from '../../model/age.ts';
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

interface PruneFlags extends ChangeFlags {
  readonly keep: string;
  readonly olderThan?: string;
  readonly verify: boolean;
}

export function register(command: Command, io: Io): void {
  command
    .description(
      'Delete the versions of secrets beyond the newest N, but none that has a label. The versions that stay are opened first; a secret of which one does not open is left alone. What is deleted is gone.',
    )
    .usage('[glob] --keep N [options] [KEY=VALUE...]')
    .argument(
      '[glob...]',
      'names, * for any run of characters, quoted from the shell (default: all); KEY=VALUE is the encryption context',
    )
    .requiredOption('--keep <n>', 'how many of the newest versions of each secret stay')
    .option(
      '--older-than <age>',
      'only what was stored longer ago: 12h, 90d, 6w, 1y; entries that do not say when stay',
    )
    .option(
      '--no-verify',
      'for a role that may not decrypt: do not open the versions that stay, which may then be planted',
    );
  addChangeOptions(command, { asks: true }).action(
    async (words: string[], _: unknown, command: Command) => {
      const flags = optionsOf(command) as PruneFlags;
      const { glob, context } = parseGlobAndContext(words);
      const { verify } = flags;
      const keep = Number(/^\d{1,9}$/.test(flags.keep) ? flags.keep : NaN);
      if (!(keep >= 1)) throw new CredstashError('USAGE', '--keep is a number from 1 on');
      const olderThan = flags.olderThan === undefined ? undefined : parseAge(flags.olderThan);
      const withBackend = chooseBackend(command, io);
      if (!verify) {
        io.note(
          'credstash: warning: --no-verify does not open the versions that stay: whoever writes to the table may have planted them',
        );
      }
      await withBackend(async (credstash) => {
        await runChanges(
          io,
          (options) => credstash.prune({ ...options, glob, context, keep, olderThan, verify }),
          flags,
          { verb: 'delete', done: 'deleted' },
          await credstash.location(),
        );
      });
    },
  );
}
