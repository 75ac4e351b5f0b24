/** Finds the version that has a label, and moves labels. */
import {
  type AttributeValue,
  DescribeTableCommand,
  TransactWriteItemsCommand,
  type TransactWriteItemsCommandInput,
} from '@aws-sdk/client-dynamodb';
import { CredstashError } from '../../errors.ts';
import type { Entry } from '../../model/entry.ts';
import { parseHeader, parseItem } from '../../model/item.ts';
import { sleep } from '../../util/sleep.ts';
import { severalLabelled, versionNotFound } from '../entry-store.ts';
import { readErrorName } from './errors.ts';
import { createPlaceholders, createProjection, type RawItem } from './items.ts';
import { queryItems } from './query.ts';
import type { Table } from './table.ts';
import { createSendOptions } from './throttle-retry.ts';

/**
 * An attribute of a name's lowest version that counts the moves of that name's labels. Every move changes it, so that two
 * moves never succeed at once, whichever versions they concern.
 */
export const MOVES = 'labelmoves';

/** How often a move is tried if other moves interfere. */
const MOVES_AT_ONCE = 32;

/** How often a label that is being moved is looked up. */
const READS_OF_A_LABEL = 3;

type TransactUpdate = NonNullable<
  NonNullable<TransactWriteItemsCommandInput['TransactItems']>[number]['Update']
>;

/**
 * Gets the version of `name` that has `label`; undefined if none has it.
 *
 * @throws CredstashError CONFLICT if several have it
 */
export async function getByLabel(
  table: Table,
  name: string,
  label: string,
): Promise<Entry | undefined> {
  const query = {
    ScanIndexForward: false,
    FilterExpression: 'contains(#labels, :label)',
    ExpressionAttributeNames: createPlaceholders(['labels']),
    ExpressionAttributeValues: { ':label': { S: label } },
  };
  for (let tries = 1; ; tries += 1) {
    const found: RawItem[] = [];
    for await (const item of queryItems(table, name, query)) {
      // DynamoDB's `contains` also finds the label in an attribute that is a text.
      if (parseHeader(item).labels?.includes(label)) found.push(item);
    }
    const [item, other] = found;
    if (item && !other) return parseItem(item);
    // A query is not a snapshot: while a label moves, it may see both places, or none.
    if (tries < READS_OF_A_LABEL) await sleep(50 * tries, table.signal);
    else if (item) throw severalLabelled(name, label, table.location);
    else return undefined;
  }
}

/**
 * Moves `label` to `version` in one transaction. If `version` is undefined, removes the label.
 *
 * @returns the versions that had it before
 * @throws CredstashError VERSION_NOT_FOUND, CONFLICT if others keep moving it
 */
export async function moveLabel(
  table: Table,
  name: string,
  label: string,
  version: string | undefined,
): Promise<string[]> {
  let first: string[] | undefined;
  let moved = false;
  for (let tries = 0; tries < MOVES_AT_ONCE; tries += 1) {
    const items: RawItem[] = [];
    const projection = createProjection(['name', 'version', 'labels', MOVES]);
    for await (const item of queryItems(table, name, projection)) items.push(item);
    const versionOf = (item: RawItem): string => item['version']?.S ?? '';
    if (version !== undefined && !items.some((item) => versionOf(item) === version)) {
      throw versionNotFound(name, version, table.location);
    }
    const had = items.filter((item) => parseHeader(item).labels?.includes(label));
    const before = had.map(versionOf);
    const isMoved = before.join() === (version ?? '');
    // Re-read after our transaction. Another writer may have moved the label since, which is fine. But while another
    // version became the lowest, two moves may have put it on two versions.
    if (isMoved || (moved && before.length <= 1)) return first ?? before;
    // The lowest version comes first.
    const updates = items.flatMap((item, at) =>
      createUpdates(table, item, label, {
        add: versionOf(item) === version && !had.includes(item),
        remove: versionOf(item) !== version && had.includes(item),
        isFirst: at === 0,
      }),
    );
    const input = { TransactItems: updates.map((Update) => ({ Update })) };
    moved = await table.send('dynamodb:UpdateItem', async (options) => {
      try {
        await table.dynamodb.send(new TransactWriteItemsCommand(input), options);
        return true;
      } catch (error) {
        if (isOvertaken(error)) return false;
        throw await toTransactionError(table, error, name);
      }
    });
    // If the answer to our move was lost, the next read finds the label moved: the first read tells who had it before.
    if (moved || first === undefined) first = before;
    if (!moved) await sleep(Math.random() * 50 * (tries + 1), table.signal);
  }
  throw new CredstashError(
    'CONFLICT',
    `others keep moving the labels of ${name} in ${table.location}`,
    { hint: 'try again' },
  );
}

