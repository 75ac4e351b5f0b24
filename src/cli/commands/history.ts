import { formatHistory } from '../../format/tables.ts';
import { formatListJson } from '../../format/list.ts';
import { defineCommand } from '../command.ts';
import { LISTING_OPTIONS } from '../options/listing.ts';
import { openListOutput } from '../files/output.ts';
import { chooseBackend } from '../options/backend.ts';

export const command = defineCommand({
  name: 'history',
  group: 'versions',
  summary: 'list the versions of a secret',
  description: 'List the versions of a secret, the newest first. Nothing is opened or verified.',
  arguments: [{ flags: '<name>', description: 'name of the secret' }],
  options: LISTING_OPTIONS,
  examples: [
    { line: 'credstash history db.password', description: 'List the versions of a secret' },
    { line: 'credstash history db.password --json', description: 'List them as JSON' },
  ],
  isReader: true,
  run: async ({ args: [name], options, io }) => {
    const { json } = options;
    const withBackend = chooseBackend(options, io);
    const output = await openListOutput(io, options);
    await withBackend(async (credstash) => {
      const headers = await credstash.history(name, { progress: io.progress() });
      if (json) await output.write(formatListJson(headers));
      else await output.write(formatHistory(headers, output.columns), 'table');
    });
  },
});
