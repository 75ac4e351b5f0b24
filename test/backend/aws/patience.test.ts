import {
  DeleteItemCommand,
  DynamoDBClient,
  DynamoDBServiceException,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
} from '@aws-sdk/client-dynamodb';
import { DecryptCommand, KMSClient, KMSServiceException } from '@aws-sdk/client-kms';
import { mockClient } from 'aws-sdk-client-mock';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AwsEntryStore } from '../../../src/backend/aws/entry-store.ts';
import { AwsKeyService } from '../../../src/backend/aws/key-service.ts';
import { Patience, type Waiting } from '../../../src/backend/aws/patience.ts';
import { encodeItem, type Entry } from '../../../src/entry.ts';

const dynamodb = mockClient(DynamoDBClient);
const waits: Parameters<Waiting>[0][] = [];
const patience = new Patience({ tell: (wait) => waits.push(wait) });
const store = new AwsEntryStore(
  new DynamoDBClient({ region: 'eu-west-1' }),
  'secrets',
  'eu-west-1',
  patience,
);

function refusal(name: string): DynamoDBServiceException {
  return new DynamoDBServiceException({
    name,
    $fault: 'client',
    $metadata: { httpStatusCode: 400, attempts: 1 },
    message: '',
  });
}
const throttled = refusal('ProvisionedThroughputExceededException');
const conditionFailed = refusal('ConditionalCheckFailedException');

const entry: Entry = {
  name: 'n',
  version: '0000000000000000001',
  cipher: 'AES-256-GCM',
  digest: 'SHA256',
  created: '2026-11-23T00:00:00Z',
  key: Uint8Array.of(1),
  contents: Uint8Array.of(2),
  hmac: Uint8Array.of(3),
};

beforeEach(() => {
  dynamodb.reset();
  waits.length = 0;
  vi.stubEnv('AWS_MAX_ATTEMPTS', '');
  vi.useFakeTimers();
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.useRealTimers();
});

/** Runs every pause at once, and counts what passed on the clock. */
async function settled<T>(promise: Promise<T>): Promise<{ value: T; seconds: number }> {
  const start = Date.now();
  const clock = { runs: true };
  const stopped = promise.finally(() => {
    clock.runs = false;
  });
  stopped.catch(() => undefined);
  while (clock.runs) await vi.advanceTimersByTimeAsync(1000);
  return { value: await stopped, seconds: (Date.now() - start) / 1000 };
}

