import type { Command } from 'commander';
import { shortVersion } from '../../version.ts';
import { visible } from '../../format/visible.ts';
import { chooseBackend } from '../backend.ts';
import type { Io } from '../io.ts';
import { optionsOf } from '../settings.ts';

export function register(command: Command, io: Io): void {
  command
    .description(
      'Set a label on a version of a secret, or move it there: it stands on one version at most. get, getall, exec and references take a label in the place of a version.',
    )
    .argument('<name>', 'name of the secret')
    .argument('<label>', 'up to 128 letters, digits and . _ -')
    .option('-v, --version <version>', 'version to set it on (default: the newest)')
    .action(async (name: string, label: string, _: unknown, command: Command) => {
      const { version: wanted } = optionsOf(command) as { version?: string };
      const withBackend = chooseBackend(command, io);
      await withBackend(async (credstash) => {
        const { version, before } = await credstash.label(name, label, { version: wanted });
        await io.write(movedLine(name, label, version, before));
      });
    });
}

/** What is printed of a label that was moved to `version`. @param before the versions that had it */
export function movedLine(
  name: string,
  label: string,
  version: string,
  before: readonly string[],
): string {
  const others = before.filter((each) => each !== version).map(shortVersion);
  const moved = others.length > 0 ? `, and no more version ${visible(others.join(', '))}` : '';
  return `${label} is version ${visible(shortVersion(version))} of ${visible(name)}${moved}\n`;
}
