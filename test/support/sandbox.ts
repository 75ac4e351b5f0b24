import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** Which program a test runs; the built command unless given. */
export interface Program {
  /** The script that node runs. */
  readonly executable?: string;
  /** A command that runs the one that follows it, in circumstances of its own: `nsenter …`. */
  readonly under?: readonly [string, ...string[]];
  /** What is added to an environment that has nothing of the developer's but PATH. */
  readonly env?: Readonly<Record<string, string>>;
  /** The working folder: an empty temporary one unless given. */
  readonly cwd?: string;
}

/** A folder, an environment and a command line in which nothing of the developer's is left. */
export interface Sandbox {
  readonly cwd: string;
  readonly env: Record<string, string>;
  readonly command: [program: string, ...args: string[]];
  readonly remove: () => void;
}

/** The built command. */
export const builtCommand = resolve(import.meta.dirname, '../../dist/bin/credstash.cjs');

/** The node that runs it: this one, or the one that CREDSTASH_TEST_NODE names. */
export function nodeUnderTest(): string {
  return process.env.CREDSTASH_TEST_NODE ?? process.execPath;
}

/** Whether that node can put another program into its process's place. */
export function replacesProcess(): boolean {
  return execFileSync(nodeUnderTest(), ['-p', 'typeof process.execve']).toString() === 'function\n';
}

/** Prepares to run a program; HOME is an empty temporary folder unless env names one. */
export function sandbox(args: readonly string[], program: Program): Sandbox {
  const command = [nodeUnderTest(), program.executable ?? builtCommand, ...args] as const;
  const home = mkdtempSync(join(tmpdir(), 'credstash-test-'));
  return {
    cwd: program.cwd ?? home,
    env: {
      PATH: process.env.PATH ?? '',
      HOME: home,
      AWS_EC2_METADATA_DISABLED: 'true',
      ...program.env,
    },
    command: program.under ? [...program.under, ...command] : [...command],
    remove: () => {
      rmSync(home, { recursive: true, force: true });
    },
  };
}
