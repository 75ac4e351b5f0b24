import type { Command } from 'commander';
import { computeAge, parseAge } from '../../model/age.ts';
import { groupByName, CIPHERS, type EntryHeader } from '../../model/entry.ts';
import { CredstashError } from '../../errors.ts';
import { formatSecretsTable } from '../../format/tables.ts';
import { formatListJson, formatList } from '../../format/list.ts';
import { chooseBackend } from '../options/backend.ts';
import type { Io } from '../terminal/io.ts';
import { optionsOf } from '../options/settings.ts';

interface ListOptions {
  readonly json?: true;
  readonly long?: true;
  readonly olderThan?: string;
  readonly unlabelled?: true;
  readonly cipher?: string;
}

export function register(command: Command, io: Io): void {
  command
    .description('List every version of every secret, or of those whose name matches.')
    .argument('[glob]', 'names to list, * for any run of characters; quote it from the shell')
    .option('--json', 'as a JSON array')
    .option('-l, --long', 'a table with a line for each secret: age, cipher, labels and more')
    .option(
      '--older-than <age>',
      'secrets whose newest version is older: 12h, 90d, 6w, 1y; or does not say how old it is',
    )
    .option('--unlabelled', 'secrets of which no version has a label')
    .option('--cipher <cipher>', 'secrets of which a version is sealed so, such as AES-256-CTR')
    .action(async (glob: string | undefined, _: unknown, command: Command) => {
      const options = optionsOf(command) as ListOptions;
      if (options.json && options.long) {
        throw new CredstashError('USAGE', '--json and -l are two ways to print a list');
      }
      const isWanted = toFilter(options);
      const withBackend = chooseBackend(command, io);
      await withBackend(async (credstash) => {
        const headers = await credstash.list(glob, { progress: io.progress() });
        const secrets = new Map(
          [...groupByName(headers)].filter(([, versions]) => isWanted(versions)),
        );
        if (options.long) await io.write(formatSecretsTable(secrets, io.columns('stdout')));
        else {
          const entries = [...secrets.values()].flat();
          await io.write(options.json ? formatListJson(entries) : formatList(entries));
        }
      });
    });
}

/** Which secrets the options choose, by their versions, the oldest first. */
function toFilter(options: ListOptions): (versions: readonly EntryHeader[]) => boolean {
  const { unlabelled, cipher } = options;
  // A word that is mistyped would list nothing, as if no secret were sealed so.
  if (cipher !== undefined && !CIPHERS.some((each) => each === cipher)) {
    throw new CredstashError('USAGE', `--cipher takes ${CIPHERS.join(' or ')}`);
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
