import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/*
 * Counts turns of phrase that make a reader stop: in README and documents, in help and errors (the strings of src/ and
 * bin/), and in comments. Prints FILE:LINE of each, and the figure per 1,000 lines of text.
 *
 *     npm run count:tics              everything
 *     npm run count:tics -- docs/     only the files whose path begins so
 *
 * A pattern cannot see each of them, and `where` and `stands` have honest uses: the figure is a trend, not a proof.
 */
const root = join(import.meta.dirname, '..');

/** Each pattern matches across line breaks. A sentence begins with a capital, or after a colon, semicolon or bracket. */
const TICS = Object.entries({
  'what is (subject)':
    /(?:\bWhat|(?<=[:;(] )what) (?:is|was|are|were|stands|has|can|cannot)\b(?![^.]*\?)/g,
  'who (subject)': /(?:\bWho|(?<=[:;(] )who)(?:ever| \w+s)\b(?![^.]*\?)/g,
  'alone (only)': /(?<!\b(?:leaves?|left|let) (?:\w+ )?)\balone\b/g,
  'where (if)':
    /(?:\bWhere|(?<=[:;(] |\b(?:also|only|even|except|but) )where|\bwhere(?= (?:there|nothing|nobody|no|neither)\b))(?! to\b)\b(?![^.]*\?)/g,
  'stands (is)': /\b(?:stands?|stood)\b(?! for\b)/g,
  'is no (is not)': /(?<!\bthere )\b(?:is|are|was|were) (?:no\b(?! longer| more than)|none\b)/gi,
  'one that': /(?<!\b(?:the|this|only) )\bone that\b/gi,
  'is there (exists)': /(?<=\w )(?:is|are|was|were) there\b(?![^.]*\?)/g,
}).map(([name, { source, flags }]) => ({
  name,
  pattern: new RegExp(source.replaceAll(' ', '\\s+'), flags),
}));

const SOURCE =
  /(?<comment>\/\*[^]*?\*\/|(?<=^|\s)\/\/[^\n]*)|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g;

/** `text` without its characters, but with its lines. @param {string} text */
const blank = (text) => text.replace(/[^\n]/g, ' ');

/** The prose of a document: no code, no table's ruler. @param {string} text */
const proseOf = (text) => text.replace(/^( *)```[^]*?^\1```|^(?: {4}|\t)\S.*|`[^`\n]+`/gm, blank);

/** The comments of a source file, or its strings that have several words. @param {string} text @param {boolean} isComment */
function partsOf(text, isComment) {
  let end = 0;
  let parts = '';
  for (const match of text.matchAll(SOURCE)) {
    parts += blank(text.slice(end, match.index));
    end = match.index + match[0].length;
    const isWanted = (match.groups?.['comment'] !== undefined) === isComment && / /.test(match[0]);
    parts += isWanted
      ? match[0].replace(/^\s*(?:\/\*+|\*+\/|\*|\/\/)|\*\/$|^['"`]|['"`]$/gm, blank)
      : blank(match[0]);
  }
  return parts;
}

/** The files of these extensions in `places`, which are files and folders. @param {string[]} places @param {RegExp} pattern */
const filesIn = (places, pattern) =>
  places
    .flatMap((place) =>
      statSync(join(root, place)).isFile()
        ? [place]
        : readdirSync(join(root, place), { recursive: true }).map((file) => `${place}/${file}`),
    )
    .filter((file) => pattern.test(file) && !file.startsWith('docs/api/'));

/** @type {[string, string[], (text: string) => string][]} */
const GROUPS = [
  ['README and documents', filesIn(['README.md', 'docs', 'examples'], /\.md$/), proseOf],
  ['help and errors', filesIn(['src', 'bin'], /\.ts$/), (text) => partsOf(text, false)],
  [
    'comments',
    filesIn(['src', 'bin', 'scripts', 'bench'], /\.(ts|js)$/),
    (text) => partsOf(text, true),
  ],
];

const prefix = process.argv[2] ?? '';
for (const [group, files, textOf] of GROUPS) {
  let [lines, found] = [0, 0];
  for (const file of files.filter((each) => each.startsWith(prefix)).sort()) {
    const text = textOf(readFileSync(join(root, file), 'utf8'));
    lines += text.split('\n').filter((line) => /\w/.test(line)).length;
    for (const { name, pattern } of TICS) {
      for (const match of text.matchAll(pattern)) {
        found += 1;
        const line = text.slice(0, match.index).split('\n').length;
        const quoted = text.split('\n')[line - 1]?.trim().slice(0, 100);
        process.stdout.write(`${file}:${line}: ${name}: ${quoted}\n`);
      }
    }
  }
  const rate = lines === 0 ? 0 : (found / lines) * 1000;
  process.stdout.write(`${group}: ${found} in ${lines} lines, ${rate.toFixed(1)} per 1,000\n\n`);
}
