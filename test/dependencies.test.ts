import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import manifest from '../package.json' with { type: 'json' };

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Locked {
  readonly version: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly hasInstallScript?: boolean;
  readonly dev?: boolean;
}

const lock = JSON.parse(read('package-lock.json')) as {
  readonly packages: Readonly<Record<string, Locked>>;
};
const locked = Object.entries(lock.packages).filter(([path]) => path !== '');
/** What users install: by name, with the version. */
const installed = locked
  .filter(([, { dev }]) => !dev)
  .map(([path, each]) => ({ ...each, name: path.replace(/^.*node_modules\//, '') }));

it('the lock file pins every package by its digest', () => {
  expect(locked.length).toBeGreaterThan(100);
  for (const [path, { integrity }] of locked) expect(integrity, path).toMatch(/^sha512-/);
});

it('nothing that users install has an install script, or a license with conditions for them', () => {
  for (const { name, hasInstallScript = false, license } of installed) {
    expect({ name, hasInstallScript }).toEqual({ name, hasInstallScript: false });
    expect(['MIT', 'Apache-2.0', 'ISC', '0BSD'], name).toContain(license);
  }
});

it('docs/contributing/dependencies.md gives a reason for each dependency', () => {
  const table = read('docs/contributing/dependencies.md');
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })) {
    expect(table, name).toMatch(RegExp(`^\\|.*\`${name}\`.*\\|.{20,}\\|.*\\|$`, 'm'));
  }
  for (const name of Object.keys(manifest.devDependencies)) {
    expect(table, name).toContain(`\`${name}\``);
  }
});

it('the bill of materials has what users install, and nothing else', () => {
  const bill = JSON.parse(
    execFileSync(process.execPath, ['scripts/sbom.js'], { cwd: root, stdio: 'pipe' }).toString(),
  ) as { components: { name: string; version: string }[] };
  expect(bill.components.map(({ name, version }) => `${name}@${version}`).sort()).toEqual(
    installed.map(({ name, version }) => `${name}@${version}`).sort(),
  );
});

it('the bundle has our own modules, and of packages only what users could install', () => {
  const folders = JSON.parse(read('dist/bundled.json')) as Record<string, string[]>;
  expect(Object.keys(folders)).toEqual(['dist/bin', 'dist/lib', 'dist/cjs']);
  const paths = Object.values(folders).flat();
  // AES of the runtime, without the AES in JavaScript of the same package.
  const ciphers = paths.filter((path) => path.includes('@noble/ciphers'));
  expect(new Set(ciphers.map((path) => basename(path)))).toEqual(
    new Set(['utils.js', 'webcrypto.js']),
  );
  const names = new Set(
    paths
      .map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? path)
      .filter((path) => !/^(src|bin)\/|^package\.json$/.test(path)),
  );
  // Modules of rolldown.config.js, and what rolldown puts around those of CommonJS.
  for (const name of ['no-programs', 'read-file-alone', 'rolldown/runtime.js']) {
    expect(names.delete(name), name).toBe(true);
  }
  expect(names).toContain('@aws-sdk/client-kms');
  expect(installed.map(({ name }) => name)).toEqual(expect.arrayContaining([...names]));
});
