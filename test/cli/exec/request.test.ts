import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fetchRequested, parseExecRequest } from '../../../src/cli/exec/request.ts';
import { Credstash } from '../../../src/credstash.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const environment = {
  PLAIN: 'x',
  USER: 'credstash://db.user',
  PASSWORD: 'credstash://db.password?version=1',
};
const parse = (
  words: readonly string[],
  options: Parameters<typeof parseExecRequest>[1] = {},
  base = environment,
): ReturnType<typeof parseExecRequest> => parseExecRequest(words, options, base);
const variables = (each: readonly { readonly variable?: string }[]): (string | undefined)[] =>
  each.map(({ variable }) => variable);

describe('what is asked for', () => {
  it('the references of the environment, where nothing else is', () => {
    const { globs, named, inherited } = parse([]);
    expect({ globs, named }).toEqual({ globs: [], named: [] });
    expect(variables(inherited)).toEqual(['USER', 'PASSWORD']);
    expect(inherited[1]).toMatchObject({ name: 'db.password', version: '1' });
  });

  it('only what is named, once anything is: others may have written the environment', () => {
    expect(parse(['db.*']).inherited).toEqual([]);
    expect(parse(['db.user']).inherited).toEqual([]);
    expect(parse([], { env: ['A=db.user'] }).inherited).toEqual([]);
  });

  it('the references that --resolve names, or all', () => {
    expect(variables(parse(['db.*'], { resolve: ['USER'] }).inherited)).toEqual(['USER']);
    expect(variables(parse(['db.*'], { resolve: ['*'] }).inherited)).toEqual(['USER', 'PASSWORD']);
  });

  it('a word with * is a GLOB, one with = encryption context, any other a name', () => {
    const { globs, named, context } = parse(['db.*', 'env=prod', 'db.user'], { label: 'live' });
    expect(globs).toEqual(['db.*']);
    expect(context).toEqual({ env: 'prod' });
    expect(named).toEqual([{ name: 'db.user', context, label: 'live' }]);
  });

  it('--env, with the scheme or without, whose own context wins', () => {
    const env = ['A=db.user?env=test', 'B=credstash://db.user'];
    const { named } = parse(['env=prod'], { env });
    expect(named).toMatchObject([
      { name: 'db.user', variable: 'A', context: { env: 'test' } },
      { name: 'db.user', variable: 'B', context: { env: 'prod' } },
    ]);
  });
});

describe('refused before the first request', () => {
  it.each([
    [['credstash://x'], {}, 'a reference on the command line has no variable'],
    [[], { env: ['NAME'] }, '--env NAME is not of the form NAME=REFERENCE'],
    [[], { env: ['=x'] }, '--env =x is not of the form NAME=REFERENCE'],
    [[], { resolve: [''] }, 'the value of --resolve is empty'],
    [[], { resolve: ['ABSENT'] }, 'nothing to resolve: the environment has no ABSENT'],
    [[], { resolve: ['PLAIN'] }, 'nothing to resolve: the value of PLAIN is not a reference'],
    [['x'], { label: 'no label' }, 'label'],
  ])('%j with %j: %s', (words, options, message) => {
    expect(() => parse(words, options)).toThrow(message);
  });
});

describe('the secrets of a request', () => {
  const folder = temporaryFolder();
  const credstash = Credstash.local(join(folder, 'vault'), { create: true });
  beforeAll(async () => {
    for (const name of ['db.user', 'db.password', 'other']) {
      await credstash.put(name, Buffer.from(`value of ${name}`));
    }
    await credstash.put('prod', Buffer.from('x'), { context: { env: 'prod' } });
  });
  afterAll(async () => {
    await credstash.close();
  });
  const fetch = async (words: readonly string[], options = {}): ReturnType<typeof fetchRequested> =>
    fetchRequested(credstash, parse(words, options), options);

  it('are those of each GLOB, each name and each reference', async () => {
    const { secrets, resolved } = await fetch(['db.*', 'other'], { resolve: ['USER'] });
    expect(secrets.map(({ name, glob }) => [name, glob])).toEqual([
      ['other', undefined],
      ['db.password', 'db.*'],
      ['db.user', 'db.*'],
    ]);
    expect(resolved).toMatchObject([{ name: 'db.user', variable: 'USER' }]);
    expect(Buffer.from(resolved[0]?.value ?? []).toString()).toBe('value of db.user');
  });

  it('a GLOB that matches nothing is an error, although another matches', async () => {
    await expect(fetch(['db.*', 'absent.*'])).rejects.toMatchObject({
      code: 'SECRET_NOT_FOUND',
      message: expect.stringMatching(/^no secret in .* matches absent\.\*$/) as string,
    });
  });

  it('one that does not open ends it, and the hint follows from here', async () => {
    await expect(fetch(['*'])).rejects.toMatchObject({
      code: 'WRONG_CONTEXT',
      hint: 'one of another encryption context is named by --env NAME=SECRET?KEY=VALUE',
    });
    const { secrets } = await fetch(['db.*'], { env: ['P=prod?env=prod'] });
    expect(secrets.map(({ name }) => name)).toEqual(['prod', 'db.password', 'db.user']);
  });
});
