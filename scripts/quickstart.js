import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/*
 * The main job, for real: the built command on a fresh vault in a temporary folder. Each command line is shown
 * with what it printed, and the first difference from what it should print ends the run with a failure.
 */
const command = join(import.meta.dirname, '..', 'dist', 'bin', 'credstash.cjs');
const folder = mkdtempSync(join(tmpdir(), 'credstash-quickstart-'));
const v1 = '0000000000000000001';
const v2 = '0000000000000000002';

const steps = [
  { args: ['setup'], stdout: `The vault ${join(folder, 'vault')} has been created\n` },
  {
    args: ['put', 'db.password', '-', '-c', 'first'],
    input: 'correct horse',
    stdout: 'db.password has been stored\n',
  },
  {
    args: ['put', 'db.password', '-', '-a', '-c', 'rotated'],
    input: 'battery staple',
    stdout: 'db.password has been stored\n',
  },
  { args: ['get', 'db.password'], stdout: 'battery staple\n' },
  { args: ['get', 'db.password', '-v', '1'], stdout: 'correct horse\n' },
  {
    args: ['list'],
    stdout: `db.password -- version ${v1} -- comment first\ndb.password -- version ${v2} -- comment rotated\n`,
  },
  {
    args: ['delete', 'db.password'],
    stdout: `Deleting db.password -- version ${v1}\nDeleting db.password -- version ${v2}\n`,
  },
  { args: ['get', 'db.password'], stdout: '', status: 3 },
];

try {
  // Without the caller's AWS and credstash settings, so that the output depends only on this folder.
  const env = { PATH: process.env.PATH, HOME: folder, CREDSTASH_LOCAL: join(folder, 'vault') };
  process.stdout.write(`export CREDSTASH_LOCAL=${env.CREDSTASH_LOCAL}\n`);
  for (const { args, input, stdout, status = 0 } of steps) {
    const pipe = input === undefined ? '' : `printf '${input}' | `;
    const words = args.map((arg) => (/^[\w.-]+$/.test(arg) ? arg : `'${arg}'`));
    process.stdout.write(`\n$ ${pipe}credstash ${words.join(' ')}\n`);
    const run = spawnSync(process.execPath, [command, ...args], { env, input: input ?? '' });
    process.stdout.write(run.stdout);
    process.stdout.write(run.stderr);
    if (run.stdout.toString() !== stdout || run.status !== status) {
      throw new Error(`expected exit status ${status} and this output:\n${stdout}`);
    }
    if (status !== 0) process.stdout.write(`(exit status ${status}, as it should be)\n`);
  }
  process.stdout.write('\nAll of it came out as it should.\n');
} catch (error) {
  process.stderr.write(`\nquickstart failed: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
