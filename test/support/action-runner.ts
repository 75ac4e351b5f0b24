import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { readGithubEnv } from './github.ts';
import { temporaryFolder } from './temporary-folder.ts';

interface Step {
  readonly id: string;
  readonly shell: string;
  readonly env: Readonly<Record<string, string>>;
  readonly run: string;
}

interface Action {
  readonly inputs: Readonly<
    Record<string, { readonly default?: string; readonly required?: boolean }>
  >;
  readonly outputs: Readonly<Record<string, { readonly value: string }>>;
  readonly runs: { readonly using: string; readonly steps: readonly Step[] };
}

/** What a job has of an action that was run. */
export interface Done {
  readonly status: number | null;
  /** What the steps printed. */
  readonly log: string;
  /** The variables that the steps that follow have. */
  readonly env: Readonly<Record<string, string>>;
  /** The folders that they have before the others of PATH. */
  readonly path: readonly string[];
  readonly outputs: Readonly<Record<string, string>>;
}

/**
 * Runs the steps of a composite action as a runner of GitHub does, of which it has what action.yml uses: `inputs`, outputs
 * of steps and `github.token` as expressions of `env`, `value` and nothing else; bash; and the files of GITHUB_ENV,
 * GITHUB_OUTPUT and GITHUB_PATH.
 *
 * @param file the path of action.yml
 * @param inputs of `with:`
 * @param env the environment of the job
 * @throws Error if action.yml uses something else, or has no such input
 */
export async function runAction(
  file: string,
  inputs: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>>,
): Promise<Done> {
  const action = parse(readFileSync(file, 'utf8')) as Action;
  if (action.runs.using !== 'composite') throw new Error(`not composite: ${action.runs.using}`);
  for (const name of Object.keys(inputs)) {
    if (!Object.hasOwn(action.inputs, name)) throw new Error(`there is no input ${name}`);
  }
  const steps: Record<string, Map<string, string>> = {};
  const evaluate = (text: string): string =>
    text.replace(/\$\{\{(.*?)\}\}/g, (_, expression: string) => {
      const [, input, step = '', output = ''] =
        /^ (?:inputs\.([\w-]+)|steps\.(\w+)\.outputs\.(\w+)|github\.token) $/.exec(expression) ??
        raise(`unknown expression: ${expression}`);
      if (input !== undefined) return inputs[input] ?? action.inputs[input]?.default ?? '';
      return step === '' ? 'ghs_token' : (steps[step]?.get(output) ?? '');
    });
  const folder = temporaryFolder();
  const files = {
    GITHUB_ENV: join(folder, 'env'),
    GITHUB_OUTPUT: join(folder, 'output'),
    GITHUB_PATH: join(folder, 'path'),
  };
  const found = (): Omit<Done, 'status' | 'log'> => ({
    env: Object.fromEntries(readGithubEnv(readFileSync(files.GITHUB_ENV, 'utf8'))),
    path: readFileSync(files.GITHUB_PATH, 'utf8')
      .split('\n')
      .filter((line) => line !== ''),
    outputs: Object.fromEntries(
      Object.entries(action.outputs).map(([name, { value }]) => [name, evaluate(value)]),
    ),
  });
  writeFileSync(files.GITHUB_ENV, '');
  writeFileSync(files.GITHUB_PATH, '');
  let log = '';
  for (const step of action.runs.steps) {
    if (step.shell !== 'bash') throw new Error(`unknown shell: ${step.shell}`);
    if (step.run.includes('${{')) throw new Error(`an expression in the script of ${step.id}`);
    const script = join(folder, `${step.id}.sh`);
    writeFileSync(script, step.run);
    writeFileSync(files.GITHUB_OUTPUT, '');
    const own = Object.entries(step.env).map(([name, value]) => [name, evaluate(value)]);
    const child = spawn('bash', ['--noprofile', '--norc', '-e', '-o', 'pipefail', script], {
      env: { RUNNER_TEMP: folder, ...env, ...files, ...(Object.fromEntries(own) as object) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (log += text));
    }
    const [status] = (await once(child, 'close')) as [number | null];
    steps[step.id] = readGithubEnv(readFileSync(files.GITHUB_OUTPUT, 'utf8'));
    if (status !== 0) return { status, log, ...found() };
  }
  return { status: 0, log, ...found() };
}

function raise(message: string): never {
  throw new Error(message);
}
