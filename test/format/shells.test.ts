import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { describeReserved } from '../../src/model/variable-names.ts';
import { describeUnless, programMissing } from '../support/needed.ts';
import { pty } from '../support/pty.ts';
import { secrets } from './secrets.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { formatShell } from '../support/formats.ts';

/*
 * What `-f shell` prints runs nothing, neither when it is evaluated nor later: not at a prompt, in a trace, at mail, nor in
 * a shell that inherits it. Each shell is asked which parameters it has. It lists those that are set, so every identifier
 * in its program and its modules is tried too. All of them that are not refused are set at once, in a shell that somebody
 * sits at, to something that leaves a file behind when it is evaluated, run or read. dash, which sets thousands of variables
 * quickly, gets those of every shell, so that every shell inherits its own as they are.
 */

/** A line, or one that asks, what it shows then, and the answer. */
type Typed = string | readonly [line: string, asks: string, answer: string];

interface Shell {
  readonly name: string;
  /** As a person starts it, with nothing of the machine's own. */
  readonly start: string;
  /** Prints its parameters. */
  readonly list: string;
  /** An array that it has: a subscript of one that is unset may not be evaluated. */
  readonly array: string;
  /** What else a person types there. */
  readonly types: readonly Typed[];
  /** Of those that are refused, some that each way of running a value is to find: that is what this test can see. */
  readonly found: Readonly<Record<Payload, readonly string[]>>;
}

const folder = temporaryFolder();
/** Where each variable whose value is run leaves a file of its name. */
const ran = join(folder, 'ran');
/** A script that leaves one too; of many variables, it cannot tell which one named it. */
const scriptFile = join(folder, 'script');

const mailbox = join(folder, 'mailbox');

/** What a variable holds, by how it would be run. */
const PAYLOADS = {
  evaluated: (name: string, array: string) => `${array}[$(touch ${join(ran, name)})]`,
  run: (name: string) => `touch ${join(ran, name)}`,
  read: () => scriptFile,
  mailed: (name: string) => `${mailbox}?$(touch ${join(ran, name)})`,
} as const;
type Payload = keyof typeof PAYLOADS;

/** Typed in every shell: prompts of every kind, a trace, a loop that asks, what is typed wrong, and a job. */
const TYPED: readonly Typed[] = [
  'true',
  'false',
  'cd /; cd - >/dev/null',
  'set -x',
  'x=$((1 + 1))',
  'set +x',
  'echo "two',
  'lines"',
  'not_a_program_at_all',
  ['echo as""ks; read v', 'asks', 'typed'],
  'sleep 0.01 &',
  'wait',
  'fc -l >/dev/null 2>&1',
  'set >/dev/null',
];

/**
 * A mail that comes, and two prompts at which a shell looks for it. Shells count whole seconds: the mail is newer than the
 * last look, and that is more than a second ago.
 */
const MAIL: readonly Typed[] = [
  'setopt PROMPT_SUBST 2>/dev/null',
  'MAILCHECK=1',
  `sleep 1.1; echo mail >>${mailbox}; sleep 1`,
  'true',
  'true',
];

/** A shell that inherits what is exported, and what it is given to do as a script's, before somebody sits at it. */
type Child = readonly [start: string, script: string];

const CHILDREN: readonly Child[] = ['sh', 'dash', 'bash --norc', 'zsh -f', 'ksh']
  .filter((child) => programMissing(child.split(' ')[0] ?? '', '-c', ':') === undefined)
  .map((child) => [child, 'x=$((1 + 1)); (true);']);

