import { beforeEach, describe, expect, it } from 'vitest';
import { buildEnvironment } from '../../../src/cli/exec/environment.ts';
import {
  type ExecRequestOptions,
  fetchRequested,
  parseExecRequest,
} from '../../../src/cli/exec/request.ts';
import { Credstash } from '../../../src/credstash.ts';
import { RecordedBackend } from '../../support/recorded-backend.ts';

let backend: RecordedBackend;
let credstash: Credstash;

beforeEach(async () => {
  backend = new RecordedBackend();
  credstash = Credstash.over(backend);
  await credstash.put('app', '{"user.name": "me", "port": 5432, "/odd": "x", "big": 1e400}');
  backend.calls = [];
});

const environmentOf = async (
  words: readonly string[],
  options: ExecRequestOptions & Partial<Parameters<typeof buildEnvironment>[2]>,
  base: Readonly<Record<string, string>> = {},
): Promise<Record<string, string>> => {
  const request = parseExecRequest(words, options, base);
  const { secrets, resolved } = await fetchRequested(credstash, request, options);
  return { ...buildEnvironment(base, secrets, { override: true, ...options, resolved }) };
};

const failure = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);

describe('--fields', () => {
  it('makes a variable of each key', async () => {
    const all = { USER_NAME: 'me', PORT: '5432', _ODD: 'x', BIG: '1e400' };
    expect(await environmentOf([], { fields: ['app'] })).toEqual(all);
    expect(await environmentOf([], { fields: ['app', 'app'] })).toEqual(all);
    expect(await environmentOf([], { fields: ['app'], fullNames: true })).toHaveProperty(
      'APP_USER_NAME',
      'me',
    );
    expect(await environmentOf([], { fields: ['app'], prefix: 'X_' })).toHaveProperty('X_PORT');
  });

  it('takes one read and one unwrap with --env, references and a GLOB that point into the secret', async () => {
    const base = { INHERITED: 'credstash://app#port' };
    const options = {
      fields: ['app', 'credstash://app'],
      env: ['A=app#user.name', 'B=credstash://app#/~1odd', 'WHOLE=app'],
      resolve: ['INHERITED'],
    };
    expect(await environmentOf([], options, base)).toMatchObject({
      ...{ A: 'me', B: 'x', INHERITED: '5432', PORT: '5432', USER_NAME: 'me' },
      WHOLE: '{"user.name": "me", "port": 5432, "/odd": "x", "big": 1e400}',
    });
    expect(backend.calls).toEqual(['latest', 'unwrap']);
    backend.calls = [];
    expect(await environmentOf(['a*'], options, base)).toMatchObject({ A: 'me', PORT: '5432' });
    expect(backend.calls.filter((call) => call === 'unwrap')).toHaveLength(1);
    expect(backend.calls).not.toContain('latest');
    // Another version is another read.
    backend.calls = [];
    await environmentOf(['a*'], { fields: ['credstash://app?version=1'] });
    expect(backend.calls.filter((call) => call === 'unwrap')).toHaveLength(2);
  });

  it('sets no reserved variable, and --env of the hint does', async () => {
    await credstash.put('evil', '{"PATH": "/tmp", "LD_PRELOAD": "x"}');
    expect(await failure(environmentOf([], { fields: ['evil'] }))).toMatchObject({
      code: 'USAGE',
      failures: [
        { name: 'evil#PATH', error: { source: { name: 'evil', field: 'PATH' } } },
        { name: 'evil#LD_PRELOAD' },
      ],
    });
    const env = ['PATH=evil#PATH'];
    expect(await environmentOf([], { fields: ['evil'], env, allowName: ['LD_PRELOAD'] })).toEqual({
      PATH: '/tmp',
      LD_PRELOAD: 'x',
    });
  });

  it('refuses two keys for one variable, also with the same value', async () => {
    await credstash.put('two', '{"a.b": "x", "a_b": "x"}');
    expect(await failure(environmentOf([], { fields: ['two'] }))).toMatchObject({
      code: 'USAGE',
      failures: [{ name: 'two#a_b', error: { message: /A_B, as that of two#a\.b/ } }],
    });
    await credstash.put('twice', '{"a": "x", "a": "x"}');
    expect(await failure(environmentOf([], { fields: ['twice'] }))).toMatchObject({
      code: 'USAGE',
    });
  });

  it('refuses what is no text, number or boolean, unless as JSON', async () => {
    await credstash.put('nested', '{"o": {"k": [1, 2.50]}, "a": [ ], "n": null, "t": true}');
    const error = await failure(environmentOf([], { fields: ['nested'] }));
    expect(error).toMatchObject({
      code: 'USAGE',
      failures: [{ name: 'nested#o' }, { name: 'nested#a' }, { name: 'nested#n' }],
    });
    expect(await environmentOf([], { fields: ['nested'], jsonValues: true })).toEqual({
      O: '{"k":[1,2.50]}',
      A: '[]',
      N: 'null',
      T: 'true',
    });
    expect(await environmentOf([], { fields: ['credstash://nested#o'], jsonValues: true })).toEqual(
      {
        K: '[1,2.50]',
      },
    );
  });

  it.each([
    ['text', 'canary', 2],
    ['list', '["canary"]', 2],
    ['empty', '{}', 3],
  ])('refuses %s', async (name, value, exitStatus) => {
    await credstash.put(name, value);
    const error = await failure(environmentOf([], { fields: [name] }));
    expect(error).toMatchObject({ exitStatus });
    expect(JSON.stringify([error, String(error)])).not.toContain('canary');
  });

  it('takes no pattern, and --json-values needs it', () => {
    expect(() => parseExecRequest([], { fields: ['app*'] }, {})).toThrow(/without \*/);
    expect(() => parseExecRequest([], { jsonValues: true }, {})).toThrow(/--fields/);
  });

  it('resolves no reference of the environment besides', async () => {
    const base = { OTHER: 'credstash://app' };
    expect(await environmentOf([], { fields: ['app'] }, base)).toMatchObject(base);
  });
});
