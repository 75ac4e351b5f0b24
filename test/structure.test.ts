import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';

/*
 * The shape of the source (docs/contributing/architecture.md). Which room may import which is in oxlint.config.js.
 */

const root = join(import.meta.dirname, '..');
const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => join('src', path));
/** The files of src/ itself, beside its folders. */
const MAX_FILES_AT_TOP = 6;
/** A file that is longer holds more than one idea. */
const MAX_LINES = 400;
/** A file that is longer says why, in its first lines: behind its imports at the latest. */
const LONG_LINES = 250;
const FIRST_LINES = 60;
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** The files of ours that a file imports by statements, types included. An `import()` runs later, and makes no cycle. */
function importsOf(path: string): string[] {
  const { statements } = ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest);
  return statements
    .flatMap((each) =>
      (ts.isImportDeclaration(each) || ts.isExportDeclaration(each)) && each.moduleSpecifier
        ? [(each.moduleSpecifier as ts.StringLiteral).text]
        : [],
    )
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => normalize(join(dirname(path), specifier)));
}

/** One way from each file that is on a cycle back to itself. */
function findCycles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]): void => {
    if (way.includes(file)) {
      cycles.push([...way.slice(way.indexOf(file)), file].join(' -> '));
      return;
    }
    if (done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...way, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return cycles;
}

it('no file imports itself by way of others', () => {
  const graph = new Map(files.map((file) => [file, importsOf(file)]));
  expect(graph.get('src/index.ts')).toContain('src/errors.ts');
  expect(findCycles(graph)).toEqual([]);
});

it('the search finds a cycle', () => {
  const graph = new Map([
    ['a', ['b', 'd']],
    ['b', ['c']],
    ['c', ['b']],
    ['d', []],
  ]);
  expect(findCycles(graph)).toEqual(['b -> c -> b']);
});

it('no folder is made by a recursive mkdir, which may never return (src/util/make-folders.ts)', () => {
  const makes = (text: string): boolean => /\bmkdir\w*\([^;]*\brecursive\b/.test(text);
  expect(makes('mkdirSync(folder, {\n  recursive: true,\n});')).toBe(true);
  const bin = readdirSync(join(root, 'bin')).map((name) => join('bin', name));
  const found = [...files, ...bin].filter((path) => makes(readFileSync(join(root, path), 'utf8')));
  expect(found).toEqual([]);
});

it('src/ itself has few files: the others are in rooms', () => {
  const top = files.filter((path) => dirname(path) === 'src');
  expect(top.length, top.join(', ')).toBeLessThanOrEqual(MAX_FILES_AT_TOP);
});

it('no file is long, and one that is longer than most says why', () => {
  const lines = new Map(files.map((file) => [file, read(file).trimEnd().split('\n')]));
  const found = [...lines].filter(([, { length }]) => length > LONG_LINES);
  const silent = found.filter(
    ([, each]) => !/[Oo]ver 250\W+lines: \w/.test(each.slice(0, FIRST_LINES).join('\n')),
  );
  expect(found.filter(([, { length }]) => length > MAX_LINES).map(([file]) => file)).toEqual([]);
  expect(silent.map(([file]) => file)).toEqual([]);
});

it('each folder of unit tests has its counterpart in src/', () => {
  /** What tests several rooms at once, or is no test. */
  const others =
    /^(campaigns|contract|end-to-end|golden|process|release|standalone|support|testdata|vectors)(\/|$)/;
  const folders = readdirSync(join(root, 'test'), { recursive: true, withFileTypes: true })
    .filter((each) => each.isDirectory())
    .map((each) => relative(join(root, 'test'), join(each.parentPath, each.name)))
    .filter((path) => !others.test(path));
  expect(folders).toContain('backend/local');
  expect(folders.filter((path) => !existsSync(join(root, 'src', path)))).toEqual([]);
});

it.each([
  'CONTRIBUTING.md',
  'docs/contributing/architecture.md',

  'docs/contributing/performance.md',
])('%s names only files and folders that exist', (document) => {
  const paths = [...read(document).matchAll(/`((?:bin|docs|src|test)\/[\w./-]*)`/g)].map(
    ([, path = '']) => path,
  );
  expect(paths.length).toBeGreaterThan(0);
  // docs/api is generated.
  expect(paths.filter((path) => path !== 'docs/api' && !existsSync(join(root, path)))).toEqual([]);
});
