import { quote } from '../../../model/advice.ts';
import {
  CreateTableCommand,
  DescribeContinuousBackupsCommand,
  DescribeTableCommand,
  type DynamoDBClient,
  type TableDescription,
  UpdateContinuousBackupsCommand,
  UpdateTableCommand,
} from '@aws-sdk/client-dynamodb';
import { CredstashError } from '../../../errors.ts';
import type { SetupOptions } from '../../setup.ts';
import { readErrorName, translate, unreadableAnswer } from '../errors.ts';
import { pollUntil } from '../poll.ts';
import type { ThrottleRetry } from '../throttle-retry.ts';
import type { AliasTarget } from './key.ts';

// Over 250 lines: the steps of setup share one table, one way to send requests and one way to wait.

/** DynamoDB creates a table in seconds. */
const LONGEST_WAIT_MS = 300_000;

/** A table, there or not. */
export interface TableTarget {
  readonly dynamodb: DynamoDBClient;
  /** A name or an ARN. */
  readonly table: string;
  readonly region: string;
  /** For a service that throttles. */
  readonly retry: ThrottleRetry;
  /** Ends the setup between two requests, and in a wait. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Everything of `setup`, in an order in which what was done stays done if a later step fails.
 *
 * @param alias of the key, where one is asked for
 * @returns whether the table was created
 */
export async function setUp(
  target: TableTarget,
  alias: (() => Promise<AliasTarget>) | undefined,
  options: SetupOptions,
): Promise<boolean> {
  const { tags = {}, multiRegion = false, deletionProtection = false } = options;
  const { done = () => Promise.resolve(), creating = () => Promise.resolve() } = options;
  const { created, isProtected } = await createTable(target, {
    tags,
    deletionProtection,
    creating,
  });
  await done({ what: 'table', changed: created });
  if (alias) {
    const { createKey } = await import('./key.ts');
    const keyTarget = await alias();
    const { created: changed, ...key } = await createKey(keyTarget, { tags, multiRegion });
    await done({ what: 'key', alias: keyTarget.alias, region: keyTarget.region, changed, ...key });
  }
  if (options.pointInTimeRecovery) {
    await done({ what: 'pointInTimeRecovery', changed: await turnOnRecovery(target) });
  }
  if (deletionProtection) {
    if (!isProtected) await protectTable(target);
    await done({ what: 'deletionProtection', changed: created || !isProtected });
  }
  return created;
}

/**
 * Creates the table, with on-demand billing, and waits until it is active. An existing table
 * must have the keys `name` and `version`.
 *
 * @param options.tags of the table, beside `Name=credstash` as in the original. They are a part of the request that creates
 *   it: a table without its tags never is
 * @param options.deletionProtection of a table that is created
 * @param options.creating called once the request was taken, before the wait
 * @returns whether this call created it, and whether it is protected from deletion
 * @throws CredstashError USAGE when `table` is an ARN, or there with other keys; ACCESS_DENIED and the like; UNREACHABLE when
 *   it is not active after five minutes
 */
export async function createTable(
  target: TableTarget,
  options: {
    readonly tags: Readonly<Record<string, string>>;
    readonly deletionProtection?: boolean;
    readonly creating: () => Promise<void>;
  },
): Promise<{ created: boolean; isProtected: boolean }> {
  const { dynamodb, table, region } = target;
  if (table.startsWith('arn:')) {
    throw new CredstashError('USAGE', 'a table is created by its name, not by an ARN', {
      hint: `\`table: ${quote(table.slice(table.lastIndexOf('/') + 1))}, region: ${quote(region)}\``,
    });
  }
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
    Tags: Object.entries({ Name: 'credstash', ...options.tags }).map(([Key, Value]) => ({
      Key,
      Value,
    })),
    ...(options.deletionProtection ? { DeletionProtectionEnabled: true } : {}),
  });
  const describe = async (): Promise<TableDescription | undefined> => {
    try {
      const { Table } = await dynamodb.send(new DescribeTableCommand({ TableName: table }));
      if (Table?.TableStatus === undefined) throw unreadableAnswer(describeWhere(target));
      return Table;
    } catch (error) {
      // Not everywhere yet.
      if (readErrorName(error) === 'ResourceNotFoundException') return undefined;
      throw error;
    }
  };
  const created = await sendToDynamo(target, 'dynamodb:CreateTable', async () => {
    try {
      await dynamodb.send(create);
      return true;
    } catch (error) {
      if (readErrorName(error) === 'ResourceInUseException') return false;
      // A caller that may not create tables may still see that the table exists, such as an application that runs setup at each start.
      const { code } = translate(error, describeWhere(target));
      if (code === 'ACCESS_DENIED' && (await describe().catch(() => undefined))) return false;
      throw error;
    }
  });
  if (created) await options.creating();
  // An existing table may not be active yet, if somebody else's setup runs at the same time. Not the SDK's waiter,
  // which goes on after a denial as well, until its time is over.
  const described = await waitUntilDone(
    target,
    'is not active',
    'dynamodb:DescribeTable',
    async () => {
      const found = await describe();
      return found?.TableStatus === 'ACTIVE' ? found : undefined;
    },
  );
  checkKeys(target, described);
  return { created, isProtected: described.DeletionProtectionEnabled === true };
}

