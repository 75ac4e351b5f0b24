import { CredstashError, TargetError } from '../../errors.ts';
import type { Overtaken } from '../../operations/copy.ts';
import { commandLine } from '../../util/shell-word.ts';
import { DEFAULT_KEY } from '../../model/defaults.ts';
import { unpadVersion } from '../../model/version.ts';
import { defineCommand } from '../command.ts';
import { chooseBackend, open } from '../options/backend.ts';
import { CHANGE_OPTIONS, parseGlobAndContext, runChanges } from '../options/batch.ts';
import { printFirstWarnings } from '../advice/overtaken.ts';
import { defineOptions, type OptionValues } from '../options/define.ts';
import type { GlobalOptions } from '../options/global.ts';
import {
  resolveKmsRegion,
  type Settings,
  resolveTable,
  resolveVaultFolder,
} from '../options/settings.ts';
import { readTrustSettings } from '../options/trust.ts';

/** Where a copy goes. */
const DESTINATION_OPTIONS = defineOptions({
  toTable: {
    flags: '--to-table <table>',
    description: 'to this table, name or ARN (default: of the same name)',
  },
  toRegion: {
    flags: '--to-region <region>',
    description: 'in this AWS region (default: the same)',
  },
  toKmsRegion: {
    flags: '--to-kms-region <region>',
    description: 'under the KMS key of this region (default: as a get there finds it)',
  },
  toProfile: {
    flags: '--to-profile <profile>',
    description: "with this profile of AWS's configuration files",
  },
  toKey: {
    flags: '--to-key <key>',
    description: 'under this KMS key there (default: alias/credstash)',
  },
  toLocal: {
    flags: '--to-local <folder>',
    description: 'to the local vault in FOLDER, which is created if need be',
  },
});

export type DestinationOptions = GlobalOptions & OptionValues<typeof DESTINATION_OPTIONS>;

export const command = defineCommand({
  name: 'copy',
  group: 'many',
  summary: 'copy secrets to another table or vault',
  description:
    'Copy secrets to another table or vault under the same versions, labels included. An entry that exists there with the same value is skipped. An entry with another value is not overwritten, and the exit status is 4.',
  usage: '[glob] [options] [KEY=VALUE...]',
  arguments: [
    {
      flags: '[glob...]',
      description:
        'names, * for any run of characters, quoted from the shell (default: all); KEY=VALUE is the encryption context',
    },
  ],
  options: {
    ...DESTINATION_OPTIONS,
    latest: {
      flags: '--latest',
      description: 'only the newest version of each (default: all versions)',
    },
    ...CHANGE_OPTIONS,
  },
  examples: [
    {
      line: 'credstash copy --to-region eu-central-1',
      description: 'Copy all to the table of that name in another region',
    },
    { line: "credstash copy 'app.*' --to-local backup", description: 'Copy some to a local vault' },
    {
      line: 'credstash copy --latest --to-table new --to-key alias/new',
      description: 'Copy the newest versions to another table and key',
    },
  ],
  isResumable: true,
  run: async ({ args: [words], options, io }) => {
    const { glob, context } = parseGlobAndContext(words);
    const withBackend = chooseBackend(options, io);
    const destination = resolveDestination(options);
    await withBackend(async (credstash, changes) => {
      const target = await open(destination, io, { create: !options.dryRun });
      try {
        const [from, where] = [await credstash.location(), await target.credstash.location()];
        if (from === where && options.toProfile === undefined) {
          throw new CredstashError('USAGE', `the copy would go to where it comes from: ${where}`);
        }
        const overtaken: string[] = [];
        const onOvertaken = ({ name, version, newest }: Overtaken): void => {
          const [copied, other] = [version, newest].map(unpadVersion);
          overtaken.push(
            `version ${copied} of ${name} is copied, but is not the newest in ${where}: get there will still give version ${other}`,
          );
        };
        const { latest } = options;
        await runChanges(
          io,
          (common) =>
            changes.copy(target.changes.session, { ...common, glob, context, latest, onOvertaken }),
          // It neither deletes nor rewrites, and need not ask.
          { ...options, yes: true },
          { verb: 'copy', done: 'copied' },
          where,
          (error) => hintOf(error, destination),
        ).finally(() => {
          printFirstWarnings(io, overtaken, 'such secrets');
        });
      } finally {
        await target.credstash.close();
      }
    });
  },
});

