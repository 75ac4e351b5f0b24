import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { COMMAND_OF, FLAGS, phraseHint } from '../../../src/cli/advice/phrase.ts';
import { COMMANDS } from '../../../src/cli/commands/index.ts';
import { GLOBAL_OPTIONS } from '../../../src/cli/options/global.ts';
import { adviseCall } from '../../../src/model/advice.ts';

const root = join(import.meta.dirname, '../../../src');
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
  (path) => path.endsWith('.ts') && !path.startsWith('cli/'),
);

/** The texts of a file: its literals, with `X` for what a template fills in. */
function textsOf(path: string): string[] {
  const texts: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) return;
    if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) texts.push(node.text);
    else if (ts.isTemplateExpression(node)) {
      const spans = node.templateSpans.map(({ expression, literal }) => {
        const called = ts.isCallExpression(expression) ? expression.expression.getText() : '';
        return `${called === 'quote' ? '"X"' : called === 'adviseCall' ? '' : 'X'}${literal.text}`;
      });
      texts.push([node.head.text, ...spans].join(''));
    }
    ts.forEachChild(node, visit);
  };
  const source = readFileSync(join(root, path), 'utf8');
  visit(ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true));
  return texts;
}

/** Command lines of other programs, which hints may show whole. */
const OTHERS =
  /\b(?:aws(?: [\w-]+)+|cp|docker run|env|ulimit) -.*|set -gx .*|--(?:no-addons|allow-addons|permission)\b/g;

describe('outside the command line', () => {
  const texts = files.flatMap((path) => textsOf(path).map((text) => [path, text] as const));
  const prose = texts.filter(([, text]) => text.includes(' '));

  it('no text names an option of it', () => {
    expect(prose.length).toBeGreaterThan(300);
    const found = prose.filter(([, text]) => /(?:^|[\s('])--?[a-z]/.test(text.replace(OTHERS, '')));
    expect(found).toEqual([]);
  });

  it('no text names a command of it', () => {
    const names = Object.keys(COMMANDS).join('|');
    expect(prose.filter(([, text]) => RegExp(`\\bcredstash (?:${names})\\b`).test(text))).toEqual(
      [],
    );
  });

  it('each text in backticks is put into words of the command line', () => {
    const advice = prose.filter(([, text]) => text.includes('`'));
    expect(advice.length).toBeGreaterThan(25);
    expect(advice.filter(([, text]) => phraseHint(text).includes('`'))).toEqual([]);
    const methods = advice.flatMap(([, text]) =>
      [...text.matchAll(/`(?:[^`]*\.)?(\w+)\(/g)].map(([, method = '']) => method),
    );
    const known = [...Object.keys(COMMANDS), ...Object.keys(COMMAND_OF), 'local'];
    expect(methods.length).toBeGreaterThan(8);
    expect(methods.filter((method) => !known.includes(method))).toEqual([]);
  });
});

it('spells each option as a command does', async () => {
  const tables = await Promise.all(Object.values(COMMANDS).map((load) => load()));
  const options = tables.flatMap(({ command }) => Object.values(command.options));
  const flags = [...Object.values(GLOBAL_OPTIONS), ...options].flatMap(({ flags }) =>
    flags.replace('--no-', '--').split(/[ ,]+/),
  );
  expect(
    Object.values(FLAGS).filter((flag) => flag.startsWith('-') && !flags.includes(flag)),
  ).toEqual([]);
  const words = Object.values(COMMAND_OF).flatMap((line) => line.split(' '));
  const known = [...Object.keys(COMMANDS), ...flags];
  expect(words.filter((word) => !known.includes(word))).toEqual([]);
});

describe('a hint', () => {
  it.each([
    ['name it with `key: "alias/NAME"`, or `version`', 'name it with -k alias/NAME, or -v'],
    ['with `verify: false`', 'with --no-verify'],
    ['`setup()`', 'credstash setup'],
    ['`setup({ createKey: true })` makes it', 'credstash setup --create-key makes it'],
    ['`prune({ keep: "N" })`', 'credstash prune --keep N'],
    ['`padVersions()` (with `dryRun`)', 'credstash migrate --pad-versions (with --dry-run)'],
    ['`Credstash.local("/a b").setup()`', "credstash '--local=/a b' setup"],
    ['`Credstash.local("DIR")`', '--local=DIR, or CREDSTASH_LOCAL=DIR'],
    ['`doctor({ context })`', 'credstash doctor KEY=VALUE…'],
    [
      '`new Credstash({ formats: ["A", "B"] }).migrate({ glob: "x y", context })`',
      "CREDSTASH_FORMATS=A,B credstash migrate 'x y' KEY=VALUE…",
    ],
    ['what `nobody` knows', 'what `nobody` knows'],
  ])('%s', (library, command) => {
    expect(phraseHint(library)).toBe(command);
  });

  it.each(['plain', "it's", '-n', '`key`', 'a"b\\', '`', '$(x)', 'new\nline'])(
    'keeps any name whole: %j',
    (name) => {
      const hint = phraseHint(`delete it: ${adviseCall('delete', [name], { version: '3' })}`);
      const word =
        /^[\w.]+$/.test(name) || name === '-n' ? name : `'${name.replaceAll("'", "'\\''")}'`;
      expect(hint).toBe(
        name === '-n'
          ? 'delete it: credstash delete -v 3 -- -n'
          : `delete it: credstash delete ${word} -v 3`,
      );
    },
  );
});
