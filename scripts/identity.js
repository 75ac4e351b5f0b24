import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/*
 * identity.json has the names of this project that somebody must own. Change them with this script, which also writes them
 * into package.json, the documents and every other file that contains them:
 *
 *     npm run identity -- --package @example/secrets --repository https://github.com/example/secrets
 *
 * Until the project has an owner, its organization is `your--organization`. GitHub gives nobody a name with two hyphens in
 * a row, so nobody can publish under it.
 */
const root = join(import.meta.dirname, '..');

/**
 * @typedef {object} Identity
 * @property {string} package the package's name on npm, with its scope
 * @property {string} command the name of the package that has only the command
 * @property {string} repository the address of the repository, which is also the homepage, without a slash at its end
 * @property {string} image the image's name with its registry, without a tag
 * @property {string} maintainer the name of who publishes
 * @property {string} email the address of the same
 * @property {boolean} released whether the names are ours: before that no document tells anyone to fetch them
 */

const PACKAGE = /^(?:@[a-z\d][\w.-]*\/)?[a-z\d][\w.-]*$/;

/** What each name must look like. */
const SHAPES = {
  package: PACKAGE,
  command: PACKAGE,
  repository: /^https:\/\/[\w.-]+(?:\/[\w.-]+){2}(?<!\.git)$/,
  image: /^[a-z\d.-]+(?::\d+)?(?:\/[a-z\d._-]+)+$/,
  maintainer: /^[^<>@"\n]+$/,
  email: /^[^\s<>@]+@[^\s<>@]+$/,
};
/** @typedef {keyof typeof SHAPES} Name */
const NAMES = /** @type {Name[]} */ (Object.keys(SHAPES));

/**
 * Reads identity.json.
 *
 * @param {string} [folder] the project's
 * @returns {Identity}
 * @throws Error if a name is missing or has another shape
 */
export function readIdentity(folder = root) {
  const identity = JSON.parse(readFileSync(join(folder, 'identity.json'), 'utf8'));
  for (const name of NAMES) checkName(name, identity[name]);
  if (typeof identity.released !== 'boolean') throw new Error('released is true or false');
  return identity;
}

/** @param {Name} name @param {unknown} value */
function checkName(name, value) {
  if (typeof value !== 'string' || !SHAPES[name].test(value)) {
    throw new Error(`${name} must match ${SHAPES[name]}: ${value}`);
  }
}

/** The fields of package.json that say the same. @param {Identity} identity */
export const manifestFields = ({ package: name, repository, maintainer, email }) => ({
  name,
  author: `${maintainer} <${email}>`,
  homepage: `${repository}#readme`,
  repository: { type: 'git', url: `git+${repository}.git` },
  bugs: { url: `${repository}/issues` },
});

/** The name of the file that `npm pack` makes. @param {string} name of the package @param {string} version */
export const tarballName = (name, version) =>
  `${name.replace(/^@/, '').replace('/', '-')}-${version}.tgz`;

/** The files of the project, but for what git ignores. @param {string} folder */
export const projectFiles = (folder) =>
  readdirSync(folder)
    .filter((name) => !['node_modules', 'dist', 'coverage', '.cache', '.git'].includes(name))
    .flatMap((name) =>
      statSync(join(folder, name)).isFile()
        ? [name]
        : readdirSync(join(folder, name), { recursive: true, encoding: 'utf8' })
            .map((path) => join(name, path))
            .filter((path) => statSync(join(folder, path)).isFile()),
    )
    .filter((path) => !path.startsWith('docs/api/') && !path.endsWith('.tgz'));

/**
 * Replaces names in identity.json and in every file that contains the old ones.
 *
 * @param {string} folder the project's
 * @param {Partial<Record<Name, string>>} names the new ones; the others stay
 * @returns {string[]} the files that it changed
 * @throws Error if a name has another shape
 */
export function changeIdentity(folder, names) {
  const old = readIdentity(folder);
  for (const name of NAMES) if (names[name] !== undefined) checkName(name, names[name]);
  if (names.package !== undefined && old.package === 'credstash') {
    throw new Error('the package has the name of the command: change each mention by hand');
  }
  /** @type {{ pattern: RegExp, value: string }[]} */
  const changes = [];
  for (const name of NAMES) {
    const value = names[name] ?? old[name];
    if (value === old[name]) continue;
    changes.push({ pattern: wholeWord(old[name]), value });
    if (name !== 'package' && name !== 'command') continue;
    const [from, to] = [old[name], value].map((each) => tarballName(each, '').slice(0, -5));
    changes.unshift({ pattern: wholeWord(from ?? '', '-\\d'), value: to ?? '' });
  }
  return projectFiles(folder).filter((path) => {
    const text = readFileSync(join(folder, path), 'utf8');
    // Not a text, whose bytes would not survive.
    if (text.includes('\0') || text.includes('\uFFFD')) return false;
    const changed = changes.reduce((each, { pattern, value }) => {
      return each.replaceAll(pattern, () => value);
    }, text);
    if (changed === text) return false;
    writeFileSync(join(folder, path), changed);
    return true;
  });
}

/** Matches a name that is not a part of a longer one. @param {string} text @param {string} [end] what must follow it */
const wholeWord = (text, end) =>
  RegExp(
    `(?<![\\w@-])${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?${end === undefined ? '![\\w-]' : `=${end}`})`,
    'g',
  );

if (process.argv[1] === import.meta.filename) {
  const options = Object.fromEntries(
    NAMES.map((name) => [name, { type: /** @type {const} */ ('string') }]),
  );
  const { values } = parseArgs({ options });
  for (const path of changeIdentity(root, values)) process.stdout.write(`${path}\n`);
  process.stdout.write('Now run npm run format, and then npm test.\n');
}
