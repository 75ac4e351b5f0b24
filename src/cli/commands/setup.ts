import { DEFAULT_KEY } from '../../model/defaults.ts';
import type { SetupStep } from '../../backend/setup.ts';
import { CredstashError } from '../../errors.ts';
import { escapeUnseen } from '../../format/visible.ts';
import { checkNewAlias } from '../../model/key-id.ts';
import { defineCommand } from '../command.ts';
import { chooseBackend } from '../options/backend.ts';
import { saveKmsRegion } from '../options/config-file.ts';

export const command = defineCommand({
  name: 'setup',
  group: 'setup',
  summary: 'create the table, or the vault',
  description:
    'Create the DynamoDB table, or with --local the vault, unless it exists. Options create the KMS key and protect the table.',
  arguments: [],
  options: {
    tags: {
      flags: '--tags [pairs...]',
      description: 'tags of the new table, and of a new key, as KEY=VALUE',
    },
    saveKmsRegion: {
      flags: '--save-kms-region <region>',
      description: 'save the AWS region of the KMS key in ~/.credstash',
    },
    createKey: {
      flags: '--create-key',
      description: 'create the KMS key and its alias if missing, and turn on its rotation',
    },
    key: {
      flags: '-k, --key <alias>',
      description: 'with --create-key: its alias (default: alias/credstash)',
    },
    multiRegion: {
      flags: '--multi-region',
      description: 'with --create-key: as a key of several regions',
    },
    pointInTimeRecovery: {
      flags: '--point-in-time-recovery',
      description: 'turn on point-in-time recovery of the table',
    },
    deletionProtection: {
      flags: '--deletion-protection',
      description: 'protect the table from being deleted',
    },
  },
  examples: [
    { line: 'credstash setup', description: 'Create the table' },
    {
      line: 'credstash setup --create-key --point-in-time-recovery --deletion-protection',
      description: 'Create the table and the KMS key, both protected',
    },
    { line: 'credstash --local setup', description: 'Create a local vault' },
  ],
  run: async ({ options, io }) => {
    const { saveKmsRegion: region, createKey, multiRegion } = options;
    const tags = parseTags(Array.isArray(options.tags) ? options.tags : []);
    // What cannot be is told before anything is written.
    chooseBackend(options, io);
    if (createKey) checkNewAlias(options.key ?? DEFAULT_KEY);
    else if (multiRegion || options.key !== undefined) {
      const without = multiRegion ? '--multi-region' : '-k';
      throw new CredstashError('USAGE', `${without} is for --create-key, which is not given`);
    }
    if (region !== undefined) {
      await saveKmsRegion(region);
      await io.write(`KMS region set to ${region}\n`);
    }
    // Again, for the region that was saved now.
    const withBackend = chooseBackend(options, io);
    await withBackend(async (credstash) => {
      const location = escapeUnseen(await credstash.location());
      const hasTags = Object.keys(tags).length > 0;
      await credstash.setup({
        tags,
        createKey,
        multiRegion,
        pointInTimeRecovery: options.pointInTimeRecovery,
        deletionProtection: options.deletionProtection,
        creating: () => io.write('Creating table...\nWaiting for table to be created...\n'),
        done: async (step) => {
          await io.write(`${formatStep(step, location, createKey)}\n`);
          if (step.what === 'table' && !step.changed && hasTags) {
            io.note(`credstash: warning: the tags of ${location} are left as they are`);
          }
          if (step.what === 'key' && step.leftBehind !== undefined) {
            io.note(
              `credstash: warning: somebody else was quicker: the key ${step.leftBehind} in ${step.region} is left over, delete it`,
            );
          }
        },
      });
    });
  },
});

/** Of the table in the original's words, which scripts read. */
function formatStep(step: SetupStep, location: string, createKey = false): string {
  const { what, changed } = step;
  switch (what) {
    case 'table':
      return changed
        ? `Adding tags...\nTable has been created.${createKey ? '' : ' Go read the README about how to create your KMS key'}`
        : 'Credential Store table already exists';
    case 'vault':
      return `${location.replace('the', 'The')} ${changed ? 'has been created' : 'already exists'}`;
    case 'key': {
      const kind = step.multiRegion ? 'multi-Region key' : 'key';
      const subject = `The ${kind} ${step.alias} in ${step.region}`;
      if (changed) return `${subject} has been created, with rotation`;
      return `${subject} already exists, ${step.rotated ? 'and its rotation has been turned on' : 'with rotation'}`;
    }
    case 'pointInTimeRecovery':
      return `Point-in-time recovery of ${location} ${changed ? 'has been turned on' : 'is on already'}`;
    case 'deletionProtection':
      return `Deletion protection of ${location} ${changed ? 'has been turned on' : 'is on already'}`;
  }
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
