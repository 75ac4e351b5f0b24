import {
  DecryptCommand,
  DescribeKeyCommand,
  GenerateDataKeyCommand,
  KMSClient,
  KMSServiceException,
  ReEncryptCommand,
} from '@aws-sdk/client-kms';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Fault, type KmsServer, startKmsServer } from './kms-server.ts';
import { testCredential } from './sigv4.ts';

let kms: KmsServer;
beforeEach(async () => {
  kms = await startKmsServer();
});
afterEach(() => kms.close());

function client({
  credentials = testCredential,
  maxAttempts = 1,
  region = 'us-east-1',
  requestTimeout = 60_000,
} = {}): KMSClient {
  const requestHandler = { requestTimeout, throwOnRequestTimeout: true };
  return new KMSClient({ endpoint: kms.url, region, credentials, maxAttempts, requestHandler });
}

function generate(context: Record<string, string> = {}): GenerateDataKeyCommand {
  return new GenerateDataKeyCommand({
    KeyId: 'alias/credstash',
    NumberOfBytes: 64,
    EncryptionContext: context,
  });
}

/** The error a promise rejects with, as the caller of the SDK sees it. */
async function failure(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  const outcome: unknown = await promise.then(
    () => 'nothing was thrown',
    (error: unknown) => error,
  );
  if (outcome instanceof Error) return outcome;
  throw new Error(String(outcome));
}

describe('data keys', () => {
  test('decrypt gives what generate gave, whatever the order of the context', async () => {
    const made = await client().send(generate({ a: '1', b: '2' }));
    const context = { b: '2', a: '1' };
    const opened = await client().send(
      new DecryptCommand({ CiphertextBlob: made.CiphertextBlob, EncryptionContext: context }),
    );
    expect(made.Plaintext).toHaveLength(64);
    expect(opened.Plaintext).toEqual(made.Plaintext);
    expect(opened.KeyId).toBe(made.KeyId);
    expect(made.KeyId).toMatch(/^arn:aws:kms:us-east-1:123456789012:key\//);
    expect(kms.requests.map(({ action }) => action)).toEqual(['GenerateDataKey', 'Decrypt']);
    expect(kms.requests[1]?.body).toHaveProperty('EncryptionContext', { a: '1', b: '2' });
  });

  test.each([{}, { a: '2' }, { a: '1', b: '' }, { b: '1' }])(
    'another context, %o, is refused',
    async (context) => {
      const { CiphertextBlob } = await client().send(generate({ a: '1' }));
      const decrypt = new DecryptCommand({ CiphertextBlob, EncryptionContext: context });
      const error = await failure(client().send(decrypt));
      expect(error.name).toBe('InvalidCiphertextException');
    },
  );

  test('a changed blob, or garbage, is refused', async () => {
    const { CiphertextBlob = new Uint8Array() } = await client().send(generate());
    const changed = Uint8Array.from(CiphertextBlob);
    changed.set([(changed.at(-1) ?? 0) ^ 1], changed.length - 1);
    for (const blob of [changed, CiphertextBlob.subarray(0, 60), randomBytes(150)]) {
      const error = await failure(client().send(new DecryptCommand({ CiphertextBlob: blob })));
      expect(error.name).toBe('InvalidCiphertextException');
    }
  });

  test('an imported data key opens under its own context alone', async () => {
    const [wrapped, plaintext] = [randomBytes(100), randomBytes(64)];
    kms.importDataKey(wrapped, { a: '1' }, plaintext);
    const decrypt = (EncryptionContext: Record<string, string>): DecryptCommand =>
      new DecryptCommand({ CiphertextBlob: wrapped, EncryptionContext });
    const opened = await client().send(decrypt({ a: '1' }));
    expect(opened.Plaintext).toEqual(Uint8Array.from(plaintext));
    const error = await failure(client().send(decrypt({})));
    expect(error.name).toBe('InvalidCiphertextException');
  });

  test('re-encrypt moves a data key to another key and context', async () => {
    const arn = kms.addKey('alias/other');
    const made = await client().send(generate({ a: '1' }));
    const moved = await client().send(
      new ReEncryptCommand({
        CiphertextBlob: made.CiphertextBlob,
        SourceEncryptionContext: { a: '1' },
        DestinationKeyId: 'alias/other',
        DestinationEncryptionContext: { b: '2' },
      }),
    );
    expect(moved).toMatchObject({ KeyId: arn, SourceKeyId: made.KeyId });
    const { CiphertextBlob } = moved;
    const opened = await client().send(
      new DecryptCommand({ CiphertextBlob, EncryptionContext: { b: '2' } }),
    );
    expect(opened).toMatchObject({ KeyId: arn, Plaintext: made.Plaintext });
  });

  test('a data key of the wrong length is handed out on demand', async () => {
    const { CiphertextBlob } = await client().send(generate());
    for (const bytes of [0, 32, 63, 65]) {
      kms.falsifyKeyLength(bytes);
      expect((await client().send(generate())).Plaintext ?? '').toHaveLength(bytes);
      const opened = await client().send(new DecryptCommand({ CiphertextBlob }));
      expect(opened.Plaintext ?? '').toHaveLength(bytes);
    }
    kms.falsifyKeyLength(undefined);
    const opened = await client().send(new DecryptCommand({ CiphertextBlob }));
    expect(opened.Plaintext).toHaveLength(64);
  });
});

describe('keys', () => {
  test('a key works by alias, alias ARN, id and ARN', async () => {
    const arn = kms.addKey('alias/other');
    const aliasArn = arn.replace(/key\/.*/, 'alias/other');
    for (const KeyId of ['alias/other', aliasArn, arn, arn.replace(/.*\//, '')]) {
      const made = await client().send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }));
      expect(made.KeyId).toBe(arn);
      expect(made.Plaintext).toHaveLength(32);
    }
  });

  test('an unknown alias or key is not found', async () => {
    const arn = 'arn:aws:kms:us-east-1:123456789012:key/00000000-0000-4000-8000-000000000000';
    for (const KeyId of ['alias/x', arn, 'x']) {
      const command = new GenerateDataKeyCommand({ KeyId, NumberOfBytes: 64 });
      const error = await failure(client().send(command));
      expect(error.name).toBe('NotFoundException');
    }
  });

  test('a disabled key neither makes nor opens data keys', async () => {
    const { CiphertextBlob } = await client().send(generate());
    kms.disableKey('alias/credstash');
    for (const sent of [
      client().send(generate()),
      client().send(new DecryptCommand({ CiphertextBlob })),
    ]) {
      expect((await failure(sent)).name).toBe('DisabledException');
    }
    const described = await client().send(new DescribeKeyCommand({ KeyId: 'alias/credstash' }));
    expect(described.KeyMetadata?.KeyState).toBe('Disabled');
  });
});

