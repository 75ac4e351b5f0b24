import type { Deletion } from '../../operations/delete.ts';
import { escapeUnseen } from '../../format/visible.ts';
import { unpadVersion } from '../../model/version.ts';
import { defineCommand } from '../command.ts';
import { chooseBackend } from '../options/backend.ts';
import { confirmOrStop } from '../options/batch.ts';

export const command = defineCommand({
  name: 'delete',
  group: 'secrets',
  summary: 'delete a secret',
  description:
    'Delete every version of a secret, or the one that -v says. On a terminal it asks before it deletes several versions, or a version with a label. Deleted versions cannot be restored.',
  arguments: [{ flags: '<name>', description: 'name of the secret' }],
  options: {
    version: { flags: '-v, --version <version>', description: 'version to delete (default: all)' },
    dryRun: { flags: '--dry-run', description: 'print what would be deleted, and delete nothing' },
    yes: { flags: '-y, --yes', description: 'do not ask on a terminal' },
  },
  examples: [
    { line: 'credstash delete db.password --dry-run', description: 'Print what would be deleted' },
    { line: 'credstash delete db.password', description: 'Delete every version' },
    { line: 'credstash delete db.password -v 3', description: 'Delete version 3' },
  ],
  run: async ({ args: [name], options, io }) => {
    const { version, dryRun, yes } = options;
    const withBackend = chooseBackend(options, io);
    await withBackend(async (credstash, changes) => {
      const progress = io.progress('versions deleted');
      const confirm = async (doomed: readonly Deletion[]): Promise<boolean> => {
        const isLabelled = doomed.some(({ labels }) => labels !== undefined);
        if (doomed.length > 1 || isLabelled) {
          await confirmOrStop(io, formatQuestion(name, doomed, await credstash.location()));
        }
        return true;
      };
      const deleted = changes.delete(name, {
        ...{ version, dryRun, progress },
        ...(yes || !io.interactive ? {} : { confirm }),
      });
      for await (const each of deleted) {
        if (each.done === 'failed') throw each.error;
        const entry = `${escapeUnseen(each.name)} -- version ${escapeUnseen(each.version)}`;
        await io.write(`${dryRun ? 'would delete' : 'Deleting'} ${entry}\n`);
        if (each.labels !== undefined) {
          io.note(
            `credstash: warning: version ${unpadVersion(each.version)} of ${each.name} ${dryRun ? 'has' : 'had'} the ${formatLabels(each.labels)}`,
          );
        }
      }
    });
  },
});

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
