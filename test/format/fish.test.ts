import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeUnless, programMissing } from '../support/needed.ts';
import { seed } from '../support/seed.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { anyText, examples, numbered, refusal, secrets, textFrom } from './secrets.ts';
import { formatFish } from '../support/formats.ts';

const folder = temporaryFolder();

/** By its path, for a fish whose PATH is tested. */
const env = execFileSync('sh', ['-c', 'command -v env'], { encoding: 'utf8' }).trim();

/** The ways in which people evaluate the output of a program in fish. `$file` holds the output. */
const WAYS = ['cat $file | source', 'source $file', 'eval (cat $file)', 'eval "$(cat $file)"'];

/** Evaluates `text` in fish. @returns the environment of the next program, and what fish printed */
function evaluate(
  text: string,
  way: string,
  locale = 'C.UTF-8',
): { environment: Map<string, string>; printed: string } {
  const file = join(folder, 'export.fish');
  writeFileSync(file, text);
  const { stdout, stderr, error } = spawnSync(
    'fish',
    ['--no-config', '-c', `set file ${file}; ${way}; and exec ${env} -0`],
    {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] ?? '', LC_ALL: locale, HOME: folder },
      maxBuffer: 2 ** 28,
    },
  );
  if (error) throw error;
  const pairs = stdout.split('\0').map((pair): [string, string] => {
    const [name = ''] = pair.split('=', 1);
    return [name, pair.slice(name.length + 1)];
  });
  return { environment: new Map(pairs), printed: stderr };
}

const HOSTILE = [
  '',
  ' leading and trailing ',
  "it's",
  "'",
  "''",
  '\\',
  '\\\\',
  "\\'",
  "'\\''",
  'ends in a backslash\\',
  "ends in both\\'",
  '\\n',
  '"$HOME" $HOME {$HOME} (echo zQ7 >&2) $(echo zQ7 >&2) `echo zQ7 >&2`',
  "'; echo zQ7 >&2; '",
  "'(echo zQ7 >&2)'",
  'two\nlines\n',
  '\n',
  '\n\n\n',
  "'\n'",
  '\\\n',
  'a\r\nb\r',
  'tab\there',
  '# no comment',
  'a=b&c|d;e<f>g(h){i,j}[k]*?~!!^%self',
  'a::b:',
  '%s %n',
  '-n',
  '--erase',
  'é秘😀\u0081\u2028',
  // fish uses these code points for its own purposes.
  '\uf600\uf6ff\uf700\uf8ff\ue000\ufdd0\ufdef\ufffd',
  '\x01\x1b[31m\x1e\x7f',
];

const meaningful = textFrom('\'"\\\n\r\t $(){}#;&|*é秘\uf641\ufdd1a', "\\'", '(id)', "'\\n'");
const noNul = fc.oneof(meaningful, anyText).map((text) => text.replaceAll('\0', ''));

describe('fish', () => {
  it('sets each secret, in quotes that nothing of a value ends', () => {
    expect(formatFish(secrets({ 'db.password': 'p a$s#w"ord' }))).toBe(
      `set -gx DB_PASSWORD 'p a$s#w"ord'\n`,
    );
    expect(formatFish(secrets({ a: '', b: "it's \\", c: 'x\ny' }))).toBe(
      `set -gx A '';\nset -gx B 'it\\'s \\\\';\nset -gx C 'x'\\n'y'\n`,
    );
    expect(formatFish([])).toBe('');
  });

  it('names each secret that it cannot hold', async () => {
    const values = {
      'a.b': 'zQ7',
      'a-b': 'zQ7',
      nul: 'zQ7\0',
      path: 'zQ7',
      'fish.greeting': 'zQ7',
    };
    expect(await refusal(() => formatFish(secrets(values)))).toEqual([
      'fish cannot hold 4 of the secrets',
      'a.b: its variable would be A_B, as that of a-b',
      'fish.greeting: FISH_GREETING is a variable that a shell keeps for itself',
      'nul: its value has a NUL, which no environment can hold',
      'path: PATH is a variable that decides which code runs',
    ]);
    const broken = secrets({ b: Buffer.from('zQ7\xff', 'latin1') });
    expect(await refusal(() => formatFish(broken))).toEqual([
      'fish cannot hold 1 of the secrets',
      'b: it is not UTF-8 text',
    ]);
    const names = ['a.b', 'a b', '9', 'é', 'a-b', 'a=b', 'a\nb', 'x;id', '(id)'];
    const [, ...reasons] = await refusal(() =>
      formatFish(secrets(names.map((name) => [name, 'zQ7'] as const)), { rawNames: true }),
    );
    expect(reasons.sort()).toEqual(
      names.map((name) => `${name}: fish takes no such name for a variable`).sort(),
    );
  });

  it('refuses an empty folder of PATH and CDPATH, which fish would change', async () => {
    const options = { allowName: ['PATH', 'CDPATH', 'MANPATH'] };
    for (const value of ['', ':/zQ7', '/zQ7::/x', '/zQ7:']) {
      expect(await refusal(() => formatFish(secrets({ path: value }), options))).toEqual([
        'fish cannot hold 1 of the secrets',
        'path: fish writes . for an empty folder of PATH',
      ]);
    }
    expect(formatFish(secrets({ path: '/a:/b', manpath: ':/a:' }), options)).toBe(
      `set -gx MANPATH ':/a:';\nset -gx PATH '/a:/b'\n`,
    );
  });
});

