import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { findProgram, notStarted, toProgram } from '../../../src/cli/exec/find-program.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const folder = temporaryFolder();
const at = (...names: string[]): string => join(folder, ...names);
/** A file with these bytes, mode 0755. */
function file(name: string, content: string | Uint8Array, mode = 0o755): string {
  writeFileSync(at(name), content);
  chmodSync(at(name), mode);
  return at(name);
}
const elf = readFileSync('/bin/true');
const path = (...names: string[]): string => names.map((name) => at(name)).join(delimiter);

beforeAll(() => {
  for (const name of ['empty', 'denied', 'good', 'directory', 'directory/cmd']) mkdirSync(at(name));
  file('denied/cmd', elf, 0o644);
  file('good/cmd', elf);
  file('a-file', '');
});

describe('a command', () => {
  it('is looked for in PATH, in its order, past what cannot be executed', () => {
    expect(findProgram('cmd', path('empty', 'good'))).toBe(at('good/cmd'));
    expect(findProgram('cmd', path('denied', 'directory', 'a-file', 'good'))).toBe(at('good/cmd'));
    expect(findProgram('sh', undefined)).toBe('/bin/sh');
  });

  it('is looked for in the working folder where PATH has an empty one', () => {
    expect(findProgram('test', '/nonexistent::/bin')).not.toMatch(/^\.\//);
    const before = process.cwd();
    // A worker thread cannot change its folder; the files of vitest are processes.
    process.chdir(at('good'));
    try {
      expect(findProgram('cmd', '')).toBe('./cmd');
      expect(findProgram('cmd', '/nonexistent:')).toBe('./cmd');
    } finally {
      process.chdir(before);
    }
  });

  it('with a slash is the file itself', () => {
    expect(findProgram(at('good/cmd'), '')).toBe(at('good/cmd'));
    symlinkSync('good/cmd', at('link'));
    expect(findProgram(at('link'), '')).toBe(at('link'));
  });

  it.each([
    ['is in no folder of PATH', 'cmd', () => path('empty'), 'COMMAND_NOT_FOUND', 127],
    ['is empty', '', () => path('good'), 'COMMAND_NOT_FOUND', 127],
    ['is no file', '/nonexistent/x', () => '', 'COMMAND_NOT_FOUND', 127],
    ['is below a file', '/bin/sh/x', () => '', 'COMMAND_NOT_FOUND', 127],
    ['is not executable', 'cmd', () => path('denied', 'empty'), 'COMMAND_NOT_EXECUTABLE', 126],
    ['is a folder', '/', () => '', 'COMMAND_NOT_EXECUTABLE', 126],
  ])('that %s is an error', (_, command, path, code, exitStatus) => {
    expect(() => findProgram(command, path())).toThrow(
      expect.objectContaining({ code, exitStatus }),
    );
  });
});

describe('what is executed', () => {
  it('is a program as it is', () => {
    expect(toProgram('/bin/true', ['true', '-x'])).toEqual({
      file: '/bin/true',
      argv: ['true', '-x'],
      isCertain: true,
    });
  });

  it.each([
    ['a script', '#!/bin/sh\n'],
    ['a script with a space and an argument', '#! /bin/sh -e\n'],
    ['a script of a script', () => `#!${file('interpreter', '#!/bin/sh\n')}\n`],
  ])('is %s as it is', (_, content) => {
    const script = file('script', typeof content === 'string' ? content : content());
    expect(toProgram(script, ['script'])).toEqual({
      file: script,
      argv: ['script'],
      isCertain: true,
    });
  });

  it.each([
    ['a script without #!', 'echo $1\n'],
    ['an empty file', ''],
    ['#! and nothing', '#!\n'],
  ])('is %s as one of /bin/sh', (_, content) => {
    const script = file('text', content);
    expect(toProgram(script, ['text', '-x'])).toEqual({
      file: '/bin/sh',
      argv: ['/bin/sh', script, '-x'],
      isCertain: true,
    });
  });

  it.each([
    ['bytes that are no program here', Buffer.from('MZ\0\0')],
    [
      'a program of another machine',
      Buffer.concat([elf.subarray(0, 18), Buffer.from([0xf3, 0xfe]), elf.subarray(20)]),
    ],
    ['a program that is cut off', elf.subarray(0, 40)],
    ['a script of itself', () => `#!${at('odd')}\n`],
  ])('is not known of %s', (_, content) => {
    const odd = file('odd', typeof content === 'function' ? content() : content);
    expect(toProgram(odd, ['odd'])).toEqual({ file: odd, argv: ['odd'], isCertain: false });
  });

  it.each([
    [
      'is not there',
      '#!/nonexistent/x\n',
      'COMMAND_NOT_FOUND',
      /needs \/nonexistent\/x, which does not exist/,
    ],
    ['ends in CR', '#!/bin/sh\r\n', 'COMMAND_NOT_FOUND', /needs \/bin\/sh\r, which/],
    ['cannot be executed', '#!/etc/passwd\n', 'COMMAND_NOT_EXECUTABLE', /not executable/],
  ])('is an error where the interpreter %s', (_, content, code, message) => {
    const script = file('script', content);
    expect(() => toProgram(script, ['script'])).toThrow(expect.objectContaining({ code }));
    expect(() => toProgram(script, ['script'])).toThrow(message);
  });

  it('is an error where the loader of a program is not there', () => {
    // As where a program of another C library is run in a small image.
    const loader = /\/lib[^\0]*\/ld-[^\0]*/.exec(elf.toString('latin1'))?.[0] ?? '';
    expect(loader).not.toBe('');
    const gone = loader.replace(/.$/, 'X');
    const program = file(
      'foreign',
      Buffer.from(elf.toString('latin1').replace(loader, gone), 'latin1'),
    );
    expect(() => toProgram(program, ['x'])).toThrow(`needs ${gone}, which does not exist`);
  });
});

it.each([
  ['ENOENT', 127],
  ['EACCES', 126],
  ['ENOEXEC', 126],
  ['EAGAIN', 126],
  ['E2BIG', 2],
])('a start that fails with %s is a status of %d', (code, status) => {
  const thrown = Object.assign(new Error('spawn canary'), { code });
  const error = notStarted('/bin/x', thrown);
  expect(error.exitStatus).toBe(status);
  expect(String(error.cause)).not.toContain('canary');
});
