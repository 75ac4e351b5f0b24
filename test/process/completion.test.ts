import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import { startRecorder, type Recorder } from '../support/recorder.ts';
import { builtCommand, nodeUnderTest, type Pty, pty, run } from '../support/run.ts';
import {
  asText,
  awsPlace,
  dynalite,
  ok,
  type Place,
  type Running,
  vaultPlace,
} from '../end-to-end/backends.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const shells = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof shells)[number];

const folder = temporaryFolder();
const bin = join(folder, 'bin');
const vaultFolder = join(folder, 'the vault');
const pwned = join(folder, 'pwned');
/** What a program on the line, which nobody has asked to run, would leave. */
const trap = join(folder, 'trap', 'credstash');
const patience = join(folder, 'patience.cjs');

/** Each is the only name of the vault that begins with what is typed. */
const hostile: readonly [typed: string, name: string][] = [
  ['space', 'space in it'],
  ['single', "single'quote"],
  ['double', 'double"quote'],
  ['subst', `subst$(touch ${pwned})`],
  ['tick', `tick\`touch ${pwned}\``],
  ['semi', `semi;touch ${pwned};`],
  ['pipe', `pipe|touch ${pwned}`],
  ['and', `and&touch ${pwned}&`],
  ['redirect', `redirect>${pwned}`],
  ['variable', 'variable$HOME${HOME}'],
  ['brace', 'brace{a,b}[c]?(d)^~#%'],
  ['back', 'back\\slash\\\\n'],
  ['bang', 'bang!!x'],
  ['colon', 'colon:in:it=and=at@it'],
  ['equal', 'equal=sign:x'],
  ['tilde/', 'tilde/~/x'],
  ['unicode', 'unicode-ünï-😀'],
  ['description', 'description  -- x: y'],
  ['glob', 'glob[a-z]?'],
  ['percent', 'percent%s%n'],
];
const quoted: readonly [typed: string, name: string][] = [
  ["'#", '#comment'],
  ["'~", '~root'],
  ["'spa", 'space in it'],
  ['"spa', 'space in it'],
  ["'single", "single'quote"],
  ['"double', 'double"quote'],
  ["'subst$(", `subst$(touch ${pwned})`],
  ['"subst', `subst$(touch ${pwned})`],
  ['"back', 'back\\slash\\\\n'],
  ['space\\ i', 'space in it'],
  ["'colon:i", 'colon:in:it=and=at@it'],
  ['colon:in:', 'colon:in:it=and=at@it'],
  ['colon:in:it=an', 'colon:in:it=and=at@it'],
  ['"bang', 'bang!!x'],
];
/** Names that a table may hold and no completion may print. */
const unprintable = [
  'new\nline',
  'tab\tin',
  'escape\x1b]0;owned\x07',
  'bell\x07',
  'right\u202eleft',
];

const place: Place = vaultPlace(vaultFolder);
const valueOf = (name: string): string =>
  `value-${hostile.findIndex(([, each]) => each === name)}-${Buffer.from(name).toString('hex').slice(0, 12)}.`;

beforeAll(async () => {
  mkdirSync(bin);
  mkdirSync(join(folder, 'trap'));
  // With TEST_WORDS, a `get` shows its words in hexadecimal, so that a test sees each byte that the shell made of the line.
  writeFileSync(
    join(bin, 'credstash'),
    `#!/bin/sh
if [ "$1" = get ] && [ -n "$TEST_WORDS" ]; then
  echo "[$(printf '%s\\0' "$@" | od -An -v -tx1 | tr -d ' \\n')]"
  exit
fi
exec '${nodeUnderTest()}' --require '${patience}' '${builtCommand}' "$@"
`,
  );
  // A key that is pressed on a machine under load may find its two seconds over. They count from the start of the process,
  // which is an hour later here, but for the tests of the limit.
  writeFileSync(
    patience,
    `const { now } = performance;
if (!process.env.TEST_LIMIT) performance.now = () => now.call(performance) - 3_600_000;
`,
  );
  writeFileSync(trap, `#!/bin/sh\ntouch '${pwned}'\n`);
  chmodSync(join(bin, 'credstash'), 0o755);
  chmodSync(trap, 0o755);
  const names = [...hostile, ...quoted].map(([, name]) => name);
  const secrets = Object.fromEntries(names.map((name) => [name, valueOf(name)]));
  for (const name of [...unprintable, '-dash']) secrets[name] = 'x';
  expect(await place.cs(['putall', '-'], { input: JSON.stringify(secrets) })).toMatchObject({
    status: 0,
  });
});

