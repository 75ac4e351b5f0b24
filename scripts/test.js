import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify, stripVTControlCharacters } from 'node:util';
import { toolPath } from './tools.js';

/*
 * The whole check: lint, format, types, build, every test. Each step runs even if one before it failed, so that
 * one run tells everything; each of the first four counts as one test in the closing line.
 */
const root = join(import.meta.dirname, '..');
/** @type {NodeJS.ProcessEnv} */
const env = { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}` };
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

/** @param {string} title @param {string[]} command */
function step(title, command) {
  process.stdout.write(`\n== ${title}\n`);
  const [program = '', ...args] = command;
  const { status } = spawnSync(program, args, { stdio: 'inherit', cwd: root, env });
  return status === 0;
}

/** @param {boolean} isOk */
function count(isOk) {
  if (isOk) passed += 1;
  else failed += 1;
}

/** @param {string} title @param {string[]} command */
async function check(title, [program = '', ...args]) {
  /** @type {string} */
  let said;
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args, { cwd: root, env });
    said = stdout + stderr;
    count(true);
  } catch (error) {
    // The message has what it wrote to stderr.
    const { stdout = '', message } = /** @type {Partial<Record<string, string>>} */ (error);
    said = `${stdout}${message}\n`;
    count(false);
    collect(`${title}\n${said}`);
  }
  process.stdout.write(`\n== ${title}\n${said}`);
}

// The linter takes as long as the others together, and each of them one processor.
await Promise.all([
  check('lint', ['eslint', '.', '--max-warnings', '0']),
  (async () => {
    await check('format', ['prettier', '--check', '--log-level', 'warn', '.']);
    await check('types', ['tsc']);
    await check('build', ['node', 'scripts/build.js']);
  })(),
]);

const folder = mkdtempSync(join(tmpdir(), 'credstash-test-'));
/**
 * Runs tests and collects what failed.
 *
 * @param {string} title
 * @param {string[]} command with Vitest's options at its end
 */
function testStep(title, command) {
  const report = join(folder, 'report.json');
  const told = join(folder, 'failures.json');
  for (const file of [report, told]) rmSync(file, { force: true });
  env.CREDSTASH_TEST_FAILURES = told;
  const reporters = ['default', 'json', join(root, 'scripts/failure-reporter.js')];
  const ok = step(title, [
    ...command,
    ...reporters.map((reporter) => `--reporter=${reporter}`),
    `--outputFile.json=${report}`,
  ]);
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

/** @param {string} failure */
function collect(failure) {
  // Without the colours of a terminal.
  const lines = stripVTControlCharacters(failure).trimEnd().split('\n').slice(0, MAX_LINES);
  failures.push(lines.join('\n    '));
}

const all = testStep('tests', ['vitest', 'run']);
passed += all.passed;
failed += all.failed;

// The command again on the other releases of Node.js that it runs on: what must not reach a person, such as a warning,
// is another there. The sessions run on one of them, because both have Node.js's own driver of the vault.
for (const [release, names] of /** @type {[string, string[]][]} */ ([
  ['node22', ['sessions', 'network', 'tls', 'startup', 'exec', 'exec-terminal', 'surroundings']],
  ['node24', ['network', 'tls', 'startup', 'exec', 'surroundings']],
])) {
  const node = join(root, '.cache', release, 'bin', 'node');
  if (existsSync(node)) {
    env.CREDSTASH_TEST_NODE = node;
    const files = names
      .map((file) => `test/process/${file}.test.ts`)
      // The vault has another driver there.
      .concat('test/campaigns/crashes.test.ts');
    count(testStep(`the command on ${release}`, ['vitest', 'run', ...files]).ok);
  } else if (process.env.CI === undefined) {
    process.stdout.write(`\n!!!! LEFT OUT: every test on ${release} (npm run test:tools)\n`);
  } else {
    failed += 1;
  }
}

// The single file: its own tests, and those of what differs most between the two runtimes.
if (existsSync(toolPath('bun'))) {
  delete env.CREDSTASH_TEST_NODE;
  const files = [
    'terminal',
    'pipes',
    'network',
    'tls',
    'exec',
    'exec-terminal',
    'exec-file',
    'edit',
    'surroundings',
  ].map((file) => `test/process/${file}.test.ts`);
  count(testStep('the single file', ['node', 'scripts/test-standalone.js', ...files]).ok);
} else if (process.env.CI === undefined) {
  process.stdout.write('\n!!!! LEFT OUT: every test of the single file (npm run test:tools)\n');
} else {
  failed += 1;
}

rmSync(folder, { recursive: true, force: true });
for (const failure of failures) process.stdout.write(`\nFAILED ${failure}\n`);
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