const SHELLS: readonly Shell[] = [
  {
    name: 'bash',
    start: 'bash --norc --noprofile',
    list: 'compgen -v; set; declare -p',
    array: 'BASH_VERSINFO',
    types: [
      'shopt -s promptvars',
      ['select i in a; do break; done', '#?', '1'],
      'time true',
      'ls /et\t',
      'history 1',
      'dirs',
      'declare -p >/dev/null',
      ': $SECONDS $RANDOM',
    ],
    found: {
      evaluated: ['PS1', 'RANDOM'],
      run: ['PROMPT_COMMAND'],
      read: ['BASH_ENV', 'ENV'],
      mailed: ['MAILPATH'],
    },
  },
  {
    name: 'zsh',
    start: 'zsh -f',
    list: 'typeset -p; typeset -ip; set; for m in zsh/parameter zsh/mapfile zsh/system zsh/terminfo zsh/termcap zsh/datetime zsh/langinfo zsh/zleparameter zsh/sched zsh/watch; do (zmodload $m && print -l ${(k)parameters}); done 2>/dev/null; true',
    array: 'path',
    types: [
      'setopt PROMPT_SUBST',
      'true',
      'unsetopt PROMPT_SUBST',
      'print -P "%~ %v" >/dev/null',
      ['select i in a; do break; done', '?#', '1'],
      'time true',
      'ls /et\t',
      'setopt PROMPT_SUBST; zmodload zsh/complist zsh/watch zsh/parameter',
      'ls /usr/b\t\t\x03',
      'periodic() { : }',
      'true',
      'log',
      'pushd /tmp; popd',
      'history -1',
      '< /dev/null >/dev/null',
      'printf "no end of line"',
      'true',
      'typeset -p >/dev/null',
      'correct_me() { : }; setopt CORRECT',
      'correct_mee',
      'n',
      'unsetopt CORRECT',
    ],
    found: {
      evaluated: ['PS1', 'BAUD', 'RANDOM', 'SECONDS', 'KEYTIMEOUT'],
      run: [],
      read: ['ENV', 'NULLCMD'],
      mailed: ['MAIL', 'MAILPATH'],
    },
  },
  {
    name: 'dash',
    start: 'dash',
    list: 'set',
    array: 'x',
    types: [],
    found: { evaluated: ['PS1'], run: [], read: ['ENV'], mailed: [] },
  },
  {
    name: 'ksh',
    start: 'ksh',
    list: 'typeset -p; set',
    array: '.sh.version',
    types: [
      ['select i in a; do break; done', '#?', '1'],
      'time true',
      'hist -l >/dev/null',
      'typeset -p >/dev/null',
      ': $SECONDS $RANDOM',
    ],
    found: { evaluated: ['PS1'], run: [], read: ['ENV'], mailed: [] },
  },
];

