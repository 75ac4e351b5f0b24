import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { openLocal } from '../../src/backend/local/index.ts';
import type { Item } from '../../src/model/item.ts';
import { bindName, type Context } from '../../src/model/context.ts';
import { inParallel } from '../../src/util/parallel.ts';
import { awsEnv, awsPlace, type Place, runHere } from '../end-to-end/backends.ts';
import { shell } from '../end-to-end/shell.ts';
import { createTable, putRaw, scanRaw, startDynalite } from '../support/dynamo.ts';
import { type Fault, type KmsServer, startKmsServer } from '../support/kms-server.ts';
import { awsError, type Meddle, type Recorder, startRecorder } from '../support/recorder.ts';
import { type Outcome, pty, run, type RunOptions, standaloneUnderTest } from '../support/run.ts';
import { Random, seed } from '../support/seed.ts';
import { isLong, size, Tally, timeout } from './campaign.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * A secret that stands nowhere else is put, read, mistyped and lost in every way; then it, the data keys, the sealed
 * bytes, the credentials, and the marks of what the SDK keeps of a request, are looked for in all that the commands
 * printed and in every file that they left. The long form does every command under every failure with every way to
 * be told more, each as a process; the short one chooses among them, and runs most of them in this process.
 */
const random = new Random(seed);
const tally = new Tally();

// Its first letter is no option: -cSECRET is the way to write a comment.
const canary = `Zanary.${randomBytes(12).toString('hex')}`;
const binary = randomBytes(48);
const folder = temporaryFolder();

// Files of the person who runs the commands, which may hold the secret.
const mine = join(folder, 'mine');
// Everything that a command may write to.
const theirs = join(folder, 'theirs');
const HOME = join(theirs, 'home');
const TMPDIR = join(theirs, 'tmp');
const XDG_RUNTIME_DIR = join(theirs, 'runtime');
const cwd = join(theirs, 'cwd');
const log = join(theirs, 'credstash.log');
const secretFile = join(mine, 'secret');
const hugeFile = join(mine, 'huge');
/** An editor that writes the secret, and ends with its first argument. */
const editor = join(mine, 'editor');

/** The ways to be told more. */
const MODES: readonly string[][] = [
  [],
  ['--log-level', 'debug'],
  ['--log-file', log],
  ['--log-level', 'debug', '--log-file', log],
];

const DUMPS = 'a request or an answer';

/** All that must not be printed: each with what a failure calls it. From the start, what a dump of the SDK's has. */
const hidden = new Map<string, string>(
  [
    'AWS4-HMAC',
    'amz-sdk-invocation-id',
    '$metadata',
    '$response',
    'CiphertextBlob',
    'TableName',
  ].map((mark) => [mark, DUMPS]),
);

function hide(what: string, bytes: Uint8Array | string): void {
  const buffer = Buffer.from(bytes);
  // What is shorter may stand anywhere by chance.
  if (buffer.length < 16) return;
  if (typeof bytes === 'string') hidden.set(bytes, what);
  hidden.set(buffer.toString('hex'), `${what} in hex`);
  // As Node.js shows a buffer or an array of bytes, of which it may show the beginning only.
  const beginning = [...buffer.subarray(0, 16)];
  hidden.set(
    beginning.map((byte) => byte.toString(16).padStart(2, '0')).join(' '),
    `${what} as a buffer`,
  );
  hidden.set(beginning.join(' '), `${what} as an array`);
  // Inside of longer base64 text, bytes stand in one of three ways; what touches their neighbours is left out.
  for (const shift of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(shift), buffer]).toString('base64');
    const whole = padded.replace(/=+$/, '').slice(shift === 0 ? 0 : shift + 1, -1);
    hidden.set(whole, `${what} in base64`);
    hidden.set(whole.replaceAll('+', '-').replaceAll('/', '_'), `${what} in base64url`);
  }
}

hide('the canary', canary);
hide('the binary canary', binary);
hide('the beginning of the canary', canary.slice(0, 20));
hide('the canary as a name', canary.replace('.', ''));

/** What only the environment and the files of AWS hold. */
const ofEnvironment = `environment.${randomBytes(12).toString('hex')}`;
hide('a variable of the environment', ofEnvironment);

function files(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name));
}

/** What of the hidden stands in here, as text or as raw bytes. */
function found(where: string | Buffer): string[] {
  const text = typeof where === 'string' ? where : where.toString('latin1');
  const inOneRow = text.replace(/[\s,]+/g, ' ');
  return [...hidden]
    .filter(([each]) => text.includes(each) || (each.includes(' ') && inOneRow.includes(each)))
    .map(([, what]) => what);
}

const printed: { readonly command: string; readonly stdout: Buffer; readonly stderr: string }[] =
  [];
const statuses = new Set<number | null>();

/** All of these in the long form; in the short one about one in so many, and at least one where there is any. */
function some<T>(of: readonly T[], oneIn: number): readonly T[] {
  if (isLong || of.length === 0) return of;
  const chosen = of.filter(() => random.below(oneIn) === 0);
  return chosen.length > 0 ? chosen : [random.of(of)];
}

/** What may stand on stdout: the secret only if the command worked, or even if it then failed. */
type Shows = 'the secret' | 'the secret even so' | 'nothing';

async function record(
  args: readonly string[],
  options: RunOptions,
  shows: Shows,
  asProcess = isLong || random.below(8) === 0,
): Promise<Outcome> {
  const home = { HOME, TMPDIR, XDG_RUNTIME_DIR, XDG_CACHE_HOME: join(HOME, '.cache') };
  const env = {
    ...home,
    DB_PASSWORD: ofEnvironment,
    CREDSTASH_TOKEN: ofEnvironment,
    ...options.env,
  };
  const outcome = await (asProcess
    ? run(args, { ...options, cwd, env })
    : runHere(args, { ...options, env }));
  const command = args.join(' ').slice(0, 200);
  const isMeant =
    shows === 'the secret even so' || (shows === 'the secret' && outcome.status === 0);
  const stdout = isMeant ? Buffer.of() : outcome.stdout;
  printed.push({ command, stdout, stderr: outcome.stderr });
  statuses.add(outcome.status);
  tally.add('command lines');
  tally.add(`that ended in ${outcome.status}`);
  return outcome;
}

