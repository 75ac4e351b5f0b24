import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { awsError, type Recorder, startRecorder } from '../support/recorder.ts';
import { inProcess, UNSEEN } from '../support/in-process.ts';
import { pty } from '../support/pty.ts';
import { seed } from '../support/seed.ts';
import { awsEnv, dynalite, ok, type Place, type Running, stored } from './backends.ts';
import { v } from '../support/version.ts';

/*
 * Names, comments and whatever else a table holds, made to drive a terminal, to hide, or to give a CI runner commands.
 * Every command prints them on a real terminal, and what arrives there is looked at.
 */

/** Of each kind one at least. */
const HOSTILE = [
  '\x1b[2J',
  '\x1b]0;title\x07',
  '\u009b31m',
  '\r',
  '\n',
  '\b',
  '\x7f',
  '\u0085',
  '\u2028',
  '\u202e',
  '\u2066',
  '\u200b',
  '\u200d',
  '\u00ad',
  '\u034f',
  '\u3164',
  '\ufe0f',
  '\ufeff',
  '\u{e0041}',
  '\u{e0100}',
  '\u00a0',
  '\u3000',
  '\u2800',
  '\ue000',
  '\u0378',
  '\u{10fffd}',
  '##[add-path]',
  '##vso[task.setvariable variable=x]',
  '\n::add-mask::x',
  '\n::stop-commands::x',
  'credstash: error: forged',
];

const unit = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.constantFrom('a', 'B', '.', ' ', '%0A', '"', "'", ',', '\\', 'ü', '名', '🔑'),
);
const text = fc
  .array(unit, { minLength: 1, maxLength: 4 })
  .map((units) => units.join(''))
  .filter((each) => each.trim() !== '');

/** Names that hold several of them, or begin with one. */
const combined = [
  '::add-mask::x',
  '  ::stop-commands::x',
  ...fc.sample(text, { seed, numRuns: 10 }).map((each) => `${each}.`),
];

/** Each hostile text stands in one of these at least. */
const names = [...HOSTILE.map((each) => `n${each}`), ...combined].filter(
  (name, i, all) => all.indexOf(name) === i,
);

/** All of them, in as many names as there are kinds of planted entries. */
const mixed = [0, 1, 2, 3].map((kind) => HOSTILE.filter((_, i) => i % 4 === kind).join(''));

/** What reached the terminal of 80 columns, in lines that the terminal itself began. */
function shown(output: string): string {
  return output.replaceAll('\r\n', '\n');
}

function expectTame(output: string, what: string): void {
  const found = UNSEEN.exec(output);
  if (!found) return;
  const around = output.slice(Math.max(0, found.index - 100), found.index + 100);
  expect.unreachable(
    `SEED=${seed} ${what}: ${JSON.stringify(found[0])} in ${JSON.stringify(around)}`,
  );
}

