import { statSync } from 'node:fs';
import { parseContext } from '../../model/context.ts';
import { CredstashError } from '../../errors.ts';
import { defineCommand } from '../command.ts';
import { chooseBackend } from '../options/backend.ts';
import { openOutput, OUTPUT_OPTIONS, outputPath } from '../files/output.ts';
import { readInput } from '../files/input.ts';

const TEMPLATE_HELP = `Each {{ credstash://NAME }} in TEMPLATE becomes that secret, unchanged.
  {{ credstash://NAME?version=V&KEY=VALUE }}  that version, its own context
  {{ credstash://NAME#FIELD }}                one field of a secret that is JSON
  {{ credstash://NAME | json }}               as a JSON text, in its quotes
  {{ credstash://NAME | shell }}              as one word of a shell, in quotes
  {{ credstash://NAME | base64 }}             in base64
Percent-encode special characters in a NAME, KEY, VALUE or FIELD. Other braces
stay.`;

export const command = defineCommand({
  name: 'render',
  group: 'run',
  summary: 'fill secrets into a template',
  description: 'Print a text file with the secrets that it refers to, all of them or nothing.',
  arguments: [
    { flags: '<template>', description: 'path of the file; - for stdin' },
    {
      flags: '[context...]',
      description: 'encryption context as KEY=VALUE, of every secret in it',
    },
  ],
  options: { ...OUTPUT_OPTIONS },
  notes: TEMPLATE_HELP,
  examples: [
    {
      line: 'credstash render app.conf.tmpl -o app.conf',
      description: 'Fill a template into a file',
    },
    {
      line: "echo 'password={{ credstash://db.password }}' | credstash render -",
      description: 'Fill a template on stdin',
    },
  ],
  isReader: true,
  run: async ({ args: [path, pairs], options, io }) => {
    const context = parseContext(pairs, 'open');
    const file = outputPath(options);
    if (file !== undefined && isSameFile(path, file)) {
      throw new CredstashError('USAGE', 'the output is the template itself');
    }
    const withBackend = chooseBackend(options, io);
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
});

function isSameFile(one: string, other: string): boolean {
  try {
    const [a, b] = [statSync(one), statSync(other)];
    return a.ino === b.ino && a.dev === b.dev;
  } catch {
    // The open that follows reports the error.
    return false;
  }
}