/** Every parameter that the shell lists, and every identifier in its program and its modules. */
function namesOf({ start, list }: Pick<Shell, 'start' | 'list'>): Set<string> {
  const [program = ''] = start.split(' ');
  const listed = execFileSync(program, [...start.split(' ').slice(1), '-c', list], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  const names = new Set<string>();
  for (const [, name = ''] of listed.matchAll(/(?:^|\s)([A-Za-z_][A-Za-z0-9_]*)(?=[=\s]|$)/gm)) {
    names.add(name);
  }
  expect(names.size).toBeGreaterThan(5);
  const path = realpathSync(
    execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim(),
  );
  for (const file of [path, ...(program === 'zsh' ? modulesOf(path) : [])]) {
    const text = readFileSync(file, 'latin1');
    for (const [, name = ''] of text.matchAll(
      /(?<![\x20-\x7e])([A-Za-z_][A-Za-z0-9_]{0,39})(?=[\0=])/g,
    )) {
      names.add(name);
    }
  }
  return names;
}

function modulesOf(zsh: string): string[] {
  const path = execFileSync(zsh, ['-f', '-c', 'print -l $module_path'], { encoding: 'utf8' });
  return path
    .split('\n')
    .filter(Boolean)
    .flatMap((root) =>
      readdirSync(root, { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.so'))
        .map((file) => join(root, file)),
    );
}

/** Those of their names that `-f shell` exports. */
function accepted(shell: Pick<Shell, 'start' | 'list'>): string[] {
  return [...namesOf(shell)].filter((name) => {
    try {
      return formatShell(secrets({ [name]: 'x' }), { rawNames: true }) !== '';
    } catch {
      return false;
    }
  });
}

/**
 * Evaluates our own output in a shell on a terminal, and types there what a person types.
 *
 * @returns the variables whose value was run
 */
async function runIn(
  one: Shell,
  names: readonly string[],
  payload: Payload,
  children = CHILDREN,
): Promise<string[]> {
  writeFileSync(mailbox, 'x\n');
  utimesSync(mailbox, 1, 1);
  rmSync(ran, { recursive: true, force: true });
  mkdirSync(ran);
  const [first = ''] = names;
  const reader = names.length === 1 ? first : `one of ${names.length}`;
  writeFileSync(scriptFile, `#!/bin/sh\ntouch '${join(ran, reader)}'\n`, { mode: 0o755 });
  const values = names.map((name) => [name, PAYLOADS[payload](name, one.array)] as const);
  const file = join(folder, 'export');
  const allowName = names.filter((name) => describeReserved(name) !== undefined);
  writeFileSync(file, formatShell(secrets(values), { rawNames: true, allowName }));
  // The rest of the line is what the terminal echoes, and so no sign that it was run.
  const mark = (word: string): string => `echo ${word}""${word}`;
  const { send, waitFor, done } = pty([], { script: () => `exec ${one.start}` });
  const type = async (lines: readonly Typed[], word: string): Promise<void> => {
    for (const line of [...lines, mark(word)]) {
      const [first, asks, answer] = typeof line === 'string' ? [line] : line;
      send(`${first}\n`);
      // What is typed before it asks, the terminal gives it in another form.
      if (asks !== undefined) {
        await waitFor(asks);
        send(`${answer}\n`);
      }
    }
    await waitFor(word + word);
  };
  await type([`eval "$(cat ${file})"`], 'evaluated');
  await type(TYPED, 'typed');
  await type(one.types, 'more');
  if (payload === 'mailed') await type(MAIL, 'mail');
  for (const [child, script] of children) {
    // What is typed early is read by the shell that starts the other.
    send(`${child} -c '${script} echo in""side; exec ${child}'; echo out""side\n`);
    await waitFor('inside');
    await type(['true', 'set -x', 'true', 'set +x'], 'child');
    send('exit\n');
    await waitFor('outside');
  }
  send('exit\n');
  await done;
  return readdirSync(ran).sort();
}

/** The variables that are set in each shell, and in dash those of all shells. */
const variables = new Map<string, readonly string[]>();
beforeAll(() => {
  for (const one of SHELLS.filter(({ name }) => programMissing(name, '-c', ':') === undefined)) {
    variables.set(one.name, accepted(one));
  }
  variables.set('dash', [...new Set([...variables.values()].flat())]);
});

for (const one of SHELLS) {
  describeUnless(programMissing(one.name, '-c', ':'), `${one.name} at a terminal`, () => {
    describe.each(Object.keys(PAYLOADS) as Payload[])('of what is exported, %s', (payload) => {
      it('nothing is, of any variable that is not refused', async () => {
        const names = variables.get(one.name) ?? [];
        expect(names.length).toBeGreaterThan(100);
        expect(await runIn(one, names, payload)).toEqual([]);
      });

      it.each(one.found[payload])('%s would be, and is reserved', async (name) => {
        expect(describeReserved(name)).toBeDefined();
        expect(await runIn(one, [name], payload)).toEqual([name]);
      });
    });
  });
}

describeUnless(programMissing('fish', '-c', 'true'), 'fish that inherits what is exported', () => {
  let names: readonly string[];
  beforeAll(() => {
    names = accepted({ start: 'fish', list: 'set -n' });
  });

  it.each(Object.keys(PAYLOADS) as Payload[])('%s: nothing is', async (payload) => {
    expect(names.length).toBeGreaterThan(100);
    const dash = SHELLS.find(({ name }) => name === 'dash');
    if (dash === undefined) throw new Error('there is no dash');
    const fish: Child = ['fish', 'math 1+1; prompt_pwd;'];
    expect(await runIn(dash, names, payload, [fish])).toEqual([]);
  });
});
