import { configDefaults, defineConfig } from 'vitest/config';
import { stampCommit } from './rolldown.config.js';

export default defineConfig({
  // doctor names the commit in the tests' own process as it does in the built command.
  plugins: [stampCommit],
  test: {
    include: ['test/**/*.test.ts'],
    // Of the single file, which scripts/test-standalone.js makes and names.
    exclude: [
      ...configDefaults.exclude,
      ...(process.env.CREDSTASH_TEST_COMMAND === undefined ? ['test/standalone/**'] : []),
    ],
    globalSetup: ['test/support/dynamo-pool.ts'],
    // Most tests wait for processes that they start, and some for time to pass: four files at a time fill two processors.
    maxWorkers: 4,
    // A hang ends here. What works never does, however busy the machine: no test is about how long it takes.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 120_000 } },
    // npm run coverage. A process that a test starts is not counted, so what only the built command does shows as not run.
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text', 'html'],
      reportsDirectory: '.cache/coverage',
    },
    env: {
      // The machine's instance metadata is no credential of a test, and the SDK's notices are not ours.
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    },
  },
});
