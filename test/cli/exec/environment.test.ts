import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Assignment,
  chooseReferences,
  buildEnvironment,
  EVERY_REFERENCE,
  inheritEnvironment,
  findReferences,
  variableOf,
} from '../../../src/cli/exec/environment.ts';
import { CredstashError } from '../../../src/errors.ts';

const assigned = (variable: string, name: string, value: string | Uint8Array): Assignment => ({
  variable,
  name,
  value: Buffer.from(value),
});

const plain = (environment: object): object => ({ ...environment });

function failure(build: () => unknown): CredstashError {
  try {
    build();
  } catch (error) {
    if (error instanceof CredstashError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

describe('the variable of a secret', () => {
  it.each([
    ['prod.api.db-password', 'prod.api.*', 'DB_PASSWORD'],
    ['prod.api.db.password', 'prod.api.*', 'DB_PASSWORD'],
    ['prod.api.db', 'prod.api*', '_DB'],
    ['prod.api.db', 'prod.*.db', 'API_DB'],
    ['prod.api.db', '*', 'PROD_API_DB'],
    ['prod.api.db', '*.db', 'PROD_API_DB'],
    ['prod.api.2fa', 'prod.api.*', '_2FA'],
    ['prod.api.', 'prod.api.*', ''],
    ['prod.api.db', 'prod.api.db', 'PROD_API_DB'],
    ['grüße.x', 'grü*', 'SSE_X'],
  ])('%s by %s is %s', (name, glob, variable) => {
    expect(variableOf(name, glob)).toBe(variable);
  });

  it('has the whole name with fullNames', () => {
    expect(variableOf('prod.api.db', 'prod.*', { fullNames: true })).toBe('PROD_API_DB');
  });
});

describe('what is inherited', () => {
  const environment = {
    PATH: '/bin',
    HOME: '/root',
    TERM: 'xterm',
    A: '1',
    B: '',
    ['__proto__']: 'p',
  };

  it('is everything, as it is', () => {
    expect(Object.entries(inheritEnvironment(environment))).toEqual(Object.entries(environment));
    expect(plain(inheritEnvironment({ A: undefined }))).toEqual({});
  });

  it('is PATH, HOME, TERM and what is kept, in a pristine one', () => {
    const kept = { PATH: '/bin', HOME: '/root', TERM: 'xterm' };
    expect(plain(inheritEnvironment(environment, { pristine: true }))).toEqual(kept);
    expect(
      plain(inheritEnvironment(environment, { pristine: true, keep: ['B', 'absent'] })),
    ).toEqual({
      ...kept,
      B: '',
    });
    expect(plain(inheritEnvironment({ A: '1' }, { pristine: true }))).toEqual({});
  });

  it('is refused where Node.js read another text for it, unless it is left out', () => {
    const damaged = { PATH: '/bin', L: 'caf\ufffd', 'M\ufffd': '' };
    expect(failure(() => inheritEnvironment(damaged))).toMatchObject({
      code: 'USAGE',
      message: 'of the environment, L, M\ufffd is not valid UTF-8, and cannot be passed on',
    });
    expect(plain(inheritEnvironment(damaged, { pristine: true }))).toEqual({ PATH: '/bin' });
  });
});

it('a reference is a value that begins with credstash://, malformed or not', () => {
  const environment = {
    A: 'credstash://a',
    B: 'credstash://',
    C: ' credstash://a',
    D: 'see credstash://a',
    E: '',
  };
  expect(findReferences(environment)).toEqual([
    ['A', 'credstash://a'],
    ['B', 'credstash://'],
  ]);
});

describe('the references that are chosen', () => {
  const environment = { A: 'credstash://a', B: 'credstash://', C: 'text' };

  it('are all of them, those of the variables that are named, or none', () => {
    const both = [
      ['A', 'credstash://a'],
      ['B', 'credstash://'],
    ];
    expect(chooseReferences(environment, [])).toEqual([]);
    expect(chooseReferences(environment, [EVERY_REFERENCE])).toEqual(both);
    expect(chooseReferences(environment, ['B', EVERY_REFERENCE])).toEqual(both);
    expect(chooseReferences(environment, ['B', 'A', 'B'])).toEqual(both);
    expect(chooseReferences(environment, ['A'])).toEqual([['A', 'credstash://a']]);
  });

  it('are an error, which quotes no value, where a variable that is named holds none', () => {
    const error = failure(() => chooseReferences(environment, ['A', 'X', 'C', EVERY_REFERENCE]));
    expect(error).toMatchObject({
      code: 'USAGE',
      message:
        'nothing to resolve: the environment has no X, and the value of C is not a reference',
      hint: 'these variables hold references: A, B',
    });
    expect(failure(() => chooseReferences({ C: 'text' }, ['C'])).hint).toContain('credstash://');
  });
});

describe('the environment of a program', () => {
  const base = { PATH: '/bin', DB: 'inherited' };

  it('has what is inherited and the secrets, which win', () => {
    const secrets = [assigned('DB', 'a.db', 's3cret'), assigned('NEW', 'a.new', '')];
    expect(plain(buildEnvironment(base, secrets, { override: true }))).toEqual({
      PATH: '/bin',
      DB: 's3cret',
      NEW: '',
    });
    expect(plain(buildEnvironment(base, secrets, { override: false }))).toEqual({
      PATH: '/bin',
      DB: 'inherited',
      NEW: '',
    });
    expect(base.DB).toBe('inherited');
  });

  it('has every text as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        fc.pre(!text.includes('\0'));
        const environment = buildEnvironment({}, [assigned('X', 'x', text)], { override: true });
        expect(environment['X']).toBe(text);
      }),
    );
  });

  it('has a variable called __proto__ like any other', () => {
    const environment = buildEnvironment({}, [assigned('__proto__', 'a', 'x')], { override: true });
    expect(Object.entries(environment)).toEqual([['__proto__', 'x']]);
  });

  it('has a secret that is asked for twice once, and two of one variable never', () => {
    const twice = [assigned('A', 'a', 'x'), assigned('A', 'a', 'x')];
    expect(plain(buildEnvironment({}, twice, { override: true }))).toEqual({ A: 'x' });
    // Two versions of one secret.
    const versions = [assigned('A', 'a', 'x'), assigned('A', 'a', 'y')];
    expect(failure(() => buildEnvironment({}, versions, { override: true })).code).toBe('USAGE');
    // The same value, but of another secret: which of them it is would be chance.
    const two = [assigned('A', 'a', 'x'), assigned('A', 'A', 'x')];
    expect(failure(() => buildEnvironment({}, two, { override: true }))).toMatchObject({
      code: 'USAGE',
      failures: [{ name: 'A', error: { message: 'its variable would be A, as that of a' } }],
    });
  });

  it('hints at whole names if two secrets of patterns differ in those', () => {
    const matched = (name: string, glob: string): Assignment => ({
      name,
      glob,
      value: Buffer.from('x'),
    });
    const hintOf = (secrets: Assignment[]): string | undefined =>
      failure(() => buildEnvironment({}, secrets, { override: true })).hint;
    const two = [matched('a.db', 'a.*'), matched('b.db', 'b.*')];
    expect(hintOf(two)).toMatch(/^--full-names keeps whole names; name a variable with --env/);
    expect(plain(buildEnvironment({}, two, { override: true, fullNames: true }))).toEqual({
      A_DB: 'x',
      B_DB: 'x',
    });
    // There too they would have one variable.
    expect(hintOf([matched('a.db', 'a.*'), matched('a.Db', 'a.*')])).toMatch(/^name a variable/);
  });

  it('has the secrets of references, of which no other secret takes the place', () => {
    const reference = { DB: 'credstash://a.db' };
    const resolved = [assigned('DB', 'a.db', 's3cret')];
    const other = [assigned('DB', 'b.db', 'other')];
    const of = (secrets: Assignment[], override: boolean): object =>
      plain(buildEnvironment(reference, secrets, { resolved, override }));
    expect(of([], true)).toEqual({ DB: 's3cret' });
    expect(of(resolved, true)).toEqual({ DB: 's3cret' });
    expect(of(other, false)).toEqual({ DB: 's3cret' });
    expect(failure(() => of(other, true))).toMatchObject({
      failures: [{ name: 'b.db', error: { message: 'its variable would be DB, as that of a.db' } }],
    });
  });

  it.each([
    ['no name', assigned('', 'prod.', 'x'), 'USAGE', /nothing of its name/],
    ['a NUL', assigned('A', 'a', 'canary\0'), 'USAGE', /NUL/],
    ['no UTF-8', assigned('A', 'a', Uint8Array.of(0x63, 0xff)), 'USAGE', /not UTF-8/],
    ['129 KB', assigned('A', 'a', 'x'.repeat(131_070)), 'TOO_LARGE', /131073 bytes, and 131072/],
  ] as const)('there is none with %s', (_, secret, code, message) => {
    const error = failure(() =>
      buildEnvironment({}, [assigned('OK', 'ok', 'x'), secret], { override: true }),
    );
    expect(error).toMatchObject({
      code,
      message: '1 of the secrets cannot be put into the environment, so the command is not run',
      failures: [{ name: secret.name, error: { code } }],
    });
    expect(error.failures[0]?.error.message).toMatch(message);
    expect(JSON.stringify(error.failures)).not.toContain('canary');
  });

  it('has the longest value that there can be', () => {
    const longest = [assigned('A', 'a', 'x'.repeat(131_069))];
    expect(buildEnvironment({}, longest, { override: true })['A']).toHaveLength(131_069);
  });
});