/** A home folder in which a shell finds the completion as the README says. */
async function home(shell: Shell): Promise<string> {
  const path = mkdtempSync(join(folder, 'home-'));
  const script = await run(['completion', shell]);
  expect(script).toMatchObject({ status: 0, stderr: '' });
  mkdirSync(join(path, '.config/fish/completions'), { recursive: true });
  if (shell === 'fish') {
    writeFileSync(join(path, '.config/fish/completions/credstash.fish'), script.stdout);
    writeFileSync(
      join(path, '.config/fish/config.fish'),
      'function fish_prompt; echo -n "READY> "; end\nset -g fish_greeting\nfunction unset; set -e $argv; end\n',
    );
  } else if (shell === 'zsh') {
    writeFileSync(
      join(path, '.zshrc'),
      'PS1="READY> "; unsetopt prompt_sp\nautoload -Uz compinit && compinit -u\nsource <(credstash completion zsh)\n',
    );
  } else {
    writeFileSync(
      join(path, 'bashrc'),
      'PS1="READY> "\nbind "set enable-bracketed-paste off"\nbind "set page-completions off"\nsource <(credstash completion bash)\n',
    );
  }
  return path;
}

interface Session {
  /** Types at the prompt, and waits for this on the screen; then for the next prompt if a line was entered. */
  readonly type: (text: string, expected: string | RegExp) => Promise<void>;
  readonly send: Pty['send'];
  /** Waits for the next prompt, and returns what has appeared since the test began. */
  readonly finish: () => Promise<string>;
  /** The shell's working folder, which is the test's own. */
  readonly folder: string;
}

interface OpenShell {
  readonly terminal: Pty;
  readonly home: string;
  /** The variables that the tests so far have set in it. */
  readonly variables: Set<string>;
}
const open = new Map<Shell, OpenShell>();
afterAll(() => {
  for (const { terminal } of open.values()) terminal.kill();
});

/** An interactive shell on a terminal, which finds the command in its PATH. */
async function openShell(shell: Shell): Promise<OpenShell> {
  const path = await home(shell);
  const start = {
    bash: `exec bash --noprofile --rcfile '${path}/bashrc' -i`,
    zsh: 'exec zsh -i',
    fish: 'exec fish -i',
  }[shell];
  const terminal = pty([], {
    cwd: path,
    env: {
      HOME: path,
      ZDOTDIR: path,
      XDG_CONFIG_HOME: join(path, '.config'),
      PATH: [bin, process.env.PATH ?? ''].join(delimiter),
      LC_ALL: 'C.UTF-8',
    },
    script: () => start,
  });
  await terminal.waitFor('READY> ');
  return { terminal, home: path, variables: new Set() };
}

/** The one session of a shell, in a new folder, with the vault and these variables and none of another test. */
async function session(
  shell: Shell,
  more: Readonly<Record<string, string>> = {},
): Promise<Session> {
  const { terminal, home, variables } = open.get(shell) ?? (await openShell(shell));
  open.set(shell, { terminal, home, variables });
  // What a failed test leaves on the line is no part of the next one.
  onTestFailed(() => {
    terminal.kill();
    open.delete(shell);
  });
  const start = terminal.output().length;
  const type: Session['type'] = async (text, expected) => {
    terminal.send(text);
    await terminal.waitFor(expected);
    if (text.endsWith('\r')) await terminal.waitFor('READY> ');
  };

  const work = mkdtempSync(join(folder, 'work-'));
  const env = { CREDSTASH_LOCAL: vaultFolder, ...more };
  const isLeft = (name: string): boolean => !Object.keys(env).includes(name);
  const lines = [
    `cd '${work}'`,
    ...[...variables].filter(isLeft).map((name) => `unset ${name}`),
    ...Object.entries(env).map(([name, value]) => `export ${name}='${value}'`),
    `echo in ${work}`,
  ];
  writeFileSync(join(home, 'begin'), `${lines.join('\n')}\n`);
  for (const name of variables) if (isLeft(name)) variables.delete(name);
  for (const name of Object.keys(env)) variables.add(name);
  await type('source ~/begin\r', `in ${work}`);
  return {
    type,
    send: terminal.send,
    finish: async () => {
      // What is on the line goes. The answer is not what was typed.
      await type('\x15echo do\\\ne\r', /[\r\n]doe\r\n/);
      return terminal.output().slice(start);
    },
    folder: work,
  };
}

beforeEach(() => {
  rmSync(pwned, { force: true });
});