/** Turns on point-in-time recovery. @returns whether this call did */
export async function turnOnRecovery(target: TableTarget): Promise<boolean> {
  const { dynamodb, table } = target;
  const describe = new DescribeContinuousBackupsCommand({ TableName: table });
  const { ContinuousBackupsDescription: now } = await sendToDynamo(
    target,
    'dynamodb:DescribeContinuousBackups',
    () => dynamodb.send(describe),
  );
  if (now?.PointInTimeRecoveryDescription?.PointInTimeRecoveryStatus === 'ENABLED') return false;
  const update = new UpdateContinuousBackupsCommand({
    TableName: table,
    PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
  });
  return waitUntilDone(target, 'takes no backups', 'dynamodb:UpdateContinuousBackups', async () => {
    try {
      await dynamodb.send(update);
      return true;
    } catch (error) {
      // A new table gets its backups a while after it is active.
      if (readErrorName(error) === 'ContinuousBackupsUnavailableException') return undefined;
      throw error;
    }
  });
}

/** Protects the table from deletion. */
export async function protectTable(target: TableTarget): Promise<void> {
  const update = new UpdateTableCommand({
    TableName: target.table,
    DeletionProtectionEnabled: true,
  });
  await waitUntilDone(target, 'is busy', 'dynamodb:UpdateTable', async () => {
    try {
      await target.dynamodb.send(update);
      return true;
    } catch (error) {
      // Something else of it is being changed.
      if (readErrorName(error) === 'ResourceInUseException') return undefined;
      throw error;
    }
  });
}

/** @throws CredstashError USAGE when the table has other keys than those of credstash */
function checkKeys(
  target: TableTarget,
  { KeySchema, AttributeDefinitions }: TableDescription,
): void {
  const types = new Map(
    AttributeDefinitions?.map(({ AttributeName, AttributeType }) => [AttributeName, AttributeType]),
  );
  const describeKey = (wanted: string): string | undefined => {
    const name = KeySchema?.find(({ KeyType }) => KeyType === wanted)?.AttributeName;
    return name === undefined ? undefined : `${safeName(name)} (${safeName(types.get(name))})`;
  };
  const [partition, sort] = [describeKey('HASH'), describeKey('RANGE')];
  if (partition === undefined) throw unreadableAnswer(describeWhere(target));
  if (partition === 'name (S)' && sort === 'version (S)') return;
  throw new CredstashError(
    'USAGE',
    `${describeResource(target)} in ${target.region} is none of credstash: its partition key is ${partition} and its sort key ${sort ?? 'missing'}, where name (S) and version (S) are needed`,
    { hint: 'keys of a table cannot be changed: name another one with `table`' },
  );
}

/** A table of another application may have any name there. */
function safeName(name = '?'): string {
  return /^[\w.-]{1,100}$/.test(name) ? name : '…';
}

function describeResource({ table }: TableTarget): string {
  return `the table ${table}`;
}

function describeWhere(target: TableTarget): { service: string; resource: string; region: string } {
  return { service: 'DynamoDB', resource: describeResource(target), region: target.region };
}

function sendToDynamo<T>(target: TableTarget, action: string, send: () => Promise<T>): Promise<T> {
  return target.retry.send(
    describeResource(target),
    send,
    (error) => translate(error, { ...describeWhere(target), action }),
    target.signal,
  );
}

/**
 * What `send` gives, once it gives something.
 *
 * @param failing why it gives nothing yet: `is busy`
 * @throws CredstashError UNREACHABLE after five minutes
 */
function waitUntilDone<T>(
  target: TableTarget,
  failing: string,
  action: string,
  send: () => Promise<T | undefined>,
): Promise<T> {
  return pollUntil(() => sendToDynamo(target, action, send), {
    resource: describeResource(target),
    state: failing,
    longestMs: LONGEST_WAIT_MS,
    timeout: () =>
      new CredstashError(
        'UNREACHABLE',
        `${describeResource(target)} in ${target.region} ${failing} after ${LONGEST_WAIT_MS / 60_000} minutes`,
        { hint: 'that may still end: run setup again' },
      ),
    retry: target.retry,
    signal: target.signal,
  });
}
