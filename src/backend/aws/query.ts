/** Reads items by name. Every read is consistent. */
import {
  GetItemCommand,
  type GetItemCommandInput,
  QueryCommand,
  type QueryCommandInput,
} from '@aws-sdk/client-dynamodb';
import { CredstashError } from '../../errors.ts';
import { parseHeader } from '../../model/item.ts';
import { unreadableAnswer } from './errors.ts';
import { isRecord, createKey, type RawItem } from './items.ts';
import { readPages } from './pages.ts';
import type { Table } from './table.ts';

/** Gets the item of one version; undefined if it does not exist. */
export async function getItem(
  table: Table,
  name: string,
  version: string,
  projection: Partial<GetItemCommandInput> = {},
): Promise<RawItem | undefined> {
  const Key = createKey(name, version);
  const input = { TableName: table.name, Key, ConsistentRead: true, ...projection };
  const answer = await table.send('dynamodb:GetItem', (options) =>
    table.dynamodb.send(new GetItemCommand(input), options),
  );
  // A mocked client resolves to undefined for a command that it was not told of.
  if (!isRecord(answer)) throw unreadableAnswer(table.where);
  const { Item } = answer;
  return Item && checkItem(table, Item, name, version);
}

/**
 * Yields the items of one name, the lowest version first unless `query` says otherwise.
 *
 * @param onRequest called for each page
 */
export async function* queryItems(
  table: Table,
  name: string,
  query: Partial<QueryCommandInput>,
  onRequest?: () => void,
): AsyncGenerator<RawItem> {
  const pages = readPages(table, 'dynamodb:Query', (start, options) =>
    table.dynamodb.send(
      new QueryCommand({
        TableName: table.name,
        ConsistentRead: true,
        KeyConditionExpression: '#name = :name',
        ...query,
        ExpressionAttributeNames: { ...query.ExpressionAttributeNames, '#name': 'name' },
        ExpressionAttributeValues: { ...query.ExpressionAttributeValues, ':name': { S: name } },
        ...start,
      }),
      options,
    ),
  );
  for await (const { items } of pages) {
    onRequest?.();
    for (const item of items) yield checkItem(table, item, name);
  }
}

/** Checks that an answer has the requested name and version, so that no other entry is opened or deleted instead. */
function checkItem(
  { location }: Table,
  item: RawItem,
  name: string,
  version = item['version']?.S,
): RawItem {
  const found = isRecord(item) ? parseHeader(item) : undefined;
  if (found?.name === name && found.version === version) return item;
  throw new CredstashError(
    'INTEGRITY',
    `${location} answered with another entry than one of ${name}`,
  );
}
