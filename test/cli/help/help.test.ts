import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import manifest from '../../../package.json' with { type: 'json' };
import { createProgram } from '../../../src/cli/create-program.ts';
import { makeDocuments } from '../../../src/cli/help/documents.ts';
import { findPage, loadCommands } from '../../../src/cli/help/index.ts';
import { GROUPS, PLAIN_PAGE } from '../../../src/cli/help/page.ts';
import { TOPIC_NAMES } from '../../../src/cli/help/topics.ts';
import { GLOBAL_OPTIONS } from '../../../src/cli/options/global.ts';
import { Io } from '../../../src/cli/terminal/io.ts';
import { chooseStyle } from '../../../src/cli/terminal/style.ts';
import { inProcess } from '../../support/in-process.ts';

const commands = (await loadCommands()).filter(({ group }) => group !== undefined);
const { reference, manual } = await makeDocuments();

describe('a page', () => {
  it.each([undefined, ...commands.map(({ name }) => name), ...TOPIC_NAMES])(
    '%s fits a terminal of 80 columns and 50 lines',
    async (name) => {
      const lines = (await findPage(name, PLAIN_PAGE)).split('\n');
      expect(lines.filter((line) => line.length > 80 || line !== line.trimEnd())).toEqual([]);
      expect(lines.length - 1).toBeLessThanOrEqual(50);
    },
  );

  it.each(commands)(
    'of $name has usage, options, examples and where to read on',
    async (command) => {
      const page = await findPage(command.name, PLAIN_PAGE);
      expect(page).toMatch(RegExp(`^Usage: credstash ${command.name} `));
      for (const { flags } of Object.values(command.options)) {
        expect(page).toContain(
          `  ${flags.replace(/ \[(.*[^.])\]$/, '[=$1]')}`.replace('[=pairs...]', ' [pairs...]'),
        );
      }
      for (const { line } of command.examples) expect(page).toContain(line);
      expect(command.examples.length).toBeGreaterThanOrEqual(2);
      expect(command.examples.length).toBeLessThanOrEqual(4);
      expect(page.trimEnd().split('\n').at(-1)).toContain('credstash help options');
    },
  );

  it('of the program has every command in one of the groups', async () => {
    const page = await findPage(undefined, PLAIN_PAGE);
    for (const title of Object.values(GROUPS)) expect(page).toContain(`\n${title}:\n`);
    const listed = [...page.matchAll(/^ {2}([a-z]+) {3,}\S/gm)].map(([, name]) => name);
    expect(listed.toSorted()).toEqual(commands.map(({ name }) => name).toSorted());
    for (const topic of TOPIC_NAMES) expect(page.replaceAll('\n', ' ')).toContain(topic);
  });

  it('of the options has each, and only debug as a level', async () => {
    const page = await findPage('options', PLAIN_PAGE);
    for (const { flags } of Object.values(GLOBAL_OPTIONS)) {
      expect(page).toContain(flags.replace(' [folder]', '[=folder]'));
    }
    expect(page).not.toContain('critical');
  });

  it('is printed by help, --help and -h alike', async () => {
    for (const { name } of commands) {
      const page = await findPage(name, PLAIN_PAGE);
      for (const args of [
        ['help', name],
        [name, '--help'],
        [name, '-h'],
      ]) {
        const { status, stdout, stderr } = await inProcess(args, { env: {} });
        expect({ status, stdout: stdout.toString(), stderr }, args.join(' ')).toEqual({
          status: 0,
          stdout: page,
          stderr: '',
        });
      }
    }
  });

  it('of the program is printed where no command is given, too', async () => {
    const page = await findPage(undefined, PLAIN_PAGE);
    for (const args of [['--help'], ['help'], [], ['-r', 'eu-west-1']]) {
      const { status, stdout } = await inProcess(args, { env: {} });
      expect({ status, stdout: stdout.toString() }, args.join(' ')).toEqual({
        status: 0,
        stdout: page,
      });
    }
  });
});

describe('colour', () => {
  const isColoured = (environment: Record<string, string>, isTerminal: boolean): boolean =>
    chooseStyle(() => isTerminal, environment).bold('x') !== 'x';

  it.each([
    [{}, true, true],
    [{}, false, false],
    [{ TERM: 'dumb' }, true, false],
    [{ NO_COLOR: '1' }, true, false],
    [{ NO_COLOR: '' }, true, true],
    [{ FORCE_COLOR: '1' }, false, true],
    [{ FORCE_COLOR: '0' }, true, false],
    [{ FORCE_COLOR: '1', NO_COLOR: '1' }, false, true],
  ])('%j on a terminal (%j): %j', (environment, isTerminal, expected) => {
    expect(isColoured(environment, isTerminal)).toBe(expected);
  });

  it('of a page is only in its headings', async () => {
    const env = { FORCE_COLOR: '1' };
    const { stdout } = await inProcess(['help', 'get'], { env });
    const page = stdout.toString();
    expect(page).toContain('\x1b[1mOptions:\x1b[22m\n');
    // oxlint-disable-next-line no-control-regex
    expect(page.replace(/\x1b\[\d+m/g, '')).toBe(await findPage('get', PLAIN_PAGE));
  });
});

/** The words of an example that credstash gets, as a shell takes them apart. */
function wordsOf(line: string): string[] {
  const call = /\bcredstash ([^|)>]*)/.exec(line.replace(/[<>] ?[\w./~-]+/g, ''))?.[1] ?? '';
  const script = 'printf "%s\\n" "$@"';
  const printed = execFileSync('/bin/sh', ['-c', `set -f; set -- ${call}; ${script}`]).toString();
  return printed.split('\n').slice(0, -1);
}

const examples = commands.flatMap(({ name, examples }) =>
  examples.map(({ line }) => ({ name, line, words: wordsOf(line) })),
);

it.each(examples)('the example is one that the grammar takes: $line', async ({ name, words }) => {
  const output = { version: '', helpOf: undefined, status: 0, report: () => undefined };
  const program = await createProgram(new Io(), output, words);
  let ran = '';
  for (const each of program.commands) {
    each.action(() => {
      ran = each.name();
    });
  }
  await program.parseAsync(words, { from: 'user' });
  expect(ran === name || ran === 'getall').toBe(true);
});

describe('what is made of the tables', () => {
  it('docs/reference/commands.md is current: npm run reference', () => {
    const root = join(import.meta.dirname, '../../..');
    const path = 'docs/reference/commands.md';
    const program = join(root, 'node_modules/.bin/oxfmt');
    const formatted = execFileSync(program, [`--stdin-filepath=${path}`], {
      cwd: root,
      encoding: 'utf8',
      input: reference,
    });
    expect(readFileSync(join(root, path), 'utf8')).toBe(formatted);
  });

  it('the package names every page of the manual', () => {
    expect(manifest.man).toEqual(manual.map(({ file }) => `./dist/man/${file}`).toSorted());
    expect(manual).toHaveLength(commands.length + 1);
  });

  it.each(manual)(
    '$file has the sections of a manual, and no line that roff would obey',
    ({ text }) => {
      const sections = [...text.matchAll(/^\.SH (.*)$/gm)].map(([, title]) => title);
      expect(sections.slice(0, 2)).toEqual(['NAME', 'SYNOPSIS']);
      const requests = text.split('\n').filter((line) => /^[.']/.test(line));
      expect(requests.filter((line) => !/^\.(TH|SH|SS|TP|B|BR|PP|br|nf|fi)\b/.test(line))).toEqual(
        [],
      );
      expect(text).toMatch(/^[\0-\x7f]*$/);
    },
  );
});
