import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBashLine } from '../../../src/cli/completion/bash-line.ts';
import { findPlace } from '../../../src/cli/completion/place.ts';
import { Io } from '../../../src/cli/terminal/io.ts';
import { createProgram } from '../../../src/cli/create-program.ts';
import { planPut } from '../../../src/operations/put.ts';

/** What bash makes of these words, none of which it may expand: each is printed as it comes out. */
function bash(words: readonly string[]): string[] {
  const script = words.map((word) => `printf '%s\\0' ${word}\n`).join('');
  const env = { PATH: '/nonexistent', LC_ALL: 'C.UTF-8' };
  const printed = execFileSync('/bin/bash', ['--norc', '-s'], { input: script, env });
  return printed.toString().split('\0').slice(0, -1);
}

const part = fc.string({
  unit: fc.oneof(
    fc.constantFrom(...Array.from(' \'"\\$`!*?[]{}()<>|&;#~:=@,-%^ab')),
    fc.constantFrom('é', '秘', '😀'),
  ),
  maxLength: 8,
});

describe('a line of bash', () => {
  it('is taken apart as bash does it', () => {
    const lines = fc.sample(
      fc.string({ unit: fc.constantFrom(...Array.from(' \'"\\ab:=é')), maxLength: 12 }),
      {
        numRuns: 2000,
        seed: 7,
      },
    );
    // Bash itself can be asked where every quote is closed, and something stands behind the last backslash.
    const whole = lines
      .flatMap((line) => [`${line}x`, `${line}x'`, `${line}x"`])
      .filter((line) => isClosed(line));
    expect(whole.length).toBeGreaterThan(1000);
    const words = whole.map((line) => parseBashLine(`credstash ${line}`, '')?.words);
    const separated = whole.map((line) => `${line} $'\\x01'`);
    const said = bash(separated)
      .join('\0')
      .split('\0\x01')
      .map((each) => each.replace(/^\0/, ''));
    expect(words.map((each) => each?.join('\0'))).toEqual(said.slice(0, -1));
  });

  it('is completed to the very name, in every kind of quotes, and bash runs nothing of it', () => {
    const samples = fc.sample(fc.tuple(part, part, fc.constantFrom('', "'", '"')), {
      numRuns: 3000,
      seed: 8,
    });
    const tried = samples.flatMap(([typed, rest, quote]) => {
      const name = typed + rest;
      const start = quote === '' ? typed.replace(/./gsu, '\\$&') : typed;
      if ((quote === "'" && typed.includes("'")) || (quote === '"' && /["\\$`!]/.test(typed)))
        return [];
      if (name === '') return [];
      const line = parseBashLine(`A=1 credstash get ${quote}${start}`, start);
      const replaced = line?.complete(name);
      expect(replaced, JSON.stringify([typed, rest, quote])).toBeDefined();
      return [{ name, word: `${quote}${replaced ?? ''}${quote}` }];
    });
    expect(tried.length).toBeGreaterThan(1500);
    expect(bash(tried.map(({ word }) => word))).toEqual(tried.map(({ name }) => name));
  });

  it.each([
    ['what it expands to is not known', 'get $HO', '$HO', '$HOME'],
    ['nor what a command prints', 'get "`l', '`l', '`ls`'],
    ['another beginning', 'get x', 'x', 'y'],
    ['a part that is none of the word', 'get abc', 'zz', 'abcd'],
  ])('is left alone: %s', (_, line, text, name) => {
    expect(parseBashLine(`credstash ${line}`, text)?.complete(name)).toBeUndefined();
  });

  it.each(['get a > f', 'get a; b', "get $'a"])('has no words: %s', (line) => {
    expect(parseBashLine(`credstash ${line}`, '')).toBeUndefined();
  });

  it('goes on behind a : or = at which readline breaks words, and behind a backslash', () => {
    expect(parseBashLine('credstash get app:d', 'd')?.complete('app:db x')).toBe('db\\ x');
    expect(parseBashLine('credstash get a\\', 'a\\')?.complete("a'b c")).toBe("a\\'b\\ c");
    expect(parseBashLine('credstash --format=js', 'js')?.complete('--format=json')).toBe('json');
  });
});

/** Whether no quote is open at the end of this. */
function isClosed(line: string): boolean {
  let quote = '';
  for (let at = 0; at < line.length; at++) {
    const character = line.charAt(at);
    if (character === '\\' && quote !== "'") at += 1;
    else if (quote === '' && /['"]/.test(character)) quote = character;
    else if (character === quote) quote = '';
  }
  return quote === '';
}

const output = { version: '', helpOf: undefined, status: 0, report: () => undefined };
const program = await createProgram(new Io(), output, ['__complete']);

describe('what can stand at the cursor', () => {
  const at = (...words: string[]): unknown => {
    const place = findPlace(program, words);
    return place.kind === 'words' ? place.words.map(({ value }) => value) : place;
  };
  const formats = at('getall', '-f', '') as string[];
  const names = { kind: 'names', behindDashes: false };

  it.each([
    [['get', '']],
    [['get', '-nv', '3', '']],
    [['get', '-v3', '']],
    [['get', '--vers', '3', '']],
    [['get', '-v=3', '']],
    [['-t', 'put', 'get', '']],
    [['--local', 'get', '']],
    [['--local=x', 'get', '--quiet', '']],
    [['list', '']],
    [['delete', '']],
    [['put', '']],
    [['get', '-f', 'json', 'a', '']],
    [['get', 'a', 'b', '-fcsv', '']],
    [['get', 'a', '--format=csv', 'b', '']],
    [['get', '--json', 'a', '']],
  ])('%j: a name', (words) => {
    expect(at(...words)).toMatchObject(names);
  });

  it('an option, the value of one, a file, or nothing', () => {
    expect(formats).toContain('yaml');
    expect(at('exec', '--res')).toEqual(expect.arrayContaining(['--resolve', '--resolve=']));
    // It takes no word behind it.
    expect(at('exec', '--resolve', '')).toMatchObject(names);
    expect(at('exec', '--resolve=')).toEqual([]);
    expect(at('getall', '-nf', 'x')).toEqual(at('getall', ''));
    expect(at('get', 'x', '--form', '')).toEqual(formats);
    expect(at('get', '--format=')).toEqual(formats.map((each) => `--format=${each}`));
    expect(at('get', 'a', '')).toEqual([]);
    expect(at('getall', '-f', 'json', '')).toEqual([]);
    expect(at('--log-level', '')).toContain('debug');
    expect(at('get', 'x', '-o', '')).toEqual({ kind: 'files', prefix: '' });
    expect(at('--log-file=')).toEqual({ kind: 'files', prefix: '--log-file=' });
    expect(at('put', 'x', '@')).toEqual({ kind: 'files', prefix: '@' });
    expect(at('setup', '--tags', 'a=b', '')).toEqual([]);
    expect(at('setup', '--tags', 'a=b', '--')).toContain('--save-kms-region');
    expect(at('get', '-v', '-')).toEqual([]);
    expect(at('get', '--', '-')).toMatchObject({ kind: 'names', behindDashes: true });
    expect(at('completion', '')).toEqual(['bash', 'zsh', 'fish']);
    expect(at('')).toContain('completion');
    expect(at('')).not.toContain('__complete');
  });

  it('every digest and cipher that is offered can be put', () => {
    for (const digest of at('put', '-d', '') as string[])
      expect(() => planPut('n', 1, { digest })).not.toThrow();
    for (const cipher of at('put', '--cipher', '') as string[])
      expect(() => planPut('n', 1, { cipher })).not.toThrow();
    expect(() => planPut('n', 1, { digest: 'SHA' })).toThrow();
  });
});
