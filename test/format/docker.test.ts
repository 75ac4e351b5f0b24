import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeUnseen } from '../../src/format/visible.ts';
import { describeReserved } from '../../src/model/variable-names.ts';
import { dockerEnvironment, dockerMissing } from '../support/docker.ts';
import { describeUnless } from '../support/needed.ts';
import { seed } from '../support/seed.ts';
import { anyText, examples, numbered, refusal, secrets, textFrom } from './secrets.ts';
import { formatDocker } from '../support/formats.ts';

/**
 * What docker takes from an env-file: lines without what blanks they begin with, of which comments and empty ones
 * are left out, and the rest is cut at its first `=`; nothing is unquoted.
 * https://docs.docker.com/reference/cli/docker/container/run/#env
 */
function read(envFile: string): string[] {
  const lines = envFile.replace(/^\ufeff/, '').split('\n');
  return lines
    .map((line) => line.replace(/\r$/, '').replace(/^[\p{White_Space}]+/u, ''))
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [name = ''] = line.split('=', 1);
      if (name === '' || name === line || /[ \t]/.test(name)) throw new Error(`refused: ${line}`);
      return line;
    });
}

const picked = [
  '',
  ' leading and trailing ',
  "it's",
  '"quoted"',
  "'quoted'",
  'C:\\new\\',
  '$HOME ${HOME} $(id) `id`',
  '# no comment',
  'a=b',
  '%s\t\v\f',
  'é秘😀\u0085\u2028\ufeff',
];
const meaningful = textFrom('\'"`\\\r\n\t $(){}#=%\0\u0085\u2028\ufeffé😀a');
const text = fc.oneof(meaningful, anyText);
const held = text.map((text) => text.replace(/[\0\r\n]/g, ''));

/** Names that docker reads and others, often enough. */
const name = fc
  .oneof(textFrom('a_.-/:@"\'$é😀 \t#=\u0085\ufeff\n', 'A'), anyText)
  .filter((name) => name !== '');

describe('docker', () => {
  it('is name and value with nothing around them', () => {
    expect(formatDocker(secrets({ 'db.password': ` "p' \\n$x# `, empty: '' }))).toBe(
      `DB_PASSWORD= "p' \\n$x# \nEMPTY=\n`,
    );
    expect(formatDocker([])).toBe('');
  });

  it('is read back by the documented rules as the same values', () => {
    fc.assert(
      fc.property(fc.array(held), (values) => {
        const pairs = values.map((value, i) => `K${i}=${value}`);
        expect(read(formatDocker(numbered(values))).sort()).toEqual(pairs.sort());
      }),
      { numRuns: 1000 },
    );
  });

  it('any name is read back with rawNames, or refused', () => {
    let refused = 0;
    fc.assert(
      fc.property(name, held, (name, value) => {
        fc.pre(describeReserved(name) === undefined);
        let envFile: string;
        try {
          envFile = formatDocker(secrets([[name, value]]), { rawNames: true });
        } catch {
          refused += 1;
          // What docker takes for white space, a comment, or the end of the name; and what is not for a terminal.
          if (escapeUnseen(name) === name) expect(name).toMatch(/[\s=]|^#/);
          return;
        }
        expect(escapeUnseen(name)).toBe(name);
        expect(read(envFile)).toEqual([`${name}=${value}`]);
      }),
      { numRuns: 1000 },
    );
    expect(refused).toBeGreaterThan(100);
  });

  it('names each secret that it cannot hold', async () => {
    const long = 'x'.repeat(65_532);
    expect(formatDocker(secrets({ abc: long.slice(1) }))).toHaveLength(65_536);
    const values = {
      'a.b': 'zQ7',
      'a-b': 'zQ7',
      cr: 'zQ7\rx',
      lf: 'zQ7\n',
      lon: long,
      nul: 'zQ7\0',
    };
    expect(await refusal(() => formatDocker(secrets(values)))).toEqual([
      'docker cannot hold 5 of the secrets',
      'a.b: its variable would be A_B, as that of a-b',
      'cr: its value has a line break, and docker ends it there',
      'lf: its value has a line break, and docker ends it there',
      'lon: docker takes a line of 65535 bytes at most',
      'nul: its value has a NUL, which no environment can hold',
    ]);
    const broken = secrets({ b: Buffer.from('zQ7\xff', 'latin1') });
    expect(await refusal(() => formatDocker(broken))).toEqual([
      'docker cannot hold 1 of the secrets',
      'b: it is not UTF-8 text',
    ]);
    expect(await refusal(() => formatDocker(secrets({ '#a': 'zQ7' }), { rawNames: true }))).toEqual(
      ['docker cannot hold 1 of the secrets', '#a: docker takes no such name for a variable'],
    );
  });
});

describe('names that nobody sees, with rawNames', () => {
  it.each(['a\x1b[2Jb', 'a\0', 'a\u200b', 'a\u{e0041}', '\u202ea', '::stop-commands::x', 'a##[x]'])(
    '%j is refused',
    async (name) => {
      expect(
        await refusal(() => formatDocker(secrets([[name, 'zQ7']]), { rawNames: true })),
      ).toEqual([
        'docker cannot hold 1 of the secrets',
        `${name}: its name has invisible or control characters, or a command to the runner of a job`,
      ]);
    },
  );
});

describeUnless(dockerMissing(), 'docker, by its client', () => {
  it('is read back as the same values', async () => {
    for (const values of [picked, ...examples(fc.array(held, { maxLength: 200 }), 5)]) {
      const pairs = values.map((value, i) => `K${i}=${value}`);
      const environment = await dockerEnvironment(formatDocker(numbered(values)));
      expect(environment.sort(), `SEED=${seed}`).toEqual(pairs.sort());
    }
  });

  it('takes the longest line, and none that is longer', async () => {
    const longest = formatDocker(secrets({ abc: 'x'.repeat(65_531) }));
    expect(await dockerEnvironment(longest)).toEqual([longest.trim()]);
    await expect(dockerEnvironment(longest.replace('x', 'xx'))).rejects.toThrow('token too long');
  });

  it('takes the names that are not refused with rawNames', async () => {
    const names = ['a.b', 'a/b', 'é', 'a:b', '"a"', '$a', "a'", 'a#'];
    const envFile = formatDocker(secrets(names.map((name) => [name, 'x'] as const)), {
      rawNames: true,
    });
    expect((await dockerEnvironment(envFile)).sort()).toEqual(
      names.map((name) => `${name}=x`).sort(),
    );
  });
});
