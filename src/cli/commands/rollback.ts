import { parseContext } from '../../model/context.ts';
import { escapeUnseen, formatVisibleJson } from '../../format/visible.ts';
import { unpadVersion } from '../../model/version.ts';
import { defineCommand } from '../command.ts';
import { chooseBackend } from '../options/backend.ts';
import { CIPHER_OPTIONS, warningPrinter } from '../options/seal.ts';
import { chooseCipher } from '../options/settings.ts';
import { formatMoveCommand, formatMove, addMoveHint } from './label.ts';

/** How many labels are named that stay where they are. */
const NAMED = 20;

export const command = defineCommand({
  name: 'rollback',
  group: 'versions',
  summary: 'store the value of an older version as a new one',
  description:
    'Store the value of an older version as a new one, which is sealed as that one is unless an option or a setting says otherwise. Nothing is deleted. Labels stay where they are, but for the one of --label.',
  arguments: [
    { flags: '<name>', description: 'name of the secret' },
    {
      flags: '[context...]',
      description: 'encryption context as KEY=VALUE, the same as the put gave',
    },
  ],
  options: {
    version: {
      flags: '-v, --version <version>',
      description: 'version to go back to (default: the one before the newest)',
    },
    label: {
      flags: '--label <label>',
      description: 'move LABEL to the new version, for those who read by it',
    },
    json: {
      flags: '--json',
      description: 'print the new version and the one it has the value of as a JSON object',
    },
    ...CIPHER_OPTIONS,
  },
  examples: [
    {
      line: 'credstash rollback db.password',
      description: 'Go back to the version before the newest',
    },
    {
      line: 'credstash rollback db.password -v 3 --label live',
      description: 'Go back to version 3, and move the label live',
    },
  ],
  run: async ({ args: [name, pairs], options, io }) => {
    const { version, label, digest, json } = options;
    const context = parseContext(pairs);
    const cipher = chooseCipher(options);
    const withBackend = chooseBackend(options, io);
    await withBackend(async (credstash) => {
      const onWarning = warningPrinter(io);
      const wanted = { version, label, context, cipher, digest, onWarning };
      const { header, from, before, others } = await credstash
        .rollback(name, wanted)
        .catch((error: unknown) => {
          throw addMoveHint(error, options, label ?? '');
        });
      const [to, now] = [from, header.version].map((each) => escapeUnseen(unpadVersion(each)));
      const moved = label === undefined ? '' : formatMove(name, label, header.version, before);
      await io.write(
        json
          ? formatVisibleJson(
              {
                name,
                version: header.version,
                from,
                ...(label === undefined ? {} : { label, before }),
              },
              0,
            )
          : `${escapeUnseen(name)} has been rolled back to version ${to}, as version ${now}\n${moved}`,
      );
      if (label !== undefined) return;
      for (const other of others.slice(0, NAMED)) {
        io.note(
          `credstash: warning: ${other.label} still points to version ${unpadVersion(other.version)}; to move it: ${formatMoveCommand(options, name, other.label, header.version)}`,
        );
      }
      if (others.length > NAMED) {
        io.note(`credstash: warning: and ${others.length - NAMED} more labels stay where they are`);
      }
    });
  },
});
