import { dirname } from 'node:path';
import { parseContext } from '../../model/context.ts';
import { parseField } from '../../model/field.ts';
import { unpadVersion } from '../../model/version.ts';
import { hasCode } from '../../errors.ts';
import { escapeUnseen } from '../../format/visible.ts';
import { readErrorCode } from '../../util/errno.ts';
import { commandLine } from '../../util/shell-word.ts';
import type { Target } from '../edit/target.ts';
import { nameRemarks } from '../advice/name-remarks.ts';
import { samePlaceCommand } from '../advice/same-place.ts';
import { defineCommand } from '../command.ts';
import { chooseBackend } from '../options/backend.ts';
import { CIPHER_OPTIONS, sealFlags, toPutOptions } from '../options/seal.ts';

const EDIT_HELP = `The editor is $VISUAL, else $EDITOR, else vi, which needs a terminal. Words such
as 'code --wait' work. It gets a file that only this user can read, in memory if
the system has a place there ($XDG_RUNTIME_DIR or /dev/shm). The file is removed
afterwards. vim, emacs and nano get arguments that keep their swap, backup and
undo files there.

If the text is unchanged, empty, or the editor fails, nothing is stored. The
newline that an editor adds at the end is not stored, unless the secret had one.
If the text cannot be stored, or somebody has stored a newer version, the file
stays, and a message names it.`;

export const command = defineCommand({
  name: 'edit',
  group: 'secrets',
  summary: 'change a secret in an editor',
  description:
    'Open the newest version of a secret in an editor, and store what was changed as a new version. A secret that does not exist begins empty.',
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
      description: 'begin with the value of this version (default: the newest)',
    },
    field: {
      flags: '--field <field>',
      description: 'edit one field of a JSON secret: a key, or a JSON Pointer behind a /',
    },
    comment: { flags: '-c, --comment <comment>', description: 'a comment, which is not secret' },
    ...CIPHER_OPTIONS,
  },
  notes: EDIT_HELP,
  examples: [
    { line: 'credstash edit app.config', description: 'Change the newest version' },
    {
      line: 'credstash edit app.config -v 3',
      description: 'Begin with version 3, and store the result as a new version',
    },
    {
      line: 'credstash edit app.config --field db.password',
      description: 'Change one field of a JSON object',
    },
    {
      line: "EDITOR='code --wait' credstash edit app.config env=prod",
      description: 'Take another editor, under an encryption context',
    },
  ],
  run: async ({ args: [name, pairs], options, io, output }) => {
    const { version: wanted, field, ...sealing } = options;
    if (field !== undefined) parseField(field);
    const context = parseContext(pairs);
    const seal = toPutOptions(sealing, context, io);
    const withBackend = chooseBackend(options, io, { create: true });
    const fieldFlags = field === undefined ? [] : ['--field', field];
    const repeatCommand = ({ isJson }: Target, path: string): string => {
      const comment = options.comment === undefined ? [] : ['-c', options.comment];
      const flags = [...fieldFlags, ...sealFlags(options), ...comment];
      if (isJson) {
        // A put would store the JSON as a text.
        const editor = commandLine([`VISUAL=${commandLine(['cp', path])}`]);
        return `env ${editor} ${samePlaceCommand(options, ['edit', ...flags], [name, ...pairs])}`;
      }
      const next = field === undefined ? ['-a'] : [];
      return samePlaceCommand(options, ['put', ...next, ...flags], [name, `@${path}`, ...pairs]);
    };
    const { findEditor } = await import('../edit/editor.ts');
    const editor = findEditor(process.env, io.isTerminal('stdin') && io.isTerminal('stdout'));
    await withBackend(async (credstash, changes) => {
      const { openTarget } = await import('../edit/target.ts');
      const target = await openTarget(credstash, changes, name, { field, wanted, seal });
      const { before } = target;
      io.deadline?.signal.throwIfAborted();
      // Nobody types against the clock.
      io.deadline?.stop();
      const { Draft } = await import('../edit/draft.ts');
      const label = field === undefined ? name : `${name}#${field}`;
      const draft = await Draft.create(label, before, io);
      let version: string;
      try {
        const ended = await draft.edit(editor, io);
        if (ended !== 0) {
          output.status = ended;
          return;
        }
        const text = draft.read();
        if (text === undefined) {
          io.note(`credstash: note: nothing has changed, so nothing was stored`);
          return;
        }
        const keep = (error?: unknown): void => {
          let path: string;
          try {
            path = draft.keep();
          } catch (fault) {
            io.note(
              `credstash: warning: your text could not be kept (${readErrorCode(fault)}), and is removed`,
            );
            return;
          }
          const again = repeatCommand(target, path);
          const remove = commandLine(['rm', '-r', dirname(path)]);
          const how = hasCode(error, 'TOO_LARGE')
            ? 'shorten it, then '
            : hasCode(error, 'USAGE')
              ? 'mend it, then '
              : 'to ';
          io.note(`credstash: warning: your text stays in ${path}`);
          io.note(`credstash: warning: ${how}store it as the next version: ${again} && ${remove}`);
        };
        draft.atEnd = keep;
        try {
          version = await target.store(text);
        } catch (error) {
          keep(error);
          if (!hasCode(error, 'CONFLICT')) throw error;
          const look = samePlaceCommand(options, ['get', ...fieldFlags], [name, ...pairs]);
          throw error.reworded(error.message, `look at it first: ${look}`);
        }
      } finally {
        draft.remove();
        before.fill(0);
      }
      await io.write(`${escapeUnseen(name)} has been stored as version ${unpadVersion(version)}\n`);
      if (!target.isNew) return;
      for (const remark of nameRemarks(name)) io.note(`credstash: warning: ${remark}`);
    });
  },
});