beforeAll(() => {
  for (const each of [mine, theirs, HOME, TMPDIR, cwd]) mkdirSync(each);
  mkdirSync(XDG_RUNTIME_DIR, { mode: 0o700 });
  writeFileSync(secretFile, binary);
  writeFileSync(hugeFile, canary.repeat(20_000));
  const script = `#!/bin/sh\necho "$$ ${canary}" >"$2"\nexit "$1"\n`;
  writeFileSync(editor, script, { mode: 0o755 });
});
afterAll(() => {
  tally.print('leaks');
});

type Case = [args: string[], status: number | undefined, options?: RunOptions];

/** Every command, and every way to give a secret where it is not expected. */
const commands: Case[] = [
  [['setup'], 0],
  [['put', 'text', canary], 0],
  [['put', 'text', canary], 4],
  [['put', 'text', canary, '-a', '-c', 'comment', '-d', 'SHA512'], 0],
  [['put', 'text', canary, '-v', 'x'], 0],
  [['put', 'text', canary, '-a'], 2],
  [['put', 'context', canary, 'a=b'], 0],
  [['put', 'generated', canary, '--generate'], 2],
  [['put', 'generated', `--generate=${canary}`], 2],
  [['put', 'generated', '--generate', '--charset', canary], 2],
  [['put', 'ctr', canary, '--cipher', 'AES-256-CTR'], 0],
  [['put', 'dash', '-'], 0, { input: binary }],
  [['put', 'left-out'], 0, { input: canary }],
  [['put', 'file', `@${secretFile}`], 0],
  [['put', 'literal', canary, '--literal'], 0],
  [['edit', 'edited'], 0, { env: { EDITOR: `${editor} 0` } }],
  [['edit', 'edited', '-c', 'comment'], 0, { env: { EDITOR: `${editor} 0` } }],
  [['edit', 'edited'], 1, { env: { EDITOR: `${editor} 3` } }],
  [['edit', 'edited'], 2, { env: { EDITOR: '', VISUAL: '' } }],
  [['edit', 'edited', canary], 2],
  [['edit', 'context'], 6, { env: { EDITOR: `${editor} 0` } }],
  [['putall', JSON.stringify({ 'all.a': canary })], 0],
  [['putall', JSON.stringify({ 'all.a': canary })], 4],
  [['putall', JSON.stringify({ 'all.a': canary }), '--skip-unchanged'], 0],
  [['list'], 0],
  [['list', '--json'], 0],
  [['keys'], 0],
  [['getall'], 6],
  [['getall', '-f', 'csv', '--skip-undecryptable'], 2],
  [['getall', '-f', 'dotenv', '--skip-undecryptable'], 2],
  [['get', 'te*', '--default', canary], 2],
  [['--log-file', join(HOME, 'credstash.log'), 'put', 'text', canary], 4],
  [['get', '--json', 'text', 'context'], 6],
  [['get', '--json', 'text', 'nothing', '-o', '/nonexistent/folder/file'], 2],
  [['get', '--json', 'text', '--default', canary], 2],
  [['get', '--json', `k=${canary}`], 2],
  [['render', '-'], 3, { input: `${canary}{{credstash://text}}{{credstash://nothing}}` }],
  [['render', '-'], 2, { input: `{{credstash://text?${canary}}}{{credstash://${canary}` }],
  [['render', '-'], 2, { input: `{{credstash://${canary} ${canary}}}{{credstash://a|${canary}}}` }],
  [['render', '-'], 2, { input: `{{credstash://text?k=%${canary}&version=${canary}}}` }],
  [['render', '-'], 2, { input: '{{credstash://dash | json}}{{credstash://text}}' }],
  [['render', '-', canary], 2, { input: '{{credstash://text}}' }],
  [['render', '-'], 2, { input: canary.repeat(200_000) }],
  [['render', hugeFile, '-o', '/'], 2],
  [['get', 'context'], 6],
  [['get', 'context', 'a=c'], 6],
  [['get', 'text', '-v', '9'], 3],
  [['get', 'nothing'], 3],
  [['get', 'text', '-o', '/nonexistent/folder/file'], 2],
  [['get', 'text', '-o', '/'], 2],
  [['put', 'bad', canary, '-d', 'MD5'], 2],
  [['put', 'bad', canary, '-d', canary], 2],
  [['put', 'bad', canary, '--cipher', 'none'], 2],
  [['put', 'bad', '--cipher', canary, 'x'], 2],
  [['put', 'bad', canary, '-v', ''], 2],
  [['put', '', canary], 2],
  [['put', 'n'.repeat(2049), canary], 2],
  [['put', 'bad', canary, '-t', ''], 2],
  [['put', 'bad', canary, `-t${canary}/`], 2],
  [['put', 'bad', `@${canary}`], 2],
  [['put', 'bad', `-c${canary}`], 2],
  [['put', 'bad', canary, '--no-such-option'], 2],
  [['put', 'bad', canary, '-P'], 2],
  // Not quoted, or with a dash before it.
  [['put', 'bad', `-${canary}`], 2],
  [['put', 'bad', `--${canary}`], 2],
  [['put', 'bad', `--${canary}=${canary}`], 2],
  [['put', 'bad', `-----BEGIN${canary}`], 2],
  [['put', 'pem', `-----BEGIN ${canary}`], 0],
  [['put', 'bad', `-a${canary}`], 2],
  [['put', 'bad', `--literal=${canary}`], 2],
  [['put', 'bad', 'my', canary], 2],
  [['put', 'bad', 'my', 'secret', canary], 2],
  [['put', 'bad', 'my', `${canary}=`], 2],
  [['put', 'bad', 'my', `=${canary}`], 2],
  [['put', 'bad', 'my', canary, 'a=b'], 2],
  [['put', 'bad', 'x', `credstash:x=${canary}`], 2],
  [['put', 'bad', 'x', `k=${canary.repeat(400)}`], 2],
  [['put', 'bad', canary, '--log-level', canary], 2],
  [['put', 'bad', `${canary}\ufffd`], 2],
  [['putall', canary], 2],
  [['putall', `{"all.b": "${canary}`], 2],
  [['putall', `{"all.b": ${canary}}`], 2],
  [['putall', `{"all.b": {"${canary}": 1}}`], 2],
  [['putall', `{"all.b": {"base64": "${canary}!"}}`], 2],
  [['putall', `{"all.b": "x", "all.b": "${canary}"}`], 2],
  [['putall', `all.b: [${canary}`], 2],
  [['putall', `all.b: *${canary}`], 2],
  [['putall', `all.b: !${canary} x`], 2],
  [['putall', `all.b: x\nall.b: ${canary}`], 2],
  [['putall', `all.b: !!binary ${canary}!`], 2],
  [['putall', `- ${canary}`], 2],
  [['putall', `A=${canary}\n${canary}`, '--from', 'dotenv'], 2],
  [['putall', `A='${canary}\nA=x`, '--from', 'dotenv'], 2],
  [['putall', `A=x\nA=${canary}`, '--from', 'dotenv'], 2],
  [['putall', `all.b: ${canary}`, '--from', 'json'], 2],
  [['putall', `{"all.b": ${canary}}`, '--from', 'json'], 2],
  [['putall', `@${canary}`], 2],
  [['putall', `-${canary}`], 2],
  [['putall', '{}', canary], 2],
  [['putall', '-'], 2, { input: JSON.stringify({ 'all.b': canary.repeat(20_000) }) }],
  // In the wrong place. (get, list and delete name an option that they do not know: no secret is expected there.)
  [[`-${canary}`, 'put', 'bad'], 2],
  [['-a', 'put', 'bad', canary], 2],
  [['get', 'text', canary], 2],
  [['list', 'a', canary], 2],
  [['find', 'text', canary], 2],
  [['find', canary], 3, { input: 'x' }],
  [['find'], undefined, { input: canary }],
  [['delete', 'a', canary], 2],
  [['setup', canary], 2],
  [['store', 'bad', canary], 2],
  [['store', 'bad', `-${canary}`], 2],
  [['bad', canary], 2],
  // Too large.
  [['put', 'bad', `@${hugeFile}`], 2],
  [['put', 'bad', '-'], 2, { input: canary.repeat(20_000) }],
  [['put', 'bad'], 2, { input: canary.repeat(13_200) }],
  // What comes after the first put.
  [['history', 'text'], 0],
  [['list', '-l'], 0],
  [['rollback', 'text'], 2],
  [['put', 'life', canary], 0],
  [['rollback', 'life'], 3],
  [['put', 'life', canary, '-a'], 0],
  [['rollback', 'life'], 0],
  [['rollback', 'context', '-v', '1', `a=${canary}`], 6],
  // dynalite has no transactions.
  [['label', 'life', 'live', '-v', '1'], undefined],
  [['label', 'life', `-${canary}`], 2],
  [['label', 'life', `${canary} x`], 2],
  [['get', 'text', '--label', 'live'], 3],
  [['unlabel', 'life', 'live'], undefined],
  [['unlabel', 'life', 'live'], 3],
  [['migrate', 'ctr'], 0],
  [['migrate', '--cipher', 'AES-256-CTR'], 6],
  [['migrate', '--cipher', canary], 2],
  [['rekey', '-k', 'alias/credstash'], undefined],
  [['copy', '--to-local', join(HOME, 'copy')], 6],
  [['copy', '--to-local', join(HOME, 'copy')], 6],
  [['copy', 'file', '--to-local', join(HOME, 'else'), `k=${canary}`], 6],
  [['prune', '--keep', '1', 'life'], 0],
  [['prune', '--keep', canary], 2],
  [['prune', '--keep', '1', '--older-than', canary], 2],
  [['doctor'], undefined],
  [['doctor', '--write', '--json', `k=${canary}`], undefined],
  [['doctor', canary], 2],
  [['policy', 'reader'], undefined],
  [['policy', 'nobody'], 2],
  [['delete', 'left-out'], 0],
  [['delete', 'left-out'], 3],
];

