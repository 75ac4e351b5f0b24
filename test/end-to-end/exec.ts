import { expect } from 'vitest';
import type { RunOptions } from '../support/run.ts';
import {
  asText,
  type Ended,
  type InProcessOptions,
  type Place,
  runInProcess,
  type Running,
  vault,
} from './backends.ts';

/*
 * What the tests of exec share: those that every runtime runs (test/process/exec.test.ts), and those that do not depend on it
 * (test/process/exec-secrets.test.ts).
 */

/** The secrets in the vault of these tests. `prod.api.login` gets a second version. */
const SECRETS = {
  'prod.api.db-password': 's3cret',
  'prod.api.login': 'app',
  'prod.api.nasty': `'"$(id)\`\\ \n\t#=%é😀 `,
  'prod.api.empty': '',
  'bin.nul': 'canary\0',
  'bin.bytes': Uint8Array.of(0x63, 0xff),
  'bin.large': 'x'.repeat(140_000),
  'twin.a-b': 'one',
  'twin.a.b': 'two',
};

/**
 * Runs the command on a place in this process: to prepare it, and where exec ends in an error before it starts COMMAND. Where
 * exec gets that far, COMMAND can take the place of this process.
 */
export async function runInPlace(
  place: Pick<Place, 'args' | 'env'>,
  args: readonly string[],
  { env, ...options }: InProcessOptions = {},
): Promise<Ended> {
  const all = { ...options, env: { ...place.env, ...env } };
  return asText(await runInProcess([...place.args, ...args], all));
}

/** Stores secrets, empty ones too. */
export async function put(
  place: Place,
  secrets: Readonly<Record<string, string | Uint8Array>>,
): Promise<void> {
  for (const [name, input] of Object.entries(secrets)) {
    const ended = await runInPlace(place, ['put', name, '-', '--allow-empty'], { input });
    expect(ended).toMatchObject({ status: 0 });
  }
}

/** A vault with secrets of every kind. */
export async function startExecVault(): Promise<{ running: Running; place: Place }> {
  const running = await vault.start();
  const place = await running.place();
  await put(place, SECRETS);
  for (const args of [
    ['put', '-a', 'prod.api.login', 'newer'],
    ['put', 'context.db', 'in a context', 'env=prod'],
  ]) {
    expect(await runInPlace(place, args)).toMatchObject({ status: 0 });
  }
  return { running, place };
}

/** The environment that COMMAND gets, by its name. */
export async function environmentOf(
  place: Place,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Record<string, string>> {
  const { status, stdout, stderr } = await place.raw(['exec', ...args, '--', 'env', '-0'], options);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return Object.fromEntries(
    stdout
      .toString()
      .split('\0')
      .filter((each) => each !== '')
      .map((each) => [each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1)]),
  );
}
