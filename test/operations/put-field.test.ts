import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Credstash } from '../../src/credstash.ts';
import { CredstashError } from '../../src/errors.ts';
import { RecordedBackend } from '../support/recorded-backend.ts';
import { v } from '../support/version.ts';

let backend: RecordedBackend;
let credstash: Credstash;

beforeEach(() => {
  backend = new RecordedBackend();
  credstash = Credstash.over(backend);
});

const failure = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);

describe('putField', () => {
  it.each([
    ['{"a":1.0,"b":"x"}', 'b', 'y', '{"a":1.0,"b":"y"}'],
    ['{ "a": 1 }', 'b', 'y', '{ "a": 1, "b": "y" }'],
    ['{\n  "a": 1\n}\n', 'b', '"', '{\n  "a": 1,\n  "b": "\\""\n}\n'],
    ['{\n  "a": 1,\n  "c": 2\n}', 'b', 'y', '{\n  "a": 1,\n  "c": 2,\n  "b": "y"\n}'],
    ['{ }', 'b', 'y', '{"b":"y"}'],
    ['{"a":{"b":[1]}}', '/a/b/0', 'y', '{"a":{"b":["y"]}}'],
    ['{"a":{"b":[1]}}', '/a/b/-', 'y', '{"a":{"b":[1,"y"]}}'],
    ['{"a":{"b":[]}}', '/a/b/0', 'y', '{"a":{"b":["y"]}}'],
    ['{"z":1}', '/a/b', 'y', '{"z":1,"a":{"b":"y"}}'],
    ['{"__proto__":1}', '__proto__', 'y', '{"__proto__":"y"}'],
  ])('of %j sets %s', async (before, field, value, after) => {
    await credstash.put('s', before);
    expect(await credstash.putField('s', field, value)).toMatchObject({ version: v(2) });
    expect(await credstash.getText('s')).toBe(after);
  });

  it.each([
    ['{"a":1,"b":2,"c":3}', 'a', '{"b":2,"c":3}'],
    ['{"a":1, "b":2}', 'b', '{"a":1}'],
    ['{ "a": 1 }', 'a', '{}'],
    ['{"a":[1,2,3]}', '/a/1', '{"a":[1,3]}'],
  ])('of %j removes %s', async (before, field, after) => {
    await credstash.put('s', before);
    await credstash.removeField('s', field);
    expect(await credstash.getText('s')).toBe(after);
  });

  it.each([
    ['text', 'a', 'USAGE'],
    ['[1]', 'a', 'USAGE'],
    ['{"a":1,"a":2}', 'b', 'USAGE'],
    ['{"x":[{"a":1,"a":2}]}', 'b', 'USAGE'],
    ['{"n":12345678901234567890}', 'b', 'USAGE'],
    ['{"n":1e400}', 'b', 'USAGE'],
    ['{"n":0.1000000000000000055511151231257827}', 'b', 'USAGE'],
    ['{"a":"x"}', '/a/b', 'USAGE'],
    ['{"a":[1]}', '/a/5', 'FIELD_NOT_FOUND'],
    ['{"a":1}', '', 'USAGE'],
  ])('stores nothing for %j and %j', async (before, field, code) => {
    await credstash.put('s', before);
    expect(await failure(credstash.putField('s', field, 'canary'))).toMatchObject({ code });
    expect(await backend.listIds()).toHaveLength(1);
  });

  it('creates a secret, and removes nothing from a missing one', async () => {
    await credstash.putField('s', 'a', 'x', { context: { env: 'prod' } });
    expect(await credstash.getText('s', { context: { env: 'prod' } })).toBe('{"a":"x"}');
    expect(await failure(credstash.removeField('none', 'a'))).toMatchObject({
      code: 'SECRET_NOT_FOUND',
    });
    const context = { env: 'prod' };
    expect(await failure(credstash.removeField('s', 'none', { context }))).toMatchObject({
      code: 'FIELD_NOT_FOUND',
    });
  });

  it('of ten writers at once, all win', async () => {
    await credstash.put('s', '{"a":"x"}');
    const keys = Array.from({ length: 10 }, (_, i) => `k${i}`);
    await Promise.all(keys.map((key) => credstash.putField('s', key, key)));
    expect(await credstash.getJson('s')).toEqual({
      a: 'x',
      ...Object.fromEntries(keys.map((key) => [key, key])),
    });
    expect(backend.handedOut.every((key) => key.every((byte) => byte === 0))).toBe(true);
  });

  it('names the right that a writer lacks', async () => {
    await credstash.put('s', '{}');
    vi.spyOn(backend.keys, 'unwrap').mockRejectedValue(
      new CredstashError('ACCESS_DENIED', 'kms:Decrypt is denied'),
    );
    expect(await failure(credstash.putField('s', 'a', 'x'))).toMatchObject({
      code: 'ACCESS_DENIED',
      hint: expect.stringContaining('policy("writer", { fields: true })') as string,
    });
  });
});
