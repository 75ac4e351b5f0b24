import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/*
 * Looks up that the commit of each action in the workflows is the one of the release in its comment:
 *
 *     node scripts/check-pins.js
 */

/**
 * @param {string} folder of workflows
 * @param {string} server the address before the names of repositories
 * @returns a line for each action, and whether its commit is its release's
 */
export function checkPins(folder, server) {
  const texts = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  const pins = new Set(
    texts.flatMap((text) => text.match(/(?<=uses: )[^\s@]+@[0-9a-f]{40} # \S+$/gm) ?? []),
  );
  return [...pins].sort().map((pin) => {
    const [, action = '', pinned, tag = ''] = /^(.+)@(.+) # (.+)$/.exec(pin) ?? [];
    const [owner, repository] = action.split('/');
    const found = execFileSync(
      'git',
      ['ls-remote', `${server}/${owner}/${repository}`, `refs/tags/${tag}`, `refs/tags/${tag}^{}`],
      { encoding: 'utf8' },
    );
    // The last line is the commit of a tag that is an object of its own.
    const commit = found.trim().split('\n').at(-1)?.split('\t')[0];
    const isRight = commit === pinned;
    const problem = isRight
      ? ''
      : `: ${pinned} is pinned, and the release is ${commit || 'missing'}`;
    return { isRight, line: `${isRight ? 'ok   ' : 'WRONG'} ${action} ${tag}${problem}` };
  });
}

if (process.argv[1] === import.meta.filename) {
  const folder = join(import.meta.dirname, '../.github/workflows');
  const results = checkPins(folder, process.env.GITHUB_SERVER_URL ?? 'https://github.com');
  for (const { line } of results) process.stdout.write(`${line}\n`);
  process.exitCode = results.every(({ isRight }) => isRight) ? 0 : 1;
}
