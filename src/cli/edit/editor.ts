import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { CredstashError } from '../../errors.ts';
import type { Environment } from '../exec/environment.ts';
import { findProgram, type Program, toProgram } from '../exec/find-program.ts';
import { expandHome } from '../files/home.ts';

/** The editors that are kept from copying the text to other folders. */
type Kind = 'vim' | 'emacs' | 'nano';

/** The user's editor. */
export interface Editor {
  /** As the user has set it: words of a shell. */
  readonly command: string;
  /** Undefined if the command needs a shell. */
  readonly file: string | undefined;
  readonly kind: Kind | undefined;
}

/** What a shell does not change: words and spaces. Git runs such an editor without a shell, too. */
const PLAIN = /^[\w@%+:,./-][\w@%+:,./= -]*$/;

/** What a shell cannot run by `exec`: several commands, and an assignment before the command. */
const COMPOUND = /[;&|()<>`\n]|^[A-Za-z_]\w*=/;

/** The first word of a command, after assignments, with or without quotes. */
const FIRST_WORD = /^(?:[A-Za-z_]\w*=\S*\s+)*(?:"([^"]+)"|'([^']+)'|([^\s"']+))/;

/**
 * Finds the editor: `VISUAL`, else `EDITOR`, else vi.
 *
 * @param hasTerminal whether stdin and stdout are a terminal. Without one, vi would print the secret to the log of a job.
 * @throws CredstashError COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE; USAGE if there is no terminal for vi
 */
export function findEditor(
  environment: Readonly<Record<string, string | undefined>>,
  hasTerminal: boolean,
): Editor {
  const { VISUAL = '', EDITOR = '', PATH } = environment;
  const chosen = [VISUAL, EDITOR].map((each) => each.trim()).find((each) => each !== '');
  if (chosen === undefined && !hasTerminal) {
    throw new CredstashError('USAGE', 'there is no terminal for the editor vi', {
      hint: 'store the new value with put -a, or set EDITOR to a command that changes a file',
    });
  }
  const command = chosen ?? 'vi';
  const [, double, single, bare] = FIRST_WORD.exec(command) ?? [];
  const word = double ?? single ?? bare ?? '';
  if (!PLAIN.test(command) || COMPOUND.test(command)) {
    return { command, file: undefined, kind: recognise(word, PATH) };
  }
  try {
    return { command, file: findProgram(word, PATH), kind: recognise(word, PATH) };
  } catch (error) {
    if (!(error instanceof CredstashError)) throw error;
    throw error.reworded(
      error.message.replace('the command', 'the editor'),
      'set VISUAL or EDITOR to your editor, such as EDITOR=nano',
    );
  }
}

/** Recognises an editor by its file, because `vi` and `editor` are links to one, or else by its name. */
function recognise(word: string, path: string | undefined): Kind | undefined {
  let real = '';
  try {
    real = basename(realpathSync(findProgram(expandHome(word), path)));
  } catch {
    // The shell tells that it is missing.
  }
  // On macOS nano is a link to pico, which has other options.
  return kindOf(real) ?? (real === 'pico' ? undefined : kindOf(basename(word)));
}

function kindOf(name: string): Kind | undefined {
  if (/^(?:n|g|m)?vim(?:x|\.\w+)?$/.test(name)) return 'vim';
  if (/^emacs(?:-(?!client)[\w.]+|[\d.]+)?$/i.test(name)) return 'emacs';
  return name === 'nano' ? 'nano' : undefined;
}

/**
 * The arguments that keep copies of the text in its folder, whatever the user's settings are: swap, backup and undo files, and the
 * registers that vim saves.
 */
function argumentsOf(kind: Kind | undefined, name: string, folder: string): string[] {
  switch (kind) {
    case 'vim': {
      // A mode line of a text that others can write must not set options. `-c` runs after the user's settings.
      const settings = 'silent! set nobackup nowritebackup noundofile';
      const quiet = ['-n', '-i', 'NONE', '--cmd', 'set nomodeline', '-c', settings];
      return /^[gm]vim$/.test(name) ? ['-f', ...quiet] : quiet;
    }
    case 'emacs':
      return [
        '--eval',
        '(setq make-backup-files nil auto-save-default nil create-lockfiles nil undo-tree-auto-save-history nil)',
      ];
    case 'nano':
      return ['-C', folder];
    case undefined:
      return [];
  }
}

/**
 * Makes the command line that edits a file, and its environment.
 *
 * @param folder for what the editor itself writes
 */
export function toEditorProgram(
  { command, file, kind }: Editor,
  path: string,
  folder: string,
): { readonly program: Program; readonly environment: Environment } {
  // For what vim gives a filter (`:%!jq`). Another editor may find its server there.
  const inFolder = kind === 'vim' ? { TMPDIR: folder } : {};
  const environment = { ...process.env, ...inFolder } as Environment;
  if (file !== undefined) {
    const words = command.split(/ +/);
    const own = argumentsOf(kind, basename(words[0] ?? ''), folder);
    return { program: toProgram(file, [...words, ...own, path]), environment };
  }
  // Without exec a signal would reach only the shell.
  const exec = COMPOUND.test(command) ? '' : 'exec ';
  const script = `${exec}${command} "$@"`;
  const argv = ['sh', '-c', script, 'sh', ...argumentsOf(kind, '', folder), path];
  return { program: { file: '/bin/sh', argv, isCertain: true }, environment };
}
