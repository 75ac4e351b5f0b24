import type { Command } from 'commander';
import { CredstashError } from '../../errors.ts';
import { chooseBackend } from '../options/backend.ts';
import {
  addChangeOptions,
  type ChangeFlags,
  parseGlobAndContext,
  runChanges,
} from '../options/batch.ts';
import type { Io } from '../terminal/io.ts';
import { addCipherOption, addKeyOption } from '../options/seal.ts';
import { optionsOf } from '../options/settings.ts';

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
  addCipherOption(command, 'AES-256-GCM, whatever CREDSTASH_CIPHER says');
  command.option(
    '--pad-versions',
    'pad versions that are numbers (1, 2, 10) with zeros, so that they sort, and change no format',
  );
  addChangeOptions(command, { asks: true }).action(
    async (words: string[], _: unknown, command: Command) => {
      const flags = optionsOf(command) as ChangeFlags & {
        cipher?: string;
        padVersions?: true;
      };
      if (flags.padVersions && flags.cipher !== undefined) {
        throw new CredstashError('USAGE', '--pad-versions changes no format, and --cipher does', {
          hint: 'run one after the other',
        });
      }
      // Never from the environment: what says how to put must not turn a whole table back.
      const { cipher = 'AES-256-GCM' } = flags;
      const { glob, context } = parseGlobAndContext(words);
      const withBackend = chooseBackend(command, io);
      await withBackend(async (credstash) => {
        await runChanges(
          io,
          (options) =>
            flags.padVersions
              ? credstash.padVersions({ ...options, glob, context })
              : credstash.migrate({ ...options, glob, context, cipher }),
          flags,
          flags.padVersions
            ? { verb: 'pad', done: 'padded' }
            : { verb: 'migrate', done: 'migrated', to: ` to ${cipher}` },
          await credstash.location(),
        );
      });
    },
  );
}
