import type { Command } from 'commander';
import { CredstashError } from '../../errors.ts';
import { unpadVersion } from '../../model/version.ts';
import { visible, visibleJson } from '../../format/visible.ts';
import { chooseBackend } from '../options/backend.ts';
import type { Io } from '../terminal/io.ts';
import { samePlaceCommand } from '../advice/same-place.ts';
import { optionsOf } from '../options/settings.ts';

export function register(command: Command, io: Io): void {
  command
    .description(
      'Set a label on a version of a secret, or move it there: it stands on one version at most. get, getall, exec and references take a label in the place of a version.',
    )
    .argument('<name>', 'name of the secret')
    .argument('<label>', 'up to 128 letters, digits and . _ -')
    .option('-v, --version <version>', 'version to set it on (default: the newest)')
    .option('--json', 'print the version and those that had LABEL before as a JSON object')
    .action(async (name: string, label: string, _: unknown, command: Command) => {
      const { version: wanted, json } = optionsOf(command) as { version?: string; json?: true };
      const withBackend = chooseBackend(command, io);
      await withBackend(async (credstash) => {
        const { version, before } = await credstash.label(name, label, { version: wanted });
        await io.write(
          json
            ? visibleJson({ name, version, label, before }, 0)
            : formatMove(name, label, version, before),
        );
      });
    });
}

/** The command that moves `label` to `version`, in the place that this command line chose. */
export function formatMoveCommand(
  command: Command,
  name: string,
  label: string,
  version: string,
): string {
  return samePlaceCommand(command, ['label', '-v', unpadVersion(version)], [name, label]);
}

/**
 * Adds the command that does what is missing to the error of a version that is stored, but whose label has not been moved to
 * it. To run the same command line again would store one more version.
 *
 * @returns any other error as it is
 */
export function addMoveHint(error: unknown, command: Command, label: string): unknown {
  if (!(error instanceof CredstashError) || !error.stored) return error;
  const { name, version } = error.stored;
  const move = formatMoveCommand(command, name, label, version);
  const before =
    error.hint === undefined || error.code === 'CONFLICT' ? '' : `${error.hint}, then: `;
  return error.reworded(error.message, before === '' ? `to move it: ${move}` : `${before}${move}`);
}

/** The lines that report a label moved to `version`. @param before the versions that had the label */
export function formatMove(
  name: string,
  label: string,
  version: string,
  before: readonly string[],
): string {
  const others = before.filter((each) => each !== version).map(unpadVersion);
  const moved = others.length > 0 ? `, and no more version ${visible(others.join(', '))}` : '';
  return `${label} is version ${visible(unpadVersion(version))} of ${visible(name)}${moved}\n`;
}
