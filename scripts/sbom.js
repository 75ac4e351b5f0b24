import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/*
 * Prints the software bill of materials (CycloneDX 1.5) of what users install: `npm run --silent sbom`. `npm sbom
 * --omit dev` also drops packages that both users and development need (yaml, tslib). So this script takes the whole list
 * and drops the packages that the lock file has only for development.
 */
const root = join(import.meta.dirname, '..');
/** @type {{ packages: Record<string, { version: string, dev?: boolean, devOptional?: boolean }> }} */
const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
const { name } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Name and version of each package that is installed, as npm refers to it. */
const installed = new Set(
  Object.entries(lock.packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional)
    .map(([path, { version }]) => `${path.replace(/^.*node_modules\//, '')}@${version}`),
);

const args = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'];
const bill = JSON.parse(
  execFileSync('npm', args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    stdio: ['ignore', 'pipe', 'inherit'],
  }),
);
const { component } = bill.metadata;
// npm takes the name of the folder.
component.name = name;
bill.components = bill.components.filter((/** @type {{ 'bom-ref': string }} */ each) =>
  installed.has(each['bom-ref']),
);
bill.dependencies = bill.dependencies
  .filter(
    (/** @type {{ ref: string }} */ { ref }) => installed.has(ref) || ref === component['bom-ref'],
  )
  .map((/** @type {{ ref: string, dependsOn: string[] }} */ { ref, dependsOn }) => ({
    ref,
    dependsOn: dependsOn.filter((each) => installed.has(each)),
  }));
process.stdout.write(`${JSON.stringify(bill, null, 2)}\n`);
