import type { Command } from 'commander';
import { CredstashError } from '../../errors.ts';
import { visible } from '../../format/visible.ts';
import { chooseBackend } from '../backend.ts';
import type { Io } from '../io.ts';
import { optionsOf, saveKmsRegion } from '../settings.ts';

export function register(command: Command, io: Io): void {
  command
    .description(
      'Create the DynamoDB table, or with --local the vault. One that is there is left alone.',
    )
    .option('--tags [pairs...]', 'tags of the new table as KEY=VALUE')
    .option('--save-kms-region <region>', 'save the AWS region of the KMS key in ~/.credstash')
    .action(async (_: unknown, command: Command) => {
      const options = optionsOf(command) as { tags?: string[] | true; saveKmsRegion?: string };
      const tags = parseTags(Array.isArray(options.tags) ? options.tags : []);
      const { saveKmsRegion: region } = options;
      // What cannot be is told before anything is written.
      const withBackend = chooseBackend(command, io);
      if (region !== undefined) {
        await saveKmsRegion(region);
        await io.write(`KMS region set to ${region}\n`);
      }
      await withBackend(async (credstash) => {
        // In the original's words, for whoever reads them in a script.
        const created = await credstash.setup({
          tags,
          creating: () => io.write('Creating table...\nWaiting for table to be created...\n'),
        });
        const location = await credstash.location();
        if (location.startsWith('the vault ')) {
          const subject = visible(location.replace('the', 'The'));
          await io.write(`${subject} ${created ? 'has been created' : 'already exists'}\n`);
          return;
        }
        await io.write(
          created
            ? 'Adding tags...\nTable has been created. Go read the README about how to create your KMS key\n'
            : 'Credential Store table already exists\n',
        );
        if (!created && Object.keys(tags).length > 0) {
          io.note(`credstash: warning: the tags of ${location} are left as they are`);
        }
      });
    });
}

function parseTags(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at > 0 && at < pair.length - 1) return [pair.slice(0, at), pair.slice(at + 1)];
      throw new CredstashError('USAGE', `the tag ${pair} is not of the form KEY=VALUE`);
    }),
  );
}
