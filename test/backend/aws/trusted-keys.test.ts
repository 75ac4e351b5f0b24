import { KMSClient } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AwsKeyService } from '../../../src/backend/aws/key-service.ts';
import type { KeyService } from '../../../src/backend/key-service.ts';
import { checkContext } from '../../../src/model/context.ts';
import { TrustedKeys } from '../../../src/model/trust.ts';
import { describeKeyService } from '../../contract/key-service.ts';
import { type KmsServer, startKmsServer } from '../../support/kms-server.ts';
import { testCredential } from '../../support/sigv4.ts';

const context = checkContext([['env', 'prod']]);
const alias = 'alias/credstash';
let kms: KmsServer;
/** The same account's KMS in another region. */
let elsewhere: KmsServer;
let mine: string;
let second: string;
let strangers: string;
const clients: KMSClient[] = [];

beforeAll(async () => {
  [kms, elsewhere] = await Promise.all([startKmsServer(), startKmsServer({ region: 'eu-west-1' })]);
  mine = kms.keys()[0]?.arn ?? '';
  second = kms.addKey('alias/second');
  strangers = kms.addStrangersKey();
  kms.nameKey('alias/strangers', strangers);
});
afterAll(async () => {
  for (const client of clients) client.destroy();
  await Promise.all([kms.close(), elsewhere.close()]);
});
beforeEach(() => {
  kms.requests.length = 0;
  elsewhere.requests.length = 0;
});

function client(server: KmsServer, region: string): KMSClient {
  const made = new KMSClient({
    endpoint: server.url,
    region,
    credentials: testCredential,
    maxAttempts: 1,
  });
  clients.push(made);
  return made;
}

/** What uses `key` and trusts `trusted`; no list is every key. */
function service(
  key: string,
  trusted?: readonly string[],
  [server, region]: [KmsServer, string] = [kms, 'us-east-1'],
): KeyService {
  const keys = trusted && new TrustedKeys(trusted);
  return new AwsKeyService(client(server, region), key, region, undefined, keys);
}

/** What was asked of a server: each action, with the keys that its request named. */
function asked({ requests }: KmsServer): unknown[] {
  return requests.map(({ action, body }) => [action, body['KeyId'] ?? body['SourceKeyId']]);
}

async function wrappedUnder(key: string): Promise<Uint8Array> {
  const { wrapped } = await service(key).generate(context);
  kms.requests.length = 0;
  return wrapped;
}

const refusedEntry = { code: 'ENTRY_NOT_TRUSTED', exitStatus: 5 };
const refusedKey = { code: 'KEY_NOT_TRUSTED', exitStatus: 6 };

describeKeyService('of KMS with one trusted key', () => service(alias, [mine]));
describeKeyService('of KMS with two trusted keys', () => service(alias, [second, mine]));

describe('with one trusted key, Decrypt', () => {
  it('names it, and KMS refuses what is under another', async () => {
    const keys = service(alias, [mine]);
    const { plaintext, wrapped } = await keys.generate(context);
    expect(await keys.unwrap(wrapped, context)).toEqual(new Uint8Array(plaintext));
    expect(asked(kms)).toEqual([
      ['GenerateDataKey', alias],
      ['Decrypt', mine],
    ]);
    const planted = await wrappedUnder(strangers);
    await expect(keys.unwrap(planted, context)).rejects.toMatchObject({
      ...refusedEntry,
      message: `it is not under ${mine}, the only key that trustedKeys lists`,
    });
    expect(asked(kms)).toEqual([['Decrypt', mine]]);
  });

  it('is refused, should KMS answer with another key all the same, or with none', async () => {
    const planted = await wrappedUnder(strangers);
    const keys = service(alias, [mine]);
    for (const KeyId of [strangers, alias, undefined]) {
      const plaintext = new Uint8Array(64).fill(7);
      const answering = new AwsKeyService(
        { send: () => Promise.resolve({ KeyId, Plaintext: plaintext }) } as unknown as KMSClient,
        alias,
        'us-east-1',
        undefined,
        new TrustedKeys([mine]),
      );
      await expect(answering.unwrap(planted, context)).rejects.toMatchObject(refusedEntry);
      expect(plaintext, 'the data key is wiped').toEqual(new Uint8Array(64));
    }
    await expect(keys.unwrap(planted, context)).rejects.toMatchObject(refusedEntry);
  });

  it('of one that KMS does not have there tells so, and names it', async () => {
    const wrapped = await wrappedUnder(alias);
    const other = mine.replace('us-east-1', 'ap-south-1');
    await expect(service(alias, [other]).unwrap(wrapped, context)).rejects.toMatchObject({
      code: 'KEY_NOT_FOUND',
      message: `KMS cannot find the trusted key ${other} in us-east-1`,
      hint: expect.stringMatching(/^correct the ARN in trustedKeys, or .* `kmsRegion`$/) as string,
    });
  });

  it('leaves a wrong context what it is', async () => {
    const wrapped = await wrappedUnder(alias);
    const wrong = service(alias, [mine]).unwrap(wrapped, checkContext([]));
    await expect(wrong).rejects.toMatchObject({ code: 'WRONG_CONTEXT' });
  });
});

describe('with several trusted keys, Decrypt', () => {
  it('names none, and its answer is compared', async () => {
    const keys = service(alias, [mine, second]);
    for (const key of [alias, 'alias/second']) {
      expect(await keys.unwrap(await wrappedUnder(key), context)).toHaveLength(64);
      expect(asked(kms)).toEqual([['Decrypt', undefined]]);
    }
    const planted = await wrappedUnder(strangers);
    await expect(keys.unwrap(planted, context)).rejects.toMatchObject({
      ...refusedEntry,
      message: `it is under the KMS key ${strangers}, which trustedKeys does not list`,
    });
    expect(asked(kms)).toEqual([['Decrypt', undefined]]);
  });
});

