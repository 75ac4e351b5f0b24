import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

/** What the bundles are made of. Changes of other files, such as a document, leave them as they are. */
const SOURCES = ['bin', 'src', 'package.json', 'package-lock.json', 'rolldown.config.js'];

/** @param {...string} args @returns the lines that git prints; undefined if it fails */
function git(...args) {
  try {
    const stdio = 'pipe';
    return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio }).trimEnd().split('\n');
  } catch {
    return undefined;
  }
}

/**
 * Finds the commit of this folder, for `doctor`.
 *
 * @returns its 40 digits, and `-dirty` if the sources have changes. Without a repository: SOURCE_COMMIT of the environment,
 * by which whoever builds a copy of the sources can tell it, or undefined
 * @throws Error if SOURCE_COMMIT is not a commit
 */
export function findCommit() {
  const [prefix, commit] = git('rev-parse', '--show-prefix', 'HEAD') ?? [];
  // A copy inside of another repository is not of that one's commit.
  if (prefix === '' && commit !== undefined) {
    const changes = git('status', '--porcelain', '--', ...SOURCES);
    return changes?.join('') === '' ? commit : `${commit}-dirty`;
  }
  const told = process.env.SOURCE_COMMIT || undefined;
  if (told !== undefined && !/^[0-9a-f]{40}(-dirty)?$/.test(told)) {
    throw new Error('SOURCE_COMMIT must be a commit of 40 hexadecimal digits');
  }
  return told;
}
