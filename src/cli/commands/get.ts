import type { Command } from 'commander';
import { parseContext } from '../../context.ts';
import { hasCode } from '../../errors.ts';
import { withBackend } from '../backend.ts';
import type { Io } from '../io.ts';
import { optionsOf } from '../settings.ts';

interface GetOptions {
  readonly noline?: true;
  readonly version?: string;
  readonly output?: string;
  readonly default?: string;
}

export function registerGet(program: Command, io: Io): void {
  program
    .command('get')
    .summary('print a secret')
    .description('Print a secret: its newest version, or the one that -v says.')
    .argument('<name>', 'name of the secret')
    .argument('[context...]', 'encryption context as KEY=VALUE, the same as the put gave')
    .option('-n, --noline', 'no newline after the secret')
    .option('-v, --version <version>', 'version to get (default: the newest)')
    .option('-o, --output <file>', 'write exactly the bytes to FILE, readable by you alone')
    .option(
      '--default <value>',
      'print this when there is no such secret; any other failure stays one',
    )
    .action(async (name: string, pairs: string[], _: unknown, command: Command) => {
      const options = optionsOf(command) as GetOptions;
      const context = parseContext(pairs);
      const { version, output } = options;
      // Loaded where it is asked for: help and a usage error do without.
      const write =
        output === undefined
          ? undefined
          : (await import('../output-file.ts')).openOutputFile(output);
      await withBackend(command, io, async ({ credstash }) => {
        let secret: Uint8Array;
        try {
          secret = await credstash.get(name, {
            context,
            ...(version === undefined ? {} : { version }),
          });
        } catch (error) {
          if (options.default === undefined || !hasCode(error, 'SECRET_NOT_FOUND')) throw error;
          secret = Buffer.from(options.default, 'utf8');
        }
        if (write) {
          write(secret);
          return;
        }
        await io.write(options.noline ? secret : Buffer.concat([secret, Buffer.from('\n')]));
      });
    });
}
