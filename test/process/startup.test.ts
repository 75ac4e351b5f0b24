import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { builtCommand, run } from '../support/run.ts';
import {
  asText,
  dynalite,
  ok,
  type Place,
  type Running,
  vaultProcess,
} from '../end-to-end/backends.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
/** Whether another Node.js runs the command than the tests. */
const isOther = process.env.CREDSTASH_TEST_NODE !== undefined;
const hook = join(folder, 'hook.cjs');
const report = join(folder, 'loaded');
const chunks = join(dirname(builtCommand), 'chunks');
/** A module of the bundle, and what it loads at once. */
function withImports(path: string, seen: string[] = []): string[] {
  if (seen.includes(path)) return seen;
  seen.push(path);
  // A module that is loaded later is required by a function: `()=>require(…)`.
  for (const [, id = ''] of readFileSync(path, 'utf8').matchAll(/(?<!=>)require\("(\..+?)"\)/g)) {
    withImports(join(dirname(path), id), seen);
  }
  return seen;
}

/** What every start loads, and what one does that names a command. */
const executable = [builtCommand, ...withImports(join(dirname(builtCommand), 'command.cjs'))];
const ofCommands = withImports(
  join(chunks, readdirSync(chunks).find((each) => each.startsWith('commands-')) ?? ''),
);

/** What explains a command line, or what is wrong with it. */
const ofHelp = readdirSync(chunks)
  .filter((each) => each.startsWith('line-') || chunksWith('Read on: ').includes(each))
  .flatMap((each) => withImports(join(chunks, each)));

let local: Place;
let aws: Place;
const running: Running[] = [];
beforeAll(async () => {
  // Tells, when the process ends, which files and which built-in modules of weight it loaded.
  writeFileSync(
    hook,
    `const { writeFileSync } = require('node:fs');
const vm = require('node:vm');
const files = [];
vm.Script = class extends vm.Script {
  constructor(source, options) {
    super(source, options);
    files.push(options.filename);
  }
};
process.on('exit', () => {
  const builtin = process.moduleLoadList
    .map((each) => each.replace('NativeModule ', ''))
    .filter((each) => ['sqlite', 'http', 'https', 'http2', 'tls', 'fs/promises',
      'internal/webstreams/readablestream'].includes(each));
  // The launcher loads the command's own modules, Node.js what is none of them.
  const others = Object.keys(require.cache).filter((each) => each !== __filename);
  writeFileSync(process.env.REPORT, JSON.stringify({ builtin, files: [...files, ...others] }));
});
`,
  );
  running.push(await vaultProcess.start(), await dynalite.start());
  [local, aws] = (await Promise.all(running.map((each) => each.place()))) as [Place, Place];
});
afterAll(async () => {
  await Promise.all(running.map((each) => each.close()));
});

interface Loaded {
  readonly builtin: string[];
  readonly files: string[];
}

/** What a command line loads besides the executable; of the bundle for node, whatever command is under test. */
async function loads(args: readonly string[], place?: Place): Promise<Loaded & { status: number }> {
  const env = { ...place?.env, NODE_OPTIONS: `--require ${hook}`, REPORT: report };
  const { status } = await run([...(place?.args ?? []), ...args], {
    env,
    executable: builtCommand,
  });
  const { builtin, files } = JSON.parse(readFileSync(report, 'utf8')) as Loaded;
  for (const each of executable) expect(files).toContain(each);
  return {
    status: status ?? -1,
    builtin,
    files: files.filter((each) => !executable.includes(each)).map((each) => basename(each)),
  };
}

/** The chunks that hold this text. */
function chunksWith(text: string): string[] {
  return readdirSync(chunks).filter((each) =>
    readFileSync(join(chunks, each), 'utf8').includes(text),
  );
}

