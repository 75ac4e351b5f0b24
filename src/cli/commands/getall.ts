import { parseContext } from '../../model/context.ts';
import type { Grammar } from '../argparse.ts';
import { chooseBackend } from '../options/backend.ts';
import { openOutput, type OutputOptions } from '../files/output.ts';
import type { Io } from '../terminal/io.ts';
import { addSecretsOptions, printMatching, type SecretsOptions } from '../options/secrets.ts';
import { optionsOf } from '../options/settings.ts';

export function register(command: Grammar, io: Io): void {
  command
    .description('Print the newest version of every secret, or the one that -v says.')
    .argument('[context...]', 'encryption context as KEY=VALUE, the same as the puts gave')
    .option('-v, --version <version>', 'version to get (default: the newest of each)')
    .option('--label <label>', 'the version that has this label');
  addSecretsOptions(command).action(async (pairs: string[], _: unknown, command: Grammar) => {
    const options = optionsOf(command) as SecretsOptions & OutputOptions;
    const context = parseContext(pairs, 'open');
    const output = await openOutput(io, options);
    const withBackend = chooseBackend(command, io);
    await withBackend(async (credstash) => {
      // As Python's print ends what it is given.
      await printMatching(credstash, { io, output, command }, { ...options, context }, '\n');
    });
  });
}
