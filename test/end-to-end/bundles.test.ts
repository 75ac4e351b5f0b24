import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { build as esbuild, type BuildOptions } from 'esbuild';
import { rollup } from 'rollup';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { build as vite } from 'vite';
import webpack from 'webpack';
import manifest from '../../package.json' with { type: 'json' };
import { type Aws, startAws } from '../support/aws.ts';
import { startDynalite } from '../support/dynamo.ts';
import { describeUnless } from '../support/needed.ts';
import { pack } from '../support/packed.ts';
import { makeProject } from '../support/project.ts';
import { testCredential } from '../support/sigv4.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * An application with the packed package, bundled by each bundler, and run. On Node.js before 22.13 the vault needs the package
 * `libsql`, which no bundler can bundle: it is in the application's node_modules.
 */

const root = join(import.meta.dirname, '../..');
const folder = temporaryFolder();
const project = join(folder, 'project');
const entry = join(project, 'app.mjs');
let aws: Aws;

const app = `import { Credstash, hasCode } from '${manifest.name}';
import CredStash from '${manifest.name}/nodecredstash';

const { table, dynamodb, kms, vault, credentials } = JSON.parse(process.argv[2]);
const options = { region: 'us-east-1', table, credentials };
const clientOptions = { dynamodb: { endpoint: dynamodb }, kms: { endpoint: kms } };
const said = [];
for (const credstash of [new Credstash({ ...options, clientOptions }), Credstash.local(vault)]) {
  await credstash.setup();
  await credstash.put('n', Buffer.from('secret'));
  said.push(await credstash.getText('n'));
  const error = await credstash.get('none').catch((each) => each);
  said.push(hasCode(error, 'SECRET_NOT_FOUND'));
  await credstash.close();
}
const error = await new CredStash().getSecret({}).catch((each) => each);
console.log(said.concat(error.code).join());
`;

beforeAll(async () => {
  aws = await startAws(startDynalite);
  makeProject(project, pack());
  writeFileSync(entry, app);
});
afterAll(async () => {
  await aws.close();
});

let count = 0;
/** Runs a bundle, and expects what the application prints. */
async function expectToRun(bundle: string): Promise<void> {
  const table = `bundle-${++count}`;
  const places = {
    ...{ table, dynamodb: aws.dynamo.url, kms: aws.kms.url, credentials: testCredential },
    vault: join(folder, table),
  };
  const child = spawn(process.execPath, [bundle, JSON.stringify(places)], {
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data: Buffer) => (output += data.toString()));
  }
  const status = await new Promise((resolve) => child.on('close', resolve));
  expect({ status, output }).toEqual({
    status: 0,
    output: 'secret,true,secret,true,USAGE\n',
  });
}

async function bundleWithEsbuild(options: BuildOptions): Promise<string> {
  const outfile = options.outfile ?? '';
  const { warnings } = await esbuild({
    ...{ entryPoints: [entry], bundle: true, platform: 'node', logLevel: 'silent' },
    ...options,
  });
  expect(warnings).toEqual([]);
  return outfile;
}

test('webpack', async () => {
  const path = join(project, 'webpack');
  const compiler = webpack({
    ...{ mode: 'production', target: 'node', entry, context: project },
    output: { path, filename: 'app.cjs' },
    // Three seconds of minifying would test nothing of ours.
    optimization: { minimize: false },
  });
  const stats = await new Promise<webpack.Stats | undefined>((resolve, reject) => {
    compiler.run((error, each) => {
      if (error) reject(error);
      else resolve(each);
    });
  });
  const { errors, warnings } = stats?.toJson({ all: false, errors: true, warnings: true }) ?? {};
  expect({ errors, warnings }).toEqual({ errors: [], warnings: [] });
  await expectToRun(join(path, 'app.cjs'));
});

test('esbuild, as CommonJS', async () => {
  const outfile = join(project, 'esbuild.cjs');
  // A module in CommonJS cannot wait at its top level.
  const source = app.replace(/^(?=const \{ table)/m, '(async () => {\n') + '})();\n';
  const stdin = { contents: source, resolveDir: project };
  await expectToRun(
    await bundleWithEsbuild({ entryPoints: [], stdin, outfile, format: 'cjs', minify: true }),
  );
});

test('esbuild, as an ES module', async () => {
  const outfile = join(project, 'esbuild.mjs');
  await expectToRun(
    await bundleWithEsbuild({ outfile, format: 'esm', mainFields: ['module', 'main'] }),
  );
});

test('rollup, with the packages of the SDK outside of the bundle', async () => {
  const { resolve } = createRequire(entry);
  const bundle = await rollup({
    input: entry,
    external: [/^@(?:aws-sdk|smithy)\//, /^node:/],
    plugins: [
      {
        name: 'resolve',
        resolveId: (id) => {
          if (!id.startsWith(manifest.name)) return null;
          const path = resolve(id);
          // The form that `import` gets.
          return path.replace('/dist/cjs/', '/dist/lib/');
        },
      },
    ],
    onwarn: (warning) => {
      throw new Error(warning.message);
    },
  });
  const dir = join(project, 'rollup');
  await bundle.write({
    dir,
    format: 'es',
    entryFileNames: '[name].mjs',
    chunkFileNames: '[name].mjs',
  });
  await bundle.close();
  await expectToRun(join(dir, 'app.mjs'));
});

test('vite, for a server', async () => {
  const outDir = join(project, 'vite');
  await vite({
    ...{ root: project, logLevel: 'silent', configFile: false },
    build: { ssr: entry, outDir, emptyOutDir: false },
    ssr: { noExternal: [manifest.name] },
  });
  const [file] = ['app.mjs', 'app.js'].map((each) => join(outDir, each)).filter(existsSync);
  await expectToRun(file ?? '');
});

test('ncc', async () => {
  const out = join(project, 'ncc');
  execFileSync(
    process.execPath,
    [join(root, 'node_modules/@vercel/ncc/dist/ncc/cli.js'), 'build', entry, '-o', out],
    { cwd: project, env: { ...process.env, HOME: folder }, stdio: 'pipe' },
  );
  const [file] = ['index.mjs', 'index.js'].map((each) => join(out, each)).filter(existsSync);
  await expectToRun(file ?? '');
});

const oldSdk = join(root, '.cache/old-sdk');
describeUnless(
  existsSync(oldSdk) ? undefined : 'it is not there (npm run test:tools)',
  'the AWS SDK of November 2025',
  () => {
    test.each(['cjs', 'esm'] as const)('beside a bundle in the form %s', async (format) => {
      const where = join(folder, `old-${format}`);
      mkdirSync(join(where, 'node_modules'), { recursive: true });
      for (const scope of ['@aws-sdk', '@smithy']) {
        symlinkSync(join(oldSdk, 'node_modules', scope), join(where, 'node_modules', scope));
      }
      symlinkSync(join(root, 'node_modules/libsql'), join(where, 'node_modules/libsql'));
      const outfile = join(where, format === 'cjs' ? 'app.cjs' : 'app.mjs');
      const source =
        format === 'esm'
          ? app
          : app.replace(/^(?=const \{ table)/m, '(async () => {\n') + '})();\n';
      const stdin = { contents: source, resolveDir: project };
      const external = ['@aws-sdk/*', '@smithy/*'];
      await bundleWithEsbuild({ entryPoints: [], stdin, outfile, format, external });
      await expectToRun(outfile);
    });
  },
);
