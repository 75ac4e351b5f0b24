import { Table } from '../../../src/backend/aws/table.ts';
import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
} from '@aws-sdk/client-dynamodb';
import {
  DecryptCommand,
  GenerateDataKeyCommand,
  KMSClient,
  ReEncryptCommand,
} from '@aws-sdk/client-kms';
import { mockClient } from 'aws-sdk-client-mock';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { AwsEntryStore } from '../../../src/backend/aws/entry-store.ts';
import { AwsKeyService } from '../../../src/backend/aws/key-service.ts';
import { checkContext } from '../../../src/model/context.ts';
import { Credstash } from '../../../src/credstash.ts';
import type { Item } from '../../../src/model/item.ts';
import { collect } from '../../support/collect.ts';

const dynamodb = mockClient(DynamoDBClient);
const kms = mockClient(KMSClient);
const region = 'eu-west-1';
const store = new AwsEntryStore(new Table(new DynamoDBClient({ region }), 'secrets', region));
const keys = new AwsKeyService(new KMSClient({ region }), 'alias/mine', region);
const credstash = Credstash.over({ keys: keys, entries: store });

const dataKey = (): Uint8Array => Uint8Array.from({ length: 64 }, (_, i) => i);
const wrapped = Uint8Array.of(1, 2, 3);
const v1 = '0000000000000000001';
const v2 = '0000000000000000002';

beforeEach(() => {
  dynamodb.reset();
  kms.reset();
  kms
    .on(GenerateDataKeyCommand)
    .callsFake(() => ({ Plaintext: dataKey(), CiphertextBlob: wrapped }));
  kms.on(DecryptCommand).callsFake(() => ({ Plaintext: dataKey() }));
});

function failedCondition(attempts: number): ConditionalCheckFailedException {
  return new ConditionalCheckFailedException({ $metadata: { attempts }, message: '' });
}

/** Every request so far: the command and what it was given. */
function sent(
  client: typeof dynamodb | typeof kms,
): { name: string; input: Record<string, unknown> }[] {
  return client.calls().map(({ args: [command] }) => ({
    name: command.constructor.name,
    input: command.input as unknown as Record<string, unknown>,
  }));
}

describe('a put', () => {
  it('is one GenerateDataKey of 64 bytes bound to the name, and one conditional PutItem [rule 14]', async () => {
    dynamodb.on(PutItemCommand).resolves({});
    await credstash.put('n', Buffer.from('secret'), {
      context: checkContext([['env', 'prod']]),
      comment: 'c',
    });
    expect(sent(kms)).toEqual([
      {
        name: 'GenerateDataKeyCommand',
        input: {
          KeyId: 'alias/mine',
          NumberOfBytes: 64,
          EncryptionContext: { env: 'prod', 'credstash:name': 'n' },
        },
      },
    ]);
    expect(sent(dynamodb)).toEqual([
      {
        name: 'PutItemCommand',
        input: {
          TableName: 'secrets',
          Item: {
            name: { S: 'n' },
            version: { S: v1 },
            cipher: { S: 'AES-256-GCM' },
            digest: { S: 'SHA256' },
            created: { S: expect.stringMatching(/Z$/) as string },
            comment: { S: 'c' },
            key: { B: wrapped },
            contents: { B: expect.any(Uint8Array) as Uint8Array },
            hmac: { B: expect.any(Uint8Array) as Uint8Array },
          },
          ConditionExpression: 'attribute_not_exists(#name)',
          ExpressionAttributeNames: { '#name': 'name' },
        },
      },
    ]);
  });

  it('of the original format sends the user’s pairs alone, and text attributes [rule 16]', async () => {
    dynamodb.on(PutItemCommand).resolves({});
    await credstash.put('n', Buffer.from('s'), {
      cipher: 'AES-256-CTR',
      context: checkContext([['a', 'b']]),
    });
    expect(sent(kms)[0]?.input['EncryptionContext']).toEqual({ a: 'b' });
    expect(sent(dynamodb)[0]?.input['Item']).toEqual({
      name: { S: 'n' },
      version: { S: v1 },
      digest: { S: 'SHA256' },
      key: { S: 'AQID' },
      contents: { S: expect.stringMatching(/^[A-Za-z0-9+/]{2}==$/) as string },
      hmac: { B: expect.any(Uint8Array) as Uint8Array },
    });
  });

  it('that the SDK sent twice, because the first answer was lost, is a success', async () => {
    let item: unknown;
    dynamodb.on(PutItemCommand).callsFake((input: { Item: unknown }) => {
      item = input.Item;
      throw new ConditionalCheckFailedException({ $metadata: {}, message: '' });
    });
    dynamodb.on(GetItemCommand).callsFake(() => ({ Item: item }));
    await credstash.put('n', Buffer.from('s'));
    expect(sent(dynamodb).map(({ name }) => name)).toEqual(['PutItemCommand', 'GetItemCommand']);
  });
});