/** The commands that print a secret, which is what they are for. */
const shown: [args: string[], secret: Uint8Array | string, options?: RunOptions][] = [
  [['get', '-n', 'text'], canary],
  [['get', '-n', 'context', 'a=b'], canary],
  [['get', '-n', 'ctr'], canary],
  [['get', '-n', 'dash'], binary],
  [['get', 'ct*'], JSON.stringify({ ctr: canary }, null, 4)],
  [['get', '-n', 'nothing', '--default', canary], canary],
  [['get', '-n', '--json', 'ctr', 'text'], JSON.stringify({ ctr: canary, text: canary }, null, 4)],
  [['render', '-'], `'${canary}'`, { input: '{{credstash://text|shell}}' }],
];

async function everything(before: readonly string[], options: RunOptions): Promise<void> {
  for (const round of isLong ? MODES : [undefined]) {
    const told = (): string[] => [...before, ...(round ?? random.of(MODES))];
    for (const [args, status, more] of commands) {
      // The short form does some of what fails, which changes nothing for the others.
      const isSome = (status ?? 0) === 0 || random.below(status === 2 ? 20 : 4) === 0;
      if (!isLong && !isSome) continue;
      const env = { ...options.env, ...more?.env };
      const outcome = await record([...told(), ...args], { ...options, ...more, env }, 'nothing');
      const what = `${args.join(' ').slice(0, 100)}\n${outcome.stderr}`;
      if (status !== undefined) expect(outcome.status, what).toBe(status);
    }
    for (const [args, secret, more] of shown) {
      const outcome = await record([...told(), ...args], { ...options, ...more }, 'the secret');
      expect(outcome).toMatchObject({ status: 0, stdout: Buffer.from(secret) });
    }
    const output = join(mine, 'output');
    await record([...told(), 'get', 'dash', '-o', output], options, 'nothing');
    expect(readFileSync(output)).toEqual(binary);
    // As it was, for the next round.
    const names = ['text', 'context', 'ctr', 'dash', 'file', 'literal', 'pem', 'all.a', 'life'];
    for (const name of isLong ? names : [])
      await record([...told(), 'delete', name], options, 'nothing');
  }
  if (existsSync(log)) expect(statSync(log).mode & 0o777).toBe(0o600);
}