describe.each(shells)('%s', (shell) => {
  test('commands, options and the values of options complete', async () => {
    const on = await session(shell);
    await on.type('credstash geta\t --for\t csv\r', `semi;touch ${pwned};,value-5`);
    await on.type(
      'credstash getall --format=ya\t --skip-u\t | grep -c value\r',
      /[\r\n][1-9]\d*\r\n/,
    );
    await on.type('credstash help putal\t\r', /Usage:\S* credstash putall/);
    await on.type('credstash put --digest SHA5\t --help\r', /Usage:\S* credstash put /);
    await on.type('credstash completion fi\t\r', /complete -c credstash/);
    expect(await on.finish()).not.toMatch(/error:/);
  });

  test('no name is run, whatever stands in it, and each comes out whole', async () => {
    const on = await session(shell, { TEST_WORDS: '1' });
    const inHex = (...words: string[]): string =>
      `[${Buffer.from(words.map((word) => `${word}\0`).join('')).toString('hex')}]`;
    for (const [typed, name] of [...hostile, ...quoted]) {
      await on.type(`credstash get ${typed}\t\r`, inHex('get', name));
    }
    await on.type('unset TEST_WORDS; credstash get subst\t\r', valueOf(hostile[3]?.[1] ?? ''));
    const output = await on.finish();
    expect(output).not.toMatch(/error:/);
    expect(existsSync(pwned)).toBe(false);
  });

  test('names that drive a terminal, and those that look like options, are left out', async () => {
    const on = await session(shell);
    await on.type('credstash get \t\t', /brace/);
    expect(await on.finish()).not.toMatch(/owned|bell|-dash/);
    const env = { CREDSTASH_LOCAL: vaultFolder };
    const ask = async (...words: string[]): Promise<string[]> => {
      const args = shell === 'bash' ? [['credstash', ...words].join(' '), ''] : words;
      const { stdout } = await run(['__complete', shell, '--', ...args], { env });
      return stdout.toString().trimEnd().split('\n');
    };
    const distinct = new Set([...hostile, ...quoted].map(([, name]) => name));
    const listed = await ask('get', '');
    expect(listed).toHaveLength(1 + distinct.size);
    expect(listed.join('\n')).not.toMatch(/owned|bell|right|tab|new|-dash/);
    expect((await ask('get', '--', '')).join('\n')).toMatch(/^-dash\t?$/m);
  });

  test('files stand where files are taken', async () => {
    const on = await session(shell);
    writeFileSync(join(on.folder, 'my secret file'), 'from the file');
    mkdirSync(join(on.folder, 'some folder'));
    await on.type('credstash --local=some\t/v put new @my\t\r', 'new has been stored');
    writeFileSync(join(on.folder, 'some folder/its $file'), 'deep');
    await on.type('credstash --local=some\t/v put deep @some\ti\t\r', 'deep has been stored');
    expect(existsSync(join(on.folder, 'some folder/v/vault.db'))).toBe(true);
    await on.type(
      "credstash --local=some\t/v put open '@some folder/i\t\r",
      'open has been stored',
    );
    await on.type('credstash get --local=some\t/v new\r', 'from the file');
    await on.type('credstash get semi\t -o my\t\r', '\n');
    await on.type('cat my*\r', valueOf(`semi;touch ${pwned};`));
    expect(await on.finish()).not.toMatch(/error:/);
  });

  test('the options on the line say where names are looked for', async () => {
    const other = join(folder, `other-${shell}`);
    const { cs } = vaultPlace(other);
    expect(await cs(['put', 'elsewhere', 'found it'])).toMatchObject({ status: 0 });
    const on = await session(shell);
    await on.type(`credstash --local=${other} get else\t\r`, 'found it');
    await on.type(`credstash get --local=${other} --noline else\t\r`, 'found it');
    expect(await on.finish()).not.toMatch(/error:/);
  });

  test('an error, a vault that is not there and a program on the line: nothing happens', async () => {
    const on = await session(shell, { CREDSTASH_LOCAL: join(folder, 'nowhere') });
    on.send('credstash get x\t');
    on.send('\x15credstash --log-level nonsense get x\t');
    on.send('\x15credstash -r eu-west-1 get x\t');
    on.send(`\x15${trap} get x\t`);
    expect(await on.finish()).not.toMatch(/error|hint|Killed|Terminated/);
    expect(existsSync(join(folder, 'nowhere'))).toBe(false);
    expect(existsSync(pwned)).toBe(false);
  });
});

