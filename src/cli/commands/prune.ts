import type { Command } from 'commander';
import { parseAge } from '../../age.ts';
import { CredstashError } from '../../errors.ts';
import { chooseBackend } from '../backend.ts';
import { addChangeOptions, type ChangeFlags, runChanges } from '../changes.ts';
import type { Io } from '../io.ts';
import { optionsOf } from '../settings.ts';

export function register(command: Command, io: Io): void {
  command
    .description(
      'Delete the versions of secrets beyond the newest N, but none that has a label. What is deleted is gone.',
    )
    .argument('[glob]', 'names, * for any run of characters, quoted from the shell (default: all)')
    .requiredOption('--keep <n>', 'how many of the newest versions of each secret stay')
    .option(
      '--older-than <age>',
      'only what was stored longer ago: 12h, 90d, 6w, 1y; entries that do not say when stay',
    );
  addChangeOptions(command, { asks: true }).action(
    async (glob: string | undefined, _: unknown, command: Command) => {
      const flags = optionsOf(command) as ChangeFlags & { keep: string; olderThan?: string };
      const keep = Number(/^\d{1,9}$/.test(flags.keep) ? flags.keep : NaN);
      if (!(keep >= 1)) throw new CredstashError('USAGE', '--keep is a number from 1 on');
      const olderThan = flags.olderThan === undefined ? undefined : parseAge(flags.olderThan);
      const withBackend = chooseBackend(command, io);
      await withBackend(async (credstash) => {
        await runChanges(
          io,
          (options) => credstash.prune({ ...options, glob, keep, olderThan }),
          flags,
          { verb: 'delete', done: 'deleted' },
          await credstash.location(),
        );
      });
    },
  );
}
