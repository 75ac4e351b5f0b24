import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { beforeAll, describe, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { describeUnless } from '../support/needed.ts';
import { pack } from '../support/packed.ts';
import { makeProject, NODES } from '../support/project.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * The package as npm publishes it, in a project made from scratch.
 */

const root = join(import.meta.dirname, '../..');
const folder = temporaryFolder();
/** With the package and its dependencies. */
const project = join(folder, 'project');
/** With the package alone. */
const bare = join(folder, 'bare');
const installed = join(project, 'node_modules', manifest.name);
let tarball: string;

beforeAll(() => {
  tarball = pack();
  makeProject(project, tarball);
  makeProject(bare, tarball, false);
});

/** The two forms, and how a program in each begins. */
const FORMS = [
  { form: 'import', extension: 'mjs', load: (id: string) => `import * as it from '${id}';` },
  { form: 'require', extension: 'cjs', load: (id: string) => `const it = require('${id}');` },
] as const;
const ENTRIES = Object.keys(manifest.exports).map((path) => path.replace('.', manifest.name));

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

let count = 0;
/** Runs a program in a project. */
function runIn(where: string, node: string, extension: string, source: string): Ended {
  const file = join(where, `program-${++count}.${extension}`);
  writeFileSync(file, source);
  const { status, stdout, stderr } = spawnSync(node, [file, join(folder, `vault-${count}`)], {
    cwd: where,
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      AWS_EC2_METADATA_DISABLED: 'true',
      // The SDK's notice is the application's business.
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    },
    encoding: 'utf8',
    // A timer that kept it alive would be seen.
    timeout: 120_000,
  });
  return { status, stdout, stderr };
}

