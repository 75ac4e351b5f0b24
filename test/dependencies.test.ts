import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import manifest from '../package.json' with { type: 'json' };
import { readIdentity } from '../scripts/identity.js';
import { bundledPackages, bunParts as readBunParts } from '../scripts/notices.js';
import { BUN, TARGETS } from '../scripts/tools.js';

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

describe('the bill of materials', async () => {
  const [text, again] = await Promise.all(
    [1, 2].map(async () => {
      const printed = await promisify(execFile)(process.execPath, ['scripts/sbom.js'], {
        cwd: root,
        maxBuffer: 2 ** 24,
      });
      return printed.stdout;
    }),
  );
  const bill = JSON.parse(text ?? '') as {
    readonly metadata: { readonly component: { readonly 'bom-ref': string } };
    readonly components: readonly {
      readonly 'bom-ref': string;
      readonly name: string;
      readonly version?: string;
      readonly hashes?: readonly { readonly content: string }[];
      readonly licenses?: readonly { readonly license: { readonly id?: string } }[];
    }[];
    readonly dependencies: readonly { readonly ref: string; readonly dependsOn: string[] }[];
  };
  const partsOf = (ref: string): readonly string[] =>
    bill.dependencies.find((each) => each.ref === ref)?.dependsOn ?? [];
  /** All that an artifact contains or installs, with what its parts contain. */
  const contentsOf = (ref: string): Set<string> => {
    const found = new Set<string>();
    const pending = [ref];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const fresh = partsOf(next).filter((each) => !found.has(each));
      for (const each of fresh) found.add(each);
      pending.push(...fresh);
    }
    return found;
  };

  const { version } = manifest;
  const identity = readIdentity();
  const singleFiles = Object.keys(TARGETS).map(
    (target) => `credstash-${target}${target === 'windows-x64' ? '.exe' : ''}`,
  );
  const debs = ['amd64', 'arm64'].map((architecture) => `credstash_${version}_${architecture}.deb`);
  const library = `${identity.package}@${version}`;
  const command = `${identity.command}@${version}`;
  const artifacts = [library, command, ...singleFiles, ...debs, identity.image];
  const base = /^FROM (gcr\.io\S+):\w+@(sha256:\S+)$/m.exec(read('Dockerfile'));
  const nameAndVersion = ({ name, version: number }: Pick<Locked, 'version'> & { name: string }) =>
    `${name}@${number}`;
  const bundledIn = (folder: string): string[] => bundledPackages([folder]).map(nameAndVersion);
  const bunParts = [...readBunParts().slice(1), { name: 'SQLite' }].map(({ name }) => name);

  it('has every artifact, what users install, what is bundled, Bun, its parts and the base', () => {
    const names = bill.components.map(({ name, version: number }) =>
      number === undefined ? name : `${name}@${number}`,
    );
    expect(names.sort()).toEqual(
      [
        ...installed.map(nameAndVersion),
        `rolldown@${lock.packages['node_modules/rolldown']?.version}`,
        ...[library, command],
        ...[...singleFiles, ...debs, identity.image].map((name) => `${name}@${version}`),
        ...Object.values(TARGETS).map(({ platform }) => `@oven/bun-${platform}@${BUN}`),
        ...bunParts,
        `${base?.[1]}@${base?.[2]}`,
      ].sort(),
    );
    expect(partsOf(bill.metadata.component['bom-ref'])).toEqual(artifacts);
  });

  it('says what is in each artifact', () => {
    const native = installed.filter(({ name }) => name.startsWith('@libsql/'));
    expect(native.length).toBeGreaterThan(8);
    const ofLibrary = contentsOf(library);
    const ofCommand = contentsOf(command);
    for (const each of installed) expect(ofLibrary).toContain(nameAndVersion(each));
    for (const each of [...native.map(nameAndVersion), ...bundledIn('dist/bin')]) {
      expect(ofCommand).toContain(each);
    }
    // The single file has the bundle and Bun, but not libsql.
    for (const [target, { platform }] of Object.entries(TARGETS)) {
      const windows = target === 'windows-x64';
      const contents = contentsOf(`credstash-${target}${windows ? '.exe' : ''}`);
      for (const each of bundledIn('dist/bin')) expect(contents).toContain(each);
      expect([...contents].filter((each) => each.startsWith('@oven/'))).toEqual([
        `@oven/bun-${platform}@${BUN}`,
      ]);
      expect([...contents].filter((each) => each.includes('libsql'))).toEqual([]);
      const named = bunParts.filter((name) => windows || !name.includes('for Windows'));
      expect([...contents].filter((each) => each.startsWith('bun/')).sort()).toEqual(
        named.map((name) => `bun/${name}`).sort(),
      );
    }
    expect(partsOf(debs[1] ?? '')).toEqual(['credstash-linux-arm64']);
    expect(partsOf(identity.image)).toEqual([
      'credstash-linux-x64',
      'credstash-linux-arm64',
      `${base?.[1]}@${base?.[2]}`,
    ]);
  });

  it('refers only to components that it has, once', () => {
    const refs = bill.components.map((each) => each['bom-ref']);
    expect(new Set(refs).size).toBe(refs.length);
    for (const { ref, dependsOn } of bill.dependencies) {
      expect([...refs, bill.metadata.component['bom-ref']]).toContain(ref);
      expect(refs).toEqual(expect.arrayContaining(dependsOn));
    }
  });

  it('has the license of each component, and the digest of what is fetched', () => {
    for (const { name, licenses, hashes, 'bom-ref': ref } of bill.components) {
      // The base has many licenses, in its own bill.
      if (name !== base?.[1]) expect(licenses?.[0]?.license.id, name).toMatch(/./);
      const isFetched = !artifacts.includes(ref) && !ref.startsWith('bun/');
      if (isFetched) expect(hashes?.[0]?.content, name).toMatch(/^([0-9a-f]{64}|[0-9a-f]{128})$/);
    }
  });

  it('is the same file in another run', () => {
    expect(again === text).toBe(true);
  });
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