/** The sealed bytes and the wrapped keys: no message holds them either. */
function hideSealed(items: readonly Item[]): void {
  for (const item of items) {
    for (const name of ['contents', 'key', 'hmac']) {
      const value = item[name];
      if (value && 'B' in value) hide(`the ${name} of an entry`, value.B);
      else if (value) hide(`the ${name} of an entry`, value.S);
    }
  }
}

function expectNothingPrinted(): void {
  for (const { command, stdout, stderr } of printed) {
    expect(found(stdout), `stdout of ${command}`).toEqual([]);
    expect(found(stderr), `stderr of ${command}:\n${stderr}`).toEqual([]);
  }
}

const CODE = join(HOME, '.cache', 'credstash', 'code');

/** In any file but the code cache, which is large, and has a test of its own at the end. */
function expectNothingWritten(): void {
  for (const path of files(theirs).filter((each) => !each.startsWith(CODE))) {
    const content = readFileSync(path);
    expect(found(content), path).toEqual([]);
    expect(content.includes(binary), path).toBe(false);
  }
}

test('what is hidden would be found', () => {
  const key = randomBytes(64);
  hide('a test', key);
  for (const text of [
    `x${canary}y`,
    Buffer.from(`ab${canary}c`).toString('base64'),
    Buffer.from(`a${canary}`).toString('base64url'),
    Buffer.from(canary).toString('hex'),
    `"Plaintext":"${key.toString('base64')}"`,
    Buffer.concat([Buffer.of(1), key]).toString('base64'),
    Buffer.concat([Buffer.of(1, 2), key, Buffer.of(3)]).toString('base64'),
  ]) {
    expect(found(text), text).not.toEqual([]);
  }
  expect(found('nothing of it')).toEqual([]);
});

describe('the vault', () => {
  const vault = join(theirs, 'vault');
  const before = [`--local=${vault}`];

  test('every command and every mistake', { timeout }, async () => {
    printed.length = 0;
    await everything(before, {});
    // Once more, to be there when the files are looked at.
    for (const [args, , options] of commands.filter(([[name]]) => name === 'put').slice(0, 12)) {
      await record([...before, ...args], { ...options }, 'nothing');
    }
    const { entries, keys, vault: opened } = openLocal(vault, { create: false });
    const masterKey = Buffer.from(opened.masterKey());
    for await (const found of entries.scan()) {
      const entry = found.read();
      const pairs: Context = entry.name === 'context' ? { a: 'b' } : {};
      const context = entry.cipher === 'AES-256-CTR' ? pairs : bindName(pairs, entry.name);
      hide(`the data key of ${entry.name}`, await keys.unwrap(entry.key, context));
      expect(entry.contents.length).toBeGreaterThan(0);
    }
    opened.close();
    expect(hidden.size).toBeGreaterThan(30);
    expectNothingWritten();
    const database = readFileSync(join(vault, 'vault.db'));
    for (const path of files(theirs)) {
      const keyIsHere = readFileSync(path).includes(masterKey);
      expect(keyIsHere, path).toBe(path === join(vault, 'master.key'));
    }
    expect(database.length).toBeGreaterThan(0);
    hide('the master key', masterKey);
    expectNothingPrinted();
  });

  test('a vault that is damaged in every file', async () => {
    printed.length = 0;
    const broken = join(theirs, 'broken');
    const at = [`--local=${broken}`];
    for (const file of ['master.key', 'vault.db']) {
      const debug = ['--log-level=debug'];
      await record([...at, 'put', file, canary], {}, 'nothing');
      const path = join(broken, file);
      const whole = readFileSync(path);
      const damages = [Buffer.from(canary), whole.subarray(0, -1), Buffer.alloc(32)];
      for (const bytes of some(damages, 3)) {
        writeFileSync(path, bytes);
        for (const args of [
          ['get', file],
          ['put', 'more', canary, '-a'],
          ['list'],
          ['delete', 'none'],
        ]) {
          // A get that succeeds all the same is none of this test's business.
          const shows = args[0] === 'get' ? 'the secret' : 'nothing';
          await record([...at, ...debug, ...args], {}, shows);
        }
        writeFileSync(path, whole);
      }
    }
    expectNothingPrinted();
  });

  test('a prompt, answered and interrupted', async () => {
    const asked = [
      [`${canary}\r`, 0],
      [`${canary}\x03`, 130],
      [`${canary}\x15\r`, 2],
      [`${canary}\r${canary}\r`, 2],
    ] as const;
    for (const [typed, status] of asked) {
      const args = [...before, '--log-level', 'debug', 'put', 'prompted', '-a'];
      const { send, waitFor, done } = pty(args, { env: { HOME, TMPDIR }, cwd });
      await waitFor('prompted: ');
      send(typed);
      const ended = await done;
      expect(ended.status).toBe(status);
      expect(found(ended.output), ended.output).toEqual([]);
    }
    expectNothingWritten();
  });
});

