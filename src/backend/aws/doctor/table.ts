/** Checks the table: its keys, billing, size, protection, backups, and the clock. */
import {
  DescribeContinuousBackupsCommand,
  DescribeTableCommand,
  type TableDescription,
} from '@aws-sdk/client-dynamodb';
import { CredstashError } from '../../../errors.ts';
import {
  type CheckOptions,
  failedStep,
  okStep,
  type Step,
  unknownStep,
  warningStep,
} from '../../diagnosis.ts';
import { estimateScanUnits, isOfSeveralPages } from '../read-units.ts';
import { translateDynamoError } from '../table.ts';
import type { SendOptions } from '../throttle-retry.ts';
import { sendProbe, isUnknown, type OpenedAws, toWords } from './ask.ts';

/** A larger difference of the clock is a warning. AWS refuses a request that is five minutes off, and the SDK then corrects it. */
export const MAX_SKEW_MS = 60_000;

/** Sends a request of a check to DynamoDB. @returns the answer or the translated error */
export function sendTableProbe<T>(
  { settings, region }: OpenedAws,
  signal: AbortSignal | undefined,
  action: string,
  send: (options: SendOptions) => Promise<T>,
): Promise<T | CredstashError> {
  return sendProbe(signal, send, (error) =>
    translateDynamoError(error, action, settings.table, region.dynamodb),
  );
}

/** Checks the table. @returns whether entries can be read; true also if the caller may not look at the table */
export async function* checkTable(
  opened: OpenedAws,
  { signal }: CheckOptions,
): AsyncGenerator<Step, boolean> {
  const { dynamodb, region, settings } = opened;
  const command = new DescribeTableCommand({ TableName: settings.table });
  const clock = watchClock(command);
  const description = await sendTableProbe(opened, signal, 'dynamodb:DescribeTable', (options) =>
    dynamodb.send(command, options),
  );
  let isReadable = true;
  if (description instanceof CredstashError) {
    isReadable = isUnknown(description);
    yield isReadable
      ? unknownStep('table', 'what it is like', description)
      : failedStep('table', description);
  } else if (description.Table) {
    const step = createTableStep(description.Table, `${settings.table} in ${region.dynamodb}`);
    yield step;
    isReadable = step.state !== 'failed';
    if (isReadable) yield createSizeStep(description.Table);
    yield createDeletionStep(description.Table);
    if (description.Table.MultiRegionConsistency === 'STRONG') {
      const found =
        'multi-Region strong consistency: DynamoDB refuses to move labels on such a table';
      yield warningStep('table', found, 'name versions with `version`, not with labels');
    }
  }
  if (isReadable) yield await checkRecovery(opened, signal);
  yield createClockStep(clock());
  return isReadable;
}

/** Makes the step of a described table. @param where the table and its region, for the person */
export function createTableStep(description: TableDescription, where: string): Step {
  const {
    KeySchema = [],
    AttributeDefinitions = [],
    TableStatus,
    BillingModeSummary,
  } = description;
  const typeOf = (name?: string): string =>
    AttributeDefinitions.find((each) => each.AttributeName === name)?.AttributeType ?? '?';
  const keys = KeySchema.map(({ AttributeName = '?', KeyType }) => {
    const role = KeyType === 'HASH' ? 'partition' : 'sort';
    return `${role} key ${AttributeName} (${typeOf(AttributeName)})`;
  }).join(', ');
  if (keys !== 'partition key name (S), sort key version (S)') {
    const error = new CredstashError('USAGE', `${where} is not a table for secrets: ${keys}`, {
      hint: 'it takes the partition key name (S) and the sort key version (S): name another table with `table`',
    });
    return failedStep('table', error);
  }
  if (TableStatus !== 'ACTIVE' && TableStatus !== 'UPDATING') {
    return failedStep(
      'table',
      new CredstashError('UNREACHABLE', `${where} is ${toWords(TableStatus)}`),
    );
  }
  const { ReadCapacityUnits: reads = 0, WriteCapacityUnits: writes = 0 } =
    description.ProvisionedThroughput ?? {};
  const billing =
    BillingModeSummary?.BillingMode === 'PAY_PER_REQUEST'
      ? 'on demand'
      : `${reads} read and ${writes} write units provisioned`;
  return okStep('table', `${where}: ${billing}, ${keys}`);
}

