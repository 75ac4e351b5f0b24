import type { Command } from 'commander';
import { parseContext } from '../../context.ts';
import { CredstashError, hasCode } from '../../errors.ts';
import { chooseBackend } from '../backend.ts';
import type { Io } from '../io.ts';
import { addSecretsOptions, formatSecrets, type SecretsOptions } from '../secrets.ts';
import { optionsOf } from '../settings.ts';

interface GetOptions extends SecretsOptions {
  readonly noline?: true;
  readonly output?: string;
  readonly default?: string;
}

export function registerGet(program: Command, io: Io): void {
  const get = program
    .command('get')
    .summary('print a secret, or those whose name matches')
    .description(
      'Print a secret: its newest version, or the one that -v says. With a * in NAME, all whose name matches.',
    )
    .argument('<name>', 'name of the secret; * for any run of characters, quoted from the shell')
    .argument('[context...]', 'encryption context as KEY=VALUE, the same as the put gave')
    .option('-n, --noline', 'no newline after the secret')
    .option('-v, --version <version>', 'version to get (default: the newest)')
    .option('-o, --output <file>', 'write exactly the bytes to FILE, readable by you alone')
    .option(
      '--default <value>',
      'print this when there is no such secret; any other failure stays one',
    );
  addSecretsOptions(get).action(
    async (name: string, pairs: string[], _: unknown, command: Command) => {
      const options = optionsOf(command) as GetOptions;
      const context = parseContext(pairs);
      const { version, output } = options;
      const isGlob = name.includes('*');
      if (isGlob && options.default !== undefined) {
        throw new CredstashError('USAGE', '--default is for one secret, not for a name with *');
      }
      // Loaded where it is asked for: help and a usage error do without.
      const write =
        output === undefined
          ? undefined
          : (await import('../output-file.ts')).openOutputFile(output);
      const withBackend = chooseBackend(command, io);
      await withBackend(async ({ credstash }) => {
        let bytes: Uint8Array;
        try {
          bytes = isGlob
            ? Buffer.from(await formatSecrets(credstash, io, { ...options, glob: name, context }))
            : await credstash.get(name, { context, version });
        } catch (error) {
          if (options.default === undefined || !hasCode(error, 'SECRET_NOT_FOUND')) throw error;
          bytes = Buffer.from(options.default, 'utf8');
        }
        if (write) {
          write(bytes);
          return;
        }
        // Of several secrets, what is printed ends as it does in the original.
        const bare = options.noline === true || isGlob;
        await io.write(bare ? bytes : Buffer.concat([bytes, Buffer.from('\n')]));
      });
    },
  );
}
