import {
  type AttributeValue,
  BatchWriteItemCommand,
  CreateTableCommand,
  type CreateTableCommandInput,
  DescribeTableCommand,
  DynamoDBClient,
  paginateScan,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { setTimeout as sleep } from 'node:timers/promises';
import { testCredential } from './sigv4.ts';

export { dynamoLocalMissing, startDynamoLocal } from './dynamo-local.ts';
export { startDynalite } from './dynalite.ts';

/** BatchWriteItem takes no more items. */
const MAX_BATCH = 25;

/** A DynamoDB that a test started. */
export interface Dynamo {
  readonly url: string;
  readonly close: () => Promise<void>;
}

/** DynamoDB JSON: an SDK attribute, in which B may also be base64, as test vectors hold it. */
export type RawAttribute = AttributeValue | { readonly B: string };
export type RawItem = Readonly<Record<string, RawAttribute>>;

const clients = new Map<string, DynamoDBClient>();

/** Calls `use` with a client of this DynamoDB: one for each URL, because making one takes longer than a request. */
export async function withClient<T>(
  url: string,
  use: (client: DynamoDBClient) => Promise<T>,
): Promise<T> {
  let client = clients.get(url);
  if (!client) {
    client = new DynamoDBClient({
      endpoint: url,
      region: 'us-east-1',
      credentials: testCredential,
    });
    clients.set(url, client);
  }
  return use(client);
}

/** The keys of a table of credstash. */
export const tableKeys: Pick<CreateTableCommandInput, 'KeySchema' | 'AttributeDefinitions'> = {
  KeySchema: [
    { AttributeName: 'name', KeyType: 'HASH' },
    { AttributeName: 'version', KeyType: 'RANGE' },
  ],
  AttributeDefinitions: [
    { AttributeName: 'name', AttributeType: 'S' },
    { AttributeName: 'version', AttributeType: 'S' },
  ],
};

/** Creates the table of credstash, on demand, and waits until it can be used. */
export async function createTable(url: string, name: string): Promise<void> {
  await withClient(url, async (client) => {
    await client.send(
      new CreateTableCommand({
        TableName: name,
        BillingMode: 'PAY_PER_REQUEST',
        ...tableKeys,
      }),
    );
    // The SDK's waiter pauses for a second at least.
    const active = async (): Promise<boolean> => {
      const { Table } = await client.send(new DescribeTableCommand({ TableName: name }));
      return Table?.TableStatus === 'ACTIVE';
    };
    while (!(await active())) await sleep(10);
  });
}

function decode(attribute: RawAttribute): AttributeValue {
  const bytes: unknown = attribute.B;
  if (typeof bytes === 'string') return { B: Buffer.from(bytes, 'base64') };
  return attribute as AttributeValue;
}

function decodeItem(item: RawItem): Record<string, AttributeValue> {
  return Object.fromEntries(
    Object.entries(item).map(([name, attribute]) => [name, decode(attribute)]),
  );
}

/** Writes an item as it stands, over any other: to plant test vectors and to tamper. */
export async function putRaw(url: string, table: string, item: RawItem): Promise<void> {
  await withClient(url, (client) =>
    client.send(new PutItemCommand({ TableName: table, Item: decodeItem(item) })),
  );
}

/** The same of many items, each of its own key. */
export async function putManyRaw(
  url: string,
  table: string,
  items: readonly RawItem[],
): Promise<void> {
  await withClient(url, async (client) => {
    for (let start = 0; start < items.length; start += MAX_BATCH) {
      const batch = items.slice(start, start + MAX_BATCH);
      const writes = batch.map((item) => ({ PutRequest: { Item: decodeItem(item) } }));
      const { UnprocessedItems = {} } = await client.send(
        new BatchWriteItemCommand({ RequestItems: { [table]: writes } }),
      );
      if (Object.keys(UnprocessedItems).length > 0) throw new Error('some items were not written');
    }
  });
}

/** Reads every item as it stands, in no particular order. */
export async function scanRaw(
  url: string,
  table: string,
): Promise<Record<string, AttributeValue>[]> {
  return withClient(url, async (client) => {
    const items: Record<string, AttributeValue>[] = [];
    const pages = paginateScan({ client }, { TableName: table, ConsistentRead: true });
    for await (const page of pages) items.push(...(page.Items ?? []));
    return items;
  });
}
