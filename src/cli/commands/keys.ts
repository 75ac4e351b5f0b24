import type { Command } from 'commander';
import { visible } from '../../format/visible.ts';
import { chooseBackend } from '../options/backend.ts';
import type { Io } from '../terminal/io.ts';

export function register(command: Command, io: Io): void {
  command
    .description('List the name of every secret, each once.')
    .action(async (_: unknown, command: Command) => {
      const withBackend = chooseBackend(command, io);
      await withBackend(async (credstash) => {
        const names = await credstash.names({ progress: io.progress() });
        await io.write(names.map((name) => `${visible(name)}\n`).join(''));
      });
    });
}
