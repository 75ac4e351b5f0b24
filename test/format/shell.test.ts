import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeUnless, programMissing } from '../support/needed.ts';
import { seed } from '../support/seed.ts';
import { anyText, examples, numbered, refusal, secrets, textFrom } from './secrets.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { formatShell } from '../support/formats.ts';

/** By its path, for a shell whose PATH is what is tested. */
const env = execFileSync('sh', ['-c', 'command -v env'], { encoding: 'utf8' }).trim();

/** What a shell puts into the environment of the next program, once it has evaluated `text`. */
function evaluated(
  command: readonly string[],
  text: string,
  locale = 'C.UTF-8',
): { environment: Map<string, string>; said: string } {
  const [program = '', ...args] = command;
  const { stdout, stderr, error } = spawnSync(
    program,
    [...args, '-c', `eval "$(cat)"\n: ; exec ${env} -0`],
    {
      input: text,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] ?? '', LC_ALL: locale },
      maxBuffer: 2 ** 28,
    },
  );
  if (error) throw error;
  const pairs = stdout.split('\0').map((pair): [string, string] => {
    const [name = ''] = pair.split('=', 1);
    return [name, pair.slice(name.length + 1)];
  });
  return { environment: new Map(pairs), said: stderr };
}

// --norc: bash takes the socket that is its stdin here for a remote login, and would read .bashrc.
const SHELLS = [
  ['sh'],
  ['dash'],
  ['dash', '-eu'],
  ['bash', '--norc'],
  ['bash', '--norc', '--posix'],
  ['bash', '--norc', '-eu', '-o', 'histexpand'],
  ['zsh', '-f'],
  ['zsh', '-f', '-eu', '-o', 'rcquotes', '-o', 'shwordsplit'],
  ['ksh'],
] as const;

const picked = [
  '',
  ' leading and trailing ',
  "it's",
  "''",
  "'\\''",
  '\\',
  "\\'",
  '"$HOME" ${HOME} $(echo zQ7 >&2) `echo zQ7 >&2`',
  "'; echo zQ7 >&2; '",
  "'$(echo zQ7 >&2)'",
  'two\nlines\n',
  '\n\n\n',
  'a\r\nb\r',
  '# no comment',
  'a=b&c|d;e<f>g(h){i}[j]*?~!!^',
  '%s %n',
  'é秘😀\u0081\u0085\u0088\u2028',
  '-n',
  '\x01\x1b[31m\x7f',
];

// What shells give a meaning, and U+0081 to U+0088, whose bytes dash has a use for.
const meaningful = textFrom('\'"`\\\n\r\t $(){}#;&|!=%*~é秘😀\u0081\u0088a', "'\\''", '$(id)');
const noNul = fc.oneof(meaningful, anyText).map((text) => text.replaceAll('\0', ''));

describe('shell', () => {
  it('exports each secret, in quotes that nothing but a quote ends', () => {
    expect(formatShell(secrets({ 'db.password': `p a$s#w"or\`d\\`, empty: '', q: "it's" }))).toBe(
      `if :\nthen\nexport DB_PASSWORD='p a$s#w"or\`d\\'\nexport EMPTY=''\nexport Q='it'\\''s'\nfi\n`,
    );
    expect(formatShell([])).toBe('');
  });

  it('has the names themselves with rawNames, and refuses those that no shell takes', async () => {
    expect(formatShell(secrets({ db_Password: 'x' }), { rawNames: true })).toBe(
      "if :\nthen\nexport db_Password='x'\nfi\n",
    );
    const names = ['a.b', 'a b', '9', 'é', 'a-b', 'a=b', 'a\nb', 'x;id', '$(id)'];
    const [message, ...reasons] = await refusal(() =>
      formatShell(secrets([['fine', 'zQ7'], ...names.map((name) => [name, 'zQ7'] as const)]), {
        rawNames: true,
      }),
    );
    expect(message).toBe(`shell cannot hold ${names.length} of the secrets`);
    expect(reasons.sort()).toEqual(
      names.map((name) => `${name}: a shell takes no such name for a variable`).sort(),
    );
  });

  it('names each secret that it cannot hold', async () => {
    const values = { 'a.b': 'zQ7', 'a-b': 'zQ7', nul: 'zQ7\0', random: 'zQ7' };
    expect(await refusal(() => formatShell(secrets(values)))).toEqual([
      'shell cannot hold 3 of the secrets',
      'a.b: its variable would be A_B, as that of a-b',
      'nul: its value has a NUL, which no shell can hold',
      'random: RANDOM is a variable that a shell keeps for itself',
    ]);
    const broken = secrets({ b: Buffer.from('zQ7\xff', 'latin1') });
    expect(await refusal(() => formatShell(broken))).toEqual([
      'shell cannot hold 1 of the secrets',
      'b: it is not UTF-8 text',
    ]);
  });
});

