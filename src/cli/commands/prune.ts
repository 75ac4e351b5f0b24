import { parseAge } from '../../model/age.ts';
import { CredstashError } from '../../errors.ts';
import { defineCommand } from '../command.ts';
import { chooseBackend } from '../options/backend.ts';
import { CHANGE_OPTIONS, parseGlobAndContext, runChanges, YES_OPTION } from '../options/batch.ts';

export const command = defineCommand({
  name: 'prune',
  group: 'versions',
  summary: 'delete old versions',
  description:
    'Delete all versions of secrets but the newest N and those with a label. The versions to keep are opened first; a secret is skipped if one of them does not open. Deleted versions cannot be restored.',
  usage: '[glob] --keep N [options] [KEY=VALUE...]',
  arguments: [
    {
      flags: '[glob...]',
      description:
        'names, * for any run of characters, quoted from the shell (default: all); KEY=VALUE is the encryption context',
    },
  ],
  options: {
    keep: {
      flags: '--keep <n>',
      description: 'how many of the newest versions of each secret stay',
      required: true,
    },
    olderThan: {
      flags: '--older-than <age>',
      description:
        'only what was stored longer ago: 12h, 90d, 6w, 1y; entries that do not say when stay',
    },
    verify: {
      flags: '--no-verify',
      description:
        'for a role that may not decrypt: do not open the versions that stay, which may then be planted',
    },
    ...CHANGE_OPTIONS,
    ...YES_OPTION,
  },
  examples: [
    { line: 'credstash prune --keep 3 --dry-run', description: 'Print what would be deleted' },
    {
      line: "credstash prune 'app.*' --keep 3 --older-than 90d",
      description: 'Keep 3 versions of each, and all of the last 90 days',
    },
  ],
  isResumable: true,
  run: async ({ args: [words], options, io }) => {
    const { glob, context } = parseGlobAndContext(words);
    const { verify } = options;
    const keep = Number(/^\d{1,9}$/.test(options.keep) ? options.keep : NaN);
    if (!(keep >= 1)) {
      throw new CredstashError('USAGE', '--keep is a number from 1 on', {
        hint: 'to keep the newest version of each secret: --keep 1',
      });
    }
    const olderThan = options.olderThan === undefined ? undefined : parseAge(options.olderThan);
    const withBackend = chooseBackend(options, io);
    if (!verify) {
      io.note(
        'credstash: warning: --no-verify does not open the versions to keep: anybody who can write to the table may have planted them',
      );
    }
    await withBackend(async (credstash, changes) => {
      await runChanges(
        io,
        (common) => changes.prune({ ...common, glob, context, keep, olderThan, verify }),
        options,
        { verb: 'delete', done: 'deleted' },
        await credstash.location(),
      );
    });
  },
});
