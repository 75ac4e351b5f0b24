import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/*
 * npm run campaign:NAME: the long form of a campaign. SEED=… repeats one; CREDSTASH_TEST_NODE=… runs the command on
 * another release of Node.js.
 */
const root = join(import.meta.dirname, '..');
const [name = '', ...rest] = process.argv.slice(2);
const env = {
  ...process.env,
  PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}`,
  CAMPAIGN: 'long',
};
for (const [program = '', ...args] of [
  ['node', 'scripts/build.js'],
  ['vitest', 'run', `test/campaigns/${name}.test.ts`, ...rest],
]) {
  const { status } = spawnSync(program, args, { stdio: 'inherit', cwd: root, env });
  if (status !== 0) {
    process.exitCode = 1;
    break;
  }
}