for (const command of SHELLS) {
  const title = `shell, in ${command.join(' ')}`;
  describeUnless(programMissing(command[0], '-c', ':'), title, () => {
    it.each(['C.UTF-8', 'C'])(
      'is evaluated to the same values, and runs nothing, in %s',
      (locale) => {
        for (const values of [picked, ...examples(fc.array(noNul, { maxLength: 300 }), 3)]) {
          const { environment, said } = evaluated(command, formatShell(numbered(values)), locale);
          expect(said, `SEED=${seed}`).toBe('');
          const read = values.map((_, i) => environment.get(`K${i}`));
          expect(read, `SEED=${seed}`).toEqual(values);
        }
      },
    );

    it('is a syntax error where eval is given it without quotes, and none of it is shown', () => {
      const folder = temporaryFolder();
      const values = examples(fc.array(noNul, { minLength: 1, maxLength: 20 }), 10);
      for (const each of [
        ['zQ7'],
        ['zQ7  zQ7', 'zQ7\nzQ7', '* then fi ; { } zQ7'],
        picked,
        ...values,
      ]) {
        const [program, ...args] = command;
        const { status, stdout, stderr } = spawnSync(
          program,
          [...args, '-c', `eval $(cat) && echo done; set >${join(folder, 'set')}`],
          { input: formatShell(numbered(each)), encoding: 'utf8', cwd: folder },
        );
        expect(stdout, `SEED=${seed}`).toBe('');
        expect(stderr, `SEED=${seed}`).toMatch(/syntax error|parse error/i);
        expect(stderr).not.toContain('zQ7');
        // dash leaves at once; who goes on has none of the variables.
        if (status === 0) expect(readFileSync(join(folder, 'set'), 'utf8')).not.toMatch(/^K\d+=/m);
      }
    });

    it('holds a value of 100 KB', () => {
      const value = "x'\n$".repeat(25_000);
      const { environment } = evaluated(command, formatShell(secrets({ k: value })));
      expect(environment.get('K') === value).toBe(true);
    });
  });
}

/** Every variable that a shell knows of itself. */
const OWN = [
  [['bash', '--norc'], 'compgen -v'],
  [
    ['zsh', '-f'],
    // The names of one module are lists in another, so each is loaded on its own.
    'zmodload zsh/parameter; print -l ${(k)parameters}; for m in mapfile system terminfo termcap datetime langinfo zleparameter sched watch; do (zmodload zsh/$m 2>/dev/null && print -l ${(k)parameters}); done; true',
  ],
  [['dash'], 'set | sed -n "s/=.*//p"; echo OPTIND; echo PPID; echo _'],
] as const;

for (const [command, list] of OWN) {
  describeUnless(programMissing(command[0], '-c', ':'), `the variables of ${command[0]}`, () => {
    it('are refused, or become what they are assigned and run nothing', () => {
      const [program, ...args] = command;
      const names = new Set(
        execFileSync(program, [...args, '-c', list], { encoding: 'utf8' })
          .split('\n')
          .filter((name) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)),
      );
      expect(names.size).toBeGreaterThan(5);
      const canary = 'x[$(echo zQ7 >&2)]';
      let refused = 0;
      for (const name of names) {
        let text: string;
        try {
          text = formatShell(secrets({ [name]: canary }), { rawNames: true });
        } catch {
          refused += 1;
          continue;
        }
        const { environment, said } = evaluated(command, text);
        expect([name, environment.get(name)]).toEqual([name, canary]);
        expect(said).not.toContain('zQ7\n');
      }
      expect(refused).toBeGreaterThan(0);
      expect(refused).toBeLessThan(names.size);
    });
  });
}
