import { CredstashError } from '../../errors.ts';
import { unpadVersion } from '../../model/version.ts';
import { escapeUnseen, formatVisibleJson } from '../../format/visible.ts';
import { defineCommand } from '../command.ts';
import { chooseBackend } from '../options/backend.ts';
import type { GlobalOptions } from '../options/global.ts';
import { samePlaceCommand } from '../advice/same-place.ts';

export const command = defineCommand({
  name: 'label',
  group: 'versions',
  summary: 'set a label on a version, or move it there',
  description:
    'Set a label on a version of a secret, or move it there. A label is on one version of a secret at most. get, getall, exec and references accept a label instead of a version.',
  arguments: [
    { flags: '<name>', description: 'name of the secret' },
    { flags: '<label>', description: 'up to 128 letters, digits and . _ -' },
  ],
  options: {
    version: {
      flags: '-v, --version <version>',
      description: 'version to set it on (default: the newest)',
    },
    json: {
      flags: '--json',
      description: 'print the version and those that had LABEL before as a JSON object',
    },
  },
  examples: [
    {
      line: 'credstash label db.password live',
      description: 'Set the label live on the newest version',
    },
    { line: 'credstash label db.password live -v 3', description: 'Move it to version 3' },
  ],
  run: async ({ args: [name, label], options, io }) => {
    const { version: wanted, json } = options;
    const withBackend = chooseBackend(options, io);
    await withBackend(async (credstash) => {
      const { version, before } = await credstash.label(name, label, { version: wanted });
      await io.write(
        json
          ? formatVisibleJson({ name, version, label, before }, 0)
          : formatMove(name, label, version, before),
      );
    });
  },
});

/** The command that moves `label` to `version`, in the place that this command line chose. */
export function formatMoveCommand(
  options: GlobalOptions,
  name: string,
  label: string,
  version: string,
): string {
  return samePlaceCommand(options, ['label', '-v', unpadVersion(version)], [name, label]);
}

/**
 * Adds the command that does what is missing to the error of a version that is stored, but whose label has not been moved to
 * it. To run the same command line again would store one more version.
 *
 * @returns any other error as it is
 */
export function addMoveHint(error: unknown, options: GlobalOptions, label: string): unknown {
  if (!(error instanceof CredstashError) || !error.stored) return error;
  const { name, version } = error.stored;
  const move = formatMoveCommand(options, name, label, version);
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
  const moved = others.length > 0 ? `, and no more version ${escapeUnseen(others.join(', '))}` : '';
  return `${label} is version ${escapeUnseen(unpadVersion(version))} of ${escapeUnseen(name)}${moved}\n`;
}
