import type { Command } from 'commander';
import type { Deletion } from '../../operations/delete.ts';
import { visible } from '../../format/visible.ts';
import { unpadVersion } from '../../model/version.ts';
import { chooseBackend } from '../options/backend.ts';
import { confirmOrStop } from '../options/batch.ts';
import type { Io } from '../terminal/io.ts';
import { optionsOf } from '../options/settings.ts';

interface DeleteFlags {
  readonly version?: string;
  readonly dryRun?: true;
  readonly yes?: true;
}

export function register(command: Command, io: Io): void {
  command
    .description(
      'Delete every version of a secret, or the one that -v says. On a terminal it asks before it deletes more than one version, or one that has a label. What is deleted is gone.',
    )
    .argument('<name>', 'name of the secret')
    .option('-v, --version <version>', 'version to delete (default: all)')
    .option('--dry-run', 'print what would be deleted, and delete nothing')
    .option('-y, --yes', 'do not ask on a terminal')
    .action(async (name: string, _: unknown, command: Command) => {
      const { version, dryRun, yes } = optionsOf(command) as DeleteFlags;
      const withBackend = chooseBackend(command, io);
      await withBackend(async (credstash) => {
        const progress = io.progress('versions deleted');
        const confirm = async (doomed: readonly Deletion[]): Promise<boolean> => {
          const isLabelled = doomed.some(({ labels }) => labels !== undefined);
          if (doomed.length > 1 || isLabelled) {
            await confirmOrStop(io, formatQuestion(name, doomed, await credstash.location()));
          }
          return true;
        };
        const deleted = credstash.delete(name, {
          ...{ version, dryRun, progress },
          ...(yes || !io.interactive ? {} : { confirm }),
        });
        for await (const each of deleted) {
          const entry = `${visible(each.name)} -- version ${visible(each.version)}`;
          await io.write(`${dryRun ? 'would delete' : 'Deleting'} ${entry}\n`);
          if (each.labels !== undefined) {
            io.note(
              `credstash: warning: version ${unpadVersion(each.version)} of ${each.name} ${dryRun ? 'has' : 'had'} the ${formatLabels(each.labels)}`,
            );
          }
        }
      });
    });
}

/** How many labels a question names. */
const NAMED = 20;

function formatQuestion(name: string, doomed: readonly Deletion[], where: string): string {
  const [first] = doomed;
  const what =
    first && doomed.length === 1
      ? `1 version (${unpadVersion(first.version)})`
      : `${doomed.length} versions`;
  const labels = doomed.flatMap(({ version, labels = [] }) =>
    labels.map((label) => `${label} is version ${unpadVersion(version)}`),
  );
  const more = labels.length > NAMED ? `, and ${labels.length - NAMED} more` : '';
  const labelled =
    labels.length === 0 ? '' : `, with labels: ${labels.slice(0, NAMED).join(', ')}${more}`;
  return `delete ${what} of ${name} in ${where}${labelled}?`;
}

function formatLabels(labels: readonly string[]): string {
  return labels.length === 1 ? `label ${labels[0] ?? ''}` : `labels ${labels.join(', ')}`;
}
