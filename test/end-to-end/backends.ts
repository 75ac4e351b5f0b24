import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { openLocal } from '../../src/backend/local/index.ts';
import { parseItem, encodeItem, type Item } from '../../src/model/item.ts';
import {
  createTable,
  type Dynamo,
  dynamoLocalMissing,
  putRaw,
  scanRaw,
  startDynalite,
  startDynamoLocal,
} from '../support/dynamo.ts';
import { inProcess } from '../support/in-process.ts';
import { type KmsServer, startKmsServer } from '../support/kms-server.ts';
import { type Outcome, run, type RunOptions, silence } from '../support/run.ts';
import { removeSharedSandbox, sharedSandbox, standaloneUnderTest } from '../support/sandbox.ts';
import { testCredential } from '../support/sigv4.ts';
import { makeFolder, removeFolder } from '../support/temporary-folder.ts';

/** How a command ended; stdout as text. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One table or vault, and the command on it. */
export interface Place {
  /** As messages name it: `the vault /tmp/x`, `the table t in us-east-1`. */
  readonly where: string;
  readonly env: Readonly<Record<string, string>>;
  /** The options that choose it. */
  readonly args: readonly string[];
  /** Runs the command with the options of this place before `args`. */
  readonly raw: (args: readonly string[], options?: RunOptions) => Promise<Outcome>;
  /** The same, as text. */
  readonly cs: (args: readonly string[], options?: RunOptions) => Promise<Ended>;
  /** Every item as it stands; none where there is no table and no vault. */
  readonly items: () => Promise<Item[]>;
  /** Writes an item over any other. */
  readonly plant: (item: Item) => Promise<void>;
}

/** A backend whose servers are up. */
export interface Running {
  readonly kms: KmsServer | undefined;
  /** Where DynamoDB is; undefined for the vault. */
  readonly dynamo: string | undefined;
  /** A table or vault of its own, empty. */
  readonly place: () => Promise<Place>;
  /** The same, not created yet. */
  readonly absent: () => Place;
  readonly close: () => Promise<void>;
}

export interface Backend {
  readonly name: string;
  readonly start: () => Promise<Running>;
}

/** A command that did what it was asked to. */
export function ok(stdout: string): Ended {
  return { status: 0, stdout, stderr: '' };
}

/** What put answers. */
export function stored(name: string): Ended {
  return ok(`${name} has been stored\n`);
}

/** Matches a command that ended in `status`, printed nothing, and said all of these in one error. */
export function failed(status: number, ...said: (string | RegExp)[]): unknown {
  const lines = said.map((each) => (typeof each === 'string' ? RegExp(literally(each)) : each));
  const stderr: unknown = expect.toSatisfy(
    (text: string) =>
      /^credstash: error: [^\n]+\n(credstash: hint: [^\n]+\n)?(credstash: service says: [^\n]+\n)?$/.test(
        text,
      ) && lines.every((line) => line.test(text)),
    `one error that says ${lines.join(' and ')}`,
  );
  return { status, stdout: '', stderr };
}

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

/** `stdout` of a run, as text. */
export function asText({ status, stdout, stderr }: Outcome): Ended {
  return { status, stdout: stdout.toString(), stderr };
}

/** What a command needs to talk to these servers. */
export function awsEnv(
  dynamo: string,
  kms: string,
  credential: { accessKeyId: string; secretAccessKey: string } = testCredential,
): Record<string, string> {
  return {
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: credential.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credential.secretAccessKey,
    AWS_ENDPOINT_URL_DYNAMODB: dynamo,
    AWS_ENDPOINT_URL_KMS: kms,
  };
}

let counter = 0;

/** How a place runs its commands: each as a process, or where that would say nothing more, in this one. */
type Runner = (args: readonly string[], options?: RunOptions) => Promise<Outcome>;

/** Whether the command under test is run by another runtime than this one. */
const isOther =
  process.env.CREDSTASH_TEST_NODE !== undefined || standaloneUnderTest() !== undefined;

let busy = false;

/** Options of `run` that also work in this process. */
export interface InProcessOptions {
  readonly input?: string | Uint8Array | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
}

/**
 * Runs the command in this process, which takes a tenth of the time, whatever runtime is under test. Runs share the environment
 * and the working folder of this process, so there is one at a time.
 *
 * @param options the working folder is an empty one unless given
 */
