import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { findEditor, toEditorProgram } from '../../../src/cli/edit/editor.ts';
import { hasCode } from '../../../src/errors.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const folder = temporaryFolder();
const PATH = join(folder, 'bin');
beforeAll(() => {
  mkdirSync(PATH);
  const programs = ['vim.basic', 'nvim', 'emacs-nox', 'emacsclient', 'nano', 'pico', 'code', 'nvi'];
  for (const name of programs) writeFileSync(join(PATH, name), '#!/bin/sh\n', { mode: 0o755 });
  for (const [name, target] of [
    ['vi', 'vim.basic'],
    ['gvim', 'vim.basic'],
    ['emacs', 'emacs-nox'],
  ]) {
    symlinkSync(target ?? '', join(PATH, name ?? ''));
  }
  mkdirSync(join(PATH, 'mac'));
  symlinkSync('../pico', join(PATH, 'mac/nano'));
});

/** The command line of an editor for the file F in the folder D. */
function lineOf(editor: string): readonly string[] {
  return toEditorProgram(findEditor({ EDITOR: editor, PATH }, false), 'F', 'D').program.argv;
}

describe('findEditor', () => {
  it.each([
    [{ VISUAL: 'code --wait', EDITOR: 'nano' }, 'code --wait'],
    [{ VISUAL: '', EDITOR: 'nano' }, 'nano'],
    [{ VISUAL: ' ', EDITOR: '  nano ' }, 'nano'],
    [{}, 'vi'],
  ])('of %j is %s', (environment, command) => {
    expect(findEditor({ ...environment, PATH }, true)).toMatchObject({ command });
  });

  it('says which variable to set, if the editor is missing', () => {
    expect(() => findEditor({ EDITOR: 'emcas', PATH }, true)).toThrow(
      expect.toSatisfy(
        (error) =>
          hasCode(error, 'COMMAND_NOT_FOUND') && error.hint?.includes('EDITOR=nano') === true,
      ),
    );
  });
});

describe('toEditorProgram', () => {
  const vim: unknown[] = [
    '-n',
    '-i',
    'NONE',
    '--cmd',
    'set nomodeline',
    '-c',
    expect.any(String),
    'F',
  ];

  it.each([
    ['vi', ['vi', ...vim]],
    ['nvim -O', ['nvim', '-O', ...vim]],
    ['gvim', ['gvim', '-f', ...vim]],
    ['emacs -nw', ['emacs', '-nw', '--eval', expect.stringMatching(/make-backup-files nil/), 'F']],
    ['nano', ['nano', '-C', 'D', 'F']],
    // The pico of macOS knows no -C.
    ['mac/nano', ['mac/nano', 'F']],
    ['emacsclient -t', ['emacsclient', '-t', 'F']],
    ['code --wait', ['code', '--wait', 'F']],
    ['nvi', ['nvi', 'F']],
  ] as [string, unknown[]][])('of %s', (editor, argv) => {
    const line = lineOf(editor.replace('mac/', `${PATH}/mac/`));
    expect(line.map((word) => word.replace(`${PATH}/`, ''))).toEqual(argv);
  });

  it.each([
    [`vim.basic -c 'set tw=0'`, `exec vim.basic -c 'set tw=0' "$@"`, vim],
    ['"/a b/vim" -f', 'exec "/a b/vim" -f "$@"', vim],
    ['A=1 nano', 'A=1 nano "$@"', ['-C', 'D', 'F']],
    ['true && code', 'true && code "$@"', ['F']],
    ['~/bin/ed', 'exec ~/bin/ed "$@"', ['F']],
  ] as [string, string, unknown[]][])('of %s runs a shell', (editor, script, args) => {
    expect(lineOf(editor)).toEqual(['sh', '-c', script, 'sh', ...args]);
  });

  it('gives vim a folder for what it passes to filters', () => {
    const environmentOf = (EDITOR: string): unknown =>
      toEditorProgram(findEditor({ EDITOR, PATH }, false), 'F', 'D').environment['TMPDIR'];
    expect(environmentOf('vi')).toBe('D');
    expect(environmentOf('code')).toBe(process.env['TMPDIR']);
  });
});
