import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { beforeAll, describe, expect, test } from 'vitest';
import { blocksOf } from '../support/documents.ts';
import { pack } from '../support/packed.ts';
import { link, makeProject } from '../support/project.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * The code of the library's documents, in a project with the packed package: every block compiles, and the tests that the guide
 * shows pass.
 */

const root = join(import.meta.dirname, '../..');
const folder = temporaryFolder();
const project = join(folder, 'project');
const GUIDE = 'docs/how-to/test-an-application.md';

/** The blocks of a document in TypeScript. */
const codeOf = (path: string): string[] =>
  blocksOf(path).flatMap(({ language, text }) => (language === 'ts' ? [text] : []));
const fileOf = (block: string): string | undefined => /^\/\/ file: (\S+)$/m.exec(block)?.[1];

beforeAll(() => {
  makeProject(project, pack());
  for (const name of ['@types/node', 'vitest']) link(project, name);
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }\n');
  for (const block of codeOf(GUIDE)) {
    writeFileSync(join(project, fileOf(block) ?? 'none'), block);
  }
});

/** What TypeScript says of files of the project. */
function check(files: readonly string[]): string[] {
  const program = ts.createProgram(
    files.map((file) => join(project, file)),
    {
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      target: ts.ScriptTarget.ES2023,
      types: ['node'],
      ...{ strict: true, noEmit: true, skipLibCheck: true, allowImportingTsExtensions: true },
    },
  );
  return ts
    .getPreEmitDiagnostics(program)
    .map(
      ({ file, messageText }) =>
        `${file?.fileName.slice(project.length) ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
    );
}

test('every block compiles', () => {
  const blocks = codeOf('docs/reference/library.md');
  expect(blocks.length).toBeGreaterThan(4);
  mkdirSync(join(project, 'reference'));
  const names = blocks.map((block, i) => {
    const name = `reference/block-${i}.ts`;
    const declared = /\bconst credstash\b/.test(block)
      ? ''
      : "import { Credstash as Class } from 'credstash-cli';\ndeclare const credstash: Class;\n";
    writeFileSync(join(project, name), `${declared}${block}\nexport {};\n`);
    return name;
  });
  const files = codeOf(GUIDE).map((block) => fileOf(block) ?? 'none');
  expect(check([...names, ...files])).toEqual([]);
});

describe('the tests that the guide shows pass', () => {
  const run = (command: string, ...args: string[]): string =>
    execFileSync(command, args, { cwd: project, encoding: 'utf8', stdio: 'pipe' });

  test('under node:test', () => {
    for (const name of ['start-server.ts', 'node.test.ts', 'outage.test.ts']) {
      const { outputText } = ts.transpileModule(readFileSync(join(project, name), 'utf8'), {
        compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
      });
      writeFileSync(
        join(project, name.replace('.ts', '.mjs')),
        outputText.replaceAll(".ts'", ".mjs'"),
      );
    }
    const output = run(process.execPath, '--test', 'node.test.mjs', 'outage.test.mjs');
    expect(output).toMatch(/pass 2\b[^]*fail 0\b/);
  });

  test('under Vitest', () => {
    const vitest = join(root, 'node_modules/vitest/vitest.mjs');
    const output = run(process.execPath, vitest, 'run', '--root', project, 'vitest.test.ts');
    expect(output).toMatch(/2 passed/);
  });
});
