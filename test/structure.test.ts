import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';

/*
 * The shape of the source (docs/architecture.md). Which room may import which is in eslint.config.js.
 */

const root = join(import.meta.dirname, '..');
const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => join('src', path));
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