describe('AWS', () => {
  const table = 'credential-store';
  const sessionToken = `session.${randomBytes(40).toString('hex')}`;
  const credential = {
    accessKeyId: 'AKIDSESSION',
    secretAccessKey: `key.${randomBytes(20).toString('hex')}`,
  };
  let dynamo: Awaited<ReturnType<typeof startDynalite>>;
  let kms: KmsServer;
  let recorder: Recorder;
  let place: Place;
  let env: Record<string, string>;
  beforeAll(async () => {
    dynamo = await startDynalite();
    kms = await startKmsServer({
      credentials: (id) =>
        id === credential.accessKeyId ? { ...credential, sessionToken } : undefined,
    });
    recorder = await startRecorder({ DynamoDB: dynamo.url, KMS: kms.url });
    await createTable(dynamo.url, table);
    env = {
      ...awsEnv(recorder.url, recorder.url, credential),
      AWS_SESSION_TOKEN: sessionToken,
      AWS_MAX_ATTEMPTS: '1',
    };
    place = { ...awsPlace(recorder.url, recorder.url, table), env };
    hide('the secret access key', credential.secretAccessKey);
    hide('the session token', sessionToken);
  });
  afterAll(() => Promise.all([dynamo.close(), kms.close(), recorder.close()]));

  /** The data keys that KMS handed out: what it said, not what the command made of it. */
  function hideDataKeys(): number {
    const keys = recorder.requests.flatMap(({ answer }) => dataKeysIn(answer));
    for (const key of keys) {
      hide('a data key', key);
      hide('the AES half of a data key', key.subarray(0, 32));
      hide('the HMAC half of a data key', key.subarray(32));
    }
    return keys.length;
  }

  /** Of an answer that may have been mangled. */
  function dataKeysIn(answer: string): Buffer[] {
    const found = answer.matchAll(/"Plaintext\W+([A-Za-z0-9+/]{20,}=*)/g);
    return [...found].map(([, key = '']) => Buffer.from(key, 'base64'));
  }

  async function itemsNow(): Promise<Item[]> {
    return (await scanRaw(dynamo.url, table)) as unknown as Item[];
  }

  test('every command and every mistake', { timeout }, async () => {
    printed.length = 0;
    await everything([], { env });
    expect(hideDataKeys()).toBeGreaterThan(20);
    expectNothingPrinted();
    expectNothingWritten();
  });

  /** What goes wrong: the service that does it, or what stands between it and the command. */
  interface Failing {
    readonly what: string;
    readonly of: 'KMS' | 'DynamoDB';
    readonly plan?: () => void;
    readonly meddle?: Meddle;
  }

  const faults: Fault[] = [
    'throttle',
    'deny',
    'reset',
    'error500',
    'unavailable503',
    'expired-token',
    'bad-token',
    'half-answer',
    'not-json',
    // Each ends after 8 s.
    ...(isLong ? (['hang'] as const) : []),
  ];

  // The answer of the service with a data key or an entry in it, cut, followed by rubbish, or in a wrong place.
  const mangles: [status: number, mangle: (body: string) => string][] = [
    [200, (body) => body.slice(0, -1)],
    [200, (body) => body.slice(0, body.length >> 1)],
    [400, (body) => body.slice(0, -1)],
    [500, (body) => body],
    [200, (body) => `${body}x`],
    [400, (body) => `x${body}`],
    [200, (body) => `<html>${body}</html>`],
    [403, (body) => `<html>${body}</html>`],
    [400, (body) => body.replace('"Plaintext"', '"__type":"AccessDenied","x"')],
    [400, (body) => body.replace('"Plaintext"', '"__type"')],
    [200, (body) => body.replace(/"(Plaintext|CiphertextBlob)":"/, '"$1":"!!!')],
    [200, (body) => body.replace(/"Plaintext":("[^"]*")/, '"Plaintext":[$1]')],
    [200, (body) => body.replace(/"Plaintext":("[^"]*")/, '"Plaintext":{"x":$1}')],
    [200, (body) => JSON.stringify(body)],
    // An item as no writer of this project stores it.
    [200, (body) => body.replaceAll('"B":"', '"S":"')],
    [200, (body) => body.replaceAll('"B":"', '"B":"!')],
    [200, (body) => body.replaceAll('"hmac":', '"hmack":')],
    [200, (body) => body.replace(/"cipher":\{"S":"[^"]*"/, '"cipher":{"S":"none"')],
    [200, (body) => body.replace(/"digest":\{"S":"[^"]*"/, '"digest":{"S":"none"')],
  ];

  // What a service says of an error may quote the request, or what it would have answered.
  const refusals: [code: string, status: number][] = [
    ['AccessDeniedException', 400],
    ['ValidationException', 400],
    ['SerializationException', 400],
    ['ConditionalCheckFailedException', 400],
    ['ProvisionedThroughputExceededException', 400],
    ['ResourceNotFoundException', 400],
    ['InvalidCiphertextException', 400],
    ['InternalServerError', 500],
    [canary, 400],
    [canary.replace('.', ''), 400],
    [canary.replace('.', ''), 500],
  ];

  const failures: Failing[] = [
    ...faults.map((fault): Failing => {
      const plan = (): void => {
        kms.fault(fault);
      };
      return { what: fault, of: 'KMS', plan };
    }),
    ...[0, 16, 32, 63, 65, 128].map((bytes): Failing => {
      const plan = (): void => {
        kms.falsifyKeyLength(bytes);
      };
      return { what: `a data key of ${bytes} bytes`, of: 'KMS', plan };
    }),
    ...(['KMS', 'DynamoDB'] as const).flatMap((of): Failing[] => [
      ...mangles.map(([status, mangle], i): Failing => {
        const meddle: Meddle = async (_, answer) => {
          const { body } = await answer();
          // The key was on its way to the command.
          for (const key of dataKeysIn(body)) hide('a data key', key);
          return { status, body: mangle(body) };
        };
        return { what: `mangle ${i} of ${of}`, of, meddle };
      }),
      ...refusals.map(([code, status]): Failing => {
        const meddle: Meddle = async (_, answer, sent) => {
          const { body } = await answer();
          for (const key of dataKeysIn(body)) hide('a data key', key);
          return awsError(code, `${sent} ${canary} ${body}`, status);
        };
        return { what: `${code} of ${of}`, of, meddle };
      }),
      { what: `${of} resets`, of, meddle: () => Promise.reject(new Error()) },
    ]),
  ];

  const all = JSON.stringify({ 'failing.a': canary, 'failing.b': canary });
  /** The items that the commands of failures are about, to put back what they deleted. */
  let items: readonly Item[] = [];
  /** What asks KMS comes first; delete comes last, for the others' sake. */
  const needKms: string[][] = [
    ['put', 'failing', canary, '-a'],
    ['putall', all, '-a'],
    ['putall', all, '--skip-unchanged'],
    ['get', 'failing'],
    ['get', 'fail*', '-f', 'csv'],
    ['getall'],
    ['getall', '-f', 'yaml', '--skip-undecryptable'],
  ];
  const needTable: string[][] = [
    ...needKms,
    ['setup'],
    ['list', '--json'],
    ['keys'],
    ['delete', 'failing'],
  ];

  test('every command under every failure of KMS and of DynamoDB', { timeout }, async () => {
    for (const args of [
      ['put', 'failing', canary],
      ['put', 'failing', canary, '-a'],
      ['putall', all],
      ['put', 'failing.old', canary, '--cipher', 'AES-256-CTR'],
    ]) {
      expect(await record(args, { env }, 'nothing')).toMatchObject({ status: 0 });
    }
    // Not the others': a copy holds what is sealed in them.
    items = (await itemsNow()).filter(({ name }) => name && 'S' in name && /^failing/.test(name.S));
    expect(items).toHaveLength(5);
    hideSealed(items);
    hideDataKeys();
    const known = new Map(hidden);
    statuses.clear();
    let turn = random.below(100);
    for (const { what, of, plan, meddle } of some(failures, 3)) {
      const wanted = of === 'KMS' ? needKms : needTable;
      for (const mode of isLong ? MODES : [random.of(MODES)]) {
        printed.length = 0;
        recorder.requests.length = 0;
        for (const item of items) await putRaw(dynamo.url, table, item);
        plan?.();
        recorder.meddle = async (action, ...rest) =>
          action.startsWith(of) ? meddle?.(action, ...rest) : undefined;
        tally.add('failures of a service');
        const commands = isLong ? wanted : wanted.slice(turn % wanted.length).slice(0, 1);
        turn += 1;
        const outcomes = inParallel(isLong ? 4 : 1, commands, (args) => {
          const shows = args[0]?.startsWith('get') === true ? 'the secret' : 'nothing';
          return record([...mode, ...args], { env }, shows);
        });
        for await (const { status, stderr } of outcomes) {
          expect(status, `${what}\n${stderr}`).toSatisfy((n: number | null) => n !== null && n < 8);
        }
        kms.clear();
        kms.falsifyKeyLength(undefined);
        recorder.meddle = undefined;
        hideDataKeys();
        expectNothingPrinted();
        for (const each of hidden.keys()) if (!known.has(each)) hidden.delete(each);
      }
    }
    expectNothingWritten();
    if (isLong) for (const status of [0, 5, 6, 7]) expect(statuses).toContain(status);
  });

  test('entries that were tampered with', async () => {
    printed.length = 0;
    recorder.requests.length = 0;
    const options = { env };
    await record(['put', 'tampered', canary, '-v', '7'], options, 'nothing');
    const items = (await scanRaw(dynamo.url, table)) as unknown as Item[];
    const item = items.find(({ name }) => name && 'S' in name && name.S === 'tampered') ?? {};
    hideSealed([item]);
    const bytes = (name: string): Buffer => {
      const value = item[name];
      if (!value || !('B' in value)) throw new Error(`${name} is no bytes`);
      return Buffer.from(value.B);
    };
    const changed: Item[] = [
      { ...item, contents: { B: bytes('contents').fill(0, 0, 1) } },
      { ...item, contents: { S: bytes('contents').toString('base64') } },
      { ...item, hmac: { S: bytes('hmac').toString('base64') } },
      { ...item, hmac: { B: bytes('hmac').subarray(1) } },
      { ...item, key: { S: bytes('key').toString('base64') } },
      { ...item, key: { B: bytes('key').subarray(1) } },
      { ...item, name: { S: 'moved' } },
      { ...item, cipher: { S: 'AES-256-CTR' } },
    ];
    for (const each of changed) {
      await putRaw(dynamo.url, table, each);
      for (const name of ['tampered', 'moved']) {
        const args = ['--log-level', 'debug', 'get', name];
        expect(await record(args, options, 'nothing')).not.toMatchObject({ status: 0 });
      }
      await record(['--log-level', 'debug', 'list'], options, 'nothing');
    }
    expect(hideDataKeys()).toBeGreaterThan(0);
    expectNothingPrinted();
    expectNothingWritten();
  });

  test('an output, a file and a log that take nothing', async () => {
    const put = `put failing '${canary}' -a`;
    for (const line of [
      'credstash get failing > /dev/full',
      'credstash getall > /dev/full',
      `credstash ${put} > /dev/full`,
      `credstash putall '${all}' -a > /dev/full`,
      `ulimit -f 0; trap '' XFSZ; credstash get failing -o '${join(cwd, 'output')}'`,
      `credstash --log-file /nonexistent/folder/log ${put}`,
      `credstash --log-file '${HOME}' ${put}`,
      'credstash --log-file /dev/full get nothing',
      'credstash get failing -v 99 2> /dev/full',
    ]) {
      const ways = ['', ' --log-level debug'];
      for (const told of isLong ? ways : [random.of(ways)]) {
        const { status, stdout, stderr } = await shell(
          place,
          line.replace('credstash ', `$&${told} `),
        );
        expect(status, line).toBeGreaterThan(0);
        expect(found(stdout + stderr), `${line}\n${stdout}${stderr}`).toEqual([]);
        tally.add('outputs, files and logs that take nothing');
      }
    }
    expectNothingWritten();
  });

  test('what STS and a process for credentials say stays theirs', async () => {
    printed.length = 0;
    const home = join(mine, 'home');
    mkdirSync(join(home, '.aws'), { recursive: true });
    const answered = `<AssumeRoleResponse><AssumeRoleResult><Credentials><SecretAccessKey>${canary}`;
    const { AWS_ENDPOINT_URL_KMS: url = '' } = env;
    const own = { HOME: home, AWS_MAX_ATTEMPTS: '1', AWS_ENDPOINT_URL: url };
    const role = ['-n', 'arn:aws:iam::123456789012:role/reader'];
    for (const [status, body] of [
      [200, answered],
      [400, answered],
      [403, `<ErrorResponse><Error><Code>${canary}</Code><Message>${canary}</Message></Error>`],
      [
        403,
        `<ErrorResponse><Error><Code>AccessDenied</Code><Message>"${canary}" is not</Message></Error></ErrorResponse>`,
      ],
      [500, `<html>${canary}`],
    ] as const) {
      recorder.meddle = (action) => Promise.resolve(action === '?' ? { status, body } : undefined);
      const args = [...role, '--log-level', 'debug', 'get', 'failing'];
      const outcome = await record(args, { env: { ...env, ...own } }, 'nothing', true);
      expect(outcome.status, `${body}\n${outcome.stderr}`).toSatisfy((n: number) => n > 0);
    }
    recorder.meddle = undefined;
    for (const config of [
      `[default]\ncredential_process = echo ${canary}; echo ${canary} >&2; exit 1`,
      `[default]\ncredential_process = echo ${canary}`,
      `[default]\ncredential_process = echo '{"Version": 1, "SecretAccessKey": "${canary}"}'`,
      `[default\naws_secret_access_key = ${canary}`,
      `[default]\n${canary}`,
      `[default]\naws_secret_access_key = ${canary}`,
      `[default]\nsource_profile = other\nrole_arn = ${canary}\n[other]\naws_secret_access_key = ${canary}`,
    ]) {
      for (const file of some(['config', 'credentials'], 4)) {
        writeFileSync(join(home, '.aws', file), config);
        const args = ['--log-level', 'debug', 'get', 'failing'];
        const outcome = await record(args, { env: own }, 'nothing', true);
        expect(outcome.status, `${config}\n${outcome.stderr}`).toBe(6);
        writeFileSync(join(home, '.aws', file), '');
      }
    }
    expectNothingPrinted();
  });

  test('NODE_DEBUG', { timeout }, async () => {
    printed.length = 0;
    recorder.requests.length = 0;
    const commands: Case[] = [
      [['put', 'debugged', '-', '-a'], undefined, { input: binary }],
      [['put', 'debugged', canary, '-a'], undefined],
      [['putall', '-', '-a'], undefined, { input: `debugged: "${canary}"` }],
      [['get', 'debugged'], undefined],
      [['getall'], undefined],
      [['get', 'debugged', '-o', join(mine, 'debugged')], undefined],
      [['delete', 'nothing'], undefined],
    ];
    const options = ['', '--trace-warnings', '--trace-uncaught', '--enable-source-maps'];
    const telltale = ['child_process', 'http', 'https', 'http2', 'net', 'stream', 'tls', '*'];
    // In the single file no section prints anything, so that there is nothing to refuse.
    const refused = standaloneUnderTest() === undefined;
    const sections = refused ? [...telltale, 'fs,STREAM', 'Net,mine'] : [];
    for (const section of some(sections, 3)) {
      for (const [args, , more] of isLong ? commands : [random.of(commands)]) {
        const debugged = { ...env, NODE_DEBUG: section, NODE_OPTIONS: random.of(options) };
        const outcome = await record(args, { ...more, env: debugged }, 'nothing', true);
        expect(outcome).toMatchObject({ status: 2, stdout: Buffer.of() });
        expect(outcome.stderr).toContain('in NODE_DEBUG, Node.js would print secrets');
        tally.add('with a NODE_DEBUG that would tell');
      }
    }
    expect(recorder.requests).toEqual([]);
    if (refused) {
      // Refused before anybody is asked.
      const asking = pty(['put', 'debugged', '-a'], { env: { ...env, NODE_DEBUG: 'stream' } });
      const { status, output } = await asking.done;
      expect(status).toBe(2);
      expect(output).not.toContain('debugged: ');
    }
    // Whatever else there is. LOG_* are the YAML library's, RUST_LOG that of the vault's driver.
    const harmless: Record<string, string>[] = [
      ...(refused ? [] : telltale.map((section) => ({ NODE_DEBUG: section }))),
      { NODE_DEBUG: 'mine,fs,module,esm,timer,worker,source_map,repl,inspect' },
      { NODE_DEBUG_NATIVE: 'CRYPTO,HTTP2,TCPWRAP,TLSWRAP,FSREQCALLBACK' },
      { LOG_STREAM: '1' },
      { LOG_TOKENS: '1' },
      { LOG_TOKENS: '1', LOG_STREAM: '1', RUST_LOG: 'trace', DEBUG: '*' },
    ];
    for (const set of harmless) {
      const places = [[], [`--local=${join(mine, 'debugged.vault')}`]];
      for (const [args, , more] of some(commands, 3)) {
        for (const where of isLong ? places : [random.of(places)]) {
          const shows =
            args.includes('-o') || !args[0]?.startsWith('get') ? 'nothing' : 'the secret';
          await record([...where, ...args], { ...more, env: { ...env, ...set } }, shows, true);
          tally.add('with another variable that makes somebody talk');
        }
      }
    }
    expect(hideDataKeys()).toBeGreaterThan(size(0, 10));
    expectNothingPrinted();
    expectNothingWritten();
  });

  test('an error that nobody catches', { timeout }, async () => {
    printed.length = 0;
    recorder.requests.length = 0;
    // Runs before the command, and throws once its first request is on its way.
    const late = join(mine, 'late.cjs');
    writeFileSync(
      late,
      `const { request } = require('node:http');
      const error = () => new Error('${canary}');
      const lines = '${canary}\\n    at ${canary}\\n at ${canary}:1:1';
      const ways = {
        error: () => { throw error(); },
        text: () => { throw '${canary}'; },
        object: () => { throw { name: '${canary}', message: '${canary}', stack: '${canary}' }; },
        nothing: () => { throw undefined; },
        cause: () => { throw new TypeError('${canary}', { cause: error() }); },
        several: () => { throw new AggregateError([error()], '${canary}'); },
        name: () => { throw Object.assign(error(), { name: '${canary}' }); },
        word: () => { throw Object.assign(error(), { name: '${canary.replace('.', '')}' }); },
        lines: () => { throw Object.assign(error(), { message: lines, stack: 'Error: ' + lines }); },
        parser: () => { JSON.parse('${canary}'); },
        source: () => { require('node:vm').runInThisContext("'${canary}' )"); },
        promise: () => { Promise.reject(error()); },
        textOfPromise: () => { Promise.reject('${canary}'); },
        emitter: () => { new (require('node:events'))().emit('error', '${canary}'); },
      };
      require('node:http').request = function (...args) {
        process.nextTick(ways[process.env.WAY]);
        return request.apply(this, args);
      };`,
    );
    const ways = readFileSync(late, 'utf8').match(/^ +\w+(?=: \(\) => \{)/gm) ?? [];
    expect(ways).toHaveLength(14);
    const options = [
      '',
      '--trace-warnings',
      '--trace-uncaught',
      '--enable-source-maps',
      '--report-uncaught-exception',
      '--unhandled-rejections=strict',
    ];
    for (const way of some(ways, 3).map((each) => each.trim())) {
      for (const args of isLong ? needTable : [random.of(needTable)]) {
        const NODE_OPTIONS = `--require=${late} ${random.of(options)}`;
        const shows = args[0]?.startsWith('get') === true ? 'the secret even so' : 'nothing';
        const told = random.of(MODES);
        const thrown = { ...env, NODE_OPTIONS, BUN_OPTIONS: `--preload=${late}`, WAY: way };
        const { status, stderr } = await record([...told, ...args], { env: thrown }, shows, true);
        expect(status, `${way} ${args.join(' ')}\n${stderr}`).toBe(1);
        expect(stderr).toMatch(/^credstash: error: unexpected failure \([A-Za-z]+\)$/m);
        // Not a line of Node.js's own: that quotes the source.
        expect(stderr).toMatch(/^(credstash: [^\n]*\n)+$/);
        tally.add('errors that nobody catches');
      }
    }
    hideDataKeys();
    expectNothingPrinted();
    expectNothingWritten();
  });

  test('Ctrl-C while KMS does not answer', { timeout }, async () => {
    for (const item of items) await putRaw(dynamo.url, table, item);
    kms.fault('hang');
    const output = join(cwd, 'interrupted');
    const interrupted = [...some(needKms, 4), ['get', 'failing', '-o', output]];
    for (const [i, args] of interrupted.entries()) {
      // A request of the command before it, which sends several at once, may come late.
      const AWS_REGION = `interrupted-${i}`;
      const told = ['--log-level', 'debug'];
      const own = { ...env, AWS_REGION, HOME, TMPDIR };
      const terminal = pty([...told, ...args], { env: own, cwd });
      await eventually(() => {
        expect(kms.requests.map(({ region }) => region)).toContain(AWS_REGION);
      });
      terminal.send('\x03');
      const ended = await terminal.done;
      // By the signal, as a shell reports it.
      expect(ended.status, ended.output).toBe(130);
      expect(found(ended.output), ended.output).toEqual([]);
      expect(readdirSync(cwd)).toEqual([]);
      tally.add('interrupted');
    }
    kms.clear();
    expectNothingWritten();
  });
});

test('a log is for its owner alone; the mode of one that is there is left alone', async () => {
  printed.length = 0;
  const path = join(HOME, 'modes.log');
  const args = [`--local=${join(theirs, 'vault')}`, '--log-file', path, 'put', '', canary];
  for (const mode of [0o600, 0o644]) {
    if (mode !== 0o600) chmodSync(path, mode);
    expect(await record(args, {}, 'nothing')).toMatchObject({ status: 2 });
    expect(statSync(path).mode & 0o777).toBe(mode);
  }
  expect(readFileSync(path, 'utf8').match(/error: /g)).toHaveLength(2);
  expectNothingPrinted();
  expectNothingWritten();
});

test('nothing of the environment or of its files is in a help or a usage error', async () => {
  printed.length = 0;
  const home = join(mine, 'of the user');
  mkdirSync(join(home, '.aws'), { recursive: true });
  const config = { 'kms-region': ofEnvironment, cipher: ofEnvironment, password: ofEnvironment };
  writeFileSync(join(home, '.credstash'), JSON.stringify(config));
  const profile = `[default]\naws_access_key_id = ${ofEnvironment}\naws_secret_access_key = ${ofEnvironment}\n`;
  writeFileSync(join(home, '.aws', 'credentials'), profile);
  const env: Record<string, string> = { HOME: home };
  for (const name of [
    'AWS_ACCESS_KEY_ID',
    'AWS_SECRET_ACCESS_KEY',
    'AWS_SESSION_TOKEN',
    'AWS_CONTAINER_AUTHORIZATION_TOKEN',
    'AWS_PROFILE',
    'AWS_REGION',
    'AWS_DEFAULT_REGION',
    'AWS_ENDPOINT_URL',
    'CREDSTASH_CIPHER',
    'CREDSTASH_DEFAULT_TABLE',
    'CREDSTASH_LOCAL',
    'CREDSTASH_PASSWORD',
    'HTTPS_PROXY',
    'NODE_AUTH_TOKEN',
    'XDG_DATA_HOME',
  ]) {
    env[name] = ofEnvironment;
  }
  const names = [
    'setup',
    'put',
    'putall',
    'get',
    'getall',
    'render',
    'list',
    'keys',
    'find',
    'delete',
  ]
    // What comes after the first put.
    .concat([
      'history',
      'rollback',
      'label',
      'unlabel',
      'prune',
      'rekey',
      'migrate',
      'copy',
      'doctor',
      'policy',
    ]);
  const help = [['--help'], ['help'], [], ['--version'], ...names.map((each) => [each, '--help'])];
  for (const args of some(help, 4)) {
    expect(await record(args, { env }, 'nothing'), args.join(' ')).toMatchObject({ status: 0 });
  }
  // A format refuses a secret only once it has read it, and here nothing is stored.
  const mistakes = commands.filter(([args, status]) => status === 2 && !args.includes('-f'));
  const local = { ...env, CREDSTASH_LOCAL: '' };
  for (const [args, , more] of some(mistakes, 20)) {
    for (const each of [env, local]) {
      const { status } = await record(args, { ...more, env: each }, 'nothing');
      expect(status, args.join(' ')).toBe(2);
      tally.add('usage errors with the environment full of secrets');
    }
  }
  // Settings that cannot be: the cipher and the region. CREDSTASH_LOCAL may name any folder.
  for (const each of [local, { HOME: home }, { HOME: home, AWS_REGION: 'eu-west-1' }]) {
    for (const args of [['put', 'n', 'v'], ['get', 'n'], ['list']]) {
      const outcome = await record(['--log-level=debug', ...args], { env: each }, 'nothing');
      expect(outcome.status, outcome.stderr).toBe(2);
    }
  }
  expectNothingPrinted();
  expectNothingWritten();
});

test('the code cache has none of it', () => {
  const kept = existsSync(CODE) ? files(CODE) : [];
  expect(kept.length > 0).toBe(standaloneUnderTest() === undefined);
  for (const path of kept) {
    const content = readFileSync(path);
    // It has the words of the SDK's own code.
    const leaked = found(content).filter((each) => each !== DUMPS);
    expect(leaked, path).toEqual([]);
    expect(content.includes(binary), path).toBe(false);
  }
});