describe('what is heavy is loaded only where it is used', () => {
  const commands = ['setup', 'put', 'get', 'list', 'delete', 'doctor'];
  /** One command line of each kind, which every runtime is tried with. */
  const kinds = [
    [['--help'], 0],
    [['--version'], 0],
    [[], 0],
    [['exec', '--help'], 0],
    [['help', 'exec'], 0],
    [['exec', '--unknown'], 2],
    [['unknown'], 2],
    [['exec', 'a'], 2],
    [['get', 'a', 'no pair'], 2],
    [['put', 'a', '@/nonexistent'], 2],
  ] as const;
  /** The others, which read the same modules: what each command adds to them is the same on every runtime. */
  const others = [
    [['-h'], 0],
    [['-V'], 0],
    [['help'], 0],
    ...commands.flatMap((command) => [
      [[command, '--help'], 0] as const,
      [['help', command], 0] as const,
      [[command, '--unknown'], 2] as const,
    ]),
    [['help', 'unknown'], 2],
    [['--unknown'], 2],
    [['get'], 2],
    [['get', 'a', '-v'], 2],
    [['put', 'a', 'x', 'no pair'], 2],
    [['--local', '-r', 'x', 'list'], 2],
    [['doctor', 'no pair'], 2],
  ] as const;

  test.each([...kinds, ...(isOther ? [] : others)] as const)('%j', async (args, status) => {
    const { files, ...rest } = await loads(args);
    expect(rest).toEqual({ status, builtin: [] });
    const named = args.some((arg) => [...commands, 'exec'].includes(arg));
    // The help of all commands is made of their tables.
    const helps = args.length === 0 || args.some((arg) => ['-h', '--help', 'help'].includes(arg));
    const allowed = [
      ...(named || helps ? ofCommands.map((each) => basename(each)) : []),
      ...(helps || status === 2 ? ofHelp.map((each) => basename(each)) : []),
    ];
    expect(files.filter((each) => !allowed.includes(each))).toEqual([]);
  });

  test('the executable itself holds neither the SDK nor the vault', () => {
    const source = [...executable, ...ofCommands]
      .map((each) => readFileSync(each, 'utf8'))
      .join('');
    for (const text of ['aws4_request', 'AWS_ACCESS_KEY_ID`', 'journal_mode']) {
      expect(chunksWith(text), text).not.toEqual([]);
      expect(source, text).not.toContain(text);
    }
  });

  test('no source takes two bytes for a character', () => {
    for (const each of [...executable, ...readdirSync(chunks).map((name) => join(chunks, name))]) {
      expect(readFileSync(each, 'utf8'), each).toMatch(/^[\0-\x7f]*$/);
    }
  });

  test('the vault loads no SDK, AWS no vault, and a listing no key service', async () => {
    const sdk = chunksWith('aws4_request');
    const embedded = chunksWith('journal_mode');
    const kms = chunksWith('TrentService');
    const doctor = chunksWith('sts:GetCallerIdentity');
    expect(doctor).toHaveLength(1);
    const sts = chunksWith('AWSSecurityTokenServiceV20110615');
    expect(sts).not.toEqual([]);
    expect(kms).not.toEqual([]);
    const inVault = await loads(['list'], local);
    expect(inVault.files).toEqual(expect.arrayContaining(embedded));
    expect(inVault.files.filter((each) => sdk.includes(each) || kms.includes(each))).toEqual([]);
    expect(inVault.builtin.filter((each) => each.startsWith('http'))).toEqual([]);
    const inTable = await loads(['list'], aws);
    expect(inTable.files).toEqual(expect.arrayContaining(sdk));
    expect(inTable.files.filter((each) => embedded.includes(each))).toEqual([]);
    expect(inTable.files.filter((each) => kms.includes(each))).toEqual([]);
    expect(inTable.files.join()).not.toContain('libsql');
    await aws.cs(['put', 'a', 'x']);
    const got = await loads(['get', 'a'], aws);
    expect(got).toMatchObject({ status: 0 });
    expect(got.files).toEqual(expect.arrayContaining(kms));
    // The tables of the other commands.
    expect(got.files.filter((each) => each.startsWith('commands-'))).toEqual([]);
    expect(got.builtin.filter((each) => each.includes('/'))).toEqual([]);
    for (const { files } of [inVault, inTable, got, await loads(['doctor'], local)]) {
      expect(files.filter((each) => doctor.includes(each) || sts.includes(each))).toEqual([]);
    }
    const env = { ...aws.env, AWS_ENDPOINT_URL_STS: aws.env['AWS_ENDPOINT_URL_KMS'] ?? '' };
    const looked = await loads(['doctor'], { ...aws, env });
    expect(looked).toMatchObject({ status: 0 });
    expect(looked.files).toEqual(expect.arrayContaining(doctor));
    expect(looked.files.filter((each) => embedded.includes(each))).toEqual([]);
  });
});