describeUnless(programMissing('fish', '-c', 'true'), 'fish itself', () => {
  it.each(WAYS.flatMap((way) => ['C.UTF-8', 'C'].map((locale) => [way, locale] as const)))(
    'sets the same values with %s, and runs nothing, in %s',
    (way, locale) => {
      const [generated = []] = examples(fc.array(noNul, { minLength: 200, maxLength: 300 }), 1);
      const values = [...HOSTILE, ...generated];
      const { environment, printed } = evaluate(formatFish(numbered(values)), way, locale);
      expect(printed, `SEED=${seed}`).toBe('');
      const read = values.map((_, i) => environment.get(`K${i}`));
      expect(read, `SEED=${seed}`).toEqual(values);
    },
  );

  it('holds a value of 100 KB', () => {
    const value = "x'\\\n$".repeat(20_000);
    const { environment } = evaluate(formatFish(secrets({ k: value })), 'cat $file | source');
    expect(environment.get('K') === value).toBe(true);
  });

  it('splits no variable that it takes for a list of folders', () => {
    const names = ['PATH', 'CDPATH', 'MANPATH', 'FOO_PATH', 'LD_LIBRARY_PATH', 'GOPATH'];
    const values = names.map((name): [string, string] => [name, '/a b:/c']);
    values.push(['X_PATH', ':a::b:'], ['Y_PATH', ''], ['Z_PATH', ':']);
    const text = formatFish(secrets(values), { rawNames: true, allowName: names });
    const { environment, printed } = evaluate(text, 'cat $file | source');
    expect(printed).toBe('');
    for (const [name, value] of values)
      expect([name, environment.get(name)]).toEqual([name, value]);
  });

  it('has each of its variables set or refused, whatever --allow-name says', () => {
    const own = execFileSync('fish', ['--no-config', '-c', 'set -n'], { encoding: 'utf8' });
    const documented =
      'argv CMD_DURATION COLUMNS FISH_VERSION LINES PWD SHLVL _ fish_kill_signal fish_pid history hostname pipestatus status umask version';
    const names = [...new Set([...own.split('\n'), ...documented.split(' ')])].filter(Boolean);
    const accepted: string[] = [];
    for (const name of names) {
      try {
        formatFish(secrets({ [name]: 'own' }), { rawNames: true, allowName: names });
        accepted.push(name);
      } catch {
        expect(name).toMatch(/^[a-zA-Z_]+$/);
      }
    }
    expect(accepted.length).toBeGreaterThan(10);
    expect(accepted.length).toBeLessThan(names.length);
    const text = formatFish(secrets(accepted.map((name) => [name, 'own'] as const)), {
      rawNames: true,
      allowName: names,
    });
    const { environment, printed } = evaluate(text, 'cat $file | source');
    expect(printed).toBe('');
    expect(accepted.filter((name) => environment.get(name) !== 'own')).toEqual([]);
  });
});
