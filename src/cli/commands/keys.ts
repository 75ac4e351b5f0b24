import { escapeUnseen } from '../../format/visible.ts';
import { defineCommand } from '../command.ts';
import { chooseBackend } from '../options/backend.ts';

export const command = defineCommand({
  name: 'keys',
  group: 'secrets',
  summary: 'list the names of secrets',
  description: 'List the name of every secret, each once.',
  arguments: [],
  options: {},
  examples: [
    { line: 'credstash keys', description: 'List the names' },
    { line: 'credstash -t other-table keys', description: 'List those of another table' },
  ],
  isReader: true,
  run: async ({ options, io }) => {
    const withBackend = chooseBackend(options, io);
    await withBackend(async (credstash) => {
      const names = await credstash.names({ progress: io.progress() });
      await io.write(names.map((name) => `${escapeUnseen(name)}\n`).join(''));
    });
  },
});
