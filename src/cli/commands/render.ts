import { statSync } from 'node:fs';
import type { Command } from 'commander';
import { parseContext } from '../../context.ts';
import { CredstashError } from '../../errors.ts';
import { chooseBackend } from '../backend.ts';
import { readInput } from '../input.ts';
import type { Io } from '../io.ts';
import { optionsOf } from '../settings.ts';

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
    .option('-o, --output <file>', 'write it to FILE, readable by you alone')
    .addHelpText('after', TEMPLATE_HELP)
    .action(async (path: string, pairs: string[], _: unknown, command: Command) => {
      const { output } = optionsOf(command) as { output?: string };
      const context = parseContext(pairs, 'open');
      if (output !== undefined && isSameFile(path, output)) {
        throw new CredstashError('USAGE', 'the output is the template itself');
      }
      const withBackend = chooseBackend(command, io);
      const write =
        output === undefined
          ? undefined
          : (await import('../output-file.ts')).openOutputFile(output);
      const { MAX_TEMPLATE_BYTES } = await import('../../template.ts');
      const template = await readInput(io, path, MAX_TEMPLATE_BYTES);
      await withBackend(async (credstash) => {
        const rendered = await credstash.render(template, {
          context,
          progress: io.progress('secrets got'),
        });
        if (write) write(rendered);
        else await io.write(rendered);
      });
    });
}

function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false }));
  return a !== undefined && b !== undefined && a.ino === b.ino && a.dev === b.dev;
}
