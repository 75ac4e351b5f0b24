import type { Command } from 'commander';
import { formatHistory } from '../../format/tables.ts';
import { formatListJson } from '../../format/list.ts';
import { chooseBackend } from '../options/backend.ts';
import type { Io } from '../terminal/io.ts';
import { optionsOf } from '../options/settings.ts';

export function register(command: Command, io: Io): void {
  command
    .description('List the versions of a secret, the newest first. Nothing is opened or verified.')
    .argument('<name>', 'name of the secret')
    .option('--json', 'as a JSON array')
    .action(async (name: string, _: unknown, command: Command) => {
      const { json } = optionsOf(command) as { json?: true };
      const withBackend = chooseBackend(command, io);
      await withBackend(async (credstash) => {
        const headers = await credstash.history(name, { progress: io.progress() });
        await io.write(
          json ? formatListJson(headers) : formatHistory(headers, io.columns('stdout')),
        );
      });
    });
}
