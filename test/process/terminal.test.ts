import { constants as files, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { leftOn, type Pty, pty, type PtyOptions, run } from '../support/run.ts';
import { mfaCode, startStsServer, type StsServer } from '../support/sts-server.ts';
import { startKmsServer, type KmsServer } from '../support/kms-server.ts';
import { createTable, startDynalite } from '../support/dynamo.ts';
import { asText, awsEnv, type Ended, ok, stored, vaultPlace } from '../end-to-end/backends.ts';
import { runInPlace } from '../end-to-end/exec.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
const vault = vaultPlace(join(folder, 'vault'));
const { cs, args, where } = vault;

/** Stores and reads in this process, where nothing is asked. */
const here = (...words: string[]): Promise<Ended> => runInPlace(vault, words);

/** Runs the command on the vault in a terminal. */
function terminal(command: readonly string[], options: PtyOptions = {}): Pty {
  return pty([...args, ...command], options);
}

/** Tells how the command ended, and then how it left the terminal. */
const thenLook = (command: string): string => `${command}; echo "status $?."; stty -a`;

/** A terminal that shows what is typed, line by line, and takes ^C as a signal. */
function expectSane(output: string): void {
  for (const flag of ['icanon', 'echo', 'isig', 'icrnl', 'opost', 'iexten']) {
    expect(output).toMatch(new RegExp(`[ \\n]${flag}[ ;\\r]`));
    expect(output).not.toMatch(new RegExp(`[ \\n]-${flag}[ ;\\r]`));
  }
}

/** Types into the prompt of a put, expects this secret, and nothing on the terminal but the question. */
async function types(name: string, typed: readonly string[], secret: string) {
  const { send, waitFor, done } = terminal(['put', name]);
  await waitFor(`${name}: `);
  for (const each of typed) {
    send(each);
    // As a rule it arrives as one read of its own; together they are the same.
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
  expect(await done).toEqual({
    status: 0,
    output: `${name}: \r\n${name} has been stored in ${where}\r\n`,
  });
  expect(await here('get', '-n', name)).toEqual(ok(secret));
}

describe('the prompt of put [compat 16]', () => {
  // The first put also says where the vault is.
  beforeAll(async () => {
    expect((await here('put', 'first', 'x')).status).toBe(0);
  });

  test('asks on the terminal and echoes nothing', async () => {
    await types('typed', ['pass wörd 😀 "quoted" $HOME\r'], 'pass wörd 😀 "quoted" $HOME');
    await types('slowly', ['p', 'a', 's', 's', '\r'], 'pass');
    await types('newline', ['with ^J\n'], 'with ^J');
    await types('tab', [' \ttab and spaces \r'], ' \ttab and spaces ');
  });

  test('backspace takes a whole character, ^U all of them', async () => {
    await types('ascii', ['abx', '\x7f', 'c\r'], 'abc');
    await types('two bytes', ['aé', '\x7f', 'b\r'], 'ab');
    await types('three', ['a秘密', '\x08', 'b\r'], 'a秘b');
    await types('four', ['a😀', '\x7f', 'b\r'], 'ab');
    await types('too many', ['é', '\x7f\x7f\x7f', 'b\r'], 'b');
    await types('at once', ['aé\x7fb\r'], 'ab');
    await types('kill', ['wrong', '\x15', 'right\r'], 'right');
  });

  test('arrow keys are no part of a secret; ^D ends one as Enter does', async () => {
    await types('arrow', ['ab', '\x1b[D', '\x1b[A', 'c\r'], 'abc');
    await types('keys at once', ['ab\x1b[Dc\x1bOA\x1b[3~d\r'], 'abcd');
    await types('pasted', ['\x1b[200~ab[c\x1b[201~\r'], 'ab[c');
    await types('end', ['abc', '\x04'], 'abc');
  });

  test.each([
    ['^C', '\x03', 130, /^/],
    ['^C after some of it', 'canary\x03', 130, /^/],
    ['Enter alone', '\r', 2, /error: nothing was typed\r\n.*hint: .*""/],
    ['^D alone', '\x04', 2, /error: nothing was typed/],
    ['a line that was taken back', 'canary\x15\r', 2, /error: nothing was typed/],
    ['several pasted lines', 'canary1\rcanary2\r', 2, /error: more than one line.*\r\n.*@FILE/],
    ['the beginning of a second line', 'canary1\ncanary2', 2, /error: more than one line/],
  ])('%s: nothing is stored, and the terminal is sane', async (_, typed, status, says) => {
    const { send, waitFor, done } = terminal(['put', 'refused'], { script: thenLook });
    await waitFor('refused: ');
    send(typed);
    await waitFor(`status ${status}.`);
    const { output } = await done;
    expect(output).toMatch(says);
    expect(output).not.toContain('canary');
    expect(output).not.toContain('has been stored');
    expectSane(output);
    expect((await here('list', 'refused')).stdout).toBe('');
  });

  /** How many bytes a process has read (proc_pid_io(5)): nothing else shows that it has read what was typed. */
  const bytesRead = (pid: number): number =>
    Number(/^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]);
  /** More than whatever else a process reads while it waits. */
  const typed = 'canary'.repeat(100);

  const ENDING = [
    ...(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGVTALRM'] as const),
    ...(['SIGPROF', 'SIGIO', 'SIGQUIT', 'SIGXCPU'] as const),
  ];
  test.each([
    ...ENDING.map((signal) => [signal, 'the terminal', ''] as const),
    ['SIGHUP', '/dev/tty', 'printf piped |'] as const,
  ])('%s while it asks on %s: a sane terminal', async (signal, _, before) => {
    const status = 128 + constants.signals[signal];
    const script = (command: string): string =>
      thenLook(`${before} sh -c 'echo "pid $$."; exec "$@"' sh ${command}`);
    const { send, waitFor, done } = terminal(['put', 'killed', '-P'], { script });
    const pid = Number(/pid (\d+)\./.exec(await waitFor(/pid \d+\./))?.[1]);
    await waitFor('killed: ');
    const read = bytesRead(pid);
    send(typed);
    // Else it would be typed into the terminal that is sane again, which shows it.
    await eventually(() => {
      expect(bytesRead(pid) - read).toBeGreaterThanOrEqual(typed.length);
    });
    process.kill(pid, signal);
    await waitFor(`status ${status}.`);
    const { output } = await done;
    expectSane(output);
    expect(output).not.toContain('canary');
    expect((await here('list', 'killed')).stdout).toBe('');
  });

  test('^C at it is SIGINT to the shell around it: a loop stops', async () => {
    const { send, waitFor, done } = terminal(['put', 'looped'], {
      script: (command) => {
        writeFileSync(join(folder, 'looped.sh'), `exec ${command}\n`);
        return "PS1='prompt$ ' exec bash --noprofile --norc -i";
      },
    });
    await waitFor('prompt$ ');
    send(`for i in 1 2 3; do sh ${join(folder, 'looped.sh')}; done\r`);
    await waitFor('looped: ');
    send('\x03');
    await waitFor('prompt$ ');
    send('echo "status $?."; exit\r');
    await waitFor('status 130.');
    expect((await done).output.match(/looped: /g)).toHaveLength(1);
  });
});

describe('a put that asks', () => {
  test('tells that the version exists before it asks', async () => {
    expect(await here('put', 'taken', 'x')).toEqual(stored('taken'));
    for (const command of [
      ['put', 'taken'],
      ['put', 'taken', '-P'],
      ['put', 'taken', '-v', '1'],
    ]) {
      const { status, output } = await terminal(command).done;
      expect(status, output).toBe(4);
      expect(output).toMatch(
        /^credstash: error: version 0+1 of taken is already in .*\r\ncredstash: hint: use -a .*\r\n$/,
      );
    }
    // The hint, followed.
    const { waitFor, send, done } = terminal(['put', 'taken', '-a']);
    await waitFor('taken: ');
    send('next\r');
    expect(await done).toMatchObject({ status: 0 });
    expect(await here('get', 'taken')).toEqual(ok('next\n'));
  });

  test('with --if-missing asks only if the secret is missing', async () => {
    const { waitFor, send, done } = terminal(['put', 'missing', '--if-missing']);
    await waitFor('missing: ');
    send('typed\r');
    expect(await done).toMatchObject({ status: 0 });
    const again = await terminal(['put', 'missing', '--if-missing']).done;
    expect(again).toMatchObject({
      ...{ status: 0, output: 'missing exists already: nothing has been stored\r\n' },
    });
    expect(await here('get', 'missing')).toEqual(ok('typed\n'));
  });

  test('with stdin piped too, when -P asks on /dev/tty', async () => {
    const script = (command: string): string => `printf piped | ${command}`;
    const { status, output } = await terminal(['put', 'taken', '-P'], { script }).done;
    expect(status, output).toBe(4);
    expect(output).toMatch(/^credstash: error: version 0+1 of taken is already in/);
  });
});

describe('a VALUE that looks like KEY=VALUE', () => {
  test('is stored, and told on a terminal, without what it says; the advice works', async () => {
    const { status, output } = await terminal(['put', 'meant', 'canary=canary']).done;
    expect(status).toBe(0);
    expect(output).toMatch(
      /^meant has been stored in [^\r]+\r\ncredstash: warning: the value looks like KEY=VALUE/,
    );
    expect(output).not.toContain('canary');
    const [, advice = ''] = /if it was meant as one: credstash (.*) KEY=VALUE/.exec(output) ?? [];
    const { waitFor, send, done } = pty([...advice.split(' '), 'canary=canary']);
    await waitFor('meant: ');
    send('typed\r');
    expect(await done).toMatchObject({ status: 0 });
    expect(await here('get', 'meant', 'canary=canary')).toEqual(ok('typed\n'));
  });

  test.each([
    ['with a context', ['a=b', 'c=d']],
    ['with --literal', ['a=b', '--literal']],
    ['base64', ['c2VjcmV0cw==']],
    ['a URL', ['https://example.com/?a=b']],
    ['other text', ['password']],
  ])('%s is not told', async (title, args) => {
    const name = title.replaceAll(' ', '-');
    const { status, output } = await terminal(['put', name, ...args]).done;
    expect({ status, output }).toEqual({
      status: 0,
      output: `${name} has been stored in ${where}\r\n`,
    });
  });

  test('is not told where there is no terminal', async () => {
    expect(await cs(['put', 'scripted', 'a=b'])).toEqual(stored('scripted'));
  });
});

describe('-P [compat 17]', () => {
  test('asks on the terminal whatever VALUE says', async () => {
    const { send, waitFor, done } = terminal(['put', 'prompted', '-', '-P', 'k=v']);
    await waitFor('prompted: ');
    send('typed\r');
    expect(await done).toMatchObject({ status: 0 });
    expect(await here('get', 'prompted', 'k=v')).toEqual(ok('typed\n'));
  });

  test('takes KEY=VALUE in the place of VALUE, too', async () => {
    const { send, waitFor, done } = terminal(['put', 'pairs', 'a=b', 'c=d', '--prompt']);
    await waitFor('pairs: ');
    send('typed\r');
    expect(await done).toMatchObject({ status: 0 });
    expect(await here('get', 'pairs', 'c=d', 'a=b')).toEqual(ok('typed\n'));
  });

  test('with stdin piped it asks on /dev/tty, and leaves it sane', async () => {
    const script = (command: string): string => thenLook(`printf piped | ${command} >/dev/null`);
    const { send, waitFor, done } = terminal(['put', 'tty', '-P'], { script });
    await waitFor('tty: ');
    send('hidden\r');
    await waitFor('status 0.');
    const { output } = await done;
    expect(output).not.toContain('hidden');
    expectSane(output);
    expect(await here('get', 'tty')).toEqual(ok('hidden\n'));
  });

  test('find asks, and lists what holds the value; ^C ends it', async () => {
    await here('put', 'found', 'hidden word');
    const asked = terminal(['find', 'f*']);
    await asked.waitFor('value to find: ');
    asked.send('hidden word\r');
    const { status, output } = await asked.done;
    expect({ status, left: leftOn(output) }).toEqual({
      status: 0,
      left: 'value to find: \r\nfound\r\n',
    });
    const stopped = terminal(['find']);
    await stopped.waitFor('value to find: ');
    stopped.send('hidden\x03');
    const ended = await stopped.done;
    expect(ended.status).toBe(130);
    expect(ended.output).not.toContain('hidden');
  });

  test('^C on /dev/tty: exit 130, nothing stored, a sane terminal', async () => {
    const script = (command: string): string => thenLook(`printf piped | ${command}`);
    const { send, waitFor, done } = terminal(['put', 'tty.c', '-P'], { script });
    await waitFor('tty.c: ');
    send('hidden\x03');
    await waitFor('status 130.');
    const { output } = await done;
    expect(output).not.toContain('hidden');
    expectSane(output);
    expect(await here('list', 'tty.c')).toEqual(ok(''));
  });

  test('with no terminal at all: exit 2, and the hint names the other ways', async () => {
    const { status, stderr } = await cs(['put', 'nowhere', '-P'], { input: 'piped' });
    expect(status).toBe(2);
    expect(stderr).toMatch(/error: there is no terminal to ask on\n.*hint: .*stdin.*@FILE/);
    expect(await here('list', 'nowhere')).toEqual(ok(''));
  });
});

test('stdin that is no terminal is read, and nothing is asked', async () => {
  const script = (command: string): string => `printf 'from the pipe' | ${command}`;
  const { output, status } = await terminal(['put', 'piped'], { script }).done;
  expect({ output, status }).toEqual({
    output: `piped has been stored in ${where}\r\n`,
    status: 0,
  });
  expect(await here('get', 'piped')).toEqual(ok('from the pipe\n'));
});

describe('an MFA code', () => {
  const serial = 'arn:aws:iam::123456789012:mfa/me';
  const role = 'arn:aws:iam::123456789012:role/reader';
  let dynamo: Awaited<ReturnType<typeof startDynalite>>;
  let kms: KmsServer;
  let sts: StsServer;
  let env: Record<string, string>;
  beforeAll(async () => {
    [dynamo, sts] = await Promise.all([startDynalite(), startStsServer()]);
    kms = await startKmsServer({ credentials: sts.credentials });
    await createTable(dynamo.url, 'credential-store');
    const config = join(folder, 'config');
    writeFileSync(
      config,
      `[default]\nmfa_serial = ${serial}\n
[profile direct]\nrole_arn = ${role}\nmfa_serial = ${serial}\ncredential_source = Environment\n`,
    );
    env = {
      ...awsEnv(dynamo.url, kms.url),
      AWS_ENDPOINT_URL_STS: sts.url,
      AWS_CONFIG_FILE: config,
    };
    expect(asText(await run(['put', 'db', 'secret'], { env }))).toEqual(stored('db'));
  });
  afterAll(() => Promise.all([dynamo.close(), kms.close(), sts.close()]));

  const question = `MFA code for ${serial}: `;

  test.each([
    ['-n with a profile of a device', ['-n', role, 'get', 'db']],
    ['a profile that assumes the role', ['-p', 'direct', 'get', 'db']],
  ])('%s: asked for once, and not shown', async (_, command) => {
    sts.requests.length = 0;
    const { send, waitFor, done } = pty(command, { env });
    await waitFor('MFA code for ');
    await waitFor(': ');
    send(`${mfaCode}\r`);
    const { status, output } = await done;
    expect({ status, left: leftOn(output) }).toEqual({
      status: 0,
      left: `${question}\r\nsecret\r\n`,
    });
    expect(sts.requests).toMatchObject([
      { roleArn: role, serialNumber: serial, tokenCode: mfaCode },
    ]);
  });

  test('a wrong code: exit 6', async () => {
    const { send, waitFor, done } = pty(['-n', role, 'get', 'db'], { env });
    await waitFor(question);
    send('000000\r');
    const { status, output } = await done;
    expect(status).toBe(6);
    expect(output).toMatch(
      /credstash: error: access denied: STS on .*\r\ncredstash: service says: .*invalid MFA one time pass code/,
    );
    expect(output).not.toContain('000000');
  });

  test('exec: the terminal is left as it was found, for the command', async () => {
    const look = 'stty -a; grep -h flags /proc/self/fdinfo/0; read -r line; echo "<$line>"';
    const exec = ['-n', role, 'exec', 'db', '--', 'sh', '-c', look];
    const { send, waitFor, done } = pty(exec, { env });
    await waitFor(question);
    send(`${mfaCode}\r`);
    const flags = /flags:\t(\d+)/.exec(await waitFor(/flags:\t\d+\r\n/))?.[1] ?? '';
    expect(parseInt(flags, 8) & files.O_NONBLOCK).toBe(0);
    send('typed\r');
    const { status, output } = await done;
    expect(status).toBe(0);
    expect(output).toContain('<typed>');
    expectSane(output);
  });

  test('is asked on /dev/tty while stdin holds the secret', async () => {
    const script = (command: string): string => `printf 'piped secret' | ${command}`;
    const { send, waitFor, done } = pty(['-n', role, 'put', 'mfa'], { env, script });
    await waitFor(question);
    send(`${mfaCode}\r`);
    expect(await done).toMatchObject({ status: 0 });
    expect(asText(await run(['get', 'mfa'], { env }))).toEqual(ok('piped secret\n'));
  });
});
