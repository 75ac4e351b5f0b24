import type { Command } from 'commander';
import { visible } from '../../format/visible.ts';
import { chooseBackend } from '../backend.ts';
import type { Io } from '../io.ts';
import { optionsOf } from '../settings.ts';

export function register(command: Command, io: Io): void {
  command
    .description('Delete every version of a secret, or the one that -v says.')
    .argument('<name>', 'name of the secret')
    .option('-v, --version <version>', 'version to delete (default: all)')
    .action(async (name: string, _: unknown, command: Command) => {
      const { version } = optionsOf(command) as { version?: string };
      const withBackend = chooseBackend(command, io);
      await withBackend(async (credstash) => {
        const progress = io.progress('versions deleted');
        const removed = credstash.delete(name, {
          progress,
          ...(version === undefined ? {} : { version }),
        });
        for await (const each of removed) {
          await io.write(`Deleting ${visible(each.name)} -- version ${visible(each.version)}\n`);
        }
      });
    });
}