/** Reports the size of the table, and what reading all of it costs. */
export function createSizeStep({
  ItemCount: count,
  TableSizeBytes: bytes,
}: TableDescription): Step {
  if (count === undefined || bytes === undefined) {
    return { title: 'table', state: 'unknown', found: 'how large it is: DynamoDB does not tell' };
  }
  const size =
    bytes < 100_000 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
  const units = estimateScanUnits(bytes).toLocaleString('en');
  const step = okStep(
    'table',
    `about ${count.toLocaleString('en')} versions, ${size} (DynamoDB counts them about every six hours): a pattern reads all of them, ${units} read units`,
  );
  if (!isOfSeveralPages(bytes)) return step;
  return {
    ...step,
    hint: 'old versions cost as much as new ones: `prune({ keep: "N" })` deletes them',
  };
}

/** Reports whether deletion protection is on. */
export function createDeletionStep({ DeletionProtectionEnabled: isOn }: TableDescription): Step {
  if (isOn === undefined) {
    const found = 'whether deletion protection is on: DynamoDB does not tell';
    return { title: 'table', state: 'unknown', found };
  }
  if (isOn) return okStep('table', 'deletion protection is on');
  return warningStep(
    'table',
    'deletion protection is off',
    'turn it on: `setup({ deletionProtection: true })`',
  );
}

/** Checks whether point-in-time recovery is on. */
export async function checkRecovery(
  opened: OpenedAws,
  signal: AbortSignal | undefined,
): Promise<Step> {
  const { dynamodb, settings } = opened;
  const command = new DescribeContinuousBackupsCommand({ TableName: settings.table });
  const answer = await sendTableProbe(
    opened,
    signal,
    'dynamodb:DescribeContinuousBackups',
    (options) => dynamodb.send(command, options),
  );
  if (answer instanceof CredstashError) {
    return unknownStep('table', 'whether point-in-time recovery is on', answer);
  }
  const { PointInTimeRecoveryDescription: described } = answer.ContinuousBackupsDescription ?? {};
  return described?.PointInTimeRecoveryStatus === 'ENABLED'
    ? okStep('table', 'point-in-time recovery is on')
    : warningStep(
        'table',
        'point-in-time recovery is off',
        'turn it on: `setup({ pointInTimeRecovery: true })`',
      );
}

/**
 * Compares the service's clock with this machine's when `command` is answered.
 *
 * @returns a function that returns by how many milliseconds the service's clock is ahead; undefined if unknown
 */
export function watchClock({ middlewareStack }: DescribeTableCommand): () => number | undefined {
  let ahead: number | undefined;
  middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = result.response as { headers?: Record<string, string> };
      const date = Date.parse(headers?.['date'] ?? '');
      if (!Number.isNaN(date)) ahead = date - Date.now();
      return result;
    },
    // Closer to the connection than the deserializer, which throws for an answer with an error.
    { step: 'deserialize', priority: 'low' },
  );
  return () => ahead;
}

/** Reports the difference of the clocks. @param ahead of the service's clock, in milliseconds */
export function createClockStep(ahead: number | undefined): Step {
  const title = 'clock';
  if (ahead === undefined) return { title, state: 'unknown', found: 'DynamoDB told no time' };
  const seconds = Math.round(Math.abs(ahead) / 1000);
  if (Math.abs(ahead) <= MAX_SKEW_MS) return okStep(title, `right to ${seconds + 1} s`);
  return warningStep(
    title,
    `${seconds} s ${ahead > 0 ? 'behind' : 'ahead of'} that of DynamoDB`,
    "set this machine's clock: AWS refuses a request that is five minutes off",
  );
}
