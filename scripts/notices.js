import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUN } from './tools.js';

/*
 * Writes THIRD-PARTY-NOTICES: `npm run notices`. The packages are those whose modules dist/bundled.json lists, which the build
 * writes. Bun's package has no license file, so that scripts/licenses has its parts, as LICENSE.md of Bun lists them, and the
 * texts of SPDX (https://spdx.org/licenses). A package without a license file gets the text of SPDX too.
 */
const root = join(import.meta.dirname, '..');
/** @param {string} path */
const read = (path) => readFileSync(join(root, path), 'utf8');

/** @typedef {{ name: string, licenses: string[], url: string }} Part */

/** What Bun contains, and Bun. @returns {Part[]} */
export const bunParts = () => JSON.parse(read('scripts/licenses/bun.json'));

/**
 * The packages whose code is in dist.
 *
 * @param {string[]} [folders] of dist/bundled.json; all unless given
 * @returns {{ path: string, name: string, version: string, license: string }[]} with the path of each, from the project
 * @throws Error if the lock file does not have one
 */
export function bundledPackages(folders) {
  /** @type {Record<string, string[]>} */
  const modules = JSON.parse(read('dist/bundled.json'));
  /** @type {{ packages: Record<string, { version: string, license?: string }> }} */
  const { packages } = JSON.parse(read('package-lock.json'));
  const paths = (folders ?? Object.keys(modules))
    .flatMap((folder) => modules[folder] ?? [])
    // What rolldown writes around modules is its own code.
    .map((id) => id.replace(/^rolldown\/runtime\.js$/, 'node_modules/rolldown/'))
    .map((id) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0])
    .filter((path) => path !== undefined);
  return [...new Set(paths)].sort().map((path) => {
    const locked = packages[path];
    if (locked === undefined) throw new Error(`package-lock.json does not have ${path}`);
    const { version, license = 'none' } = locked;
    return { path, name: path.replace(/^.*node_modules\//, ''), version, license };
  });
}

/** The text of SPDX. @param {string} license */
const spdxText = (license) => read(`scripts/licenses/${license}.txt`);

/** The texts that a package ships, else that of SPDX. @param {string} path @param {string} license */
function licenseTexts(path, license) {
  const folder = join(root, path);
  const files = readdirSync(folder).filter((file) =>
    /^(licen[cs]e|notice|copying|third.party)/i.test(file),
  );
  if (files.length === 0) return spdxText(license);
  return files
    .sort()
    .map((file) => readFileSync(join(folder, file), 'utf8').trim())
    .join('\n\n');
}

/** A text without what differs between copies of one license. @param {string} text */
const tidy = (text) =>
  text
    .replace(/\r/g, '')
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
    .replace(/^\n+|\n+$/g, '');

const LINE = '-'.repeat(100);

/** @param {string} title @param {string} text */
const section = (title, text) => `${LINE}\n${title}\n${LINE}\n\n${text}\n`;

/**
 * Makes the notices.
 *
 * @returns {string}
 */
export function makeNotices() {
  /** The packages of each text. @type {Map<string, string[]>} */
  const byText = new Map();
  for (const { path, name, version, license } of bundledPackages()) {
    const text = tidy(licenseTexts(path, license));
    byText.set(text, [...(byText.get(text) ?? []), `${name} ${version} (${license})`]);
  }
  const parts = bunParts();
  const licenses = [...new Set(parts.flatMap((part) => part.licenses))].sort();
  return [
    `THIRD-PARTY NOTICES OF CREDSTASH

credstash is under the Apache License 2.0 (LICENSE). It contains code of others:

1. dist/ of the npm package, and with it every single file, contains the packages of part 1.
2. The single file (also in the Debian package and in the image) contains Bun ${BUN} as well, and what Bun
   contains: part 2.

If you pass credstash on, pass this file on with it.
`,
    section('PART 1: packages in dist/', 'Packages with the same text share it.'),
    ...[...byText].map(([text, names]) => section(names.join('\n'), text)),
    section(
      `PART 2: Bun ${BUN}, in the single file`,
      `JavaScriptCore and tinycc are under the LGPL, and linked statically into Bun. If you pass the single
file on, in whatever package, the LGPL (section 6) asks you three things:

- Say that these libraries are in it, and add their license. This file does both.
- Let people change the file for their own use, and reverse engineer it to debug such a change. The
  license of credstash allows both. Terms of your own must allow them too.
- Let people put a changed library in. All that takes is public:
    1. Take the source of Bun ${BUN} (https://github.com/oven-sh/bun, tag bun-v${BUN}).
    2. Take the source of WebKit (https://github.com/oven-sh/WebKit) at the commit that this Bun names as
       WEBKIT_VERSION in scripts/build/deps/webkit.ts, and change it. tinycc is in Bun's own build.
    3. Build Bun with it: \`bun run build:local\`.
    4. In a checkout of credstash, after \`npm ci && npm run build\`, copy that Bun to .cache/bun/bin/bun
       and run \`node scripts/build-standalone.js\`. The same bundle then runs on your library.
  Whoever passes the file on answers for these sources staying available: keep a copy if you rely on it.

The npm package contains no Bun, and none of this concerns it. This is a summary, not legal advice.

Bun's own list of what it contains (LICENSE.md). The copyright lines of each part are at its address; the
texts below are those of SPDX.

${parts.map(({ name, licenses: ids, url }) => `${name}\n    ${ids.join(', ')}\n    ${url}`).join('\n')}`,
    ),
    ...licenses.map((license) => section(license, tidy(spdxText(license)))),
  ].join('\n');
}

if (process.argv[1] === import.meta.filename) {
  if (!existsSync(join(root, 'dist/bundled.json'))) throw new Error('build first: npm run build');
  writeFileSync(join(root, 'THIRD-PARTY-NOTICES'), makeNotices());
}