export async function runInProcess(
  args: readonly string[],
  { input, env, cwd }: InProcessOptions = {},
): Promise<Outcome> {
  if (busy) throw new Error('another command runs in this process');
  busy = true;
  const before = process.cwd();
  const { cwd: home, env: clean } = sharedSandbox();
  try {
    process.chdir(cwd ?? home);
    const options = { env: { ...clean, ...env }, ...(input === undefined ? {} : { input }) };
    return { ...(await inProcess(args, options)), signal: null };
  } finally {
    busy = false;
    process.chdir(before);
    if (readdirSync(home).length > 0) removeSharedSandbox();
  }
}

/** Runs the command in this process, or as a process of its own if the run is about one, or another is in this one. */
export const runHere: Runner = async (args, options = {}) => {
  const { input, env, cwd, ...others } = options;
  const isOfOne = args.some((arg) => ['exec', 'edit', 'completion', '__complete'].includes(arg));
  const isPlain = Object.keys(others).length === 0;
  if (busy || !isPlain || input === silence || isOther || isOfOne) return run(args, options);
  return runInProcess(args, { input, env, cwd });
};

function runners(
  place: Pick<Place, 'args' | 'env'>,
  runner: Runner = run,
): Pick<Place, 'raw' | 'cs'> {
  const raw: Place['raw'] = (args, options = {}) =>
    runner([...place.args, ...args], { ...options, env: { ...place.env, ...options.env } });
  return { raw, cs: async (args, options) => asText(await raw(args, options)) };
}

export function vaultPlace(folder: string, runner: Runner = run): Place {
  const which = { env: {}, args: [`--local=${folder}`] };
  return {
    ...which,
    ...runners(which, runner),
    where: `the vault ${folder}`,
    items: async () => {
      const { entries, vault } = openLocal(folder, { create: true });
      const items: Item[] = [];
      for await (const found of entries.scan()) items.push(encodeItem(found.read()));
      vault.close();
      return items;
    },
    plant: async (item) => {
      const entry = parseItem(item);
      const { entries, vault } = openLocal(folder, { create: true });
      await entries.remove(entry.name, entry.version);
      await entries.create(entry);
      vault.close();
    },
  };
}

export function awsPlace(dynamo: string, kms: string, table: string, runner: Runner = run): Place {
  const which = { env: awsEnv(dynamo, kms), args: ['-t', table] };
  return {
    ...which,
    ...runners(which, runner),
    where: `the table ${table} in us-east-1`,
    items: async () => (await scanRaw(dynamo, table)) as unknown as Item[],
    plant: (item) => putRaw(dynamo, table, item),
  };
}

function startVault(runner: Runner = run): Promise<Running> {
  const folder = makeFolder();
  const absent = (): Place => vaultPlace(join(folder, `vault-${++counter}`), runner);
  return Promise.resolve({
    kms: undefined,
    dynamo: undefined,
    absent,
    place: async () => {
      const place = absent();
      await place.items(); // which creates it
      return place;
    },
    close: () => {
      removeFolder(folder);
      return Promise.resolve();
    },
  });
}

async function startAws(
  startDynamo: () => Promise<Dynamo>,
  runner: Runner = run,
): Promise<Running> {
  const [dynamo, kms] = await Promise.all([startDynamo(), startKmsServer()]);
  const table = (): string => `table-${++counter}`;
  return {
    kms,
    dynamo: dynamo.url,
    absent: () => awsPlace(dynamo.url, kms.url, table(), runner),
    place: async () => {
      const name = table();
      await createTable(dynamo.url, name);
      return awsPlace(dynamo.url, kms.url, name, runner);
    },
    close: async () => {
      await Promise.all([dynamo.close(), kms.close()]);
    },
  };
}

// The commands run in this process wherever that shows the same (`runHere`). The tests in test/process run them as
// processes.
export const vault: Backend = { name: 'the vault', start: () => startVault(runHere) };
/** Each command as a process, for tests about what a process does. */
export const vaultProcess: Backend = { name: 'the vault', start: () => startVault() };
export const dynalite: Backend = {
  name: 'KMS and dynalite',
  start: () => startAws(startDynalite, runHere),
};
export const dynamoLocal: Backend = {
  name: 'KMS and DynamoDB Local',
  start: () => startAws(startDynamoLocal, runHere),
};

/**
 * Every backend there is on this machine; on CI that is all of them. What another runtime does on one engine of DynamoDB it
 * does on the other.
 */
export const backends: readonly Backend[] = [
  vault,
  dynalite,
  ...(isOther ? [] : optional(dynamoLocal)),
];

function optional(backend: Backend): Backend[] {
  const missing = dynamoLocalMissing();
  if (missing === undefined) return [backend];
  if (process.env.CI) throw new Error(`CI must test ${backend.name}: ${missing}`);
  process.stderr.write(`!!! LEFT OUT: every end-to-end test on ${backend.name}: ${missing}\n`);
  return [];
}
