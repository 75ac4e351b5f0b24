import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import lock from '../package-lock.json' with { type: 'json' };
import manifest from '../package.json' with { type: 'json' };
import {
  changeIdentity,
  manifestFields,
  projectFiles,
  readIdentity,
  tarballName,
} from '../scripts/identity.js';
import typedoc from '../typedoc.json' with { type: 'json' };
import { temporaryFolder } from './support/temporary-folder.ts';

/* The project's names are in identity.json, and every other file that has one has the same. */

const root = join(import.meta.dirname, '..');
const identity = readIdentity();
const read = (folder: string, path: string): string => readFileSync(join(folder, path), 'utf8');

/** What names a package, a repository or an image of credstash, by the place of each. */
const NAMES = [
  // The original's issues, and what npm calls the tarball.
  /(?<!fugue\/)\bcredstash[\w-]*-\d+\.\d+\.\d+(?:-\w+)?\.tgz/g,
  /\bhttps:\/\/(?:www\.)?(?:github|gitlab)\.com\/[\w.-]+\/[\w.-]*credstash[\w-]*(?:\.git)?/g,
  /\b(?:ghcr\.io|docker\.io|quay\.io)\/[\w./-]*credstash[\w-]*/g,
];
const OURS = [
  tarballName(identity.package, manifest.version),
  tarballName(identity.command, manifest.version),
  identity.repository,
  `${identity.repository}.git`,
  identity.image,
  // The original.
  'https://github.com/fugue/credstash',
];

/** The names of a text that are not ours. */
const foreignNames = (text: string, ours = OURS): string[] =>
  NAMES.flatMap((pattern) => text.match(pattern) ?? []).filter((name) => !ours.includes(name));

it('package.json, its lock file and the reference have the names of identity.json', () => {
  expect(manifest).toMatchObject(manifestFields(identity));
  expect([lock.name, lock.packages[''].name, typedoc.name]).toEqual(
    Array(3).fill(identity.package),
  );
  expect(read(root, 'tsconfig.json')).toContain(`"paths": { "${identity.package}": `);
  expect(read(root, 'LICENSE')).toContain(`Copyright 2026 ${identity.maintainer}\n`);
});

it('no file has another name', () => {
  const files = projectFiles(root).filter((path) => path !== 'test/identity.test.ts');
  expect(files.length).toBeGreaterThan(300);
  const found = files.flatMap((path) =>
    foreignNames(read(root, path)).map((name) => `${path}: ${name}`),
  );
  expect(found).toEqual([]);
});

it.each([
  ['npm install ./credstash-9.9.9.tgz'],
  ['npm install ./credstash-cli-0.0.1.tgz'],
  ['see https://github.com/someone/credstash/issues/1'],
  ['git clone https://gitlab.com/someone/credstash-cli.git'],
  ['FROM ghcr.io/someone/credstash:1'],
])('%s would be found', (text) => {
  expect(foreignNames(text)).toHaveLength(1);
});

describe('npm run identity', () => {
  const NEW = {
    package: '@acme/vaults',
    command: '@acme/vaults-command',
    repository: 'https://github.com/acme/vaults',
    image: 'ghcr.io/acme/vaults',
    maintainer: 'Acme',
    email: 'vaults@acme.example',
  };

  it('renames the project everywhere, and back', () => {
    const folder = temporaryFolder();
    for (const part of new Set(projectFiles(root).map((path) => path.split('/', 1)[0] ?? ''))) {
      cpSync(join(root, part), join(folder, part), { recursive: true });
    }
    // This file has the new names too.
    rmSync(join(folder, 'test/identity.test.ts'));
    const files = projectFiles(folder);

    const changed = changeIdentity(folder, NEW);
    expect(changed).toEqual(
      expect.arrayContaining(['identity.json', 'package.json', 'package-lock.json', 'README.md']),
    );
    expect(readIdentity(folder)).toEqual({ ...identity, ...NEW });
    expect(JSON.parse(read(folder, 'package.json'))).toMatchObject(
      manifestFields({ ...identity, ...NEW }),
    );
    expect(read(folder, 'README.md')).toContain(`./acme-vaults-${manifest.version}.tgz`);
    expect(read(folder, 'docs/reference/library.md')).toContain("from '@acme/vaults'");
    const old = [
      identity.package,
      identity.command,
      identity.repository,
      identity.image,
      identity.email,
    ];
    const left = files.filter((path) => old.some((name) => read(folder, path).includes(name)));
    expect(left).toEqual([]);

    const { released: _, ...names } = identity;
    expect(changeIdentity(folder, names)).toEqual(changed);
    for (const path of changed) expect(read(folder, path), path).toBe(read(root, path));
    expect(changeIdentity(folder, names)).toEqual([]);
  });

  it.each([
    ['package', 'Acme/x'],
    ['repository', 'https://github.com/acme'],
    ['repository', 'https://github.com/acme/vaults.git'],
    ['repository', 'https://github.com/acme/vaults/'],
    ['image', 'ghcr.io/Acme/vaults'],
    ['image', 'ghcr.io/acme/vaults:1'],
    ['email', 'nobody'],
  ])('refuses the %s %s', (name, value) => {
    expect(() => changeIdentity(root, { [name]: value })).toThrow(`${name} must match`);
  });
});
