import { statSync } from 'node:fs';
import type { Command } from 'commander';
import { parseContext } from '../../model/context.ts';
import { CredstashError } from '../../errors.ts';
import { chooseBackend } from '../options/backend.ts';
import { addOutputOptions, openOutput, outputPath, type OutputOptions } from '../files/output.ts';
import { readInput } from '../files/input.ts';
import type { Io } from '../terminal/io.ts';
import { optionsOf } from '../options/settings.ts';

const TEMPLATE_HELP = `
Each {{ credstash://NAME }} in TEMPLATE becomes that secret, unchanged.
  {{ credstash://NAME?version=V&KEY=VALUE }}  that version, its own context
  {{ credstash://NAME | json }}               as a JSON text, in its quotes
  {{ credstash://NAME | shell }}              as one word of a shell, in quotes
  {{ credstash://NAME | base64 }}             in base64
What is special in a NAME, KEY or VALUE is percent-encoded. Other braces stay.`;

export function register(command: Command, io: Io): void {
  command
    .description('Print a text file with the secrets that it refers to, all of them or nothing.')
    .argument('<template>', 'path of the file; - for stdin')
    .argument('[context...]', 'encryption context as KEY=VALUE, of every secret in it')
    .addHelpText('after', TEMPLATE_HELP);
  addOutputOptions(command).action(
    async (path: string, pairs: string[], _: unknown, command: Command) => {
      const options = optionsOf(command) as OutputOptions;
      const context = parseContext(pairs, 'open');
      const file = outputPath(options);
      if (file !== undefined && isSameFile(path, file)) {
        throw new CredstashError('USAGE', 'the output is the template itself');
      }
      const withBackend = chooseBackend(command, io);
      const output = await openOutput(io, options);
      const { MAX_TEMPLATE_BYTES } = await import('../../operations/render.ts');
      const template = await readInput(io, path, MAX_TEMPLATE_BYTES);
      await withBackend(async (credstash) => {
        const rendered = await credstash.render(template, {
          context,
          progress: io.progress('secrets got'),
        });
        await output.write(rendered);
      });
    },
  );
}

function isSameFile(one: string, other: string): boolean {
  try {
    const [a, b] = [statSync(one), statSync(other)];
    return a.ino === b.ino && a.dev === b.dev;
  } catch {
    // The open that follows reports the error.
    return false;
  }
}
