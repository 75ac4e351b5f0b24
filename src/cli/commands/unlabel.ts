import { unpadVersion } from '../../model/version.ts';
import { escapeUnseen } from '../../format/visible.ts';
import { defineCommand } from '../command.ts';
import { chooseBackend } from '../options/backend.ts';

export const command = defineCommand({
  name: 'unlabel',
  group: 'versions',
  summary: 'take a label away',
  description: 'Take a label away from whichever version of a secret has it.',
  arguments: [
    { flags: '<name>', description: 'name of the secret' },
    { flags: '<label>', description: 'the label' },
  ],
  options: {},
  examples: [
    { line: 'credstash unlabel db.password live', description: 'Take the label live away' },
    {
      line: 'credstash --local unlabel db.password live',
      description: 'Take it away in the local vault',
    },
  ],
  run: async ({ args: [name, label], options, io }) => {
    const withBackend = chooseBackend(options, io);
    await withBackend(async (credstash) => {
      const versions = (await credstash.unlabel(name, label)).map(unpadVersion);
      await io.write(
        `${label} is no longer a version of ${escapeUnseen(name)}; it was ${escapeUnseen(versions.join(', '))}\n`,
      );
    });
  },
});
