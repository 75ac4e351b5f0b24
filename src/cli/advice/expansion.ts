import { existsSync, statSync } from 'node:fs';
import { commandLine, shellWord } from '../../util/shell-word.ts';

/**
 * The hint for words that a shell probably made of an unquoted pattern: each is a file of the current folder.
 *
 * @returns undefined if a word is anything else
 */
export function hintAtExpansion(words: readonly string[]): string | undefined {
  const areFiles = words.length > 0 && words.every((word) => word !== '' && existsSync(word));
  if (!areFiles) return undefined;
  const pattern = words.length > 1 ? `${commonBeginning(words)}*` : 'app.*';
  return `the shell replaces an unquoted pattern by names of files: quote it, such as ${shellWord(pattern)}`;
}

function commonBeginning([first = '', ...others]: readonly string[]): string {
  let length = 0;
  while (length < first.length && others.every((word) => word[length] === first[length])) {
    length += 1;
  }
  return first.slice(0, length);
}

/**
 * The hint for a folder that follows `--local` without a `=`, so that it was taken for something else.
 *
 * @param argv the command line
 * @param commands the names that follow `--local` on their own right
 */
export function hintAtLocalFolder(
  argv: readonly string[],
  commands: readonly string[],
): string | undefined {
  const word = argv[argv.indexOf('--local') + 1];
  if (!argv.includes('--local') || word === undefined || word.startsWith('-')) return undefined;
  if (commands.includes(word) || word.includes('=')) return undefined;
  if (!word.includes('/') && !isFolder(word)) return undefined;
  return `--local takes its folder with a =: ${commandLine([`--local=${word}`])}`;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
