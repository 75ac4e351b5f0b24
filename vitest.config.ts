import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
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
  // Vitest ends a shared process when the next file is one that shares none: the source would be loaded again.
  if (project.name === 'apart') return 0;
  // Their files are short, so Vitest would begin them last. They wait for programs, and nothing else would run meanwhile.
  return /\/test\/(?:process|release)\//.test(moduleId) ? 1 : 2;
}

const tests = join(import.meta.dirname, 'test');
const apart: string[] = [];
const shared: string[] = [];
for (const file of readdirSync(tests, { recursive: true, encoding: 'utf8' })) {
  if (!file.endsWith('.test.ts') || (file.startsWith('standalone') && !isStandalone)) continue;
  const isMocked = MOCK.test(readFileSync(join(tests, file), 'utf8'));
  (isMocked ? apart : shared).push(`test/${file}`);
}

/** What both projects have. */
const every = {
  setupFiles: ['test/support/every-file.ts'],
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
      { test: { ...every, name: 'apart', include: apart } },
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
