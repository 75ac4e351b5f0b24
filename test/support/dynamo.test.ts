import { DynamoDBClient, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createTable,
  type Dynamo,
  dynamoLocalMissing,
  putRaw,
  scanRaw,
  startDynalite,
  startDynamoLocal,
} from './dynamo.ts';
import { testCredential } from './sigv4.ts';

describe.each([
  { start: startDynalite, missing: undefined },
  { start: startDynamoLocal, missing: dynamoLocalMissing() },
])('$start.name', ({ start, missing }) => {
  describe.skipIf(missing)(missing ?? 'as DynamoDB', () => {
    let dynamo: Dynamo;
    beforeAll(async () => {
      dynamo = await start();
      await createTable(dynamo.url, 'credential-store');
    });
    afterAll(() => dynamo.close());

    test('puts, refuses to overwrite, queries newest first', async () => {
      const credentials = { ...testCredential, accessKeyId: 'AKIDOTHER' };
      const client = new DynamoDBClient({
        endpoint: dynamo.url,
        region: 'eu-west-1', // one database for every region and access key
        credentials,
      });
      const put = (version: string): PutItemCommand =>
        new PutItemCommand({
          TableName: 'credential-store',
          Item: { name: { S: 'a' }, version: { S: version } },
          ConditionExpression: 'attribute_not_exists(#n)',
          ExpressionAttributeNames: { '#n': 'name' },
        });
      await client.send(put('1'));
      await client.send(put('2'));
      await expect(client.send(put('2'))).rejects.toMatchObject({
        name: 'ConditionalCheckFailedException',
      });
      const { Items } = await client.send(
        new QueryCommand({
          TableName: 'credential-store',
          KeyConditionExpression: '#n = :n',
          ExpressionAttributeNames: { '#n': 'name' },
          ExpressionAttributeValues: { ':n': { S: 'a' } },
          ScanIndexForward: false,
          ConsistentRead: true,
        }),
      );
      expect(Items?.map((item) => item.version?.S)).toEqual(['2', '1']);
      client.destroy();
    });

    test('raw items are written over, from bytes or base64, and read back', async () => {
      await createTable(dynamo.url, 'raw');
      const key = { name: { S: 'a' }, version: { S: '1' } };
      await putRaw(dynamo.url, 'raw', { ...key, hmac: { B: Buffer.from('first') } });
      await putRaw(dynamo.url, 'raw', { ...key, hmac: { B: 'c2Vjb25k' } });
      const hmac = { B: Uint8Array.from(Buffer.from('second')) };
      expect(await scanRaw(dynamo.url, 'raw')).toEqual([{ ...key, hmac }]);
    });
  });
});
