import type { Command } from 'commander';
import { parseContext } from '../../context.ts';
import { shortVersion } from '../../version.ts';
import { visible } from '../../format/visible.ts';
import { chooseBackend } from '../backend.ts';
import type { Io } from '../io.ts';
import { addCipherOptions, type CipherOptions, printWarnings } from '../seal-options.ts';
import { cipherOf, optionsOf } from '../settings.ts';

export function register(command: Command, io: Io): void {
  command
    .description(
      'Store the value of an older version as a new one, which is sealed as that one is unless an option or a setting says otherwise. Nothing is deleted.',
    )
    .argument('<name>', 'name of the secret')
    .argument('[context...]', 'encryption context as KEY=VALUE, the same as the put gave')
    .option(
      '-v, --version <version>',
      'version to go back to (default: the one before the newest)',
    );
  addCipherOptions(command).action(
    async (name: string, pairs: string[], _: unknown, command: Command) => {
      const options = optionsOf(command) as CipherOptions & { version?: string };
      const { version, digest } = options;
      const context = parseContext(pairs);
      const cipher = cipherOf(options);
      const withBackend = chooseBackend(command, io);
      await withBackend(async (credstash) => {
        const { header, from } = await credstash.rollback(name, {
          version,
          context,
          cipher,
          digest,
          onWarning: printWarnings(io),
        });
        const [to, now] = [from, header.version].map((each) => visible(shortVersion(each)));
        await io.write(
          `${visible(name)} has been rolled back to version ${to}, as version ${now}\n`,
        );
      });
    },
  );
}