describe('a put of a version that is there', () => {
  it('says so to a writer who is not allowed to read', async () => {
    dynamodb.on(PutItemCommand).rejects(failedCondition(1));
    const denied = Object.assign(new Error('no'), { name: 'AccessDeniedException' });
    dynamodb.on(GetItemCommand).rejects(denied);
    await expect(credstash.put('n', Buffer.from('s'))).rejects.toMatchObject({
      code: 'VERSION_EXISTS',
    });
  });

  it('says so if the look at it fails, unless the put may be the one that stored it', async () => {
    dynamodb.on(GetItemCommand).rejects(Object.assign(new Error('no'), { code: 'ECONNRESET' }));
    dynamodb.on(PutItemCommand).rejects(failedCondition(1));
    await expect(credstash.put('n', Buffer.from('s'))).rejects.toMatchObject({
      code: 'VERSION_EXISTS',
    });
    dynamodb.on(PutItemCommand).rejects(failedCondition(2));
    await expect(credstash.put('n', Buffer.from('s'))).rejects.toMatchObject({
      code: 'UNREACHABLE',
    });
  });
});

describe('a get', () => {
  const stored = async (): Promise<Record<string, unknown>> => {
    dynamodb.on(PutItemCommand).resolves({});
    await credstash.put('n', Buffer.from('secret'));
    const item = sent(dynamodb)[0]?.input['Item'];
    dynamodb.reset();
    kms.resetHistory();
    return item as Record<string, unknown>;
  };

  it('of the newest is one consistent Query of one item, and one Decrypt', async () => {
    const item = await stored();
    dynamodb
      .on(QueryCommand)
      .resolves({ Items: [item as never], LastEvaluatedKey: { name: { S: 'n' } } });
    expect(Buffer.from(await credstash.get('n')).toString()).toBe('secret');
    expect(sent(dynamodb)).toEqual([
      {
        name: 'QueryCommand',
        input: {
          TableName: 'secrets',
          ConsistentRead: true,
          ScanIndexForward: false,
          Limit: 1,
          KeyConditionExpression: '#name = :name',
          ExpressionAttributeNames: { '#name': 'name' },
          ExpressionAttributeValues: { ':name': { S: 'n' } },
        },
      },
    ]);
    expect(sent(kms)).toEqual([
      {
        name: 'DecryptCommand',
        input: { CiphertextBlob: wrapped, EncryptionContext: { 'credstash:name': 'n' } },
      },
    ]);
  });

  it('of a version is one consistent GetItem, and one Decrypt', async () => {
    const item = await stored();
    dynamodb.on(GetItemCommand).resolves({ Item: item as never });
    await credstash.get('n', { version: '1' });
    expect(sent(dynamodb)).toEqual([
      {
        name: 'GetItemCommand',
        input: {
          TableName: 'secrets',
          Key: { name: { S: 'n' }, version: { S: v1 } },
          ConsistentRead: true,
        },
      },
    ]);
    expect(sent(kms)).toHaveLength(1);
  });
});