test('the bundle has no white space that a start would read, and its stacks have names', async () => {
  for (const each of [...executable, ...readdirSync(chunks).map((name) => join(chunks, name))]) {
    // Indentation of a statement. The texts of the bundle have none such.
    expect(
      readFileSync(each, 'utf8').match(/^ +(?:const|if|return|throw) .*[;{]$/m),
      each,
    ).toBeNull();
  }
  const { stderr } = asText(
    await run([...local.args, '--log-level', 'debug', 'get', 'nothing'], {
      env: local.env,
      executable: builtCommand,
    }),
  );
  const frames = [...stderr.matchAll(/^credstash: debug: {5}at (.+)$/gm)].map(([, at]) => at);
  expect(frames).toContainEqual(
    expect.stringMatching(/^async Grammar\.parseAsync \(.+:\d+:\d+\)$/),
  );
  expect(frames).toContainEqual(expect.stringMatching(/^async Object\.main \(.+:\d+:\d+\)$/));
});

test('an installation that lacks a file fails with a stack, and prints no source', async () => {
  const bin = join(folder, 'broken');
  mkdirSync(bin);
  const executable = join(bin, 'credstash.cjs');
  copyFileSync(builtCommand, executable);
  const { status, stderr } = asText(await run(['--version'], { executable }));
  expect(status).toBe(1);
  expect(stderr).toMatch(/^Error: ENOENT: .*command\.cjs'\n {4}at /);
  expect(Math.max(...stderr.split('\n').map((each) => each.length))).toBeLessThan(400);
});

test('no warning of Node.js or of the SDK reaches stderr', async () => {
  for (const place of [local, aws]) {
    for (const args of [
      ['setup'],
      ['put', 'quiet', 'x'],
      ['get', 'quiet'],
      ['list'],
      ['delete', 'quiet'],
    ]) {
      const { status, stderr } = await place.cs(args);
      expect({ status, stderr }, args.join(' ')).toEqual({ status: 0, stderr: '' });
    }
    const { stderr } = await place.cs(['get', 'nothing']);
    const [error, hint, ...rest] = stderr.split('\n');
    expect(error).toBe(`credstash: error: there is no secret nothing in ${place.where}`);
    expect(hint).toMatch(/^credstash: hint: list the secrets: credstash .*list$/);
    expect(rest).toEqual(['']);
  }
  // Two sources of credentials are a user's business.
  const config = join(folder, 'config');
  writeFileSync(
    config,
    '[profile p]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = x\n',
  );
  const { stderr } = await aws.cs(['-p', 'p', 'list'], { env: { AWS_CONFIG_FILE: config } });
  expect(stderr).toBe('');
});

test('help and version [compat 11]', async () => {
  const help = asText(await run(['--help']));
  expect(help).toMatchObject({ status: 0, stderr: '' });
  expect(help.stdout).toMatch(/^ {2}get /m);
  // No command at all.
  expect(asText(await run([]))).toEqual(help);
  // test/cli/help has the help of each command.
  expect(asText(await run(['get', '--help'])).stdout).toMatch(/^Usage: credstash get /);
  expect(asText(await run(['--version']))).toEqual(ok(`${manifest.version}\n`));
});
