import { parseContext } from '../../model/context.ts';
import { defineCommand } from '../command.ts';
import { chooseBackend } from '../options/backend.ts';
import { openOutput } from '../files/output.ts';
import {
  checkFormat,
  printMatching,
  SECRETS_OPTIONS,
  VERSION_OPTIONS,
} from '../options/secrets.ts';

export const command = defineCommand({
  name: 'getall',
  group: 'many',
  summary: 'print all secrets',
  description: 'Print the newest version of every secret, or the one that -v says.',
  arguments: [
    {
      flags: '[context...]',
      description: 'encryption context as KEY=VALUE, the same as the puts gave',
    },
  ],
  options: {
    ...VERSION_OPTIONS,
    version: {
      flags: '-v, --version <version>',
      description: 'version to get (default: the newest of each)',
    },
    ...SECRETS_OPTIONS,
  },
  examples: [
    { line: 'credstash getall', description: 'Print all secrets as a JSON object' },
    {
      line: 'credstash getall -f dotenv -o .env env=prod',
      description: 'Write those of an encryption context to a file',
    },
    {
      line: 'credstash getall --label live -f yaml',
      description: 'Print the versions that have the label live',
    },
  ],
  isReader: true,
  run: async ({ args: [pairs], options, io, grammar }) => {
    await checkFormat(options);
    const context = parseContext(pairs, 'open');
    const output = await openOutput(io, options);
    const withBackend = chooseBackend(options, io);
    await withBackend(async (credstash) => {
      // As Python's print ends what it is given.
      await printMatching(credstash, { io, output, grammar }, { ...options, context }, '\n');
    });
  },
});