describe('signatures', () => {
  test('an unsigned request is refused', async () => {
    const response = await fetch(kms.url, {
      method: 'POST',
      headers: { 'x-amz-target': 'TrentService.GenerateDataKey' },
      body: JSON.stringify({ KeyId: 'alias/credstash', NumberOfBytes: 64 }),
    });
    expect(response.status).toBe(403);
    expect(response.headers.get('x-amzn-requestid')).toBeTruthy();
    expect(await response.json()).toHaveProperty('__type', 'IncompleteSignatureException');
    expect(kms.requests[0]?.accessKeyId).toBeUndefined();
  });

  test('a wrong secret, access key or session token is refused', async () => {
    const names: string[] = [];
    for (const wrong of [
      { secretAccessKey: 'wrong' },
      { accessKeyId: 'AKIDOTHER' },
      { sessionToken: 'none was issued' },
    ]) {
      const error = await failure(
        client({ credentials: { ...testCredential, ...wrong } }).send(generate()),
      );
      names.push(error.name);
    }
    expect(names).toEqual([
      'InvalidSignatureException',
      'UnrecognizedClientException',
      'UnrecognizedClientException',
    ]);
  });

  test('a changed body is refused', async () => {
    const sender = client();
    sender.middlewareStack.add(
      (next) => (args) => {
        const request = args.request as { body: string };
        request.body = request.body.replace('64', '65');
        return next(args);
      },
      { step: 'finalizeRequest', priority: 'low' },
    );
    expect((await failure(sender.send(generate()))).name).toBe('InvalidSignatureException');
  });

  test('the region it was signed for is recorded', async () => {
    await client({ region: 'eu-west-1' }).send(generate());
    expect(kms.requests[0]).toMatchObject({ region: 'eu-west-1', accessKeyId: 'AKIDEXAMPLE' });
  });
});

describe('faults', () => {
  const serviceErrors: Partial<Record<Fault, string>> = {
    throttle: 'ThrottlingException',
    deny: 'AccessDeniedException',
    error500: 'KMSInternalException',
    unavailable503: 'ServiceUnavailableException',
    'expired-token': 'ExpiredTokenException',
    'bad-token': 'UnrecognizedClientException',
  };
  test.each(Object.entries(serviceErrors))('%s is the service error %s', async (fault, name) => {
    kms.fault(fault as Fault);
    const error = await failure(client().send(generate()));
    expect(error).toBeInstanceOf(KMSServiceException);
    expect(error.name).toBe(name);
  });

  test.each([
    ['hang', 'TimeoutError', 'ETIMEDOUT'],
    ['reset', 'TimeoutError', 'ECONNRESET'],
    ['half-answer', 'Error', 'ECONNRESET'],
    ['not-json', 'SyntaxError', undefined],
  ] as const)('%s is %s, %s, and no service error', async (fault, name, code) => {
    kms.fault(fault);
    const impatient = client(fault === 'hang' ? { requestTimeout: 200 } : {});
    const error = await failure(impatient.send(generate()));
    expect(error).not.toBeInstanceOf(KMSServiceException);
    expect([error.name, error.code]).toEqual([name, code]);
  });

  test('ends after its times, keeps to its action, and is cleared', async () => {
    kms.fault('error500', { times: 2 });
    await client({ maxAttempts: 3 }).send(generate());
    expect(kms.requests).toHaveLength(3);

    kms.fault('deny', { action: 'Decrypt' });
    const { CiphertextBlob } = await client().send(generate());
    const error = await failure(client().send(new DecryptCommand({ CiphertextBlob })));
    expect(error.message).toContain('is not authorized to perform: kms:Decrypt on resource: arn:');
    kms.clear();
    await client().send(new DecryptCommand({ CiphertextBlob }));
  });

  test('close ends a request that hangs', async () => {
    const server = await startKmsServer();
    server.fault('hang');
    const hanging = failure(fetch(server.url, { method: 'POST' }));
    await expect.poll(() => server.requests).toHaveLength(1);
    await server.close();
    await hanging;
  });
});
