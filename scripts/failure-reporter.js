import { writeFileSync } from 'node:fs';

/** @import { SerializedError, TestModule } from 'vitest/node' */

/**
 * A reporter of Vitest that writes every failure, with its difference, into the file that CREDSTASH_TEST_FAILURES names:
 * an array of texts. Vitest's own JSON has no failure of a hook, and none outside of a test.
 */
export default class FailureReporter {
  /** @param {readonly TestModule[]} modules @param {readonly SerializedError[]} unhandled */
  onTestRunEnd(modules, unhandled) {
    /** @type {string[]} */
    const failures = [];
    /** @param {string} name @param {readonly SerializedError[]} errors */
    const collect = (name, errors) => {
      for (const { message, diff } of errors) {
        failures.push([name, message, ...(diff === undefined ? [] : [diff])].join('\n'));
      }
    };
    for (const module of modules) {
      const file = module.relativeModuleId;
      collect(file, module.errors());
      for (const suite of module.children.allSuites()) {
        collect(`${file}: ${suite.fullName}`, suite.errors());
      }
      for (const test of module.children.allTests()) {
        collect(`${file}: ${test.fullName}`, test.result().errors ?? []);
      }
      const left = [...module.children.allTests('skipped')].length;
      if (left > 0) failures.push(`${file}: ${left} tests did not run`);
    }
    collect('outside of a test', unhandled);
    writeFileSync(process.env.CREDSTASH_TEST_FAILURES ?? '', JSON.stringify(failures));
  }
}