describe('the names of a table', () => {
  let running: Running;
  let recorder: Recorder;
  let aws: Place;
  beforeAll(async () => {
    running = await dynalite.start();
    recorder = await startRecorder({ DynamoDB: running.dynamo ?? '', KMS: running.kms?.url ?? '' });
    const [, table = ''] = (await running.place()).args;
    aws = awsPlace(recorder.url, recorder.url, table);
    expect(await aws.cs(['put', 'in.a.table', 'of AWS'])).toMatchObject({ status: 0 });
  });
  beforeEach(() => {
    recorder.meddle = undefined;
    recorder.requests.length = 0;
  });
  afterAll(() => Promise.all([recorder.close(), running.close()]));

  /** The answer to a script of fish. */
  async function complete(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
    return asText(
      await run(['__complete', 'fish', '--', ...words], { env: { ...aws.env, ...env } }),
    );
  }

  test.each(shells)('%s: from the table that the line names', async (shell) => {
    const on = await session(shell, { ...aws.env, CREDSTASH_LOCAL: '' });
    await on.type(`credstash -t ${aws.args[1] ?? ''} get in.\t\r`, 'of AWS');
    expect(await on.finish()).not.toMatch(/error:/);
    expect(recorder.requests.map(({ action }) => action)).toEqual([
      'DynamoDB.Scan',
      'DynamoDB.Query',
      'KMS.Decrypt',
    ]);
  });

  test.each(shells)(
    '%s: none from a service that does not answer, and the line goes on',
    async (shell) => {
      recorder.meddle = (action) =>
        Promise.resolve(
          action === 'DynamoDB.Scan' ? { status: 200, body: '', delivery: 'never' } : undefined,
        );
      const on = await session(shell, { ...aws.env, CREDSTASH_LOCAL: '', TEST_LIMIT: '1' });
      await on.type(`credstash -t ${aws.args[1] ?? ''} get in.\ta.table\r`, 'of AWS');
      expect(await on.finish()).not.toMatch(/error|Killed|SIGKILL|Terminated/);
    },
  );

  test('a process that is asked for too much ends itself', async () => {
    recorder.meddle = () => Promise.resolve({ status: 200, body: '', delivery: 'never' });
    const { signal, stdout, stderr } = await run(
      ['__complete', 'zsh', '--', ...aws.args, 'get', ''],
      { env: aws.env },
    );
    expect({ signal, stdout: stdout.toString(), stderr }).toEqual({
      signal: 'SIGKILL',
      stdout: '',
      stderr: '',
    });
  });

  test('headers alone are read, and no key is asked for', async () => {
    expect(await complete([...aws.args, 'get', ''])).toEqual(ok('words\nin.a.table\t\n'));
    expect(recorder.requests).toMatchObject([{ action: 'DynamoDB.Scan' }]);
    expect(recorder.requests[0]?.sent).not.toMatch(/contents|hmac/);
  });

  test.each([
    [['get', '-'], /--noline/],
    [['put', 'n', '-k', ''], /^words\n$/],
    [['put', 'n', ''], /^words\n$/],
    [['get', 'n', ''], /^words\n$/],
    [[''], /setup/],
    [['nonsense', ''], /^words\n$/],
  ])('%j asks nobody', async (words, says) => {
    expect((await complete(words)).stdout).toMatch(says);
    expect(recorder.requests).toEqual([]);
  });

  test('nobody is asked for an MFA code, and no program is run for credentials', async () => {
    const config = join(folder, 'config');
    const ini = [
      ['process', `credential_process = touch ${pwned}`],
      ['chained', 'role_arn = arn:aws:iam::123456789012:role/r\nsource_profile = process'],
      [
        'mfa',
        'role_arn = arn:aws:iam::123456789012:role/r\nmfa_serial = arn:aws:iam::123456789012:mfa/me\ncredential_source = Environment',
      ],
    ].map(([name = '', text = '']) => `[profile ${name}]\n${text}\n`);
    writeFileSync(config, ini.join('\n'));
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ...rest } = aws.env;
    expect([AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY]).not.toContain(undefined);
    for (const name of ['process', 'chained', 'mfa']) {
      const args = ['__complete', 'fish', '--', '-p', name, ...aws.args, 'get', ''];
      const keys = name === 'mfa' ? aws.env : rest;
      const env = { ...keys, AWS_CONFIG_FILE: config };
      expect(asText(await run(args, { env })), name).toEqual(ok('words\n'));
    }
    expect(existsSync(pwned)).toBe(false);
    expect(recorder.requests).toEqual([]);
  });
});

test('the hidden command stands in no help, and completion refuses other shells', async () => {
  for (const args of [['--help'], ['help'], ['completion', '--help']]) {
    expect((await run(args)).stdout.toString()).not.toContain('__complete');
  }
  const { status, stderr } = asText(await run(['completion', 'csh']));
  expect(status).toBe(2);
  expect(stderr).toMatch(/error: .*bash, zsh, fish/);
});
