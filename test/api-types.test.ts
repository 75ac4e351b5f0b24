import { expect, expectTypeOf, it } from 'vitest';
import type { SecretCache, Credstash } from 'credstash-cli';
import {
  type CacheGetOptions,
  type Change,
  CredstashError,
  type DeleteOutcome,
  type EntryHeader,
  type GetOptions,
  hasCode,
  type Outcome,
  type PutOptions,
  type PutOutcome,
  type Step,
} from 'credstash-cli';

/*
 * The types of the public API, which `tsc` checks: a type that changes breaks applications as a method does.
 */

type Method<Name extends keyof Credstash> = Credstash[Name];

it('values', () => {
  expectTypeOf<Method<'put'>>().parameter(1).toEqualTypeOf<Uint8Array | string>();
  expectTypeOf<Method<'put'>>().parameter(2).toEqualTypeOf<PutOptions | undefined>();
  expectTypeOf<Method<'putJson'>>().parameter(1).toBeUnknown();
  expectTypeOf<Method<'get'>>().parameters.toEqualTypeOf<
    [name: string, options?: GetOptions | undefined]
  >();
  expectTypeOf<Method<'get'>>().returns.resolves.toEqualTypeOf<Uint8Array>();
  expectTypeOf<Method<'getText'>>().returns.resolves.toBeString();
  expectTypeOf<Method<'getOptional'>>().returns.resolves.toEqualTypeOf<Uint8Array | undefined>();
  const json = (credstash: Credstash) => credstash.getJson('n');
  expectTypeOf(json).returns.resolves.toBeUnknown();
  const typed = (credstash: Credstash) => credstash.getJson<{ user: string }>('n');
  expectTypeOf(typed).returns.resolves.toEqualTypeOf<{ user: string }>();
  expect([json, typed]).toHaveLength(2);
});

it('many secrets', () => {
  expectTypeOf<Method<'putAll'>>().returns.resolves.toEqualTypeOf<PutOutcome[]>();
  expectTypeOf<Method<'delete'>>().returns.resolves.toEqualTypeOf<DeleteOutcome[]>();
  expectTypeOf<Method<'prune'>>().returns.resolves.toEqualTypeOf<Change[]>();
  expectTypeOf<Method<'rekey'>>().returns.resolves.toEqualTypeOf<Change[]>();
  expectTypeOf<Method<'migrate'>>().returns.resolves.toEqualTypeOf<Change[]>();
  expectTypeOf<Method<'padVersions'>>().returns.resolves.toEqualTypeOf<Change[]>();
  expectTypeOf<Method<'copy'>>().returns.resolves.toEqualTypeOf<Change[]>();
  expectTypeOf<Method<'headers'>>().returns.toEqualTypeOf<AsyncGenerator<EntryHeader>>();
  expectTypeOf<Method<'doctor'>>().returns.toEqualTypeOf<AsyncGenerator<Step>>();
  for (const outcome of [] as (PutOutcome | DeleteOutcome | Change)[]) {
    expectTypeOf(outcome).toExtend<Outcome>();
    if (outcome.done === 'failed') expectTypeOf(outcome.error).toEqualTypeOf<CredstashError>();
  }
  const wanted = (credstash: Credstash) => credstash.getMany([{ name: 'n', variable: 'X' }]);
  expectTypeOf(wanted).returns.resolves.toExtend<
    { name: string; variable: string; value: Uint8Array }[]
  >();
  const signalled = (credstash: Credstash) =>
    // @ts-expect-error an option of one secret, and not of the whole call
    credstash.getMany([], { version: '1' });
  expect(signalled).toBeTypeOf('function');
});

it('errors', () => {
  expectTypeOf<CredstashError['retryable']>().toBeBoolean();
  expectTypeOf<CredstashError['outcomes']>().toEqualTypeOf<readonly Outcome[]>();
  expectTypeOf<CredstashError['toJSON']>().returns.toEqualTypeOf<Record<string, unknown>>();
  const error: unknown = new CredstashError('USAGE', 'x');
  if (hasCode(error, 'USAGE')) expectTypeOf(error).toEqualTypeOf<CredstashError>();
  expect(hasCode(error, 'USAGE')).toBe(true);
});

it('the cache takes the get of a Credstash, and is disposable', () => {
  expectTypeOf<Method<'get'>>().toExtend<ConstructorParameters<typeof SecretCache>[0]>();
  expectTypeOf<SecretCache['get']>().parameter(1).toEqualTypeOf<CacheGetOptions | undefined>();
  expectTypeOf<Credstash>().toExtend<AsyncDisposable & Disposable>();
  expectTypeOf<SecretCache>().toExtend<AsyncDisposable & Disposable>();
  // @ts-expect-error an option of a cache, and not of the table
  const young = (credstash: Credstash) => credstash.get('n', { maxAge: 5 });
  expect(young).toBeTypeOf('function');
});
