import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { escapeUnseen } from '../../src/format/visible.ts';
import { describeReserved } from '../../src/model/variable-names.ts';
import { readGithubEnv, readMasks } from '../support/github.ts';
import { anyText, numbered, refusal, secrets, textFrom } from './secrets.ts';
import { createGithubExport, formatGithub } from '../support/formats.ts';

const meaningful = textFrom(
  '%\r\n ={}<é😀a0AD52',
  '<<',
  '::',
  '::add-mask::',
  '%0A',
  '%25',
  '\n\n',
);
const held = fc
  .oneof(meaningful, anyText)
  .map((text) => text.replaceAll('\0', '').replace(/\r+$/, ''));

afterEach(() => {
  vi.restoreAllMocks();
});

describe('github', () => {
  it('masks each value and each of its lines, then sets the variables', () => {
    vi.spyOn(crypto, 'randomUUID').mockReturnValue('0-0-0-0-0');
    expect(formatGithub(secrets({ 'tls.key': ' a\n\n  b%\n', x: '', y: ' ' }))).toBe(
      [
        '::add-mask:: a%0A%0A  b%25%0A\n',
        '::add-mask::a\n',
        '::add-mask::b%25\n',
        'TLS_KEY<<credstash-0-0-0-0-0\n a\n\n  b%\n\ncredstash-0-0-0-0-0\n',
        'X<<credstash-0-0-0-0-0\n\ncredstash-0-0-0-0-0\n',
        'Y<<credstash-0-0-0-0-0\n \ncredstash-0-0-0-0-0\n',
      ].join(''),
    );
    expect(formatGithub([])).toBe('');
  });

  it('masks a value once that several secrets have', () => {
    const { masks } = createGithubExport(secrets({ a: 'x', b: 'x\ny', c: 'y' }));
    expect(readMasks(masks)).toEqual(['x', 'x\ny', 'y']);
  });

  it('has a delimiter for each that nobody can foresee, and that no value has', () => {
    const { environment } = createGithubExport(numbered(['x', 'x', 'x']));
    const delimiters = [...environment.matchAll(/<<(.*)$/gm)].map(([, delimiter]) => delimiter);
    expect(new Set(delimiters).size).toBe(3);
    for (const delimiter of delimiters) expect(delimiter).toMatch(/^credstash-[0-9a-f-]{36}$/);

    vi.spyOn(crypto, 'randomUUID')
      .mockReturnValueOnce('0-0-0-0-0')
      .mockReturnValueOnce('1-1-1-1-1')
      .mockReturnValueOnce('2-2-2-2-2');
    const value = 'credstash-0-0-0-0-0\nX=y\ncredstash-1-1-1-1-1 ';
    expect(createGithubExport(secrets({ a: value })).environment).toBe(
      `A<<credstash-2-2-2-2-2\n${value}\ncredstash-2-2-2-2-2\n`,
    );
  });

  it.each([false, true])('is read back as the same values (Windows: %s), all masked', (windows) => {
    fc.assert(
      fc.property(fc.array(held), (values) => {
        const { masks, environment } = createGithubExport(numbered(values));
        const read = readGithubEnv(environment, windows);
        expect(read).toEqual(
          new Map(
            numbered(values).map(({ name, value }) => [name.toUpperCase(), value.toString()]),
          ),
        );
        const masked = new Set(readMasks(masks));
        for (const value of values) {
          for (const line of [value, ...value.split(/\r\n|\r|\n/)]) {
            if (line.trim() !== '') expect(masked).toContain(line === value ? line : line.trim());
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('names each secret that a job cannot have', async () => {
    const values = {
      'a.b': 'zQ7',
      'a-b': 'zQ7',
      cr: 'zQ7\r',
      'github.token': 'zQ7',
      'node-options': 'zQ7',
      nul: 'zQ7\0',
      'runner.temp': 'zQ7',
    };
    expect(await refusal(() => formatGithub(secrets(values)))).toEqual([
      'github cannot hold 6 of the secrets',
      'a.b: its variable would be A_B, as that of a-b',
      'cr: its value ends in a CR, which GITHUB_ENV loses',
      'github.token: GitHub Actions lets no job set GITHUB_TOKEN',
      'node-options: GitHub Actions lets no job set NODE_OPTIONS',
      'nul: its value has a NUL, which no environment can hold',
      'runner.temp: GitHub Actions lets no job set RUNNER_TEMP',
    ]);
    const broken = secrets({ b: Buffer.from('zQ7\xff', 'latin1') });
    expect(await refusal(() => formatGithub(broken))).toEqual([
      'github cannot hold 1 of the secrets',
      'b: it is not UTF-8 text',
    ]);
  });

  it('any name is read back with rawNames, or refused', async () => {
    const name = fc.oneof(textFrom('a_.=< \t\n\r-é\u0085\ufeff:%#[', '<<', '::', '##['), anyText);
    fc.assert(
      fc.property(name, (name) => {
        fc.pre(name !== '' && describeReserved(name) === undefined);
        let environment: string;
        try {
          ({ environment } = createGithubExport(secrets([[name, 'x']]), { rawNames: true }));
        } catch {
          if (escapeUnseen(name) === name) expect(name).toMatch(/[\s=<%]|::/);
          return;
        }
        expect(escapeUnseen(name)).toBe(name);
        for (const windows of [false, true]) {
          expect(readGithubEnv(environment, windows)).toEqual(new Map([[name, 'x']]));
        }
      }),
      { numRuns: 1000 },
    );
    const raw = { 'a b': 'zQ7', Github_x: 'zQ7', githubx: 'zQ7' };
    expect(await refusal(() => formatGithub(secrets(raw), { rawNames: true }))).toEqual([
      'github cannot hold 2 of the secrets',
      'Github_x: GitHub Actions lets no job set Github_x',
      'a b: GITHUB_ENV takes no such name for a variable',
    ]);
  });

  it.each([
    '::add-mask::x',
    'a::b',
    ':a::',
    '%3A%3Aadd-mask%3A%3Ax',
    'a\nb',
    'a\rb',
    'a\u2028b',
    'a%0Ab',
    'a##[set-env',
    '##vso[a',
    'a\u200b',
    'a\u{e0041}',
    'a\x1bb',
  ])('refuses the name %j, which a runner could obey, with rawNames', async (name) => {
    const [message, ...reasons] = await refusal(() =>
      formatGithub(secrets([[name, 'zQ7']]), { rawNames: true }),
    );
    expect(message).toBe('github cannot hold 1 of the secrets');
    expect(reasons).toHaveLength(1);
    expect(reasons[0]?.slice(name.length)).toMatch(
      /^: (?:GITHUB_ENV takes no such name|its name has invisible)/,
    );
  });
});