/** What helps where there is nothing to copy to; else the error's own hint. */
function hintOf(error: CredstashError, destination: Settings): string | undefined {
  if (!(error instanceof TargetError) || destination.backend === 'local') return error.hint;
  const { key } = destination;
  if (error.code === 'TABLE_NOT_FOUND')
    return `create it first: ${formatSetupCommand(destination)}`;
  if (error.code !== 'KEY_NOT_FOUND') return error.hint;
  const create = key.startsWith('alias/')
    ? `, or create it: ${formatSetupCommand(destination, ['--create-key', '-k', key])}`
    : '';
  return `name another key there with --to-key${create}`;
}

/** The command that creates what `destination` lacks. */
function formatSetupCommand(
  { table, region, kmsRegion, profile, roleArn, externalId }: Extract<Settings, { backend: 'aws' }>,
  more: readonly string[] = [],
): string {
  // A table is created by its name: arn:aws:dynamodb:REGION:ACCOUNT:table/NAME.
  const [, , , arnRegion] = table.startsWith('arn:') ? table.split(':') : [];
  const options = {
    '-t': table.slice(table.lastIndexOf('/') + 1),
    '-r': arnRegion ?? region,
    '--kms-region': more.length === 0 ? undefined : kmsRegion,
    '-p': profile,
    '-n': roleArn,
    '--external-id': externalId,
  };
  const given = Object.entries(options).flatMap(([flag, value]) =>
    value === undefined ? [] : [flag, value],
  );
  const ofAws = process.env['CREDSTASH_LOCAL'] ? ['env', '-u', 'CREDSTASH_LOCAL'] : [];
  return commandLine([...ofAws, 'credstash', 'setup', ...more, ...given]);
}

/**
 * The settings of a copy's destination. On AWS, what is not said is as it is of the source; of a vault, as it is by default.
 *
 * @throws CredstashError USAGE when none is named, or a vault and something of AWS at once
 */
export function resolveDestination(options: DestinationOptions): Settings {
  const { toTable, toRegion, toKmsRegion, toProfile, toKey, toLocal } = options;
  const ofAws = {
    '--to-table': toTable,
    '--to-region': toRegion,
    '--to-kms-region': toKmsRegion,
    '--to-profile': toProfile,
    '--to-key': toKey,
  };
  const given = Object.entries({ ...ofAws, '--to-local': toLocal }).filter(
    ([, value]) => value !== undefined,
  );
  const empty = given.find(([, value]) => value === '');
  if (empty) throw new CredstashError('USAGE', `the value of ${empty[0]} is empty`);
  if (given.length === 0) {
    throw new CredstashError('USAGE', 'the copy was not told where to', {
      hint: 'give --to-table, --to-region, --to-profile or --to-key, or --to-local FOLDER',
    });
  }
  const { trustedKeys, ...trust } = readTrustSettings();
  if (toLocal !== undefined) {
    if (given.length === 1)
      return { backend: 'local', folder: resolveVaultFolder(toLocal), ...trust };
    throw new CredstashError(
      'USAGE',
      '--to-local is a vault, and the other --to options are for AWS',
    );
  }
  return {
    backend: 'aws',
    ...trust,
    trustedKeys,
    region: toRegion ?? options.region,
    // As a `get` there finds it, so that it opens what was copied. --kms-region is said of the source's region.
    kmsRegion: toKmsRegion ?? resolveKmsRegion(toRegion === undefined ? options : {})?.value,
    profile: toProfile ?? options.profile,
    ...(toProfile === undefined ? { roleArn: options.arn, externalId: options.externalId } : {}),
    table: toTable ?? resolveTable(options).value,
    key: toKey ?? DEFAULT_KEY,
  };
}