for (const { name, node, missing } of NODES) {
  describeUnless(missing, `the package on ${name}`, () => {
    describe.each(FORMS)('$form', ({ extension, load }) => {
      test.each(ENTRIES)('%s needs no package, and loads no network, to be loaded', (id) => {
        // Nothing but the package is there: a module of the SDK that it loaded would be an error.
        const source = `${load(id)}
const heavy = ['http', 'https', 'http2', 'net', 'tls', 'sqlite', 'child_process', 'crypto'];
const loaded = process.moduleLoadList.map((each) => each.replace('NativeModule ', ''));
console.log(JSON.stringify([Object.keys(it).length > 0, loaded.filter((each) => heavy.includes(each))]));`;
        expect(runIn(bare, node, extension, source)).toEqual({
          status: 0,
          stdout: '[true,[]]\n',
          stderr: '',
        });
      });

      test('the SDK is loaded by the first call that needs it', () => {
        const source = `${load(manifest.name)}
const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
const credstash = new it.Credstash({ region: 'us-east-1', endpoint: 'http://127.0.0.1:9', credentials });
credstash.get('n').catch(({ code, message }) => console.log(code, message));`;
        const { stdout } = runIn(bare, node, extension, source);
        expect(stdout).toMatch(/^(?:ERR_)?MODULE_NOT_FOUND .*@(?:aws-sdk|smithy)\//);
      });

      test('a secret in a vault and in a cache; one class of errors; the process ends', () => {
        const source = `${load(manifest.name)}
(async () => {
  const { Credstash, CredstashError, hasCode } = it;
  const credstash = Credstash.local(process.argv[2]);
  const { version } = await credstash.put('n', Buffer.from('secret'));
  const cache = credstash.createCache({ ttl: 60_000, maxStale: 60_000 });
  const values = [await credstash.getText('n'), await cache.getText('n')];
  const error = await credstash.get('none').catch((error) => error);
  // The change of every entry is another chunk, and prune is loaded by its first use.
  const refused = await credstash.prune({ keep: -1 }).catch((error) => error);
  await credstash.close();
  // With the SDK, the call of the test before this one reaches for the network.
  const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
  const onAws = new Credstash({ region: 'us-east-1', endpoint: 'http://127.0.0.1:9', credentials });
  const unreached = await onAws.get('n').catch((error) => error);
  console.log(JSON.stringify([
    Number(version), values, error instanceof CredstashError, hasCode(error, 'SECRET_NOT_FOUND'),
    refused instanceof CredstashError, refused.code,
    unreached instanceof CredstashError, unreached.code,
  ]));
})();`;
        expect(runIn(project, node, extension, source)).toEqual({
          status: 0,
          stdout: '[1,["secret","secret"],true,true,true,"USAGE",true,"UNREACHABLE"]\n',
          stderr: '',
        });
      });
    });

    test('the command is there', () => {
      const command = join(project, 'node_modules/.bin/credstash');
      expect(statSync(command).mode & 0o111).toBe(0o111);
      const output = execFileSync(node, [command, '--version'], { encoding: 'utf8' });
      expect(output).toBe(`${manifest.version}\n`);
    });
  });
}

test('both forms have the same names', () => {
  for (const id of ENTRIES) {
    const print = 'console.log(Object.keys(it).sort().join())';
    const [imported, required] = FORMS.map(
      ({ extension, load }) =>
        runIn(project, process.execPath, extension, `${load(id)}\n${print}`).stdout,
    );
    expect(imported).toMatch(/\w/);
    expect(required).toBe(imported);
    // A default export is what is required, and its `default`.
    const both = 'it.default === undefined || it.default === it';
    const { stdout } = runIn(
      project,
      process.execPath,
      'cjs',
      `const it = require('${id}');
console.log(${both})`,
    );
    expect(stdout).toBe('true\n');
  }
});

test('both forms in one process recognise what the other gives', () => {
  const source = `import * as esm from '${manifest.name}';
import { createRequire } from 'node:module';
const cjs = createRequire(import.meta.url)('${manifest.name}');
for (const [here, there] of [[esm, cjs], [cjs, esm]]) {
  const from = here.Credstash.inMemory();
  const to = there.Credstash.inMemory();
  await from.put('n', Buffer.from('secret'));
  await from.copy(to);
  // The other form's error of an outage: the stale value is given.
  let isDown = false;
  const cache = new here.SecretCache(async (name, options) => {
    if (isDown) throw new there.CredstashError('UNREACHABLE', 'no answer');
    return to.get(name, options);
  }, { ttl: 0, maxStale: 60_000 });
  const values = [await to.getText('n'), await cache.getText('n')];
  isDown = true;
  values.push(await cache.getText('n'));
  const error = await to.get('none').catch((error) => error);
  console.log(JSON.stringify([
    here.Credstash === there.Credstash, values, error instanceof here.CredstashError,
    here.hasCode(error, 'SECRET_NOT_FOUND'), to instanceof here.Credstash,
    to.createCache() instanceof here.SecretCache, new Error() instanceof here.CredstashError,
  ]));
  cache.close();
}`;
  const line = '[false,["secret","secret","secret"],true,true,true,true,false]\n';
  expect(runIn(project, process.execPath, 'mjs', source)).toEqual({
    status: 0,
    stdout: line.repeat(2),
    stderr: '',
  });
});

describe('the manifest', () => {
  test('types are found as they are meant: attw has no problem', () => {
    // Subpaths are nothing to TypeScript's resolution of Node.js 10, which knows no exports.
    const { status, stdout } = spawnSync(
      join(root, 'node_modules/.bin/attw'),
      [tarball, '--profile', 'node16', '--format', 'json'],
      { encoding: 'utf8', env: { ...process.env, HOME: folder } },
    );
    const report = JSON.parse(stdout) as {
      analysis: { types: unknown; entrypoints: Record<string, unknown> };
      problems?: Record<string, { resolutionKind?: string }[]>;
    };
    expect(Object.keys(report.analysis.entrypoints)).toEqual(Object.keys(manifest.exports));
    const problems = Object.values(report.problems ?? {}).flat();
    expect(problems.filter(({ resolutionKind }) => resolutionKind !== 'node10')).toEqual([]);
    expect(status).toBe(0);
  });

  test('publint has no problem', async () => {
    const { messages } = await publint({ pkgDir: installed, pack: false, strict: true });
    const published = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as object;
    expect(messages.map((each) => formatMessage(each, published))).toEqual([]);
  });
});
