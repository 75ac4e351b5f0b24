import { formatHistory } from '../../format/tables.ts';
import { formatListJson } from '../../format/list.ts';
import { defineCommand } from '../command.ts';
import { JSON_OPTION } from '../options/listing.ts';
import { markHeading } from '../terminal/style.ts';
import { chooseBackend } from '../options/backend.ts';

export const command = defineCommand({
  name: 'history',
  group: 'versions',
  summary: 'list the versions of a secret',
  description: 'List the versions of a secret, the newest first. Nothing is opened or verified.',
  arguments: [{ flags: '<name>', description: 'name of the secret' }],
  options: JSON_OPTION,
  examples: [
    { line: 'credstash history db.password', description: 'List the versions of a secret' },
    { line: 'credstash history db.password --json', description: 'List them as JSON' },
  ],
  isReader: true,
  run: async ({ args: [name], options, io }) => {
    const { json } = options;
    const withBackend = chooseBackend(options, io);
    await withBackend(async (credstash) => {
      const headers = await credstash.history(name, { progress: io.progress() });
      const table = (): string =>
        markHeading(formatHistory(headers, io.columns('stdout')), io.style('stdout'));
      await io.write(json ? formatListJson(headers) : table());
    });
  },
});
