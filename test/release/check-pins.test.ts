import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checkPins } from '../../scripts/check-pins.js';
import { temporaryFolder } from '../support/temporary-folder.ts';

/* Whether a pinned commit is its release's, asked of repositories in a folder in place of GitHub's. */

const server = temporaryFolder();

/** Makes a repository with a tag. @returns its commit */
function makeRepository(name: string, tag: string, ...annotate: string[]): string {
  const cwd = join(server, name);
  mkdirSync(cwd, { recursive: true });
  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], {
      cwd,
      encoding: 'utf8',
    }).trim();
  git('init', '--quiet');
  git('commit', '--quiet', '--allow-empty', '--message=a');
  git('tag', ...annotate, tag);
  return git('rev-parse', 'HEAD');
}

it('tells the commits that are, and those that are not', () => {
  const plain = makeRepository('actions/plain', 'v1.0.0');
  const annotated = makeRepository('actions/annotated', 'v2.0.0', '--annotate', '--message=a');
  const other = 'a'.repeat(40);
  const workflows = join(server, 'workflows');
  mkdirSync(workflows);
  const lines = [
    `actions/plain@${plain} # v1.0.0`,
    `actions/annotated/part@${annotated} # v2.0.0`,
    `actions/plain@${other} # v1.0.0`,
    `actions/plain@${plain} # v1.0.1`,
    './.github/workflows/ci.yml',
  ];
  writeFileSync(join(workflows, 'x.yml'), lines.map((each) => `  - uses: ${each}\n`).join(''));
  expect(new Set(checkPins(workflows, server).map(({ line }) => line))).toEqual(
    new Set([
      'ok    actions/annotated/part v2.0.0',
      `ok    actions/plain v1.0.0`,
      `WRONG actions/plain v1.0.1: ${plain} is pinned, and the release is missing`,
      `WRONG actions/plain v1.0.0: ${other} is pinned, and the release is ${plain}`,
    ]),
  );
});
