import { Table } from '../../../src/backend/aws/table.ts';
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
import { ThrottleRetry, type OnWait } from '../../../src/backend/aws/throttle-retry.ts';
import type { Entry } from '../../../src/model/entry.ts';
import { encodeItem } from '../../../src/model/item.ts';

const dynamodb = mockClient(DynamoDBClient);
const waits: Parameters<OnWait>[0][] = [];
const retry = new ThrottleRetry({ tell: (wait) => waits.push(wait), longestMs: 600_000 });
const store = new AwsEntryStore(
  new Table(new DynamoDBClient({ region: 'eu-west-1' }), 'secrets', 'eu-west-1', retry),
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

  const walk = async (): Promise<string[]> => {
    const names: string[] = [];
    for await (const { name } of store.scan()) names.push(name);
    return names.sort();
  };
  const more = { LastEvaluatedKey: { name: { S: 'n' }, version: { S: '1' } } };
  const page = (name: string): object => ({ Items: [{ ...encodeItem(entry), name: { S: name } }] });

  it('is waited for over four minutes for each page, as one read unit needs, one request at a time', async () => {
    let owedUntil = 0;
    /** Between each page and the next one: which segments were throttled. */
    const throttledSegments = [new Set<unknown>()];
    dynamodb
      .on(ScanCommand)
      .callsFake((input: { Segment?: number; ExclusiveStartKey?: object }) => {
        const { Segment: segment, ExclusiveStartKey: start } = input;
        if (Date.now() < owedUntil) {
          throttledSegments.at(-1)?.add(segment);
          throw throttled;
        }
        throttledSegments.push(new Set());
        // A page of 1 MB has 256 read units.
        owedUntil = Date.now() + 256_000;
        if (segment === undefined) return { ...page('n'), ...more };
        const LastEvaluatedKey = { name: { S: `${segment}` }, version: { S: '1' } };
        return start ? page(`${segment}b`) : { ...page(`${segment}a`), LastEvaluatedKey };
      });
    const { value, seconds } = await settled(walk());
    expect(value).toEqual(['0a', '0b', '1a', '1b', '2a', '2b', '3a', '3b']);
    expect(throttledSegments.map(({ size }) => size)).toEqual([0, 4, 1, 1, 1, 1, 1, 1, 1, 0]);
    // Eight pages after the first, in over half an hour; one request is tried for ten minutes.
    expect(seconds).toBeGreaterThan(8 * 256);
    expect(seconds).toBeLessThan(8 * 280);
    expect(waits.at(-1)).toBeUndefined();
  });

  it('is read page by page from the first page on if that was throttled', async () => {
    dynamodb
      .on(ScanCommand)
      .rejectsOnce(throttled)
      .resolvesOnce({ ...page('a'), ...more })
      .resolves(page('b'));
    expect(await settled(walk())).toMatchObject({ value: ['a', 'b'] });
    const segments = dynamodb.commandCalls(ScanCommand).map(({ args }) => args[0].input.Segment);
    expect(segments).toEqual([undefined, undefined, undefined]);
  });

  it('is given up once for all segments of a scan', async () => {
    dynamodb.on(ScanCommand).rejects(throttled);
    dynamodb.on(ScanCommand, { Segment: undefined }).resolves({ ...page('a'), ...more });
    const start = Date.now();
    await expect(settled(walk())).rejects.toMatchObject({ code: 'THROTTLED' });
    expect((Date.now() - start) / 60_000).toBeCloseTo(10, 0);
    const asked = dynamodb.calls().length;
    await vi.advanceTimersByTimeAsync(1_200_000);
    expect(dynamodb.calls().length).toBe(asked);
    expect(waits.at(-1)).toBeUndefined();
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
  const keys = new AwsKeyService(new KMSClient({}), 'alias/credstash', 'eu-west-1', retry);
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
