import type { Command } from 'commander';
import { listJson, listLines } from '../../format/list.ts';
import { chooseBackend } from '../backend.ts';
import type { Io } from '../io.ts';
import { optionsOf } from '../settings.ts';

export function register(command: Command, io: Io): void {
  command
    .description('List every version of every secret, or of those whose name matches.')
    .argument('[glob]', 'names to list, * for any run of characters; quote it from the shell')
    .option('--json', 'as a JSON array')
    .action(async (glob: string | undefined, _: unknown, command: Command) => {
      const { json } = optionsOf(command) as { json?: true };
      const withBackend = chooseBackend(command, io);
      await withBackend(async (credstash) => {
        const headers = await credstash.list(glob, { progress: io.progress() });
        await io.write(json ? listJson(headers) : listLines(headers));
      });
    });
}
