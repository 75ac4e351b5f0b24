import type { Command } from 'commander';
import { parseContext } from '../../model/context.ts';
import { visible, visibleJson } from '../../format/visible.ts';
import { unpadVersion } from '../../model/version.ts';
import { chooseBackend } from '../options/backend.ts';
import type { Io } from '../terminal/io.ts';
import { addCipherOptions, type CipherOptions, warningPrinter } from '../options/seal.ts';
import { chooseCipher, optionsOf } from '../options/settings.ts';
import { formatMoveCommand, formatMove, addMoveHint } from './label.ts';

interface RollbackFlags extends CipherOptions {
  readonly version?: string;
  readonly label?: string;
  readonly json?: true;
}

/** How many labels are named that stay where they are. */
const NAMED = 20;

export function register(command: Command, io: Io): void {
  command
    .description(
      'Store the value of an older version as a new one, which is sealed as that one is unless an option or a setting says otherwise. Nothing is deleted. Labels stay where they are, but for the one of --label.',
    )
    .argument('<name>', 'name of the secret')
    .argument('[context...]', 'encryption context as KEY=VALUE, the same as the put gave')
    .option('-v, --version <version>', 'version to go back to (default: the one before the newest)')
    .option('--label <label>', 'move LABEL to the new version, for those who read by it')
    .option('--json', 'print the new version and the one it has the value of as a JSON object');
  addCipherOptions(command).action(
    async (name: string, pairs: string[], _: unknown, command: Command) => {
      const { version, label, digest, json, ...options } = optionsOf(command) as RollbackFlags;
      const context = parseContext(pairs);
      const cipher = chooseCipher(options);
      const withBackend = chooseBackend(command, io);
      await withBackend(async (credstash) => {
        const onWarning = warningPrinter(io);
        const wanted = { version, label, context, cipher, digest, onWarning };
        const { header, from, before, others } = await credstash
          .rollback(name, wanted)
          .catch((error: unknown) => {
            throw addMoveHint(error, command, label ?? '');
          });
        const [to, now] = [from, header.version].map((each) => visible(unpadVersion(each)));
        const moved = label === undefined ? '' : formatMove(name, label, header.version, before);
        await io.write(
          json
            ? visibleJson(
                {
                  name,
                  version: header.version,
                  from,
                  ...(label === undefined ? {} : { label, before }),
                },
                0,
              )
            : `${visible(name)} has been rolled back to version ${to}, as version ${now}\n${moved}`,
        );
        if (label !== undefined) return;
        for (const other of others.slice(0, NAMED)) {
          io.note(
            `credstash: warning: ${other.label} still points to version ${unpadVersion(other.version)}; to move it: ${formatMoveCommand(command, name, other.label, header.version)}`,
          );
        }
        if (others.length > NAMED) {
          io.note(
            `credstash: warning: and ${others.length - NAMED} more labels stay where they are`,
          );
        }
      });
    },
  );
}
