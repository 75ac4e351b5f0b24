import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };

const root = join(import.meta.dirname, '../..');

/** The releases of Node.js that the package is for: this one, and those that npm run test:tools fetched. */
export const NODES: readonly {
  readonly name: string;
  readonly node: string;
  readonly missing: string | undefined;
}[] = [
  { name: 'this Node.js', node: process.execPath, missing: undefined },
  ...['22', '24'].map((release) => {
    const node = join(root, `.cache/node${release}/bin/node`);
    const missing = existsSync(node) ? undefined : 'it is not there (npm run test:tools)';
    return { name: `Node.js ${release}`, node, missing };
  }),
];

/** Those, and Bun, which runs the library too. */
export const RUNTIMES: typeof NODES = [
  ...NODES,
  (() => {
    const node = join(root, '.cache/bun/bin/bun');
    const missing = existsSync(node) ? undefined : 'it is not there (npm run build:standalone)';
    return { name: 'Bun', node, missing };
  })(),
];

/** Packs what npm publishes of a project (of this one once a run: packed.ts). @returns the path of the tarball, in `folder` */
export function packProject(folder: string, project = root): string {
  execFileSync(
    'npm',
    ['pack', '--ignore-scripts', '--silent', '--offline', '--pack-destination', folder],
    { cwd: project },
  );
  const name = readdirSync(folder).find((each) => each.endsWith('.tgz'));
  return join(folder, name ?? '');
}

/**
 * A project of somebody else in `folder`, with the package installed from its tarball as npm does, but with no registry.
 *
 * @param dependencies whether those that the package names are there too: no other package is
 */
export function makeProject(folder: string, tarball: string, dependencies = true): void {
  const modules = join(folder, 'node_modules');
  const installed = join(modules, manifest.name);
  mkdirSync(join(modules, '.bin'), { recursive: true });
  mkdirSync(installed);
  execFileSync('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
  for (const [name, path] of Object.entries(manifest.bin)) {
    symlinkSync(join('..', manifest.name, path), join(modules, '.bin', name));
  }
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  if (!dependencies) return;
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })) {
    link(folder, name);
  }
}

/** One more package, of those of development. */
export function link(folder: string, name: string): void {
  const path = join(folder, 'node_modules', name);
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(join(root, 'node_modules', name), path);
}
