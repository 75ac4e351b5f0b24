import type { Command } from 'commander';
import { chooseBackend } from '../backend.ts';
import { addChangeOptions, type ChangeFlags, globAndContext, runChanges } from '../changes.ts';
import type { Io } from '../io.ts';
import { addCipherOption, addKeyOption } from '../seal-options.ts';
import { cipherOf, optionsOf } from '../settings.ts';

export function register(command: Command, io: Io): void {
  command
    .description(
      'Seal entries of the original credstash in the current format, or back, each in its place under its version and comment. Each is read back before the next one.',
    )
    .usage('[glob] [options] [KEY=VALUE...]')
    .argument(
      '[glob...]',
      'names, * for any run of characters, quoted from the shell (default: all); KEY=VALUE is the encryption context',
    );
  addKeyOption(command);
  addCipherOption(command);
  addChangeOptions(command, { asks: true }).action(
    async (words: string[], _: unknown, command: Command) => {
      const flags = optionsOf(command) as ChangeFlags & { cipher?: string };
      const cipher = cipherOf(flags) ?? 'AES-256-GCM';
      const { glob, context } = globAndContext(words);
      const withBackend = chooseBackend(command, io);
      await withBackend(async (credstash) => {
        await runChanges(
          io,
          (options) => credstash.migrate({ ...options, glob, context, cipher }),
          flags,
          { verb: 'migrate', done: 'migrated', to: ` to ${cipher}` },
          await credstash.location(),
        );
      });
    },
  );
}
