import {
  CreateTableCommand,
  type DynamoDBClient,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import { CredstashError } from '../../errors.ts';
import { nameOf, translate } from './errors.ts';

/**
 * Creates the table, with on-demand billing, and waits until it is active. Whether this call created it: one
 * that is there already is fine.
 *
 * @param tags of the table, beside `Name=credstash` as in the original. They are a part of the request that creates it:
 *   a table without its tags never is
 * @param creating called once the request was taken, before the wait
 * @throws CredstashError USAGE when `table` is an ARN; ACCESS_DENIED and the like
 */
export async function createTable(
  dynamodb: DynamoDBClient,
  table: string,
  region: string,
  tags: Readonly<Record<string, string>>,
  creating: () => Promise<void>,
): Promise<boolean> {
  if (table.startsWith('arn:')) {
    throw new CredstashError('USAGE', 'a table is created by its name, not by an ARN', {
      hint: `-t ${table.slice(table.lastIndexOf('/') + 1)} -r ${region}`,
    });
  }
  const where = { service: 'DynamoDB', resource: `the table ${table}`, region };
  let created = true;
  try {
    await dynamodb.send(
      new CreateTableCommand({
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
        Tags: Object.entries({ Name: 'credstash', ...tags }).map(([Key, Value]) => ({
          Key,
          Value,
        })),
      }),
    );
  } catch (error) {
    if (nameOf(error) !== 'ResourceInUseException') {
      throw translate(error, { ...where, action: 'dynamodb:CreateTable' });
    }
    created = false;
  }
  if (created) await creating();
  try {
    // One that is there may still be on its way, when somebody else's setup runs at the same time.
    await waitUntilTableExists(
      { client: dynamodb, maxWaitTime: 300, minDelay: 1, maxDelay: 5 },
      { TableName: table },
    );
  } catch (error) {
    throw translate(error, { ...where, action: 'dynamodb:DescribeTable' });
  }
  return created;
}
