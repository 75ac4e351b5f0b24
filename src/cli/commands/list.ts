import { computeAge, parseAge } from '../../model/age.ts';
import { groupByName, CIPHERS, type EntryHeader } from '../../model/entry.ts';
import { CredstashError } from '../../errors.ts';
import { formatSecretsTable } from '../../format/tables.ts';
import { formatListJson, formatList } from '../../format/list.ts';
import { didYouMean } from '../../util/near-name.ts';
import { noteNothing } from '../advice/matches-nothing.ts';
import { defineCommand } from '../command.ts';
import { GLOB_ARGUMENT, LISTING_OPTIONS } from '../options/listing.ts';
import { openListOutput } from '../files/output.ts';
import { chooseBackend } from '../options/backend.ts';
import { defineOptions, type OptionValues } from '../options/define.ts';

const LIST_OPTIONS = defineOptions({
  ...LISTING_OPTIONS,
  long: {
    flags: '-l, --long',
    description: 'a table with a line for each secret: age, cipher, labels and more',
  },
  olderThan: {
    flags: '--older-than <age>',
    description:
      'secrets whose newest version is older: 12h, 90d, 6w, 1y; or does not say how old it is',
  },
  unlabelled: { flags: '--unlabelled', description: 'secrets of which no version has a label' },
  cipher: {
    flags: '--cipher <cipher>',
    description: 'secrets of which a version is sealed so, such as AES-256-CTR',
  },
});

export const command = defineCommand({
  name: 'list',
  group: 'secrets',
  summary: 'list secrets and their versions',
  description: 'List every version of every secret, or of those whose name matches.',
  arguments: [GLOB_ARGUMENT],
  options: LIST_OPTIONS,
  examples: [
    { line: 'credstash list', description: 'List every version of every secret' },
    {
      line: "credstash list -l 'app.*'",
      description: 'List a line for each secret, with its age and labels',
    },
    {
      line: 'credstash list --older-than 90d --json',
      description: 'List as JSON what has not changed for 90 days',
    },
  ],
  isReader: true,
  run: async ({ args: [glob], options, io }) => {
    if (options.json && options.long) {
      throw new CredstashError('USAGE', '--json and -l are two ways to print a list', {
        hint: 'leave out one of them',
      });
    }
    const isWanted = toFilter(options);
    const withBackend = chooseBackend(options, io);
    const output = await openListOutput(io, options);
    await withBackend(async (credstash) => {
      const headers = await credstash.list(glob, { progress: io.progress() });
      const secrets = new Map(
        [...groupByName(headers)].filter(([, versions]) => isWanted(versions)),
      );
      if (options.long) {
        await output.write(formatSecretsTable(secrets, output.columns), 'table');
      } else {
        const entries = [...secrets.values()].flat();
        await output.write(options.json ? formatListJson(entries) : formatList(entries));
      }
      if (secrets.size === 0) noteNothing(io, await credstash.location(), glob);
    });
  },
});

/** Which secrets the options choose, by their versions, the oldest first. */
function toFilter(
  options: OptionValues<typeof LIST_OPTIONS>,
): (versions: readonly EntryHeader[]) => boolean {
  const { unlabelled, cipher } = options;
  // A word that is mistyped would list nothing, as if no secret were sealed so.
  if (cipher !== undefined && !CIPHERS.some((each) => each === cipher)) {
    throw new CredstashError('USAGE', `--cipher takes ${CIPHERS.join(' or ')}`, {
      hint: didYouMean(cipher, CIPHERS),
    });
  }
  const olderThan = options.olderThan === undefined ? undefined : parseAge(options.olderThan);
  return (versions) => {
    const newest = versions.at(-1);
    const age = newest && computeAge(newest);
    return (
      (olderThan === undefined || age === undefined || age > olderThan) &&
      (!unlabelled || versions.every(({ labels }) => labels === undefined)) &&
      (cipher === undefined || versions.some((each) => each.cipher === cipher))
    );
  };
}
