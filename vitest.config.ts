import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { configDefaults, defineConfig } from 'vitest/config';
import { stampCommit } from './rolldown.config.js';

/** Folders of tests that change nothing in the process that another test of them could notice. */
const CLEAN = ['calls', 'format', 'model', 'operations', 'seal', 'util', 'cli', 'backend/local'];

/** Their files share a process, and load the source once; a mocked module would stay for the others. */
const shared = CLEAN.flatMap((folder) =>
  readdirSync(join(import.meta.dirname, 'test', folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => `test/${folder}/${file}`),
).filter((file) => !/\bvi\.mock\(/.test(readFileSync(join(import.meta.dirname, file), 'utf8')));

/** What both projects have. */
const every = {
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
            // They test the single file, which scripts/test-standalone.js makes and names.
            ...(process.env.CREDSTASH_TEST_COMMAND === undefined ? ['test/standalone/**'] : []),
          ],
        },
      },
    ],
    globalSetup: ['test/support/dynamo-pool.ts', 'test/support/packed.ts'],
    // Most tests wait for processes that they start, and some for time to pass: four files at a time fill two processors.
    maxWorkers: 4,
    // npm run coverage. A process that a test starts is not counted, so what only the built command does shows as not run.
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text', 'html'],
      reportsDirectory: '.cache/coverage',
    },
  },
});