describe('without any setting', () => {
  it('Decrypt names none, and opens what KMS opens', async () => {
    expect(await service(alias).unwrap(await wrappedUnder(strangers), context)).toHaveLength(64);
    expect(asked(kms)).toEqual([['Decrypt', undefined]]);
  });
});

describe('a key to wrap under', () => {
  const wrap = {
    generate: (keys: KeyService) => keys.generate(context),
    wrap: (keys: KeyService) => keys.wrap(new Uint8Array(64), context),
    rewrap: async (keys: KeyService, wrapped: Uint8Array) => keys.rewrap(wrapped, context),
  };
  const actions = { generate: 'GenerateDataKey', wrap: 'Encrypt', rewrap: 'ReEncrypt' };

  it.each(['generate', 'wrap', 'rewrap'] as const)(
    'that is not trusted is refused: %s',
    async (method) => {
      const wrapped = await wrappedUnder(alias);
      for (const trusted of [[mine], [mine, second]]) {
        // An ARN or an id tells by itself.
        const id = strangers.split('/')[1] ?? '';
        for (const key of [strangers, id]) {
          kms.requests.length = 0;
          const keys = service(key, trusted);
          await expect(wrap[method](keys, wrapped)).rejects.toMatchObject(refusedKey);
          expect(() => keys.checkKey?.()).toThrow(
            expect.objectContaining({ code: refusedKey.code }) as Error,
          );
          expect(kms.requests).toEqual([]);
        }
        const keys = service('alias/strangers', trusted);
        expect(() => keys.checkKey?.()).not.toThrow();
        await expect(wrap[method](keys, wrapped)).rejects.toMatchObject({
          ...refusedKey,
          message: `the key alias/strangers is ${strangers}, which trustedKeys does not list`,
        });
        expect(kms.requests.map(({ action }) => action)).toEqual([actions[method]]);
        expect(
          await service(second, [mine, second]).wrap(new Uint8Array(64), context),
        ).toBeTruthy();
      }
    },
  );

  it('is refused with its data key wiped', async () => {
    const plaintext = new Uint8Array(64).fill(7);
    const answer = { KeyId: strangers, Plaintext: plaintext, CiphertextBlob: Uint8Array.of(1) };
    const keys = new AwsKeyService(
      { send: () => Promise.resolve(answer) } as unknown as KMSClient,
      alias,
      'us-east-1',
      undefined,
      new TrustedKeys([mine]),
    );
    await expect(keys.generate(context)).rejects.toMatchObject(refusedKey);
    expect(plaintext).toEqual(new Uint8Array(64));
  });
});
describe('ReEncrypt', () => {
  it('names the one trusted key as its source, and KMS refuses what is under another', async () => {
    const planted = await wrappedUnder(strangers);
    const keys = service(alias, [mine]);
    await expect(keys.rewrap(planted, context)).rejects.toMatchObject(refusedEntry);
    expect(asked(kms)).toEqual([['ReEncrypt', mine]]);
    expect(await keys.rewrap(await wrappedUnder(alias), context)).toBeUndefined();
  });

  it('is compared with several, at both ends', async () => {
    const planted = await wrappedUnder(strangers);
    const keys = service('alias/second', [mine, second]);
    await expect(keys.rewrap(planted, context)).rejects.toMatchObject(refusedEntry);
    expect(asked(kms)).toEqual([['ReEncrypt', undefined]]);
    const wrapped = await keys.rewrap(await wrappedUnder(alias), context);
    expect(kms.keyOf(wrapped ?? Buffer.of())?.arn).toBe(second);
  });
});

describe('a multi-Region key', () => {
  it('counts in every region, and is named as it is called there', async () => {
    const primary = kms.addMultiRegionKey();
    const replica = elsewhere.replicate(primary);
    expect(replica).toBe(primary.arn.replace('us-east-1', 'eu-west-1'));
    const other = kms.addMultiRegionKey();
    elsewhere.replicate(other);
    const there: [KmsServer, string] = [elsewhere, 'eu-west-1'];
    const { plaintext, wrapped } = await service(primary.arn).generate(context);
    const planted = await service(other.arn).generate(context);
    for (const trusted of [[primary.arn], [replica], [mine, primary.arn], [second, replica]]) {
      const name = trusted.join();
      elsewhere.requests.length = 0;
      const keys = service(replica, trusted, there);
      expect(await keys.unwrap(wrapped, context), name).toEqual(new Uint8Array(plaintext));
      const named = trusted.length === 1 ? replica : undefined;
      expect(asked(elsewhere), name).toEqual([['Decrypt', named]]);
      expect(await keys.rewrap(wrapped, context), name).toBeUndefined();
      expect((await keys.generate(context)).plaintext, name).toHaveLength(64);
      await expect(keys.unwrap(planted.wrapped, context), name).rejects.toMatchObject(refusedEntry);
    }
    const ofOneRegion = service(alias, [mine], there);
    await expect(ofOneRegion.unwrap(wrapped, context)).rejects.toMatchObject({
      code: 'KEY_NOT_FOUND',
    });
    const several = service(alias, [mine, second], there);
    await expect(several.unwrap(wrapped, context)).rejects.toMatchObject(refusedEntry);
    await expect(several.generate(context)).rejects.toMatchObject(refusedKey);
  });
});