describe('reading many', () => {
  const key = { name: { S: 'n' }, version: { S: v1 } };

  /** Answers a scan of more than a page: each segment with its pages, one after the other. */
  const answerSegments = (...segments: object[][]): void => {
    dynamodb.on(ScanCommand).resolves({ Items: [key], LastEvaluatedKey: key });
    segments.forEach((pages, Segment) => {
      const answers = dynamodb.on(ScanCommand, { Segment });
      for (const page of pages.slice(0, -1)) answers.resolvesOnce(page);
      answers.resolves(pages.at(-1) ?? {});
    });
  };
  const item = (name: string): Item => ({ name: { S: name }, version: { S: v1 } });
  const namesOf = async (headers: AsyncIterable<{ name: string }>): Promise<string[]> =>
    (await collect(headers)).map(({ name }) => name).sort();

  it('of more than a page reads four segments, each to its end', async () => {
    answerSegments(
      [{ Items: [item('a')], LastEvaluatedKey: item('a') }, { Items: [item('b')] }],
      [{ Items: [] }],
      [
        { Items: [item('c')], LastEvaluatedKey: item('c') },
        // An empty page is not the last.
        { Items: [], LastEvaluatedKey: item('d') },
        { Items: [item('e')] },
      ],
      [{ Items: [item('f')] }],
    );
    expect(await namesOf(store.headers())).toEqual(['a', 'b', 'c', 'e', 'f']);
    const inputs = sent(dynamodb).map(({ input }) => input);
    for (const input of inputs) {
      expect(input).toMatchObject({
        TableName: 'secrets',
        ConsistentRead: true,
        ProjectionExpression: '#name,#version,#cipher,#digest,#created,#comment,#labels',
      });
    }
    const starts = (segment: number | undefined): unknown[] =>
      inputs
        .filter(({ Segment, TotalSegments }) => {
          expect(TotalSegments).toBe(Segment === undefined ? undefined : 4);
          return Segment === segment;
        })
        .map((input) => input['ExclusiveStartKey']);
    expect([undefined, 0, 1, 2, 3].map(starts)).toEqual([
      [undefined],
      [undefined, item('a')],
      [undefined],
      [undefined, item('c'), item('d')],
      [undefined],
    ]);
  });

  it('sends the segments side by side', async () => {
    let open = 0;
    const together: (() => void)[] = [];
    dynamodb.on(ScanCommand).callsFake((input: { Segment?: number }) => {
      if (input.Segment === undefined) return { Items: [key], LastEvaluatedKey: key };
      open += 1;
      // None is answered before all have been asked.
      return new Promise((resolve) => {
        together.push(() => {
          resolve({ Items: [item(`n${input.Segment}`)] });
        });
        if (open === 4) for (const answer of together) answer();
      });
    });
    expect(await namesOf(store.scan())).toEqual(['n0', 'n1', 'n2', 'n3']);
  });

  it('fails as a whole when one segment does, and waits for no other', async () => {
    const denied = Object.assign(new Error('no'), { name: 'AccessDeniedException' });
    const aborted: unknown[] = [];
    dynamodb.on(ScanCommand).resolves({ Items: [key], LastEvaluatedKey: key });
    dynamodb.on(ScanCommand, { Segment: 1 }).resolves({ Items: [item('a')] });
    dynamodb.on(ScanCommand, { Segment: 2 }).rejects(denied);
    for (const Segment of [0, 3]) {
      dynamodb.on(ScanCommand, { Segment }).callsFake(() => new Promise(() => undefined));
    }
    await expect(collect(store.headers())).rejects.toMatchObject({ code: 'ACCESS_DENIED' });
    for (const { args } of dynamodb.calls().slice(1)) {
      const [, options] = args as [unknown, { abortSignal?: AbortSignal }?];
      aborted.push(options?.abortSignal?.aborted);
    }
    expect(aborted).toEqual([true, true, true, true]);
  });

  it('ends with the reason of its signal, also between two pages of a segment', async () => {
    const controller = new AbortController();
    let page = 0;
    dynamodb.on(ScanCommand).callsFake(() => {
      page += 1;
      return { Items: [item(`n${page}`)], LastEvaluatedKey: item(`n${page}`) };
    });
    const read = async (): Promise<void> => {
      for await (const _ of store.withSignal(controller.signal).headers()) {
        if (page > 20) controller.abort('enough');
      }
    };
    await expect(read()).rejects.toBe('enough');
    expect(page).toBeLessThan(30);
  });

  it.each<[what: string, page: object]>([
    ['no list', {}],
    ['a list of nothing', { Items: [null] }],
    ['no list but an object', { Items: {} }],
    ['a next page without a key', { Items: [key], LastEvaluatedKey: [] }],
    ['a next page without a version', { Items: [key], LastEvaluatedKey: { name: key.name } }],
    ['a next page after no item', { Items: [key], LastEvaluatedKey: { ...key, x: { S: 'x' } } }],
    ['a next page after bytes', { Items: [key], LastEvaluatedKey: { ...key, name: { B: 'x' } } }],
  ])('a page that is %s is no answer, and no empty table', async (_, page) => {
    dynamodb.on(ScanCommand).resolves(page);
    dynamodb.on(QueryCommand).resolves(page);
    const unreadable = { code: 'UNREACHABLE', exitStatus: 7 };
    await expect(collect(store.headers())).rejects.toMatchObject(unreadable);
    await expect(collect(store.scan())).rejects.toMatchObject(unreadable);
    await expect(collect(store.headers('n'))).rejects.toMatchObject(unreadable);
  });

  it('does not go round in a circle, however many pages that has', async () => {
    const circle = { code: 'UNREACHABLE', message: expect.stringContaining('again') as string };
    // Also two segments that go on from one key: they have no item in common.
    dynamodb.on(ScanCommand).resolves({ Items: [], LastEvaluatedKey: key });
    await expect(collect(store.headers())).rejects.toMatchObject(circle);
    expect(sent(dynamodb).length).toBeLessThanOrEqual(1 + 4 + 4);
    for (const length of [2, 3, 50]) {
      dynamodb.reset();
      let page = 0;
      const next = (): object => {
        // The order of its attributes makes no other key of it.
        const name = { S: `n${page % length}` };
        const start =
          page < length ? { name, version: key.version } : { version: key.version, name };
        page += 1;
        return { Items: [{ ...key, name }], LastEvaluatedKey: start };
      };
      dynamodb.on(QueryCommand).callsFake(() => ({ ...next(), Items: [key] }));
      await expect(collect(store.headers('n'))).rejects.toMatchObject(circle);
      expect(sent(dynamodb)).toHaveLength(length + 1);
      page = 0;
      dynamodb.resetHistory();
      dynamodb.on(ScanCommand).resolves({ Items: [] });
      dynamodb.on(ScanCommand, { Segment: undefined }).resolves({
        Items: [],
        LastEvaluatedKey: key,
      });
      dynamodb.on(ScanCommand, { Segment: 2 }).callsFake(next);
      await expect(collect(store.scan())).rejects.toMatchObject(circle);
      expect(sent(dynamodb)).toHaveLength(1 + 3 + length + 1);
    }
  });

  it('goes on for an hour of answers at most, whatever they hold', async () => {
    let now = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
    let page = 0;
    const endless = (seconds: number) => (): object => {
      now += seconds * 1000;
      page += 1;
      return { Items: [key], LastEvaluatedKey: { ...key, version: { S: `${page}` } } };
    };
    dynamodb.on(ScanCommand).callsFake(endless(60));
    dynamodb.on(QueryCommand).callsFake(endless(60));
    const late = { code: 'UNREACHABLE', message: expect.stringContaining('60 minutes') as string };
    await expect(collect(store.headers('n'))).rejects.toMatchObject(late);
    expect(sent(dynamodb)).toHaveLength(61);
    // The time of all segments counts together.
    dynamodb.resetHistory();
    await expect(collect(store.headers())).rejects.toMatchObject(late);
    expect(sent(dynamodb).length).toBeLessThanOrEqual(62 + 4);

    // What the caller does between two pages may take as long as it likes.
    page = 0;
    for await (const _ of store.headers()) {
      now += 3_600_000;
      if (page === 50) break;
    }
    expect(page).toBe(50);
    clock.mockRestore();
  });

  it('takes no entry of another name, or version, than the one it asked for', async () => {
    dynamodb.on(QueryCommand).resolves({ Items: [key] });
    dynamodb.on(GetItemCommand).resolves({ Item: key });
    const another = { code: 'INTEGRITY', message: expect.stringContaining(' m') as string };
    await expect(store.latest('m')).rejects.toMatchObject(another);
    await expect(store.get('m', v1)).rejects.toMatchObject(another);
    await expect(collect(store.headers('m'))).rejects.toMatchObject(another);
    await expect(store.get('n', v2)).rejects.toMatchObject({ code: 'INTEGRITY' });
  });

  it('lists one name by a Query of headers', async () => {
    dynamodb.on(QueryCommand).resolves({ Items: [key] });
    await collect(store.headers('n'));
    expect(sent(dynamodb)[0]?.input).toMatchObject({
      ConsistentRead: true,
      ProjectionExpression: '#name,#version,#cipher,#digest,#created,#comment,#labels',
      ExpressionAttributeValues: { ':name': { S: 'n' } },
    });
  });

  it('filters by each prefix in one scan, and not at all where one is empty', async () => {
    dynamodb.on(ScanCommand).resolves({ Items: [] });
    await collect(store.scan(['a.', 'b']));
    await collect(store.scan(['a.', '']));
    const scan = { TableName: 'secrets', ConsistentRead: true };
    expect(sent(dynamodb).map(({ input }) => input)).toEqual([
      {
        ...scan,
        FilterExpression: 'begins_with(#name, :prefix0) OR begins_with(#name, :prefix1)',
        ExpressionAttributeNames: { '#name': 'name' },
        ExpressionAttributeValues: { ':prefix0': { S: 'a.' }, ':prefix1': { S: 'b' } },
      },
      scan,
    ]);
  });

  it('reads whole entries by one consistent Scan', async () => {
    dynamodb.on(ScanCommand).resolves({ Items: [] });
    expect(await collect(store.scan())).toEqual([]);
    expect(sent(dynamodb)).toEqual([
      { name: 'ScanCommand', input: { TableName: 'secrets', ConsistentRead: true } },
    ]);
  });
});

