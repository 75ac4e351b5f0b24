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

/** A table, which may not exist yet. */
export interface TableTarget {
  readonly dynamodb: DynamoDBClient;
  /** A name or an ARN. */
  readonly table: string;
  readonly region: string;
  /** Repeats throttled requests. */
  readonly retry: ThrottleRetry;
  /** Ends the setup between two requests or during a wait. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs each step of `setup`. A later step that fails undoes nothing: running setup again continues.
 *
 * @param alias opens the alias of the key; undefined if no key is wanted
 * @returns whether the table was created
 * @throws CredstashError of the step that failed
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
 * Creates the table, with on-demand billing, and waits until it is active. An existing table must have the keys `name` and
 * `version`.
 *
 * @param options.tags for a new table, besides `Name=credstash` as in the original. The request that creates the table sets
 *   them, so the table never exists without its tags.
 * @param options.deletionProtection whether a new table is protected
 * @param options.creating called after DynamoDB has accepted the request, before the wait
 * @returns whether this call created the table, and whether the table is protected from deletion
 * @throws CredstashError USAGE if `table` is an ARN, or has other keys; UNREACHABLE if it is not active after five minutes; the
 *   errors of DynamoDB, such as ACCESS_DENIED
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
      // A new table is not visible everywhere at once.
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
      // An application that runs setup at each start may be allowed to describe the table, but not to create one.
      const { code } = translate(error, describeWhere(target));
      if (code === 'ACCESS_DENIED' && (await describe().catch(() => undefined))) return false;
      throw error;
    }
  });
  if (created) await options.creating();
  // Wait also for an existing table: another setup may be creating it. The SDK's own waiter would continue after a denial
  // until its time is over.
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

/** Turns on point-in-time recovery. @returns false if it was on already */
export async function turnOnRecovery(target: TableTarget): Promise<boolean> {
  const { dynamodb, table } = target;
  const describe = new DescribeContinuousBackupsCommand({ TableName: table });
  const { ContinuousBackupsDescription: backups } = await sendToDynamo(
    target,
    'dynamodb:DescribeContinuousBackups',
    () => dynamodb.send(describe),
  );
  if (backups?.PointInTimeRecoveryDescription?.PointInTimeRecoveryStatus === 'ENABLED')
    return false;
  const update = new UpdateContinuousBackupsCommand({
    TableName: table,
    PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
  });
  return waitUntilDone(target, 'takes no backups', 'dynamodb:UpdateContinuousBackups', async () => {
    try {
      await dynamodb.send(update);
      return true;
    } catch (error) {
      // A new table accepts this only some time after it becomes active.
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
      // Another change of the table is in progress.
      if (readErrorName(error) === 'ResourceInUseException') return undefined;
      throw error;
    }
  });
}

/** Checks the keys of an existing table. @throws CredstashError USAGE if they are not those of credstash */
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
    `${describeResource(target)} in ${target.region} is not a table of credstash: its partition key is ${partition} and its sort key ${sort ?? 'missing'}; they must be name (S) and version (S)`,
    { hint: 'keys of a table cannot be changed: name another one with `table`' },
  );
}

/** Keeps an attribute's name only if it is short and plain, because another application may have chosen any text. */
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
 * Calls `send` until it returns something, and returns that.
 *
 * @param state why there is no result yet, for messages: `is busy`
 * @param send undefined means: not yet
 * @throws CredstashError UNREACHABLE after five minutes
 */
function waitUntilDone<T>(
  target: TableTarget,
  state: string,
  action: string,
  send: () => Promise<T | undefined>,
): Promise<T> {
  return pollUntil(() => sendToDynamo(target, action, send), {
    resource: describeResource(target),
    state,
    longestMs: LONGEST_WAIT_MS,
    timeout: () =>
      new CredstashError(
        'UNREACHABLE',
        `${describeResource(target)} in ${target.region} ${state} after ${LONGEST_WAIT_MS / 60_000} minutes`,
        { hint: 'that may still end: run setup again' },
      ),
    retry: target.retry,
    signal: target.signal,
  });
}
