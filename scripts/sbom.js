import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readIdentity, tarballName } from './identity.js';
import { bundledPackages, bunParts } from './notices.js';
import {
  ARCHITECTURES,
  bun,
  BUN,
  debianVersion,
  debName,
  singleFileName,
  TARGETS,
} from './tools.js';

/*
 * Prints the software bill of materials (CycloneDX 1.5) of everything that a release has: `npm run --silent sbom`. Its
 * components are the artifacts (npm packages, single files, Debian packages, image) and what these contain or install;
 * `dependencies` says which contains what. Two runs on one commit print the same bytes. The bundle must be built.
 */

/** @typedef {{ 'bom-ref': string, [field: string]: unknown }} Component */

const root = join(import.meta.dirname, '..');
/** @param {string} path */
const read = (path) => readFileSync(join(root, path), 'utf8');

const manifest = JSON.parse(read('package.json'));
/** @type {{ packages: Record<string, { version: string, dev?: boolean, devOptional?: boolean }> }} */
const lock = JSON.parse(read('package-lock.json'));
const identity = readIdentity();
const { version } = manifest;

/** How npm refers to a package. @param {{ name: string, version: string }} locked */
const toRef = ({ name, version: number }) => `${name}@${number}`;

const bundled = bundledPackages().map(toRef);
/**
 * What npm installs for users, and what is in a bundle. `npm sbom --omit dev` also drops packages that both users and
 * development need (yaml, tslib), and rolldown, whose own code is in each bundle.
 */
const kept = new Set([
  ...Object.entries(lock.packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional)
    .map(([path, locked]) => toRef({ name: path.replace(/^.*node_modules\//, ''), ...locked })),
  ...bundled,
]);

const args = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'];
/** @type {Record<string, any>} */
const bill = JSON.parse(
  execFileSync('npm', args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    stdio: ['ignore', 'pipe', 'inherit'],
  }),
);

/** npm takes the name of the folder. @type {Component} */
const library = { ...bill.metadata.component, name: manifest.name };
/** What each component contains or installs. @type {Map<string, string[]>} */
const parts = new Map();
for (const { ref, dependsOn } of bill.dependencies) {
  const isKept = kept.has(ref) || ref === library['bom-ref'];
  if (isKept)
    parts.set(
      ref,
      dependsOn.filter((/** @type {string} */ each) => kept.has(each)),
    );
}
/** @type {Component[]} */
const components = bill.components
  .filter((/** @type {Component} */ each) => kept.has(each['bom-ref']))
  // npm says of rolldown that it is for development, and optional.
  .map((/** @type {Component} */ each) =>
    bundled.includes(each['bom-ref']) ? { ...each, scope: 'required', properties: [] } : each,
  );
/** @type {string[]} */
const artifacts = [];

/** @param {Component} component @param {string[]} contents the references of what it contains or installs */
function add(component, contents = []) {
  components.push(component);
  parts.set(component['bom-ref'], [...new Set(contents)]);
  return component['bom-ref'];
}

/** @param {Component} artifact @param {string[]} contents as for `add` */
function addArtifact(artifact, contents) {
  artifacts.push(add({ ...artifact, version, licenses: toLicenses(['Apache-2.0']) }, contents));
}

/** @param {string[]} ids of SPDX */
function toLicenses(ids) {
  return ids.map((id) => ({ license: { id } }));
}

/** The digest of a package, as a bill has it. @param {string} integrity as npm has it */
function toHashes(integrity) {
  const content = Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex');
  return [{ alg: 'SHA-512', content }];
}

// The npm packages. A bundle's packages are in the archive; the others are what npm installs with it.
addArtifact(library, [...(parts.get(library['bom-ref']) ?? []), ...bundled]);
const inCommand = bundledPackages(['dist/bin']).map(toRef);
const optional = Object.keys(manifest.optionalDependencies).map((name) => {
  return toRef({ name, version: lock.packages[`node_modules/${name}`]?.version ?? '' });
});
addArtifact(
  {
    'bom-ref': `${identity.command}@${version}`,
    type: 'application',
    name: identity.command,
    purl: `pkg:npm/${identity.command.replace('@', '%40')}@${version}`,
    description: tarballName(identity.command, version),
  },
  [...inCommand, ...optional],
);

// What Bun contains, by its own list, which has no versions; and SQLite, which is under no license.
const [{ licenses: bunLicenses } = { licenses: [] }, ...listed] = bunParts();
const sqlite = { name: 'SQLite', licenses: ['blessing'], url: 'https://sqlite.org' };
const bunContents = [...listed, sqlite].map(({ name, licenses, url }) => {
  const externalReferences = [{ type: 'website', url }];
  const fields = { type: 'library', name, licenses: toLicenses(licenses), externalReferences };
  return add({ 'bom-ref': `bun/${name}`, ...fields });
});

for (const [target, { integrity }] of Object.entries(TARGETS)) {
  const ref = bun(target).from;
  const name = ref.slice(0, -`@${BUN}`.length);
  const runtime = add(
    {
      'bom-ref': ref,
      type: 'platform',
      name,
      version: BUN,
      purl: `pkg:npm/${ref.replace('@', '%40')}`,
      hashes: toHashes(integrity),
      licenses: toLicenses(bunLicenses),
    },
    bunContents.filter((each) => target.startsWith('windows') || !each.includes('for Windows')),
  );
  const file = singleFileName(target);
  addArtifact({ 'bom-ref': file, type: 'file', name: file }, [runtime, ...inCommand]);
}

for (const [architecture, target] of Object.entries(ARCHITECTURES)) {
  const name = debName(debianVersion(version), architecture);
  addArtifact({ 'bom-ref': name, type: 'file', name }, [singleFileName(target)]);
}

// The base of the image, by the digest of its last stage. What Debian has in it is in the bill of the image itself.
const from = [...read('Dockerfile').matchAll(/^FROM (\S+):([^\s@]+)@(sha256:[0-9a-f]{64})$/gm)];
const [, base, tag, digest] = from.at(-1) ?? [];
if (base === undefined || digest === undefined) throw new Error('Dockerfile has no pinned base');
const baseName = base.replace(/^.*\//, '');
const query = `repository_url=${base}&tag=${tag}`;
const baseRef = add({
  'bom-ref': `${base}@${digest}`,
  type: 'container',
  name: base,
  version: digest,
  purl: `pkg:oci/${baseName}@${encodeURIComponent(digest)}?${query}`,
  hashes: [{ alg: 'SHA-256', content: digest.replace('sha256:', '') }],
});
addArtifact({ 'bom-ref': identity.image, type: 'container', name: identity.image }, [
  ...Object.values(ARCHITECTURES).map(singleFileName),
  baseRef,
]);

bill.metadata.component = { 'bom-ref': 'release', type: 'application', name: 'credstash', version };
bill.metadata.lifecycles = [{ phase: 'build' }];
parts.set('release', artifacts);
bill.components = components;
bill.dependencies = [...parts].map(([ref, dependsOn]) => ({ ref, dependsOn }));

// A time and a random number would make each bill another file. The number is of what the bill says.
delete bill.metadata.timestamp;
delete bill.serialNumber;
const hex = createHash('sha256').update(JSON.stringify(bill)).digest('hex');
const uuid = hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-8$3-8$4-$5');
bill.serialNumber = `urn:uuid:${uuid}`;
process.stdout.write(`${JSON.stringify(bill, null, 2)}\n`);
