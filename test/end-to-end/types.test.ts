import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type typescript from 'typescript';
import { beforeAll, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { describeUnless } from '../support/needed.ts';
import { pack } from '../support/packed.ts';
import { link, makeProject } from '../support/project.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * The types of the packed package, in projects of each TypeScript that it is for. The files of the package are checked too
 * (`skipLibCheck: false`); those of other packages are not.
 */

const root = join(import.meta.dirname, '../..');
const load = createRequire(import.meta.url);
const folder = temporaryFolder();
const project = join(folder, 'project');

const consumer = `import {
  Credstash, type CredstashOptions, CredstashError, type EntryHeader, hasCode, SecretCache, type Secret,
} from '${manifest.name}';
import CredStash, { CredStash as Named, type CredStashOptions } from '${manifest.name}/nodecredstash';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';

export async function use(dynamodb: DynamoDBClient, options: CredstashOptions): Promise<string> {
  const credstash = new Credstash({ ...options, region: 'eu-west-1', clients: { dynamodb } });
  const headers: EntryHeader[] = await credstash.list('app.*');
  for await (const { name, version } of credstash.headers()) headers.push({ name, version, cipher: '' });
  const value: Uint8Array = await credstash.get('n', { signal: AbortSignal.timeout(5000) });
  const { secrets }: { secrets: Secret[] } = await credstash.getAll({ glob: ['app.*'] });
  const cache: SecretCache = credstash.createCache({ ttl: 60_000, maxStale: 300_000 });
  try {
    return (await cache.getText('n')) + value.length + secrets.length;
  } catch (error) {
    if (hasCode(error, 'SECRET_NOT_FOUND')) return error.hint ?? '';
    // @ts-expect-error -- no such code: what is known of it is no any
    if (error instanceof CredstashError && error.code === 'NO_SUCH_CODE') return '';
    throw error;
  } finally {
    cache.close();
    // @ts-expect-error -- so is this method
    credstash.nothing();
  }
}

export async function useTheirs(options: CredStashOptions): Promise<string> {
  const stash = new CredStash(options);
  const named: Named = new Named({ table: 't' });
  // @ts-expect-error -- no such method
  stash.nothing();
  return (await stash.getSecret({ name: 'n', version: 1 })) + (await named.listSecrets()).length;
}
`;

const required = `import CredStash = require('${manifest.name}/nodecredstash');
import library = require('${manifest.name}');

export const options: CredStash.CredStashOptions = { table: 't' };
export const stash: CredStash = new CredStash(options);
export const named: CredStash.CredStash = new CredStash.CredStash();
export const text: Promise<string> = stash.getSecret({ name: 'n' });
export const credstash: library.Credstash = new library.Credstash();
// @ts-expect-error -- no such method
stash.nothing();
`;

const NODE_FILES = ['consumer.mts', 'consumer.cts', 'required.cts'];
const PROJECTS = [
  { module: 'NodeNext', moduleResolution: 'NodeNext', files: NODE_FILES },
  { module: 'Node16', moduleResolution: 'Node16', files: NODE_FILES },
  { module: 'ESNext', moduleResolution: 'Bundler', files: ['consumer.ts'] },
] as const;

beforeAll(() => {
  makeProject(project, pack());
  link(project, '@types/node');
  for (const extension of ['mts', 'cts', 'ts']) {
    writeFileSync(join(project, `consumer.${extension}`), consumer);
  }
  writeFileSync(join(project, 'required.cts'), required);
});

/** What a TypeScript says of each project. Its projects share the files that they parse, which is most of the time. */
function check(ts: typeof typescript): string[] {
  const parsed = new Map<string, typescript.SourceFile | undefined>();
  return PROJECTS.flatMap(({ module, moduleResolution, files }) => {
    const options: typescript.CompilerOptions = {
      module: ts.ModuleKind[module],
      moduleResolution: ts.ModuleResolutionKind[moduleResolution],
      target: ts.ScriptTarget.ES2022,
      types: ['node'],
      // A project for Node.js alone has no DOM, and one that names no library has.
      ...(ts.version.startsWith('6.') ? {} : { lib: ['lib.es2022.d.ts'] }),
      ...{ strict: true, exactOptionalPropertyTypes: true, esModuleInterop: true, noEmit: true },
    };
    const host = ts.createCompilerHost(options);
    host.getCurrentDirectory = () => project;
    // As tsc, it reads no comments: in types they say nothing. TypeScript 5.0 has no such choice.
    const { JSDocParsingMode } = ts as Partial<typeof typescript>;
    if (JSDocParsingMode) host.jsDocParsingMode = JSDocParsingMode.ParseNone;
    const parse = host.getSourceFile.bind(host);
    host.getSourceFile = (name, how, ...rest) => {
      const format = typeof how === 'object' ? how.impliedNodeFormat : undefined;
      const id = `${name} ${format ?? ''}`;
      if (!parsed.has(id)) parsed.set(id, parse(name, how, ...rest));
      return parsed.get(id);
    };
    const roots = files.map((file) => join(project, file));
    const program = ts.createProgram(roots, options, host);
    const ours = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(project));
    expect(ours.length).toBeGreaterThan(20);
    const found = ours.flatMap((file) => [
      ...program.getSyntacticDiagnostics(file),
      ...program.getSemanticDiagnostics(file),
    ]);
    return [...program.getOptionsDiagnostics(), ...found].map(
      ({ file, messageText }) =>
        `${moduleResolution}: ${file?.fileName.slice(project.length) ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
    );
  });
}

for (const release of ['5.0', '5.4', '5.9', '6']) {
  const path =
    release === '6'
      ? join(root, 'node_modules/typescript')
      : join(root, `.cache/typescript-${release}`);
  const missing = existsSync(path) ? undefined : 'it is not there (npm run test:tools)';
  describeUnless(missing, `TypeScript ${release}`, () => {
    test('takes both entry points as ES modules, in CommonJS and in a bundler', () => {
      const ts = load(path) as typeof typescript;
      expect(ts.version).toMatch(new RegExp(`^${release.replace('.', '\\.')}\\.`));
      expect(check(ts)).toEqual([]);
    });
  });
}

test('the CommonJS types name every type of nodecredstash', () => {
  const source = readFileSync(join(root, 'src/nodecredstash/options.ts'), 'utf8');
  const names = [...source.matchAll(/^export (?:interface|type) (\w+)/gm)].map(([, name]) => name);
  expect(names).toContain('CredStashOptions');
  const types = readFileSync(join(root, 'src/nodecredstash/commonjs.d.cts'), 'utf8');
  const [, exported = ''] = /export type \{([^}]*)\}/.exec(types) ?? [];
  const named = exported.split(',').map((each) => each.trim());
  expect(named.filter(Boolean).sort()).toEqual([...names, 'SdkOptions'].sort());
});
