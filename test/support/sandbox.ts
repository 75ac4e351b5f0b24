import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { makeFolder, removeFolder } from './temporary-folder.ts';

/** Which program a test runs; the built command unless given. */
export interface Program {
  /** The script that node runs, whatever command is under test. */
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

const codeCache = resolve(import.meta.dirname, '../../.cache/test');

/** The node that runs it: this one, or the one that CREDSTASH_TEST_NODE names. */
export function nodeUnderTest(): string {
  return process.env.CREDSTASH_TEST_NODE ?? process.execPath;
}

/** The single file that runs in place of node and the built command, where CREDSTASH_TEST_COMMAND names one. */
export function standaloneUnderTest(): string | undefined {
  return process.env.CREDSTASH_TEST_COMMAND;
}

/** Whether the command under test can put another program into its process's place. */
export function replacesProcess(): boolean {
  if (standaloneUnderTest() !== undefined) return process.platform === 'linux';
  return execFileSync(nodeUnderTest(), ['-p', 'typeof process.execve']).toString() === 'function\n';
}

function commandUnderTest(executable?: string): [program: string, ...args: string[]] {
  const standalone = standaloneUnderTest();
  if (executable === undefined && standalone !== undefined) return [standalone];
  return [nodeUnderTest(), executable ?? builtCommand];
}

/** Prepares to run a program; HOME is an empty temporary folder unless env names one. */
export function sandbox(args: readonly string[], program: Program): Sandbox {
  const command = [...commandUnderTest(program.executable), ...args] as const;
  const home = makeFolder();
  return {
    cwd: program.cwd ?? home,
    env: {
      PATH: process.env.PATH ?? '',
      HOME: home,
      // One for all: a start that has to compile what it runs takes twice as long.
      XDG_CACHE_HOME: codeCache,
      AWS_EC2_METADATA_DISABLED: 'true',
      ...program.env,
    },
    command: program.under ? [...program.under, ...command] : [...command],
    remove: () => {
      removeFolder(home);
    },
  };
}

let shared: Sandbox | undefined;

/** The home and working folder of runs in this process: the same one as long as it stays empty, as most runs leave it. */
export function sharedSandbox(): Sandbox {
  return (shared ??= sandbox([], {}));
}

export function removeSharedSandbox(): void {
  shared?.remove();
  shared = undefined;
}
