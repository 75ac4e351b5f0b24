import { Table } from '../../../src/backend/aws/table.ts';
import {
  ConditionalCheckFailedException,
  DynamoDBClient,
  GetItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { mockClient } from 'aws-sdk-client-mock';
import { beforeEach, describe, expect, it } from 'vitest';
import { AwsEntryStore } from '../../../src/backend/aws/entry-store.ts';
import type { Entry } from '../../../src/model/entry.ts';
import { encodeItem } from '../../../src/model/item.ts';

const dynamodb = mockClient(DynamoDBClient);
const store = new AwsEntryStore(
  new Table(new DynamoDBClient({ region: 'eu-west-1' }), 'secrets', 'eu-west-1'),
);

const was: Entry = {
  name: 'n',
  version: '1',
  cipher: 'AES-256-CTR',
  comment: 'before',
  key: Buffer.from('key'),
  contents: Buffer.from('contents'),
  hmac: Buffer.from('hmac'),
};
const now: Entry = {
  name: 'n',
  version: '1',
  cipher: 'AES-256-GCM',
  digest: 'SHA512',
  created: '2026-11-23T09:31:00Z',
  key: Buffer.from('other key'),
  contents: Buffer.from('other contents'),
  hmac: Buffer.from('other hmac'),
};

beforeEach(() => {
  dynamodb.reset();
});

function inputs(): unknown[] {
  return dynamodb.calls().map(({ args: [command] }) => command.input);
}

describe('replacing an entry', () => {
  it('is one UpdateItem on the condition that every attribute is as it was', async () => {
    dynamodb.on(UpdateItemCommand).resolves({});
    await store.replace(now, was);
    const [to, from] = [encodeItem(now), encodeItem(was)];
    expect(inputs()).toEqual([
      {
        TableName: 'secrets',
        Key: { name: { S: 'n' }, version: { S: '1' } },
        UpdateExpression:
          'SET #cipher = :cipher, #digest = :digest, #created = :created, #key = :key, #contents = :contents, #hmac = :hmac REMOVE #comment',
        ConditionExpression:
          'attribute_exists(#name) AND attribute_not_exists(#cipher) AND attribute_not_exists(#digest) AND #comment = :was_comment AND #key = :was_key AND #contents = :was_contents AND #hmac = :was_hmac',
        ExpressionAttributeNames: {
          '#name': 'name',
          '#cipher': 'cipher',
          '#digest': 'digest',
          '#created': 'created',
          '#comment': 'comment',
          '#key': 'key',
          '#contents': 'contents',
          '#hmac': 'hmac',
        },
        ExpressionAttributeValues: {
          ':cipher': to['cipher'],
          ':digest': to['digest'],
          ':created': to['created'],
          ':key': to['key'],
          ':contents': to['contents'],
          ':hmac': to['hmac'],
          ':was_comment': from['comment'],
          ':was_key': from['key'],
          ':was_contents': from['contents'],
          ':was_hmac': from['hmac'],
        },
      },
    ]);
  });

  it('removes nothing when the entry has every attribute', async () => {
    dynamodb.on(UpdateItemCommand).resolves({});
    await store.replace({ ...now, comment: 'c' }, was);
    expect(inputs()).toMatchObject([
      { UpdateExpression: expect.not.stringContaining('REMOVE') as string },
    ]);
  });

  it.each([
    ['another entry is there', { Item: encodeItem({ ...now, hmac: Buffer.from('x') }) }],
    ['an attribute that it has is not there', { Item: { ...encodeItem(now), hmac: undefined } }],
    ['an attribute that it has not is there', { Item: encodeItem({ ...now, comment: 'c' }) }],
    ['nothing is there any more', {}],
  ])('is a conflict when %s, which one consistent GetItem tells', async (_, answer) => {
    dynamodb
      .on(UpdateItemCommand)
      .rejects(new ConditionalCheckFailedException({ $metadata: {}, message: '' }));
    dynamodb.on(GetItemCommand).resolves(answer as never);
    await expect(store.replace(now, was)).rejects.toMatchObject({
      code: 'CONFLICT',
      exitStatus: 4,
      message: 'version 1 of n in the table secrets in eu-west-1 was changed meanwhile',
    });
    expect(inputs()[1]).toEqual({
      TableName: 'secrets',
      Key: { name: { S: 'n' }, version: { S: '1' } },
      ConsistentRead: true,
    });
  });
});

describe('listing every version', () => {
  it('is one consistent Query for each page', async () => {
    const start = { name: { S: 'n' }, version: { S: '1' } };
    dynamodb
      .on(QueryCommand)
      .resolvesOnce({ Items: [encodeItem(now)], LastEvaluatedKey: start })
      .resolves({ Items: [encodeItem(was)] });
    const digests: (string | undefined)[] = [];
    for await (const { digest } of store.headers('n')) digests.push(digest);
    expect(digests).toEqual([now.digest, was.digest]);
    const names = ['name', 'version', 'cipher', 'digest', 'created', 'comment', 'labels'];
    const query = {
      TableName: 'secrets',
      ConsistentRead: true,
      KeyConditionExpression: '#name = :name',
      ProjectionExpression: names.map((name) => `#${name}`).join(),
      ExpressionAttributeNames: Object.fromEntries(names.map((name) => [`#${name}`, name])),
      ExpressionAttributeValues: { ':name': { S: 'n' } },
    };
    expect(inputs()).toEqual([query, { ...query, ExclusiveStartKey: start }]);
  });

  it('reads no page that nobody asks for', async () => {
    const start = { name: { S: 'n' }, version: { S: '1' } };
    dynamodb.on(QueryCommand).resolves({ Items: [encodeItem(now)], LastEvaluatedKey: start });
    for await (const entry of store.headers('n')) {
      expect(entry.digest).toBe('SHA512');
      break;
    }
    expect(inputs()).toHaveLength(1);
  });
});
