import { execFile, execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { readIdentity, tarballName } from '../../scripts/identity.js';
import { documents, textOf } from '../support/documents.ts';
import { installedPackages, type Registry, startRegistry } from '../support/registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * What the documents say of how to install it, with npm itself, in a prefix of its own: what is installed works, and no
 * registry is asked for a name that is not one of our dependencies.
 */

const root = join(import.meta.dirname, '../..');
const tarball = tarballName(manifest.name, manifest.version);
const { command } = readIdentity();
const commandTarball = tarballName(command, manifest.version);
const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
/** The project without what git ignores, but with what `npm ci && npm run build` made of it. */
const checkout = at('checkout');
let registry: Registry;

beforeAll(async () => {
  registry = await startRegistry();
  for (const each of ['checkout', 'job/tools', 'application'])
    mkdirSync(at(each), { recursive: true });
  // Without it, npm installs into a project that is further up.
  writeFileSync(at('application/package.json'), '{ "private": true }\n');
  for (const each of readdirSync(root)) {
    if (['node_modules', '.git', '.cache'].includes(each)) continue;
    const keep = (path: string): boolean => !/\/dist\/(?:standalone|release)$/.test(path);
    cpSync(join(root, each), join(checkout, each), { recursive: true, filter: keep });
  }
  for (const name of installedPackages().keys()) {
    const path = join(checkout, 'node_modules', name);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), path);
  }
  // `npm run pack:command` without its build.
  execFileSync(process.execPath, ['scripts/pack-command.js'], { cwd: checkout });
});
afterAll(async () => {
  await registry.close();
});

/** A line of a document's shell, in `cwd`, with an npm that knows this registry only. @returns stdout */
async function shell(line: string, cwd: string, prefix: string): Promise<string> {
  const { stdout } = await promisify(execFile)('sh', ['-ec', line], {
    cwd,
    env: {
      PATH: `${at(prefix)}/bin:${process.env['PATH'] ?? ''}`,
      HOME: folder,
      npm_config_prefix: at(prefix),
      npm_config_registry: registry.url,
      npm_config_userconfig: at('npmrc'),
      npm_config_cache: at('cache'),
      npm_config_update_notifier: 'false',
      npm_config_audit: 'false',
    },
  });
  return stdout;
}

/** That the command of this prefix stores a secret and gets it. */
async function works(prefix: string): Promise<void> {
  const vault = `--local='${at(`vault-${prefix}`)}'`;
  const line = `command -v credstash; credstash ${vault} put a x; credstash ${vault} get a`;
  expect(await shell(line, folder, prefix)).toBe(
    `${at(prefix)}/bin/credstash\na has been stored\nx\n`,
  );
}

/** The commands of the documents that install, link or pack, without the build before them. */
const lines = new Map<string, string[]>();
for (const document of documents()) {
  for (const [line] of textOf(document).matchAll(/\bnpm (?:link|pack|install .*\.tgz)\b/g)) {
    lines.set(line, [...(lines.get(line) ?? []), document]);
  }
}

/** How each is tried. Those of a checkout stand behind `npm ci && npm run build`, which made what is tested here. */
const TRIED: Readonly<
  Record<string, { where: string; check: (prefix: string) => void | Promise<void> }>
> = {
  'npm link': { where: 'checkout', check: works },
  'npm pack': {
    where: 'checkout',
    check: () => {
      expect(existsSync(join(checkout, tarball))).toBe(true);
      cpSync(join(checkout, tarball), at(`job/tools/${tarball}`));
      cpSync(join(checkout, tarball), at(`application/${tarball}`));
    },
  },
  [`npm install -g ./${tarball}`]: { where: 'checkout', check: works },
  [`npm install -g ./${commandTarball}`]: {
    where: 'checkout',
    check: async (prefix) => {
      await works(prefix);
      // The SDK is in the bundle, and not installed. Without it, the request would not be made.
      const modules = join(at(prefix), 'lib/node_modules', command, 'node_modules');
      const installed = readdirSync(modules);
      expect(installed).toContain('libsql');
      expect(
        installed.filter((name) => /^@(?:aws|smithy)|^(?:yaml|commander)$/.test(name)),
      ).toEqual([]);
      const env = 'AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b AWS_ENDPOINT_URL=http://127.0.0.1:9';
      const line = `env ${env} credstash -r us-east-1 get a 2>&1 || echo "status $?"`;
      expect(await shell(line, folder, prefix)).toMatch(/status 7\n$/);
    },
  },
  [`npm install -g --ignore-scripts ./tools/${tarball}`]: { where: 'job', check: works },
  [`npm install ./${tarball}`]: {
    where: 'application',
    check: () => {
      const application = at('application');
      const names = Object.keys({ ...manifest.dependencies });
      for (const name of names) {
        expect(existsSync(join(application, 'node_modules', name)), name).toBe(true);
      }
      writeFileSync(
        join(application, 'index.mjs'),
        `import { Credstash } from '${manifest.name}';
const credstash = Credstash.local(process.argv[2]);
await credstash.put('a', Buffer.from('x'));
console.log(await credstash.getText('a'));`,
      );
      const args = ['index.mjs', at('vault-of-application')];
      const node = { cwd: application, encoding: 'utf8' } as const;
      expect(execFileSync(process.execPath, args, node)).toBe('x\n');
    },
  },
};

test('every command of the documents is tried', () => {
  expect([...lines.keys()].sort()).toEqual(Object.keys(TRIED).sort());
  const readme = textOf('README.md');
  expect(readme).toContain('```sh\nnpm ci && npm run build && npm link\n```');
  expect(readme).toContain(
    `\`\`\`sh\nnpm ci && npm run build && npm pack\nnpm install -g ./${tarball}\n`,
  );
});

// In their order: one makes the tarball, which others install.
test.each(Object.entries(TRIED))('%s', async (line, { where, check }) => {
  const prefix = `prefix-${Object.keys(TRIED).indexOf(line)}`;
  await shell(line, at(where), prefix);
  await check(prefix);
  expect([...registry.asked].filter((name) => !installedPackages().has(name))).toEqual([]);
});
