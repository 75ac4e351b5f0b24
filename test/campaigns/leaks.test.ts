import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openLocal } from '../../src/backend/local/index.ts';
import { type Item } from '../../src/entry.ts';
import { bindName, type Context } from '../../src/context.ts';
import { createTable, putRaw, scanRaw, startDynalite } from '../support/dynamo.ts';
import { type KmsServer, startKmsServer } from '../support/kms-server.ts';
import { type Outcome, pty, run, type RunOptions } from '../support/run.ts';
import { awsEnv, temporaryFolder } from './backends.ts';
import { awsError, type Recorder, startRecorder } from '../support/recorder.ts';

/*
 * A secret that stands nowhere else is put, read, mistyped and lost in every way; then it, the data keys and the
 * sealed bytes are looked for in all that the commands printed and in every file that they left.
 */
// Its first letter is no option: -cSECRET is the way to write a comment.
const canary = `Zanary.${randomBytes(12).toString('hex')}`;
const binary = randomBytes(48);
const folder = temporaryFolder();

// Files of the person who runs the commands, which may hold the secret.
const mine = join(folder.path, 'mine');
// Everything that a command may write to.
const theirs = join(folder.path, 'theirs');
const HOME = join(theirs, 'home');
const TMPDIR = join(theirs, 'tmp');
const cwd = join(theirs, 'cwd');
const secretFile = join(mine, 'secret');
const hugeFile = join(mine, 'huge');

/** All that must not be printed: each with what a failure calls it. */
const hidden = new Map<string, string>();

function hide(what: string, bytes: Uint8Array | string): void {
  const buffer = Buffer.from(bytes);
  // What is shorter may stand anywhere by chance.
  if (buffer.length < 16) return;
  if (typeof bytes === 'string') hidden.set(bytes, what);
  hidden.set(buffer.toString('hex'), `${what} in hex`);
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
hide('the huge canary', canary.repeat(2));

function files(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name));
}

/** What of the hidden stands in here, as text or as raw bytes. */
function found(where: string | Buffer): string[] {
  const text = typeof where === 'string' ? where : where.toString('latin1');
  return [...hidden].filter(([each]) => text.includes(each)).map(([, what]) => what);
}

const printed: { readonly command: string; readonly stdout: Buffer; readonly stderr: string }[] =
  [];
const statuses = new Set<number | null>();

async function record(
  args: readonly string[],
  options: RunOptions,
  shows: 'the secret' | 'nothing',
): Promise<Outcome> {
  const env = { HOME, TMPDIR, XDG_CACHE_HOME: join(HOME, '.cache'), ...options.env };
  const outcome = await run(args, { ...options, cwd, env });
  const command = args.join(' ').slice(0, 200);
  const isMeant = shows === 'the secret' && outcome.status === 0;
  const stdout = isMeant ? Buffer.of() : outcome.stdout;
  printed.push({ command, stdout, stderr: outcome.stderr });
  statuses.add(outcome.status);
  return outcome;
}

