import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';

/*
 * The single file, made anew of the bundle, in the end-to-end tests that the command line names, else in all of them, and in the
 * tests of its own.
 */
const root = join(import.meta.dirname, '..');
const named = process.argv.slice(2);

execFileSync(process.execPath, [join(root, 'scripts/build-standalone.js')], { stdio: 'inherit' });
const { status } = spawnSync(
  join(root, 'node_modules/.bin/vitest'),
  ['run', 'test/standalone', ...(named.length > 0 ? named : ['test/process', 'test/end-to-end'])],
  {
    stdio: 'inherit',
    cwd: root,
    env: { ...process.env, CREDSTASH_TEST_COMMAND: join(root, 'dist/standalone/credstash') },
  },
);
process.exitCode = status ?? 1;
