import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { configDefaults, defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { stampCommit } from './rolldown.config.js';

/**
 * A file that mocks a module or an SDK client has a process of its own, because the mock would stay for the next file. All
 * others share processes, which load the source once.
 */
const MOCK = /\b(?:vi\.mock|mockClient)\(/;

/** Tests of the single file, which scripts/test-standalone.js makes and names. */
const isStandalone = process.env.CREDSTASH_TEST_COMMAND !== undefined;

/** The order of the files; where two are alike here, it is Vitest's. */
class Sequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.sort((a, b) => rank(a) - rank(b));
  }
}

function rank({ project, moduleId }: TestSpecification): number {
  // As soon as the next file needs a process of its own, Vitest ends the one that the others share.
  if (project.name === 'apart') return 0;
  // These wait for programs. The long ones would otherwise run alone at the end, because their files are short.
  return /\/test\/(?:process|release)\//.test(moduleId) ? 1 : 2;
}

const tests = join(import.meta.dirname, 'test');
const shared = readdirSync(tests, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts') && (isStandalone || !file.startsWith('standalone')))
  .filter((file) => !MOCK.test(readFileSync(join(tests, file), 'utf8')))
  .map((file) => `test/${file}`);

/** What both projects have. */
const every = {
  setupFiles: ['test/support/after-file.ts', 'test/support/fixed-seed.ts'],
  // A hang ends here. What works never does, however busy the machine: no test is about how long it takes.
  testTimeout: 300_000,
  hookTimeout: 300_000,
  expect: { poll: { timeout: 120_000 } },
  env: {
    // No test may take credentials from the machine's instance metadata. The SDK's notices are not ours.
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
  },
};

export default defineConfig({
  // doctor names the commit in the tests' own process as it does in the built command.
  plugins: [stampCommit],
  test: {
    projects: [
      { test: { ...every, name: 'shared', include: shared, isolate: false } },
      {
        test: {
          ...every,
          name: 'apart',
          include: ['test/**/*.test.ts'],
          exclude: [
            ...configDefaults.exclude,
            ...shared,
            ...(isStandalone ? [] : ['test/standalone/**']),
          ],
        },
      },
    ],
    globalSetup: ['test/support/dynamo-pool.ts', 'test/support/packed.ts'],
    // Most tests wait for processes that they start, and some for time to pass: four files at a time fill two processors.
    maxWorkers: 4,
    sequence: { sequencer: Sequencer },
    // npm run coverage. A process that a test starts is not counted, so what only the built command does shows as not run.
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text', 'html'],
      reportsDirectory: '.cache/coverage',
    },
  },
});