beforeAll(() => {
  for (const each of [mine, theirs, HOME, TMPDIR, cwd]) mkdirSync(each);
  writeFileSync(secretFile, binary);
  writeFileSync(hugeFile, canary.repeat(20_000));
});
afterAll(() => {
  folder.remove();
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
  [['put', 'ctr', canary, '--cipher', 'AES-256-CTR'], 0],
  [['put', 'dash', '-'], 0, { input: binary }],
  [['put', 'left-out'], 0, { input: canary }],
  [['put', 'file', `@${secretFile}`], 0],
  [['put', 'literal', canary, '--literal'], 0],
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
  [['putall', `@${canary}`], 2],
  [['putall', `-${canary}`], 2],
  [['putall', '{}', canary], 2],
  [['putall', '-'], 2, { input: JSON.stringify({ 'all.b': canary.repeat(20_000) }) }],
  // In the wrong place. (get, list and delete name an option that they do not know: no secret is expected there.)
  [[`-${canary}`, 'put', 'bad'], 2],
  [['-a', 'put', 'bad', canary], 2],
  [['get', 'text', canary], 2],
  [['list', 'a', canary], 2],
  [['delete', 'a', canary], 2],
  [['setup', canary], 2],
  [['store', 'bad', canary], 2],
  [['store', 'bad', `-${canary}`], 2],
  [['bad', canary], 2],
  // Too large.
  [['put', 'bad', `@${hugeFile}`], 2],
  [['put', 'bad', '-'], 2, { input: canary.repeat(20_000) }],
  [['put', 'bad'], 2, { input: canary.repeat(13_200) }],
  [['delete', 'left-out'], 0],
  [['delete', 'left-out'], 3],
];

/** The commands that print a secret, which is what they are for. */
const shown: [args: string[], secret: Uint8Array | string][] = [
  [['get', '-n', 'text'], canary],
  [['get', '-n', 'context', 'a=b'], canary],
  [['get', '-n', 'ctr'], canary],
  [['get', '-n', 'dash'], binary],
  [['get', 'ct*'], JSON.stringify({ ctr: canary }, null, 4)],
  [['get', '-n', 'nothing', '--default', canary], canary],
];

async function everything(before: readonly string[], options: RunOptions): Promise<void> {
  for (const debug of [[], ['--log-level', 'debug']]) {
    for (const [args, status, more] of commands) {
      const outcome = await record(
        [...before, ...debug, ...args],
        { ...options, ...more },
        'nothing',
      );
      const what = `${args.join(' ').slice(0, 100)}\n${outcome.stderr}`;
      if (status !== undefined) expect(outcome.status, what).toBe(status);
    }
    for (const [args, secret] of shown) {
      const outcome = await record([...before, ...debug, ...args], options, 'the secret');
      expect(outcome).toMatchObject({ status: 0, stdout: Buffer.from(secret) });
    }
    const output = join(mine, 'output');
    await record([...before, ...debug, 'get', 'dash', '-o', output], options, 'nothing');
    expect(readFileSync(output)).toEqual(binary);
    // As it was, for the second round.
    for (const name of ['text', 'context', 'ctr', 'dash', 'file', 'literal', 'pem', 'all.a']) {
      await record([...before, ...debug, 'delete', name], options, 'nothing');
    }
  }
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

function expectNothingWritten(): void {
  for (const path of files(theirs)) {
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

  test('every command and every mistake', async () => {
    printed.length = 0;
    await everything(before, {});
    // Once more, to be there when the files are looked at.
    for (const [args, , options] of commands.filter(([[name]]) => name === 'put').slice(0, 12)) {
      await record([...before, ...args], { ...options }, 'nothing');
    }
    const { entries, keys, vault: opened } = openLocal(vault, { create: false });
    const masterKey = Buffer.from(opened.masterKey());
    for await (const found of entries.all()) {
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
      expect(keyIsHere, path).toBe(path.endsWith('master.key'));
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
      for (const bytes of [Buffer.from(canary), whole.subarray(0, -1), Buffer.alloc(32)]) {
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
  let dynamo: Awaited<ReturnType<typeof startDynalite>>;
  let kms: KmsServer;
  let recorder: Recorder;
  let env: Record<string, string>;
  beforeAll(async () => {
    dynamo = await startDynalite();
    kms = await startKmsServer();
    recorder = await startRecorder({ DynamoDB: dynamo.url, KMS: kms.url });
    await createTable(dynamo.url, table);
    env = { ...awsEnv(recorder.url, recorder.url), AWS_MAX_ATTEMPTS: '1' };
    hide('the secret access key', String(env.AWS_SECRET_ACCESS_KEY));
  });
  afterAll(() => Promise.all([dynamo.close(), kms.close(), recorder.close()]));

  /** The data keys that KMS handed out: what it said, not what the command made of it. */
  function hideDataKeys(): number {
    const keys = recorder.requests.flatMap(({ answer }) => {
      const [, key] = /"Plaintext":"([^"]+)"/.exec(answer) ?? [];
      return key === undefined ? [] : [key];
    });
    for (const key of keys) {
      const bytes = Buffer.from(key, 'base64');
      hide('a data key', bytes);
      hide('the AES half of a data key', bytes.subarray(0, 32));
      hide('the HMAC half of a data key', bytes.subarray(32));
    }
    return keys.length;
  }

  test('every command and every mistake', async () => {
    printed.length = 0;
    await everything([], { env });
    expect(hideDataKeys()).toBeGreaterThan(20);
    expectNothingPrinted();
    expectNothingWritten();
  });

  test('every failure of KMS and of DynamoDB', async () => {
    printed.length = 0;
    statuses.clear();
    recorder.requests.length = 0;
    const put = (...args: string[]): ReturnType<typeof record> =>
      record(['--log-level', 'debug', 'put', 'failing', canary, '-a', ...args], { env }, 'nothing');
    const get = (...args: string[]): ReturnType<typeof record> =>
      record(['--log-level', 'debug', 'get', 'failing', ...args], { env }, 'the secret');
    expect(await put()).toMatchObject({ status: 0 });
    hideSealed((await scanRaw(dynamo.url, table)) as unknown as Item[]);

    for (const fault of [
      'throttle',
      'deny',
      'reset',
      'error500',
      'unavailable503',
      'expired-token',
      'bad-token',
    ] as const) {
      kms.fault(fault);
      for (const outcome of [await put(), await get()]) {
        expect(outcome.status, `${fault}\n${outcome.stderr}`).toSatisfy((n) => n === 6 || n === 7);
      }
      kms.clear();
    }
    for (const bytes of [0, 16, 32, 63, 65, 128]) {
      kms.falsifyKeyLength(bytes);
      expect(await get(), `${bytes} bytes`).not.toMatchObject({ status: 0 });
      expect(await put(), `${bytes} bytes`).not.toMatchObject({ status: 0 });
    }
    kms.falsifyKeyLength(undefined);

    // The answer of the service with a data key or an entry in it, cut, followed by rubbish, or in a wrong place.
    const mangles: [status: number, mangle: (body: string) => string][] = [
      [200, (body) => body.slice(0, -1)],
      [200, (body) => body.slice(0, body.length >> 1)],
      [400, (body) => body.slice(0, -1)],
      [500, (body) => body],
      [200, (body) => `${body}x`],
      [400, (body) => `x${body}`],
      [200, (body) => `<html>${body}</html>`],
      [400, (body) => body.replace('"Plaintext"', '"__type":"AccessDenied","x"')],
      [400, (body) => body.replace('"Plaintext"', '"__type"')],
      [200, (body) => body.replace(/"(Plaintext|CiphertextBlob)":"/, '"$1":"!!!')],
      [200, (body) => body.replace(/"Plaintext":("[^"]*")/, '"Plaintext":[$1]')],
      [200, (body) => body.replace(/"Plaintext":("[^"]*")/, '"Plaintext":{"x":$1}')],
      [200, (body) => JSON.stringify(body)],
    ];
    for (const [status, mangle] of mangles) {
      for (const service of ['KMS', 'DynamoDB']) {
        recorder.meddle = async (action, answer) => {
          if (!action.startsWith(service)) return undefined;
          const body = mangle((await answer()).body);
          // The key was on its way to the command.
          hideIn(body);
          return { status, body };
        };
        await get();
        if (service === 'KMS') await put();
      }
    }
    // What a service says of an error may quote the request.
    for (const code of ['ValidationException', 'SerializationException', 'AccessDeniedException']) {
      recorder.meddle = (action) =>
        Promise.resolve(action === 'DynamoDB.PutItem' ? awsError(code, 'refused') : undefined);
      expect(await put()).not.toMatchObject({ status: 0 });
    }
    recorder.meddle = undefined;
    hideDataKeys();
    expectNothingPrinted();
    expectNothingWritten();
    for (const status of [0, 5, 6, 7]) expect(statuses).toContain(status);
  });

  /** Data keys in an answer that was mangled. */
  function hideIn(body: string): void {
    for (const [, key = ''] of body.matchAll(/"Plaintext\W+([A-Za-z0-9+/]{40,})/g)) {
      hide('a data key of a mangled answer', Buffer.from(key, 'base64'));
    }
  }

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
});
