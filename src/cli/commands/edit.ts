import { dirname } from 'node:path';
import { type Context, parseContext } from '../../model/context.ts';
import { FIRST_VERSION, nextVersion, unpadVersion } from '../../model/version.ts';
import { CredstashError, hasCode } from '../../errors.ts';
import { escapeUnseen } from '../../format/visible.ts';
import { readErrorCode } from '../../util/errno.ts';
import { commandLine } from '../../util/shell-word.ts';
import type { Credstash } from '../../credstash.ts';
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
      line: "EDITOR='code --wait' credstash edit app.config env=prod",
      description: 'Take another editor, under an encryption context',
    },
  ],
  run: async ({ args: [name, pairs], options, io, output }) => {
    const { version: wanted, ...sealing } = options;
    const context = parseContext(pairs);
    const seal = toPutOptions(sealing, context, io);
    const withBackend = chooseBackend(options, io, { create: true });
    const { findEditor } = await import('../edit/editor.ts');
    const editor = findEditor(process.env, io.isTerminal('stdin') && io.isTerminal('stdout'));
    await withBackend(async (credstash) => {
      const newest = await credstash.newestVersion(name);
      const version = newest === undefined ? FIRST_VERSION : nextVersion(name, newest);
      const value = await readBase(credstash, name, { newest, wanted, context });
      const { planPut } = await import('../../operations/put.ts');
      // What a put would refuse is told before anybody types.
      planPut(name, value.length, { ...seal, version });
      io.deadline?.signal.throwIfAborted();
      // Nobody types against the clock.
      io.deadline?.stop();
      const { Draft } = await import('../edit/draft.ts');
      const draft = await Draft.create(name, value, io);
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
          const comment = options.comment === undefined ? [] : ['-c', options.comment];
          const again = samePlaceCommand(
            options,
            ['put', '-a', ...sealFlags(options), ...comment],
            [name, `@${path}`, ...pairs],
          );
          const remove = commandLine(['rm', '-r', dirname(path)]);
          const how = hasCode(error, 'TOO_LARGE') ? 'shorten it, then ' : 'to ';
          io.note(`credstash: warning: your text stays in ${path}`);
          io.note(`credstash: warning: ${how}store it as the next version: ${again} && ${remove}`);
        };
        try {
          draft.atEnd = keep;
          await credstash.put(name, text, { ...seal, version });
        } catch (error) {
          keep(error);
          if (!hasCode(error, 'VERSION_EXISTS')) throw error;
          throw new CredstashError(
            'CONFLICT',
            `somebody stored version ${unpadVersion(version)} of ${name} while you edited it, so your text was not stored`,
            { hint: `look at it first: ${samePlaceCommand(options, ['get'], [name, ...pairs])}` },
          );
        }
      } finally {
        draft.remove();
        value.fill(0);
      }
      await io.write(`${escapeUnseen(name)} has been stored as version ${unpadVersion(version)}\n`);
      if (newest !== undefined) return;
      for (const remark of nameRemarks(name)) io.note(`credstash: warning: ${remark}`);
    });
  },
});

/** Reads the value to begin with: of the version that the user wants, or the newest; nothing for a new secret. */
async function readBase(
  credstash: Credstash,
  name: string,
  {
    newest,
    wanted,
    context,
  }: { newest: string | undefined; wanted: string | undefined; context: Context },
): Promise<Uint8Array> {
  if (wanted !== undefined) return credstash.get(name, { version: wanted, context });
  if (newest === undefined) return new Uint8Array();
  return credstash.get(name, { version: newest, exactVersion: true, context });
}