describe('a table that is throttled', () => {
  it('is waited for, and the wait is told, until it answers', async () => {
    dynamodb
      .on(QueryCommand)
      .rejectsOnce(throttled)
      .rejectsOnce(throttled)
      .rejectsOnce(throttled)
      .resolves({ Items: [encodeItem(entry)] });
    const start = Date.now();
    const { value, seconds } = await settled(store.latest('n'));
    expect(value).toMatchObject({ name: 'n' });
    expect(waits).toHaveLength(4);
    expect(waits[0]).toEqual({
      resource: 'the table secrets',
      state: 'is throttled',
      since: start,
      until: start + 600_000,
    });
    expect(waits.at(-1)).toBeUndefined();
    expect(seconds).toBeGreaterThanOrEqual(3);
  });

  it('is waited for over four minutes between two pages, as one read unit needs', async () => {
    dynamodb.on(ScanCommand, { ExclusiveStartKey: undefined }).resolves({
      Items: [encodeItem(entry)],
      LastEvaluatedKey: { name: { S: 'n' }, version: { S: '1' } },
    });
    const open = Date.now() + 300_000;
    dynamodb
      .on(ScanCommand, { ExclusiveStartKey: { name: { S: 'n' }, version: { S: '1' } } })
      .callsFake(() => {
        if (Date.now() < open) throw throttled;
        return { Items: [] };
      });
    const names: string[] = [];
    const walk = async (): Promise<void> => {
      for await (const { name } of store.all()) names.push(name);
    };
    const { seconds } = await settled(walk());
    expect(names).toEqual(['n']);
    expect(seconds).toBeGreaterThan(300);
    expect(seconds).toBeLessThan(330);
  });

  it('is given up after ten minutes', async () => {
    dynamodb.on(QueryCommand).rejects(throttled);
    const start = Date.now();
    await expect(settled(store.latest('n'))).rejects.toMatchObject({ code: 'THROTTLED' });
    expect((Date.now() - start) / 60_000).toBeCloseTo(10, 0);
    expect(waits.at(-1)).toBeUndefined();
  });

  it('is not waited for where AWS_MAX_ATTEMPTS says how often to try', async () => {
    vi.stubEnv('AWS_MAX_ATTEMPTS', '2');
    dynamodb.on(QueryCommand).rejects(throttled);
    await expect(store.latest('n')).rejects.toMatchObject({ code: 'THROTTLED' });
    expect(waits).toEqual([]);
  });

  it('is the only failure that is waited for', async () => {
    dynamodb.on(QueryCommand).rejects(refusal('AccessDeniedException'));
    await expect(store.latest('n')).rejects.toMatchObject({ code: 'ACCESS_DENIED' });
    expect(waits).toEqual([]);
  });

  it('may have taken a write whose answer was lost: it is recognised by its bytes', async () => {
    dynamodb.on(PutItemCommand).rejectsOnce(throttled).rejects(conditionFailed);
    dynamodb.on(GetItemCommand).resolves({ Item: encodeItem(entry) });
    await settled(store.create(entry));
    dynamodb.on(PutItemCommand).rejects(conditionFailed);
    dynamodb
      .on(GetItemCommand)
      .resolves({ Item: encodeItem({ ...entry, contents: Uint8Array.of(9) }) });
    await expect(settled(store.create(entry))).rejects.toMatchObject({ code: 'VERSION_EXISTS' });
  });

  it('may have taken a removal whose answer was lost', async () => {
    dynamodb.on(DeleteItemCommand).rejectsOnce(throttled).rejects(conditionFailed);
    expect((await settled(store.remove('n', '1'))).value).toBe(true);
    dynamodb.reset();
    dynamodb.on(DeleteItemCommand).rejects(conditionFailed);
    expect((await settled(store.remove('n', '1'))).value).toBe(false);
  });
});

describe('a table that does not answer', () => {
  it('is told as a wait after two seconds, until it answers', async () => {
    let answer: (output: object) => void = () => undefined;
    dynamodb.on(QueryCommand).callsFake(
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    );
    const start = Date.now();
    const latest = store.latest('n');
    await vi.advanceTimersByTimeAsync(1999);
    expect(waits).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    const until = start + 60_000;
    expect(waits).toEqual([
      { resource: 'the table secrets', state: undefined, since: start, until },
    ]);
    answer({ Items: [encodeItem(entry)] });
    expect(await latest).toMatchObject({ name: 'n' });
    expect(waits).toHaveLength(2);
    expect(waits.at(-1)).toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a KMS that throttles', () => {
  const throttledKms = new KMSServiceException({
    name: 'ThrottlingException',
    $fault: 'client',
    $metadata: { httpStatusCode: 400, attempts: 3 },
    message: 'Rate exceeded',
  });
  const kms = mockClient(KMSClient);
  const keys = new AwsKeyService(new KMSClient({}), 'alias/credstash', 'eu-west-1', patience);
  beforeEach(() => kms.reset());

  it('is waited for by many requests at once, which are told as one wait', async () => {
    const open = Date.now() + 20_000;
    kms.on(DecryptCommand).callsFake(() => {
      if (Date.now() < open) throw throttledKms;
      return { Plaintext: new Uint8Array(64) };
    });
    const many = Array.from({ length: 32 }, () => keys.unwrap(Uint8Array.of(1), {}));
    const { value } = await settled(Promise.all(many));
    expect(value).toHaveLength(32);
    const start = open - 20_000;
    expect(new Set(waits.slice(0, -1).map((wait) => wait?.since))).toEqual(new Set([start]));
    expect(waits[0]).toMatchObject({ resource: 'KMS in eu-west-1', state: 'is throttled' });
    expect(waits.filter((wait) => wait === undefined)).toHaveLength(1);
    expect(waits.at(-1)).toBeUndefined();
  });

  it('is not waited for where AWS_MAX_ATTEMPTS says how often to try', async () => {
    vi.stubEnv('AWS_MAX_ATTEMPTS', '3');
    kms.on(DecryptCommand).rejects(throttledKms);
    await expect(keys.unwrap(Uint8Array.of(1), {})).rejects.toMatchObject({ code: 'THROTTLED' });
    expect(waits).toEqual([]);
  });
});