describe('a delete', () => {
  it('is one conditional DeleteItem', async () => {
    dynamodb.on(DeleteItemCommand).resolves({});
    expect(await store.remove('n', v1)).toBe(true);
    expect(sent(dynamodb)[0]?.input).toEqual({
      TableName: 'secrets',
      Key: { name: { S: 'n' }, version: { S: v1 } },
      ConditionExpression: 'attribute_exists(#name)',
      ExpressionAttributeNames: { '#name': 'name' },
    });
  });
});

describe('a delete whose condition fails', () => {
  it('was not there when it was sent once, and was this very delete when it was sent again', async () => {
    dynamodb.on(DeleteItemCommand).rejects(failedCondition(1));
    expect(await store.remove('n', v1)).toBe(false);
    dynamodb.on(DeleteItemCommand).rejects(failedCondition(2));
    expect(await store.remove('n', v1)).toBe(true);
  });
});

describe('data keys of KMS', () => {
  it('are copied, and the buffer of the SDK is zeroed', async () => {
    const theirs = dataKey();
    kms.on(GenerateDataKeyCommand).resolves({ Plaintext: theirs, CiphertextBlob: wrapped });
    expect((await keys.generate(checkContext([]))).plaintext).toEqual(dataKey());
    expect(theirs).toEqual(new Uint8Array(64));
    const again = dataKey();
    kms.on(DecryptCommand).resolves({ Plaintext: again });
    expect(await keys.unwrap(wrapped, checkContext([]))).toEqual(dataKey());
    expect(again).toEqual(new Uint8Array(64));
  });

  it.each([
    ['lacks', {}],
    ['has no bytes of', { CiphertextBlob: new Uint8Array(0) }],
  ])('are zeroed when the answer %s the wrapped one', async (_, rest) => {
    const theirs = dataKey();
    kms.on(GenerateDataKeyCommand).resolves({ Plaintext: theirs, ...rest });
    await expect(keys.generate(checkContext([]))).rejects.toMatchObject({ code: 'UNREACHABLE' });
    expect(theirs).toEqual(new Uint8Array(64));
  });

  it.each([32, 63, 65])('of %d bytes are zeroed too, and refused', async (length) => {
    const theirs: Uint8Array[] = [];
    const answer = (): { Plaintext: Uint8Array; CiphertextBlob: Uint8Array } => {
      const Plaintext = new Uint8Array(length).fill(7);
      theirs.push(Plaintext);
      return { Plaintext, CiphertextBlob: wrapped };
    };
    dynamodb.on(PutItemCommand).resolves({});
    await credstash.put('n', Uint8Array.of(1));
    dynamodb.on(QueryCommand).resolves({ Items: [sent(dynamodb)[0]?.input['Item'] as Item] });
    kms.on(GenerateDataKeyCommand).callsFake(answer);
    kms.on(DecryptCommand).callsFake(answer);
    const refused = expect.objectContaining({ code: 'INTEGRITY' }) as Error;
    await expect(credstash.put('n', Uint8Array.of(1))).rejects.toThrow(refused);
    await expect(credstash.get('n')).rejects.toThrow(refused);
    expect(theirs).toEqual([new Uint8Array(length), new Uint8Array(length)]);
  });

  it('are rewrapped by one ReEncrypt, in which no plaintext comes here', async () => {
    kms.on(ReEncryptCommand).resolves({ CiphertextBlob: Uint8Array.of(9) });
    expect(await keys.rewrap(wrapped, checkContext([['a', 'b']]))).toEqual(Uint8Array.of(9));
    expect(sent(kms)).toEqual([
      {
        name: 'ReEncryptCommand',
        input: {
          CiphertextBlob: wrapped,
          SourceEncryptionContext: { a: 'b' },
          DestinationEncryptionContext: { a: 'b' },
          DestinationKeyId: 'alias/mine',
        },
      },
    ]);
  });
});

it('headers come page by page: the next page is asked for when the one before is used up', async () => {
  const item = (name: string): Item => ({ name: { S: name }, version: { S: v1 } });
  dynamodb
    .on(ScanCommand)
    .resolves({ Items: [] })
    .on(ScanCommand, { Segment: undefined })
    .resolves({ Items: [item('a')], LastEvaluatedKey: item('a') })
    .on(ScanCommand, { Segment: 1 })
    .resolvesOnce({ Items: [item('a'), item('b')], LastEvaluatedKey: item('b') })
    .resolvesOnce({ Items: [item('c')] });
  const headers = credstash.headers();
  expect((await headers.next()).value).toMatchObject({ name: 'a' });
  expect((await headers.next()).value).toMatchObject({ name: 'b' });
  expect(sent(dynamodb)).toHaveLength(1 + 4);
  expect((await headers.next()).value).toMatchObject({ name: 'c' });
  expect(sent(dynamodb)).toHaveLength(1 + 4 + 1);
  expect((await headers.next()).done).toBe(true);
});
