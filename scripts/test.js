import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { stripVTControlCharacters } from 'node:util';
import { toolPath } from './tools.js';

/*
 * The whole check: lint, format, types, build, every test. Each step runs even if one before it failed, so that
 * one run tells everything; each but the tests on this Node.js counts as one test in the closing line.
 *
 * Many tests wait for a process or for time to pass, so two rows of steps run side by side and keep two processors busy.
 */
const root = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'credstash-test-'));
/** As many lines of each error. */
const MAX_LINES = 15;
/**
 * The failures of every step, which are printed again at the end, because often only the end of a long log is kept.
 *
 * @type {string[]}
 */
const failures = [];
let passed = 0;
let failed = 0;

/** @param {string} failure */
function collect(failure) {
  // Without the colours of a terminal.
  const lines = stripVTControlCharacters(failure).trimEnd().split('\n').slice(0, MAX_LINES);
  failures.push(lines.join('\n    '));
}

/** @param {boolean} isOk */
function count(isOk) {
  if (isOk) passed += 1;
  else failed += 1;
}

/**
 * Runs a command, and prints what it writes: at its end, so that the output of two steps does not mix, or at once.
 *
 * @param {string} title
 * @param {string[]} command
 * @param {{ env?: NodeJS.ProcessEnv, atOnce?: boolean }} [options]
 */
async function run(title, [program = '', ...args], { env = {}, atOnce = false } = {}) {
  const path = `${join(root, 'node_modules/.bin')}:${process.env.PATH}`;
  const output = atOnce ? 'inherit' : 'pipe';
  if (atOnce) process.stdout.write(`\n== ${title}\n`);
  const child = spawn(program, args, {
    cwd: root,
    env: { ...process.env, PATH: path, ...env },
    stdio: ['ignore', output, output],
  });
  const [stdout, stderr, ended] = await Promise.all([
    child.stdout ? text(child.stdout) : '',
    child.stderr ? text(child.stderr) : '',
    /** @type {Promise<number | null | Error>} */ (
      new Promise((resolve) => child.once('close', resolve).once('error', resolve))
    ),
  ]);
  const said = `${stdout}${stderr}${ended instanceof Error ? `${ended.message}\n` : ''}`;
  if (!atOnce) process.stdout.write(`\n== ${title}\n${said}`);
  return { ok: ended === 0, said };
}

/** @param {string} title @param {string[]} command */
async function check(title, command) {
  const { ok, said } = await run(title, command);
  count(ok);
  if (!ok) collect(`${title}\n${said}`);
}

/**
 * Runs tests and collects what failed.
 *
 * @param {string} title
 * @param {string[]} command with Vitest's options at its end
 * @param {{ env?: NodeJS.ProcessEnv, atOnce?: boolean }} [options]
 */
async function test(title, command, { env, atOnce = false } = {}) {
  const report = join(folder, `${title}.json`);
  const told = join(folder, `${title}.failures.json`);
  const reporters = ['default', 'json', join(root, 'scripts/failure-reporter.js')];
  const { ok } = await run(
    title,
    [
      ...command,
      ...reporters.map((reporter) => `--reporter=${reporter}`),
      `--outputFile.json=${report}`,
    ],
    { env: { ...env, CREDSTASH_TEST_FAILURES: told }, atOnce },
  );
  const before = failures.length;
  try {
    const counts = JSON.parse(readFileSync(report, 'utf8'));
    for (const each of JSON.parse(readFileSync(told, 'utf8'))) collect(`${title}: ${each}`);
    if (!ok && failures.length === before) collect(`${title}: failed, and no test of it`);
    // A file that cannot be loaded, or a test that was left out, is a failure and not a smaller number.
    const left = counts.numTotalTests - counts.numPassedTests;
    return { ok, passed: counts.numPassedTests, failed: left === 0 && !ok ? 1 : left };
  } catch {
    collect(`${title}: ended without a report`);
    return { ok, passed: 0, failed: 1 };
  }
}

/** Every test, on this Node.js, beside the other row of steps. */
async function testHere() {
  const all = await test('tests', ['vitest', 'run'], { atOnce: true });
  passed += all.passed;
  failed += all.failed;
}

/**
 * Runs some tests again on another runtime. Without its tool they are left out; in CI that is a failure.
 *
 * @param {string} runtime
 * @param {string} tool its program
 * @param {string[]} command
 * @param {NodeJS.ProcessEnv} [env] what is added to the environment
 */
async function testOn(runtime, tool, command, env = {}) {
  if (existsSync(tool)) {
    count((await test(runtime, [...command, '--maxWorkers=2'], { env })).ok);
  } else if (process.env.CI === undefined) {
    process.stdout.write(`\n!!!! LEFT OUT: every test of ${runtime} (npm run test:tools)\n`);
  } else {
    count(false);
    collect(`${runtime}: there is no ${tool}`);
  }
}

/** @param {string[]} names */
const processTests = (names) => names.map((file) => `test/process/${file}.test.ts`);

/** The command on the other runtimes: what must not reach a person, such as a warning, is another there. */
async function testElsewhere() {
  const node22 = join(root, '.cache/node22/bin/node');
  const node24 = join(root, '.cache/node24/bin/node');
  const onBoth = ['network', 'tls', 'startup', 'exec', 'surroundings'];
  for (const [title, node, names] of /** @type {[string, string, string[]][]} */ ([
    ['the command on Node.js 22', node22, [...onBoth, 'sessions', 'exec-terminal']],
    ['the command on Node.js 24', node24, onBoth],
  ])) {
    const files = [...processTests(names), 'test/campaigns/crashes.test.ts'];
    await testOn(title, node, ['vitest', 'run', ...files], { CREDSTASH_TEST_NODE: node });
  }
  // The driver of the vault there is Node.js's own, in both releases.
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const files = ['test/backend/local', 'test/end-to-end/sessions.test.ts'];
  await testOn('sessions and the vault on Node.js 22', node22, [node22, vitest, 'run', ...files]);

  // The single file: its own tests, and those of what differs most between the two runtimes.
  const ofBun = ['terminal', 'pipes', 'network', 'tls', 'exec', 'exec-terminal', 'exec-file'];
  await testOn('the single file', toolPath('bun'), [
    ...['node', 'scripts/test-standalone.js'],
    ...processTests([...ofBun, 'edit', 'surroundings']),
  ]);
}

await Promise.all([
  check('build', ['node', 'scripts/build.js']),
  check('lint and types', ['npm', 'run', '--silent', 'lint']),
  check('format', ['oxfmt', '--check']),
]);
await Promise.all([testHere(), testElsewhere()]);

rmSync(folder, { recursive: true, force: true });
for (const failure of failures) process.stdout.write(`\nFAILED ${failure}\n`);
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
