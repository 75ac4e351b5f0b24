import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, onTestFinished, TestRunner } from 'vitest';

/** A new folder, which the caller removes with `removeFolder`. */
export function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), 'credstash-test-'));
}

export function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

/**
 * A new folder, which removes itself: after the test that makes it, also in `beforeEach`, else after all tests of the file or
 * `describe` that it is made in. A `beforeAll` comes too late for that.
 */
export function temporaryFolder(): string {
  const path = makeFolder();
  const removeAfter = TestRunner.getCurrentTest() === undefined ? afterAll : onTestFinished;
  removeAfter(() => {
    removeFolder(path);
  });
  return path;
}
