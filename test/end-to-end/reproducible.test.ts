import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, cpSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { projectFiles } from '../../scripts/identity.js';
import { pack } from '../support/packed.ts';
import { packProject } from '../support/project.ts';
import { nodeUnderTest } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * Two builds of one commit have the same bytes, whatever their folder and the umask of who makes them. The single file has a
 * test of this in test/standalone, the Debian package in test/release.
 */

const root = join(import.meta.dirname, '../..');
const folder = temporaryFolder();
/** Deeper than the first, and with another name. */
const copy = join(folder, 'made/somewhere/else');

/** The commit that `doctor` of the build in a folder names. */
function commitOf(project: string): string {
  const args = [join(project, 'dist/bin/credstash.cjs'), `--local=${folder}/vault`, 'doctor'];
  const env = { PATH: process.env['PATH'], HOME: folder };
  // There is no vault, so that it fails at the end.
  const { stdout } = spawnSync(nodeUnderTest(), args, { env, encoding: 'utf8' });
  return /^ok +runtime .*, commit (\S+)$/m.exec(stdout)?.[1] ?? '';
}

beforeAll(() => {
  for (const part of new Set(projectFiles(root).map((path) => path.split('/', 1)[0] ?? ''))) {
    cpSync(join(root, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
});

test('the npm packages, and all in dist', () => {
  const commit = commitOf(root);
  expect(commit).toMatch(/^(?:[0-9a-f]{40}(?:-dirty)?|unknown)$/);
  const env = { ...process.env, SOURCE_COMMIT: commit === 'unknown' ? '' : commit };
  // As strict as a umask can be, and without a repository: the variable tells the commit.
  execFileSync('sh', ['-c', 'umask 077; exec "$0" scripts/build.js', process.execPath], {
    cwd: copy,
    env,
    stdio: 'pipe',
  });
  expect(commitOf(copy)).toBe(commit);

  const files = readdirSync(join(copy, 'dist'), { recursive: true, encoding: 'utf8' })
    .filter((path) => statSync(join(copy, 'dist', path)).isFile())
    .map((path) => join('dist', path));
  expect(files.length).toBeGreaterThan(100);
  const different = files.filter(
    (path) => !readFileSync(join(copy, path)).equals(readFileSync(join(root, path))),
  );
  expect(different, 'build first, if these are not of this build').toEqual([]);

  const digest = (path: string): string =>
    createHash('sha256').update(readFileSync(path)).digest('hex');
  const [here, there] = [root, copy].map((project) => {
    const packed = temporaryFolder();
    const script = ['scripts/pack-command.js', packed];
    const name = execFileSync(process.execPath, script, { cwd: project, encoding: 'utf8' }).trim();
    const command = digest(join(packed, name));
    const library = project === root ? pack() : packProject(temporaryFolder(), project);
    return [digest(library), command];
  });
  expect(there).toEqual(here);
});

describe('the commit', () => {
  const sources = temporaryFolder();
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: sources, encoding: 'utf8', stdio: 'pipe' }).trim();
  /** What scripts/commit.js of a folder finds. */
  const find = (project: string, commit = ''): string => {
    const program = "import('./scripts/commit.js').then((it) => console.log(it.findCommit()))";
    const env = { PATH: process.env['PATH'], SOURCE_COMMIT: commit };
    const options = { cwd: project, env, encoding: 'utf8', stdio: 'pipe' } as const;
    return execFileSync(process.execPath, ['-e', program], options).trim();
  };
  const copyTo = (project: string): void => {
    for (const path of ['scripts/commit.js', 'package.json', 'src/errors.ts', 'README.md']) {
      cpSync(join(root, path), join(project, path));
    }
  };

  test('without a repository the environment may name it', () => {
    copyTo(sources);
    expect(find(sources)).toBe('undefined');
    expect(find(sources, '0'.repeat(40))).toBe('0'.repeat(40));
    expect(() => find(sources, 'main')).toThrow('SOURCE_COMMIT must be a commit');
  });

  test('is that of the repository, and says whether the sources have changes', () => {
    git('init', '--quiet');
    git('add', '.');
    git('-c', 'user.name=a', '-c', 'user.email=a@example.com', 'commit', '--quiet', '-m', 'all');
    const commit = git('rev-parse', 'HEAD');
    expect(commit).toMatch(/^[0-9a-f]{40}$/);
    appendFileSync(join(sources, 'README.md'), 'x');
    expect(find(sources, '0'.repeat(40))).toBe(commit);
    appendFileSync(join(sources, 'src/errors.ts'), '// x');
    expect(find(sources)).toBe(`${commit}-dirty`);
  });

  test('is not that of a repository around it', () => {
    const inner = join(sources, 'vendor/credstash');
    copyTo(inner);
    expect(find(inner)).toBe('undefined');
  });
});
