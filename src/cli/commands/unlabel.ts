import type { Command } from 'commander';
import { unpadVersion } from '../../model/version.ts';
import { visible } from '../../format/visible.ts';
import { chooseBackend } from '../options/backend.ts';
import type { Io } from '../terminal/io.ts';

export function register(command: Command, io: Io): void {
  command
    .description('Take a label away from whichever version of a secret has it.')
    .argument('<name>', 'name of the secret')
    .argument('<label>', 'the label')
    .action(async (name: string, label: string, _: unknown, command: Command) => {
      const withBackend = chooseBackend(command, io);
      await withBackend(async (credstash) => {
        const versions = (await credstash.unlabel(name, label)).map(unpadVersion);
        await io.write(
          `${label} is no version of ${visible(name)} any more; it was ${visible(versions.join(', '))}\n`,
        );
      });
    });
}
