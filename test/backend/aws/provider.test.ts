import { describe, expect, it } from 'vitest';
import { Credstash } from '../../../src/credstash.ts';
import { CredstashError } from '../../../src/errors.ts';

/** Nothing listens there: what is told must come before a request. */
const endpoint = 'http://127.0.0.1:9';

class VaultDown extends Error {
  override readonly name = 'VaultDown';
}

type Provider = () => Promise<{ accessKeyId: string; secretAccessKey: string }>;

/** Each way to give a provider. */
const WAYS: [string, (provider: Provider) => Credstash][] = [
  ['credentials', (credentials) => new Credstash({ region: 'eu-west-1', endpoint, credentials })],
  [
    'credentials with a role',
    (credentials) =>
      new Credstash({
        ...{ region: 'eu-west-1', endpoint, credentials },
        roleArn: 'arn:aws:iam::123456789012:role/x',
      }),
  ],
  [
    'clientOptions',
    (credentials) =>
      new Credstash({
        region: 'eu-west-1',
        endpoint,
        clientOptions: { dynamodb: { credentials } },
      }),
  ],
];

async function failure(promise: Promise<unknown>): Promise<CredstashError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CredstashError);
  return error as CredstashError;
}

describe.each(WAYS)("the application's provider as %s", (_, make) => {
  it.each([
    ['NO_CREDENTIALS', new VaultDown('canary')],
    ['NO_CREDENTIALS', Object.assign(new Error('canary'), { code: 'ECONNREFUSED' })],
    ['CREDENTIALS_REFUSED', Object.assign(new Error('canary'), { name: 'ExpiredTokenException' })],
    ['CREDENTIALS_REFUSED', Object.assign(new Error('canary'), { name: 'AccessDenied' })],
  ])('whose error is %s has that error as its cause', async (code, thrown) => {
    const credstash = make(() => Promise.reject(thrown));
    const error = await failure(credstash.get('n'));
    expect(error.code).toBe(code);
    expect(error.cause).toBe(thrown);
    expect(error.retryable).toBe(false);
    expect(`${error.message}${JSON.stringify(error)}`).not.toContain('canary');
    await credstash.close();
  });

  it('that throws at once, or gives no keys', async () => {
    const thrown = new VaultDown('at once');
    const throws = make(() => {
      throw thrown;
    });
    expect(await failure(throws.get('n'))).toMatchObject({ code: 'NO_CREDENTIALS', cause: thrown });
    const gives = make(() => Promise.resolve({ accessKeyId: '' } as never));
    expect(await failure(gives.get('n'))).toMatchObject({ code: 'NO_CREDENTIALS' });
  });

  it('is told through the cache too, where no stale value hides it', async () => {
    const thrown = new VaultDown('canary');
    const credstash = make(() => Promise.reject(thrown));
    const cache = credstash.createCache({ maxStale: 3_600_000 });
    const error = await failure(cache.get('n'));
    expect(error).toMatchObject({ code: 'NO_CREDENTIALS' });
    expect(error.cause).toBe(thrown);
    cache.close();
  });
});