/** Creates the update of one version for a move; empty for most versions. */
function createUpdates(
  table: Table,
  item: RawItem,
  label: string,
  { add, remove, isFirst }: { add: boolean; remove: boolean; isFirst: boolean },
): TransactUpdate[] {
  if (!add && !remove && !isFirst) return [];
  const moves = item[MOVES];
  const adds = [...(add ? ['#labels :label'] : []), ...(isFirst ? [`#${MOVES} :one`] : [])];
  const unmoved = moves ? `#${MOVES} = :moves` : `attribute_not_exists(#${MOVES})`;
  return [
    {
      TableName: table.name,
      Key: { name: item['name'] as AttributeValue, version: item['version'] as AttributeValue },
      UpdateExpression: [
        ...(adds.length > 0 ? [`ADD ${adds.join(', ')}`] : []),
        ...(remove ? ['DELETE #labels :label'] : []),
      ].join(' '),
      // Without this condition, the update would create a version that was deleted meanwhile.
      ConditionExpression: `attribute_exists(#name)${isFirst ? ` AND ${unmoved}` : ''}`,
      ExpressionAttributeNames: createPlaceholders([
        'name',
        ...(add || remove ? ['labels'] : []),
        ...(isFirst ? [MOVES] : []),
      ]),
      ExpressionAttributeValues: {
        ...(add || remove ? { ':label': { SS: [label] } } : {}),
        ...(isFirst ? { ':one': { N: '1' }, ...(moves ? { ':moves': moves } : {}) } : {}),
      },
    },
  ];
}

/**
 * Reads the reason of each part of a cancelled transaction, `None` for parts that did not fail; empty for any other error.
 * https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html#API_TransactWriteItems_Errors
 */
export function readCancellationReasons(error: unknown): string[] {
  if (readErrorName(error) !== 'TransactionCanceledException') return [];
  const { CancellationReasons: reasons = [] } = error as {
    CancellationReasons?: { Code?: string }[];
  };
  return reasons.map(({ Code = 'None' }) => Code);
}

/** Whether another transaction interfered, so that this one must start over. */
function isOvertaken(error: unknown): boolean {
  if (readErrorName(error) === 'TransactionConflictException') return true;
  const codes = readCancellationReasons(error).filter((code) => code !== 'None');
  return (
    codes.length > 0 &&
    codes.every((code) => ['ConditionalCheckFailed', 'TransactionConflict'].includes(code))
  );
}

/** The error of a transaction about the labels of `name`. The caller waits and repeats a throttled transaction. */
export async function toTransactionError(
  table: Table,
  error: unknown,
  name: string,
): Promise<unknown> {
  const where = table.location;
  const codes = readCancellationReasons(error);
  const throttled = codes.find((code) => /Throttling|ThroughputExceeded/.test(code));
  if (throttled !== undefined) {
    return new CredstashError(
      'THROTTLED',
      `DynamoDB throttled the request on ${where} (${throttled}), after retries`,
    );
  }
  // Of this transaction only the item's size depends on the user's data, so the size is invalid.
  if (codes.includes('ValidationError')) {
    return new CredstashError(
      'TOO_LARGE',
      `with this label, ${name} would be larger than DynamoDB takes (400 KB)`,
      { hint: 'labels count as a part of the entry: take one away first' },
    );
  }
  return table.toError(error, 'dynamodb:UpdateItem').code === 'UNEXPECTED' &&
    (await isStronglyConsistent(table))
    ? new CredstashError(
        'USAGE',
        `${where} has multi-Region strong consistency, and DynamoDB refuses transactions on it, which labels need`,
        { hint: 'name versions with `version`, not with labels' },
      )
    : error;
}

/** Whether DynamoDB says that a table has multi-Region strong consistency. False if the caller may not ask. */
async function isStronglyConsistent({ dynamodb, name, signal }: Table): Promise<boolean> {
  try {
    const describe = new DescribeTableCommand({ TableName: name });
    const { Table: description } = await dynamodb.send(describe, createSendOptions(signal));
    return description?.MultiRegionConsistency === 'STRONG';
  } catch {
    return false;
  }
}
