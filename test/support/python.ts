import { spawnSync } from 'node:child_process';
import { describeUnless } from './needed.ts';

/** The first Python 3 that has PyYAML: one of a version manager often has not, while the system's has. */
const interpreter = ['python3', '/usr/bin/python3'].find(
  (command) => spawnSync(command, ['-c', 'import yaml']).status === 0,
);

/** Why there is no Python to compare with; undefined where there is one. */
export function pythonMissing(): string | undefined {
  return interpreter === undefined
    ? 'no python3 with the module yaml (apt-get install python3-yaml)'
    : undefined;
}

/**
 * Runs a program of Python 3.
 *
 * @param program reads `data`, and sets `result`
 * @param data anything that JSON holds
 * @returns `result`; bytes in it are `{"base64": "…"}`, what else JSON lacks is `{"python": repr}`
 */
export function python(program: string, data: unknown): unknown {
  const { status, stdout, stderr } = spawnSync(
    interpreter ?? 'python3',
    ['-c', `${BEFORE}\n${program}\n${AFTER}`],
    { input: JSON.stringify(data), encoding: 'utf8', maxBuffer: 2 ** 28 },
  );
  if (status !== 0) throw new Error(`python3 ended with ${status}: ${stderr}`);
  return JSON.parse(stdout);
}

const BEFORE = `
import base64, csv, io, json, sys, yaml
data = json.load(sys.stdin.buffer)
`;

const AFTER = `
def other(value):
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    return {"python": repr(value)}
json.dump(result, sys.stdout, default=other)
`;

/** Tests that compare with Python. */
export function describeWithPython(title: string, define: () => void): void {
  describeUnless(pythonMissing(), `${title}, by Python`, define);
}
