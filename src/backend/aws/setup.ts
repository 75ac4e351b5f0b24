import {
  CreateTableCommand,
  DescribeTableCommand,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { setTimeout as sleep } from 'node:timers/promises';
import { CredstashError } from '../../errors.ts';
import { nameOf, translate } from './errors.ts';
import type { Patience } from './patience.ts';

/** A table is made in seconds. */
const LONGEST_WAIT_MS = 300_000;
const PAUSE_MS = 1000;

/**
 * Creates the table, with on-demand billing, and waits until it is active. Whether this call created it: one
 * that is there already is fine.
 *
 * @param tags of the table, beside `Name=credstash` as in the original. They are a part of the request that creates it:
 *   a table without its tags never is
 * @param patience for a service that throttles
 * @param creating called once the request was taken, before the wait
 * @throws CredstashError USAGE when `table` is an ARN; ACCESS_DENIED and the like; UNREACHABLE when it is not active after five minutes
 */
export async function createTable(
  dynamodb: DynamoDBClient,
  table: string,
  region: string,
  tags: Readonly<Record<string, string>>,
  patience: Patience,
  creating: () => Promise<void>,
): Promise<boolean> {
  if (table.startsWith('arn:')) {
    throw new CredstashError('USAGE', 'a table is created by its name, not by an ARN', {
      hint: `-t ${table.slice(table.lastIndexOf('/') + 1)} -r ${region}`,
    });
  }
  const resource = `the table ${table}`;
  const where = { service: 'DynamoDB', resource, region };
  const create = new CreateTableCommand({
    TableName: table,
    KeySchema: [
      { AttributeName: 'name', KeyType: 'HASH' },
      { AttributeName: 'version', KeyType: 'RANGE' },
    ],
    AttributeDefinitions: [
      { AttributeName: 'name', AttributeType: 'S' },
      { AttributeName: 'version', AttributeType: 'S' },
    ],
    BillingMode: 'PAY_PER_REQUEST',
    Tags: Object.entries({ Name: 'credstash', ...tags }).map(([Key, Value]) => ({ Key, Value })),
  });
  const statusOf = async (): Promise<string | undefined> => {
    try {
      const { Table } = await dynamodb.send(new DescribeTableCommand({ TableName: table }));
      return Table?.TableStatus;
    } catch (error) {
      // Not everywhere yet.
      if (nameOf(error) === 'ResourceNotFoundException') return undefined;
      throw translate(error, { ...where, action: 'dynamodb:DescribeTable' });
    }
  };
  const created = await patience.send(resource, async () => {
    try {
      await dynamodb.send(create);
      return true;
    } catch (error) {
      if (nameOf(error) === 'ResourceInUseException') return false;
      const told = translate(error, { ...where, action: 'dynamodb:CreateTable' });
      // Whoever may create none may still see that it is there, as an application does that makes sure at each start.
      if (told.code === 'ACCESS_DENIED' && (await statusOf().catch(() => undefined))) return false;
      throw told;
    }
  });
  if (created) await creating();
  // One that is there may still be on its way, when somebody else's setup runs at the same time. Not the SDK's waiter,
  // which goes on after a denial as well, until its time is over.
  const isActive = async (): Promise<boolean> => (await statusOf()) === 'ACTIVE';
  const end = Date.now() + LONGEST_WAIT_MS;
  while (!(await patience.send(resource, isActive))) {
    if (Date.now() > end) {
      throw new CredstashError(
        'UNREACHABLE',
        `${resource} in ${region} is not active after ${LONGEST_WAIT_MS / 60_000} minutes`,
        { hint: 'it may still become so: run setup again' },
      );
    }
    await sleep(PAUSE_MS);
  }
  return created;
}
