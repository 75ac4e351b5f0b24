import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readChangelog } from './changelog.js';
import { readIdentity } from './identity.js';

/*
 * Refuses a tag that must not be released: its version is not the package's, the changelog does not have it, or the repository is
 * not the one of identity.json.
 *
 *     node scripts/check-release.js v0.1.0 someone/credstash NOTES
 *
 * Writes the section of the changelog to the file NOTES, and `version`, `npm-tag` and `image` to GITHUB_OUTPUT, if it is set.
 */
const root = join(import.meta.dirname, '..');

/**
 * @typedef {object} Release
 * @property {string} version
 * @property {string} npmTag the tag of npm that the version gets: a preview must not become `latest`
 * @property {string} image the image's name, without a tag
 * @property {string} notes the section of the changelog, without its heading
 */

/**
 * Checks that a tag may be released.
 *
 * @param {string} tag
 * @param {string} repository `OWNER/NAME` on GitHub
 * @param {string} [folder] the project's
 * @returns {Release}
 * @throws Error that lists everything that is wrong
 */
export function checkRelease(tag, repository, folder = root) {
  const read = (/** @type {string} */ file) => readFileSync(join(folder, file), 'utf8');
  const identity = readIdentity(folder);
  const { version } = JSON.parse(read('package.json'));
  const lock = JSON.parse(read('package-lock.json'));
  const sections = readChangelog(folder);
  const section = sections.find((each) => each.version === version);
  const unreleased = sections.find((each) => each.version === 'Unreleased');
  /** @type {[boolean, string][]} */
  const checks = [
    [/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version), `package.json has the version ${version}`],
    [tag === `v${version}`, `the tag is ${tag}, and package.json has ${version}`],
    [lock.version === version, `package-lock.json has ${lock.version}`],
    [Boolean(section?.date), `CHANGELOG.md has no section "## [${version}] - YYYY-MM-DD"`],
    [section?.text !== '', `the section of ${version} in CHANGELOG.md is empty`],
    [!unreleased?.text, 'CHANGELOG.md has changes under [Unreleased]'],
    [identity.released, 'identity.json does not say that the names are ours: "released": true'],
    [
      identity.repository === `https://github.com/${repository}`,
      `identity.json has ${identity.repository}, and this is https://github.com/${repository}`,
    ],
  ];
  const wrong = checks.flatMap(([ok, text]) => (ok ? [] : [text]));
  if (wrong.length > 0) throw new Error(`this is no release:\n- ${wrong.join('\n- ')}`);
  return {
    version,
    npmTag: version.includes('-') ? 'next' : 'latest',
    image: identity.image,
    notes: `${section?.text}\n`,
  };
}

if (process.argv[1] === import.meta.filename) {
  const [tag = '', repository = '', file = ''] = process.argv.slice(2);
  try {
    const { version, npmTag, image, notes } = checkRelease(tag, repository);
    writeFileSync(file, notes);
    const outputs = `version=${version}\nnpm-tag=${npmTag}\nimage=${image}\n`;
    if (process.env.GITHUB_OUTPUT) appendFileSync(process.env.GITHUB_OUTPUT, outputs);
    process.stdout.write(outputs);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  }
}
