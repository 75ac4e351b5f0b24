import { escapeUnseen, formatVisibleJson } from '../../format/visible.ts';
import { checkGlob, matchesGlob } from '../../model/glob.ts';
import { noteNothing } from '../advice/matches-nothing.ts';
import { openListOutput } from '../files/output.ts';
import { GLOB_ARGUMENT, LISTING_OPTIONS } from '../options/listing.ts';
import { defineCommand } from '../command.ts';
import { chooseBackend } from '../options/backend.ts';

export const command = defineCommand({
  name: 'keys',
  group: 'secrets',
  summary: 'list the names of secrets',
  description: 'List the name of every secret, or of those whose name matches, each once.',
  arguments: [GLOB_ARGUMENT],
  options: LISTING_OPTIONS,
  examples: [
    { line: 'credstash keys', description: 'List the names' },
    {
      line: "credstash keys 'app.*' --json",
      description: 'List those that begin with app. as JSON',
    },
  ],
  isReader: true,
  run: async ({ args: [glob], options, io }) => {
    if (glob !== undefined) checkGlob(glob);
    const withBackend = chooseBackend(options, io);
    const output = await openListOutput(io, options);
    await withBackend(async (credstash) => {
      const names = (await credstash.names({ progress: io.progress() })).filter(
        (name) => glob === undefined || matchesGlob(glob, name),
      );
      await output.write(
        options.json
          ? formatVisibleJson(names)
          : names.map((name) => `${escapeUnseen(name)}\n`).join(''),
      );
      if (names.length === 0) noteNothing(io, await credstash.location(), glob);
    });
  },
});
