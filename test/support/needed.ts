import { spawnSync } from 'node:child_process';
import { describe } from 'vitest';

/** Why a program that a test needs cannot run; undefined where it can. */
export function programMissing(program: string, ...args: string[]): string | undefined {
  const { status, error } = spawnSync(program, args, { stdio: 'ignore' });
  return status === 0 ? undefined : `no ${program} (${error?.message ?? `it ends with ${status}`})`;
}

/**
 * Tests that need what is not on every machine. Without it they are left out, which one loud line says; in CI that is
 * a failure.
 */
export function describeUnless(
  missing: string | undefined,
  title: string,
  define: () => void,
): void {
  if (missing === undefined) {
    describe(title, define);
  } else if (process.env['CI'] !== undefined) {
    throw new Error(`“${title}” cannot be tested: ${missing}`);
  } else {
    process.stderr.write(`\n!!!! LEFT OUT: tests of “${title}”: ${missing}\n\n`);
  }
}
