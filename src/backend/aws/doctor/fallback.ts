/** Checks the replicas of the table and of the key in a region to fall back to. */
import { DescribeTableCommand, type TableDescription } from '@aws-sdk/client-dynamodb';
import { DescribeKeyCommand, type KeyMetadata } from '@aws-sdk/client-kms';
import { CredstashError, hasCode } from '../../../errors.ts';
import { moveArn } from '../../../model/region.ts';
import { commandLine } from '../../../util/shell-word.ts';
import {
  type CheckOptions,
  failedStep,
  okStep,
  type Step,
  unknownStep,
  warningStep,
} from '../../diagnosis.ts';
import { translateKmsError } from '../key-service.ts';
import { translateDynamoError } from '../table.ts';
import { isUnknown, type OpenedAws, sendProbe, toWords } from './ask.ts';
import { createKeyStep } from './key.ts';

const TITLE = 'fallback';

/** The opened table and key of one region. */
export type Probed = Pick<OpenedAws, 'settings' | 'region' | 'dynamodb' | 'kms'>;

/**
 * Checks the table and the key of a fallback region.
 *
 * @param first the first region, which may have an outage now
 * @param there the fallback region
 */
export async function* checkFallback(
  first: Probed,
  there: Probed,
  { signal }: CheckOptions,
): AsyncGenerator<Step> {
  yield await checkReplica(first, there, signal);
  yield* checkReplicaKey(first, there, signal);
}

function describeTable(
  { dynamodb, settings, region }: Probed,
  signal: AbortSignal | undefined,
): Promise<TableDescription | CredstashError> {
  return sendProbe(
    signal,
    async (options) =>
      (await dynamodb.send(new DescribeTableCommand({ TableName: settings.table }), options))
        .Table ?? {},
    (error) =>
      translateDynamoError(error, 'dynamodb:DescribeTable', settings.table, region.dynamodb),
  );
}

/** Checks that the table exists, and that it is a replica of the first region's table. */
async function checkReplica(
  first: Probed,
  there: Probed,
  signal: AbortSignal | undefined,
): Promise<Step> {
  const [from, to] = [first.region.dynamodb, there.region.dynamodb];
  const { table } = there.settings;
  const [here, replica] = await Promise.all([
    describeTable(first, signal),
    describeTable(there, signal),
  ]);
  const where = `${table} in ${to}`;
  const hint = adviseReplica(here, table.replace(/^.*\//, ''), from, to);
  if (replica instanceof CredstashError) {
    if (isUnknown(replica)) return unknownStep(TITLE, `what ${where} is like`, replica);
    const step = failedStep(TITLE, replica);
    return replica.code === 'TABLE_NOT_FOUND' ? { ...step, hint } : step;
  }
  const described = here instanceof CredstashError ? [] : (here.Replicas ?? []);
  // Each region lists the others, so that one of the two tells, also during an outage.
  const status =
    described.find(({ RegionName }) => RegionName === to)?.ReplicaStatus ??
    replica.Replicas?.find(({ RegionName }) => RegionName === from)?.ReplicaStatus;
  if (status === undefined) {
    const message = `${where} is another table, not a replica of the one in ${from}`;
    return failedStep(TITLE, new CredstashError('CONFLICT', message, { hint }));
  }
  if (status === 'ACTIVE' || status === 'UPDATING') {
    return okStep(TITLE, `${where}: a replica of ${from}, ${toWords(status)}`);
  }
  const message = `the replica ${where} is ${toWords(status)}`;
  return failedStep(TITLE, new CredstashError('UNREACHABLE', message));
}

/** How to make the replica. A global table needs the stream of the table, with both images. */
function adviseReplica(
  here: TableDescription | CredstashError,
  table: string,
  from: string,
  to: string,
): string {
  const update = (...words: string[]): string =>
    commandLine([
      'aws',
      'dynamodb',
      'update-table',
      '--region',
      from,
      '--table-name',
      table,
      ...words,
    ]);
  const replicate = `make a replica: ${update('--replica-updates', `Create={RegionName=${to}}`)}`;
  const hasStream =
    here instanceof CredstashError ||
    here.StreamSpecification?.StreamViewType === 'NEW_AND_OLD_IMAGES';
  if (hasStream) return replicate;
  const stream = 'StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES';
  return `turn on its stream, and once the table is active again ${replicate}; the stream: ${update('--stream-specification', stream)}`;
}

function describeKey(
  { kms, region }: Probed,
  key: string,
  signal: AbortSignal | undefined,
): Promise<Partial<KeyMetadata> | CredstashError> {
  return sendProbe(
    signal,
    async (options) =>
      (await kms.send(new DescribeKeyCommand({ KeyId: key }), options)).KeyMetadata ?? {},
    (error) => translateKmsError(error, 'kms:DescribeKey', `the key ${key}`, region.kms),
  );
}

/** Checks that the key is a multi-Region key, of which the region has an enabled replica, and that its alias names it. */
async function* checkReplicaKey(
  first: Probed,
  there: Probed,
  signal: AbortSignal | undefined,
): AsyncGenerator<Step> {
  const [from, to] = [first.region.kms, there.region.kms];
  const here = await describeKey(first, first.settings.key, signal);
  if (here instanceof CredstashError) {
    yield unknownStep(TITLE, `which key ${to} must have`, here);
    return;
  }
  const { Arn: arn = '', KeyId: id = '', MultiRegion } = here;
  if (!MultiRegion) {
    const message = `the key in ${from} is of one region, so that no entry opens in ${to}`;
    const hint =
      'create a multi-Region key under a new alias, `setup({ createKey: true, multiRegion: true })` with `key: "alias/NEW"`, replicate it, and move the entries to it: `rekey()` with the same `key`';
    yield failedStep(TITLE, new CredstashError('KEY_UNUSABLE', message, { hint }));
    return;
  }
  const replica = await describeKey(there, moveArn(arn, to), signal);
  if (replica instanceof CredstashError) {
    const primary = here.MultiRegionConfiguration?.PrimaryKey?.Region ?? from;
    const hint = `replicate it: ${commandLine(['aws', 'kms', 'replicate-key', '--region', primary, '--key-id', id, '--replica-region', to])}`;
    if (isUnknown(replica)) yield unknownStep(TITLE, `whether the key is in ${to}`, replica);
    else if (replica.code !== 'KEY_NOT_FOUND') yield failedStep(TITLE, replica);
    else yield { ...failedStep(TITLE, replica), hint };
    return;
  }
  const step = {
    ...createKeyStep({ KeyId: id, ...replica }, `the key ${id} in ${to}`),
    title: TITLE,
  };
  yield step;
  if (step.state === 'failed' || !there.settings.key.includes('alias/')) return;
  const named = await describeKey(there, there.settings.key, signal);
  if (named instanceof CredstashError && !hasCode(named, 'KEY_NOT_FOUND')) return;
  if (!(named instanceof CredstashError) && named.KeyId === id) return;
  const alias = there.settings.key.replace(/^.*:alias\//, 'alias/');
  yield warningStep(
    TITLE,
    `${alias} in ${to} does not name that key: reads do without, a write on purpose there does not`,
    `name it: ${commandLine(['aws', 'kms', named instanceof CredstashError ? 'create-alias' : 'update-alias', '--region', to, '--alias-name', alias, '--target-key-id', id])}`,
  );
}
