import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startHttpServer } from './http-server.ts';

const root = join(import.meta.dirname, '../..');

/** A registry of npm that has the packages which users install with this one, and no other. */
export interface Registry {
  readonly url: string;
  /** The names of packages that were asked for. */
  readonly asked: Set<string>;
  readonly close: () => Promise<void>;
}

/** What Node.js loads nothing of: seven of eight files, on which npm would spend most of its time. */
const UNUSED = ['*.d.ts', '*.d.cts', '*.d.mts', '*.map', './dist-es', './dist-types'];

/** The packages of package-lock.json that are not for development, by name; each is there once. */
export function installedPackages(): Map<string, string> {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: true; version: string }>;
  };
  const found = new Map<string, string>();
  for (const [path, { dev, version }] of Object.entries(packages)) {
    const name = path.replace(/^node_modules\//, '');
    if (path === '' || dev) continue;
    if (name.includes('node_modules/')) throw new Error(`${path} is a second one of its name`);
    found.set(name, version);
  }
  return found;
}

/** Serves them from node_modules: what is optional and for another platform is not there, as npm expects. */
export async function startRegistry(): Promise<Registry> {
  const packages = installedPackages();
  const asked = new Set<string>();
  const archives = new Map<string, Buffer>();
  const archiveOf = (name: string, folder: string): Buffer => {
    const pack = ['-c', '--use-compress-program', 'gzip -1', '--transform', 's,^\\.,package,'];
    const left = UNUSED.map((pattern) => `--exclude=${pattern}`);
    const archive =
      archives.get(name) ??
      execFileSync('tar', [...pack, ...left, '-C', folder, '.'], { maxBuffer: 64 * 1024 * 1024 });
    archives.set(name, archive);
    return archive;
  };
  const server = await startHttpServer(({ url = '' }, response) => {
    const [path = '', archive] = url.slice(1).split('/-/');
    const name = decodeURIComponent(path);
    asked.add(name);
    const version = packages.get(name);
    const folder = join(root, 'node_modules', name);
    // npm asks once for each package that it finds here, however often it installs it.
    response.setHeader('cache-control', 'max-age=600');
    if (version === undefined || !existsSync(folder)) {
      response.writeHead(404).end('{}');
    } else if (archive === undefined) {
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as object;
      const dist = { tarball: `${server.url}/${name}/-/package.tgz` };
      response.end(
        JSON.stringify({
          name,
          'dist-tags': { latest: version },
          versions: { [version]: { ...manifest, dist } },
        }),
      );
    } else {
      response.end(archiveOf(name, folder));
    }
  });
  return { url: server.url, asked, close: () => server.close() };
}
