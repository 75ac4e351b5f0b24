import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/*
 * The single file, made anew, in the end-to-end tests that the command line names, else in all of them, and in the
 * tests of its own.
 */
const root = join(import.meta.dirname, '..');
const named = process.argv.slice(2);

// Some tests are of the bundle for node, whatever else is under test.
if (!existsSync(join(root, 'dist/bin'))) build('build.js');
build('build-standalone.js');
const { status } = spawnSync(
  join(root, 'node_modules/.bin/vitest'),
  ['run', 'test/standalone', ...(named.length > 0 ? named : ['test/end-to-end'])],
  {
    stdio: 'inherit',
    cwd: root,
    env: { ...process.env, CREDSTASH_TEST_COMMAND: join(root, 'dist/standalone/credstash') },
  },
);
process.exitCode = status ?? 1;

/** @param {string} script */
function build(script) {
  execFileSync(process.execPath, [join(root, 'scripts', script)], { stdio: 'inherit' });
}