/** One word of a POSIX shell. */
function word(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

describe('on a terminal', () => {
  let running: Running;
  let place: Place;

  beforeAll(async () => {
    running = await dynalite.start();
    place = await running.place();
    const input = JSON.stringify(Object.fromEntries(names.map((name, i) => [name, `zQ7-${i}`])));
    const put = await place.cs(['putall', '-', '-c', HOSTILE.join(' ')], { input });
    expect(put).toMatchObject({ status: 0 });
    expectTame(`${put.stdout}${put.stderr}`, 'putall');
    // What no put stores: every attribute as a writer of the table makes it.
    const [item] = await place.items();
    for (const [i, name] of [...mixed, ...combined].entries()) {
      await place.plant({
        ...item,
        name: { S: `planted ${name}` },
        version: { S: i % 2 === 0 ? v(i) : `x${name}` },
        digest: { S: name },
        created: { S: name },
        comment: { S: name },
        ...(i % 3 === 0 ? { cipher: { S: name } } : {}),
        ...(i % 2 === 0 ? { 'label:live': { S: name }, [`label:${name}`]: { S: name } } : {}),
      });
    }
  });
  afterAll(async () => {
    await running.close();
  });

  /** Runs command lines on one terminal, and gives what each of them printed. */
  async function onTerminal(lines: readonly (readonly string[])[]): Promise<string[]> {
    const mark = '=====';
    const { output } = await pty([...place.args, '--quiet'], {
      env: place.env,
      script: (command) =>
        lines.map((args) => `${command} ${args.map(word).join(' ')}; echo ${mark}`).join('\n'),
    }).done;
    const printed = shown(output).split(`${mark}\n`);
    expect(printed.pop()).toBe('');
    expect(printed).toHaveLength(lines.length);
    return printed;
  }

  async function expectAllTame(lines: readonly (readonly string[])[]): Promise<void> {
    const printed = await onTerminal(lines);
    for (const [i, args] of lines.entries()) {
      const output = printed[i] ?? '';
      expect(output, args.join(' ')).not.toBe('');
      expectTame(output, args.join(' '));
    }
  }

  test('listings, and errors about many', async () => {
    await expectAllTame([
      ['list'],
      ['list', '-l'],
      ['list', '--json'],
      ['keys'],
      ['getall'],
      ['getall', '--skip-undecryptable', '-f', 'csv'],
      ['getall', '--skip-undecryptable', '-f', 'yaml'],
      ['getall', '--skip-undecryptable', '-f', 'json'],
      ['getall', '--skip-undecryptable', '-f', 'properties'],
      ['getall', '--skip-undecryptable', '-f', 'k8s'],
      ['getall', '--skip-undecryptable', '-f', 'docker', '--raw-names'],
      ['getall', '--skip-undecryptable', '-f', 'github', '--raw-names'],
      ['getall', '--skip-undecryptable', '-f', 'tfvars', '--raw-names'],
      ['getall', '--skip-undecryptable', '-f', 'shell', '--raw-names'],
      ['getall', '--skip-undecryptable', '-f', 'fish', '--raw-names'],
      ['getall', '--skip-undecryptable', '-f', 'dotenv', '--raw-names'],
      ['getall', '--log-level', 'debug'],
      ['exec', '*', '--', 'true'],
      ['prune', '--keep', '1', '--dry-run'],
      ['migrate', '--dry-run'],
      ['rekey', '-k', 'alias/credstash', '--dry-run'],
      ['copy', '--to-local=./copy', '--dry-run'],
      ['setup'],
      ['doctor'],
      ['doctor', '--json'],
      ['policy', 'reader', '--name', `${names.join('').slice(0, 300)}*`],
    ]);
  });

  test('each name, in the commands about one secret', async () => {
    // One that each character and command is in, and one of each kind that is planted.
    const all = names
      .map((name) => name.slice(0, 20))
      .join('')
      .slice(0, 400);
    const [first = ''] = names;
    const planted = mixed.map((name) => `planted ${name}`);
    expect(await place.cs(['put', all, 'zQ7'])).toMatchObject({ status: 0 });
    await expectAllTame([
      ['put', all, 'zQ7', '-a'],
      ['put', all, 'zQ7'],
      ['history', all],
      ['history', all, '--json'],
      ['label', all, 'live', '-v', '1'],
      ['label', all, 'live'],
      ['unlabel', all, 'live'],
      ['rollback', all],
      ['get', `${all}x`],
      ['get', all, '-v', all],
      ['get', all, '--label', all],
      ['get', all, 'env=prod'],
      ['get', all, `${all}=prod`],
      ['get', all, '-f', 'csv'],
      ['get', all, '-f', 'docker', '--raw-names'],
      ['get', all, '-f', all],
      ['get', all, first, '--json'],
      ['get', all, '-o', `/nowhere/${all}`],
      ['get', all, '--log-file', `/nowhere/${all}`],
      ['get', all, `--local=/nowhere/${all}`],
      ['render', `/nowhere/${all}`],
      ['exec', '--env', `X=${all}x`, '--', 'true'],
      ['exec', first, '--', `/nowhere/${all}`],
      ['putall', JSON.stringify({ [all]: 'x', '': 'x' })],
      ['delete', all, '--yes'],
      ['delete', all, '--yes'],
      [all],
      ['help', all],
      ...planted.flatMap((name) => [
        ['get', name],
        ['history', name],
        ['rollback', name],
        ['delete', name, '--yes'],
      ]),
    ]);
  });

  test('questions', async () => {
    // A word with a = is a pair of the encryption context to prune.
    const name = HOSTILE.filter((each) => !each.includes('=')).join('');
    for (const value of ['x', 'y', 'z']) await place.cs(['put', name, value, '-a']);
    await place.cs(['put', 'fields', JSON.stringify({ [name]: 'z' })]);
    for (const [args, answer, status] of [
      [['put', name, '-a'], '\x03', 130],
      [['delete', name], 'n\r', 130],
      [['prune', name, '--keep', '1'], 'n\r', 130],
      [['find', name], 'z\r', 0],
      [['find', '--skip-undecryptable'], 'z\r', 0],
      [['find', '--all-versions', '--skip-undecryptable'], 'z\r', 0],
      [['find', '--json'], 'z\r', 5],
    ] as const) {
      const terminal = pty([...place.args, '--quiet', ...args], { env: place.env });
      await terminal.waitFor(/\[y\/N\] |: $/);
      terminal.send(answer);
      const ended = await terminal.done;
      expect(ended.status, args[0]).toBe(status);
      expectTame(shown(ended.output), args[0]);
    }
  });

  test('candidates of completion are what the shell can show', async () => {
    await place.cs(['put', 'plain', 'x']);
    const [printed = ''] = await onTerminal([['__complete', 'zsh', '--', 'get', '']]);
    const answer = await place.cs(['__complete', 'zsh', '--', ...place.args, 'get', '']);
    expectTame(answer.stdout.replaceAll('\t', ''), 'completion');
    expectTame(printed.replaceAll('\t', ''), 'completion');
    expect(answer.stdout).toContain('plain');
  });

  test('into a pipe, csv and json have the names as they are', async () => {
    const csv = await place.cs(['get', 'n*', '-f', 'csv']);
    const json = JSON.parse((await place.cs(['get', 'n*'])).stdout) as Record<string, string>;
    for (const each of HOSTILE) {
      expect(json).toHaveProperty([`n${each}`]);
      const name = `n${each}`;
      const field = /[",\r\n]/.test(name) ? `"${name}"` : name;
      expect(csv.stdout).toContain(`${field},`);
    }
    expect(await place.cs(['get', 'n\u200b', '-f', 'csv'])).toEqual(
      ok(`n\u200b,${json['n\u200b']}\n`),
    );
    // A listing is for people, also where it is piped.
    expectTame((await place.cs(['keys'])).stdout, 'keys');
  });
});

describe('what a service says', () => {
  let running: Running;
  let recorder: Recorder;

  beforeAll(async () => {
    running = await dynalite.start();
    if (running.dynamo === undefined || !running.kms) throw new Error('not AWS');
    recorder = await startRecorder({ DynamoDB: running.dynamo, KMS: running.kms.url });
  });
  afterAll(async () => {
    await Promise.all([running.close(), recorder.close()]);
  });

  test('stands on a line of its own, and drives nothing', async () => {
    const place = await running.place();
    expect(await place.cs(['put', 'db', 'zQ7'])).toEqual(stored('db'));
    const env = { ...place.env, ...awsEnv(recorder.url, recorder.url) };
    const texts = fc.sample(text, { seed, numRuns: 20 });
    // A look takes four commands, so each is at five of the texts.
    const said = [0, 1, 2, 3].map((start) => texts.slice(5 * start, 5 * start + 5).join(' '));
    for (const words of [
      'ok\ncredstash: hint: run x | sh',
      'User: arn:aws:iam::1:user/x is not authorized to perform: kms:Decrypt',
      ...said,
    ]) {
      recorder.meddle = (action) =>
        Promise.resolve(
          action === 'KMS.Decrypt' ? awsError('AccessDeniedException', words) : undefined,
        );
      for (const args of [
        ['get', 'db'],
        ['getall'],
        ['getall', '--skip-undecryptable'],
        ['doctor'],
      ]) {
        const { stdout, stderr } = await inProcess([...place.args, ...args], { env });
        const all = `${stdout.toString()}${stderr}`;
        expectTame(all, args.join(' '));
        expect(all).toMatch(/access denied: kms:Decrypt on [^:]+$/m);
        for (const line of all.split('\n')) {
          if (line.includes('run x')) expect(line).toMatch(/^ *(?:credstash: )?service says: ok/);
        }
      }
    }
  });
});
