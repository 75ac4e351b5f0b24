/** Checks the permissions of a reader and of a writer. */
import {
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { CredstashError } from '../../../errors.ts';
import { FIRST_VERSION, isUnpadded } from '../../../model/version.ts';
import {
  type CheckOptions,
  failedStep,
  okStep,
  type Step,
  unknownStep,
  versionsStep,
} from '../../diagnosis.ts';
import { readErrorName } from '../errors.ts';
import { createKey } from '../items.ts';
import type { SendOptions } from '../throttle-retry.ts';
import { isUnknown, type OpenedAws } from './ask.ts';
import { sendTableProbe } from './table.ts';

/** Few programs write to one table, so a sample of its versions shows how they are padded. A whole scan would use up capacity. */
export const MAX_VERSIONS_READ = 100;

/** The subject of the step about versions. */
export const ABOUT_SORTING = 'whether versions sort as numbers';

/** Sends each request of a reader. @returns whether the caller may read */
export async function* checkReader(
  opened: OpenedAws,
  options: CheckOptions,
): AsyncGenerator<Step, boolean> {
  const { dynamodb } = opened;
  const { name, byName, signal } = options;
  const TableName = opened.settings.table;
  const query = new QueryCommand({
    TableName,
    ConsistentRead: true,
    KeyConditionExpression: '#name = :name',
    ExpressionAttributeNames: { '#name': 'name' },
    ExpressionAttributeValues: { ':name': { S: name } },
  });
  const get = new GetItemCommand({
    TableName,
    Key: createKey(name, FIRST_VERSION),
    ConsistentRead: true,
  });
  // A scan has no name to ask for. COUNT reads the first entry without sending it.
  const scan = new ScanCommand({ TableName, Limit: 1, Select: 'COUNT' });
  const probes: [action: string, send: (options: SendOptions) => Promise<unknown>][] = [
    ['dynamodb:Query', (options) => dynamodb.send(query, options)],
    ['dynamodb:GetItem', (options) => dynamodb.send(get, options)],
    ['dynamodb:Scan', (options) => dynamodb.send(scan, options)],
  ];
  let isReadable = true;
  for (const [action, send] of probes) {
    const answer = await sendTableProbe(opened, signal, action, send);
    if (!(answer instanceof CredstashError)) {
      yield okStep('reader', `${action} is allowed`);
      if (action === 'dynamodb:Scan') yield await checkVersions(opened, signal);
    } else if (action === 'dynamodb:Scan' && byName && isUnknown(answer)) {
      yield okStep('reader', `${action} is not allowed, which listings and * would need`);
      yield unknownStep('versions', ABOUT_SORTING, answer);
    } else {
      yield failedStep('reader', answer, 'failed', 'reader');
      isReadable = false;
      // The next request would wait as long.
      if (!isUnknown(answer)) return false;
    }
  }
  return isReadable;
}

/** Checks on one small page whether versions sort as numbers. */
export async function checkVersions(
  opened: OpenedAws,
  signal: AbortSignal | undefined,
): Promise<Step> {
  const command = new ScanCommand({
    TableName: opened.settings.table,
    Limit: MAX_VERSIONS_READ,
    ProjectionExpression: '#version',
    ExpressionAttributeNames: { '#version': 'version' },
  });
  const answer = await sendTableProbe(opened, signal, 'dynamodb:Scan', (options) =>
    opened.dynamodb.send(command, options),
  );
  if (answer instanceof CredstashError) return unknownStep('versions', ABOUT_SORTING, answer);
  const { Items = [], LastEvaluatedKey: next } = answer;
  const unpadded = Items.filter(({ version }) => isUnpadded(version?.S ?? '')).length;
  return versionsStep(unpadded, next ? `the first ${Items.length} entries` : 'all entries');
}

/**
 * Sends each request of a writer, with a condition that never holds.
 *
 * @param options.write whether a denial is a failure
 * @returns whether the caller may write, as far as it needs to
 */
export async function* checkWriter(
  opened: OpenedAws,
  options: CheckOptions,
): AsyncGenerator<Step, boolean> {
  const { dynamodb } = opened;
  const { name, write, signal } = options;
  const Key = createKey(name, FIRST_VERSION);
  // No entry has this name, so nothing is written.
  const condition = {
    TableName: opened.settings.table,
    ConditionExpression: 'attribute_exists(#name)',
    ExpressionAttributeNames: { '#name': 'name' },
  };
  const put = new PutItemCommand({ ...condition, Item: Key });
  const remove = new DeleteItemCommand({ ...condition, Key });
  const update = new UpdateItemCommand({
    ...condition,
    Key,
    UpdateExpression: 'REMOVE #labels',
    ExpressionAttributeNames: { '#name': 'name', '#labels': 'labels' },
  });
  const probes: [string, string, boolean, (options: SendOptions) => Promise<unknown>][] = [
    ['dynamodb:PutItem', 'a writer', write, (options) => dynamodb.send(put, options)],
    ['dynamodb:DeleteItem', 'a delete', write, (options) => dynamodb.send(remove, options)],
    ['dynamodb:UpdateItem', 'a change', false, (options) => dynamodb.send(update, options)],
  ];
  let isWritable = true;
  for (const [action, who, required, send] of probes) {
    const answer = await sendTableProbe(opened, signal, action, async (options) => {
      try {
        await send(options);
      } catch (error) {
        if (readErrorName(error) !== 'ConditionalCheckFailedException') throw error;
      }
    });
    if (!(answer instanceof CredstashError)) yield okStep('writer', `${action} is allowed`);
    else if (required || !isUnknown(answer)) {
      yield failedStep('writer', answer, 'failed', 'writer');
      isWritable = false;
    } else if (answer.code === 'ACCESS_DENIED') {
      yield okStep('writer', `${action} is not allowed, which ${who} would need`);
    } else yield failedStep('writer', answer, 'unknown');
  }
  return isWritable;
}
