import { isIP } from 'node:net';
import {
  DeleteItemCommand,
  DescribeContinuousBackupsCommand,
  DescribeTableCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  type TableDescription,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import {
  DescribeKeyCommand,
  GetKeyRotationStatusCommand,
  type KeyMetadata,
  type KMSClient,
} from '@aws-sdk/client-kms';
import { getEndpointFromInstructions } from '@smithy/core/endpoints';
import { CredstashError, hasCode } from '../../../errors.ts';
import {
  attempt,
  type CheckOptions,
  type Checks,
  warningStep,
  okStep,
  unknownStep,
  type Step,
  failedStep,
  untrustedKey,
  versionsStep,
} from '../../diagnosis.ts';
import type { TrustedKeys } from '../../../model/trust.ts';
import { acceptsAnyCertificate } from '../../../util/tls.ts';
import { FIRST_VERSION, isUnpadded } from '../../../model/version.ts';
import {
  endpointOption,
  type Endpoints,
  findIneffective,
  type Service,
} from '../client-settings.ts';
import { type AwsSettings, type ClientConfig, ofEnvironment, regionOrigins } from '../settings.ts';
import { describeChain } from '../credentials.ts';
import { fromDynamo, keyOf } from '../entry-store.ts';
import { nameOf, PROXIES, PROXY_HINT, translate, usesProxy } from '../errors.ts';
import { rememberFailedHost } from '../failed-host.ts';
import { fromKms } from '../key-service.ts';
import { type SendOptions, sendOptions } from '../throttle-retry.ts';
import { estimateScanUnits, isOfSeveralPages } from '../read-units.ts';

/** From this on a clock is told of. AWS refuses a request that is five minutes off, and the SDK then corrects it. */
const MAX_SKEW_MS = 60_000;

/** A table takes its versions from few programs, so that some tell. To read every entry of a large table costs its capacity. */
const VERSIONS_READ = 100;

/** What the step about versions tells. */
const SORTING = 'whether versions sort as numbers';

const REMEDIES: Readonly<Record<string, string>> = {
  Disabled: 'enable it: aws kms enable-key --key-id',
  PendingDeletion: 'keep it: aws kms cancel-key-deletion --key-id',
};

/** What is looked at. */
interface Opened {
  readonly settings: AwsSettings;
  readonly region: { readonly dynamodb: string; readonly kms: string };
  readonly shared: ClientConfig;
  readonly endpoints: Endpoints;
  readonly dynamodb: DynamoDBClient;
  readonly kms: KMSClient;
  readonly trusted: TrustedKeys | undefined;
  /** Told of what is to be closed with the backend. */
  readonly closeLater: (close: () => void) => void;
}

/**
 * Looks at the settings of AWS, the credentials, the table and the key, and at what is allowed. Nothing is written: a
 * write is tried under a condition that cannot hold.
 */
export async function* checkAws(
  { loadKms, ...opened }: Omit<Opened, 'kms'> & { readonly loadKms: () => Promise<KMSClient> },
  options: CheckOptions,
): Checks {
  const kms = await attempt(loadKms);
  if (kms instanceof CredstashError) {
    yield failedStep('configuration', kms);
    return { keys: false, entries: false };
  }
  const on = { ...opened, kms };
  yield* environment(on);
  const sts = await loadSts(on);
  const hasCredentials = yield* credentials(on, sts, options);
  yield* nameEndpoints(on, sts, hasCredentials);
  if (!hasCredentials) return { keys: false, entries: false };
  const readable = yield* table(on, options);
  const entries = readable && (yield* reader(on, options)) && (yield* writer(on, options));
  const keys = yield* key(on, options);
  return { keys, entries };
}

/** What AWS's own variables say, beside what the command line does. */
async function* environment({ settings }: Opened): AsyncGenerator<Step> {
  const title = 'configuration';
  if (settings.profile === undefined) {
    const profile = ofEnvironment('AWS_PROFILE') ?? ofEnvironment('AWS_DEFAULT_PROFILE');
    if (profile) yield okStep(title, `profile: ${profile.value} (${profile.from})`);
  }
  for (const name of PROXIES) {
    const proxy = ofEnvironment(name);
    if (!proxy) continue;
    const found = `proxy: ${placeOf(proxy.value)} (${name})`;
    yield usesProxy() ? okStep(title, found) : warningStep(title, found, PROXY_HINT);
  }
  if (acceptsAnyCertificate()) {
    const found = 'NODE_TLS_REJECT_UNAUTHORIZED=0 turns off the verification of TLS certificates';
    const hint = 'unset it; AWS_CA_BUNDLE names the file of a certificate to trust';
    yield failedStep(title, new CredstashError('USAGE', found, { hint }));
  }
  const bundle = ofEnvironment('AWS_CA_BUNDLE');
  if (bundle) yield okStep(title, `certificates: ${bundle.value} (${bundle.from})`);
  for (const { from } of findIneffective(settings)) {
    yield warningStep(title, `${from} counts as false`, 'only true turns it on, as in boto');
  }
  const chain = describeChain(settings);
  if (!settings.credentials && chain.some(({ kind }) => kind !== undefined)) {
    yield okStep(title, `credentials: ${chain.map(({ words }) => words).join(' <- ')}`);
  }
  const { dynamodb, kms } = await regionOrigins(settings);
  const ofKey = kms.value === dynamodb.value ? '' : `; of the key ${kms.value} (${kms.from})`;
  yield okStep('region', `${dynamodb.value} (${dynamodb.from})${ofKey}`);
}

/** A URL without what may be a password: its host and port. */
function placeOf(url: string): string {
  const text = url.includes('://') ? url : `http://${url}`;
  return URL.canParse(text) ? new URL(text).host : 'not a URL';
}

type Sts = Awaited<ReturnType<typeof loadSts>>;

/** The client that asks who the caller is, and its question. */
async function loadSts({ shared, region, endpoints, dynamodb, closeLater }: Opened) {
  const { GetCallerIdentityCommand, STSClient } = await import('@aws-sdk/client-sts');
  const client = new STSClient({
    ...shared,
    ...endpointOption(endpoints, 'STS'),
    credentials: dynamodb.config.credentials,
    region: region.dynamodb,
    // Once only: if STS cannot be reached, as in a network with ways to DynamoDB and KMS alone, that is no failure.
    maxAttempts: 1,
  });
  client.middlewareStack.use(rememberFailedHost);
  closeLater(() => {
    client.destroy();
  });
  return { client, GetCallerIdentityCommand };
}

/** Names the endpoint that each service is asked at, and warns of one without TLS. */
async function* nameEndpoints(
  { settings, endpoints, dynamodb, kms }: Opened,
  sts: Sts,
  hasCredentials: boolean,
): AsyncGenerator<Step> {
  const { clients, clientOptions } = settings;
  const configured = (service: Service): string | undefined =>
    settings.endpoint === undefined ? endpoints[service]?.from : 'as given';
  // Without credentials there is no account either, which may be a part of DynamoDB's.
  const known = <T extends object>(config: T): T =>
    hasCredentials ? config : { ...config, credentials: undefined };
  const clientsOf = [
    {
      service: 'DynamoDB',
      config: known(dynamodb.config),
      command: GetItemCommand,
      from: applicationOf(clients?.dynamodb, clientOptions?.dynamodb) ?? configured('DYNAMODB'),
    },
    {
      service: 'KMS',
      config: known(kms.config),
      command: DescribeKeyCommand,
      from: applicationOf(clients?.kms, clientOptions?.kms) ?? configured('KMS'),
    },
    {
      service: 'STS',
      config: known(sts.client.config),
      command: sts.GetCallerIdentityCommand,
      from: configured('STS'),
    },
  ];
  for (const { service, config, command, from = 'default' } of clientsOf) {
    const url = await attempt(async () => {
      try {
        return (await getEndpointFromInstructions({}, command, config)).url;
      } catch (error) {
        throw translate(error, { service, resource: 'the endpoint' });
      }
    });
    yield url instanceof CredstashError
      ? failedStep('endpoint', url)
      : endpointStep(service, url, from);
  }
}

/** Who says where a client connects to, if that is the application. */
function applicationOf(
  client: object | undefined,
  options: { readonly endpoint?: unknown } | undefined,
): string | undefined {
  if (client) return "the application's client";
  return options?.endpoint === undefined ? undefined : "the application's options";
}

function endpointStep(service: string, url: URL, from: string): Step {
  // Without what may be a password.
  const found = `${service}: ${url.protocol}//${url.host} (${from})`;
  if (url.protocol === 'https:' || isLoopback(url.hostname)) return okStep('endpoint', found);
  return warningStep(
    'endpoint',
    `${found}, without TLS`,
    'name one with https: everybody on the way can read data keys and change answers',
  );
}

function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === '::1' ||
    (isIP(host) === 4 && host.startsWith('127.'))
  );
}

/** Whether there are credentials. */
async function* credentials(
  { settings, region, dynamodb }: Opened,
  sts: Sts,
  { signal }: CheckOptions,
): AsyncGenerator<Step, boolean> {
  const where = { service: 'STS', resource: 'credentials', region: region.dynamodb };
  const found = await attempt(async () => {
    try {
      return await dynamodb.config.credentials();
    } catch (error) {
      throw translate(error, { ...where, profile: settings.profile });
    }
  }, signal);
  if (found instanceof CredstashError) {
    yield failedStep('credentials', found);
    return false;
  }
  const until = found.expiration ? `, until ${found.expiration.toISOString()}` : '';
  yield okStep('credentials', `found (${sourceOf(found, settings)})${until}`);

  const identity = await ask(
    signal,
    (options) => sts.client.send(new sts.GetCallerIdentityCommand(), options),
    (error) => translate(error, { ...where, action: 'sts:GetCallerIdentity' }),
  );
  yield identity instanceof CredstashError
    ? {
        ...unknownStep('identity', 'who they are', identity),
        hint: 'no other command needs to know',
      }
    : okStep('identity', identity.Arn ?? 'STS does not tell');
  return true;
}

/** Where they are from: `env vars`, `profile sso`. */
function sourceOf(identity: object, settings: AwsSettings): string {
  const { $source = {} } = identity as { $source?: object };
  const names = Object.keys($source).filter((name) => name.startsWith('CREDENTIALS_'));
  // It marks so that a function of ours stands before the chain.
  const telling = names.filter((name) => name !== 'CREDENTIALS_CODE');
  if (telling.length > 0) {
    return telling.map((name) => words(name.replace('CREDENTIALS_', ''))).join(', ');
  }
  return settings.roleArn === undefined ? 'given by the application' : 'of the role';
}

/** Whether there is a table that entries can stand in, as far as one may look. */
async function* table(on: Opened, { signal }: CheckOptions): AsyncGenerator<Step, boolean> {
  const { dynamodb, region, settings } = on;
  const command = new DescribeTableCommand({ TableName: settings.table });
  const clock = watchClock(command);
  const description = await askTable(on, signal, 'dynamodb:DescribeTable', (options) =>
    dynamodb.send(command, options),
  );
  let readable = true;
  if (description instanceof CredstashError) {
    readable = isHidden(description);
    yield readable
      ? unknownStep('table', 'what it is like', description)
      : failedStep('table', description);
  } else if (description.Table) {
    const step = tableStep(description.Table, `${settings.table} in ${region.dynamodb}`);
    yield step;
    readable = step.state !== 'failed';
    if (readable) yield sizeStep(description.Table);
    yield deletionStep(description.Table);
  }
  if (readable) yield await recovery(on, signal);
  yield clockStep(clock());
  return readable;
}

/** Whether nothing is wrong but that one may not look, or the service does not know the operation. */
function isHidden(error: CredstashError): boolean {
  return hasCode(error, 'ACCESS_DENIED', 'UNEXPECTED');
}

function tableStep(described: TableDescription, where: string): Step {
  const { KeySchema = [], AttributeDefinitions = [], TableStatus, BillingModeSummary } = described;
  const typeOf = (name?: string): string =>
    AttributeDefinitions.find((each) => each.AttributeName === name)?.AttributeType ?? '?';
  const keys = KeySchema.map(({ AttributeName = '?', KeyType }) => {
    const role = KeyType === 'HASH' ? 'partition' : 'sort';
    return `${role} key ${AttributeName} (${typeOf(AttributeName)})`;
  }).join(', ');
  if (keys !== 'partition key name (S), sort key version (S)') {
    const error = new CredstashError('USAGE', `${where} is no table for secrets: ${keys}`, {
      hint: 'it takes the partition key name (S) and the sort key version (S): name another table with -t',
    });
    return failedStep('table', error);
  }
  if (TableStatus !== 'ACTIVE' && TableStatus !== 'UPDATING') {
    return failedStep(
      'table',
      new CredstashError('UNREACHABLE', `${where} is ${words(TableStatus)}`),
    );
  }
  const { ReadCapacityUnits: reads = 0, WriteCapacityUnits: writes = 0 } =
    described.ProvisionedThroughput ?? {};
  const billing =
    BillingModeSummary?.BillingMode === 'PAY_PER_REQUEST'
      ? 'on demand'
      : `${reads} read and ${writes} write units provisioned`;
  return okStep('table', `${where}: ${billing}, ${keys}`);
}

/** How large the table is, and what a command reads that needs all of it. */
function sizeStep({ ItemCount: count, TableSizeBytes: bytes }: TableDescription): Step {
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
    hint: 'old versions cost as much as new ones: credstash prune --keep N deletes them',
  };
}

function deletionStep({ DeletionProtectionEnabled: isOn }: TableDescription): Step {
  if (isOn === undefined) {
    const found = 'whether deletion protection is on: DynamoDB does not tell';
    return { title: 'table', state: 'unknown', found };
  }
  if (isOn) return okStep('table', 'deletion protection is on');
  return warningStep(
    'table',
    'deletion protection is off',
    'turn it on: credstash setup --deletion-protection',
  );
}

async function recovery(on: Opened, signal: AbortSignal | undefined): Promise<Step> {
  const { dynamodb, settings } = on;
  const command = new DescribeContinuousBackupsCommand({ TableName: settings.table });
  const answer = await askTable(on, signal, 'dynamodb:DescribeContinuousBackups', (options) =>
    dynamodb.send(command, options),
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
        'turn it on: credstash setup --point-in-time-recovery',
      );
}

/** Tells, once `command` was answered, by how many milliseconds the service's clock is ahead of this one. */
function watchClock({ middlewareStack }: DescribeTableCommand): () => number | undefined {
  let ahead: number | undefined;
  middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = result.response as { headers?: Record<string, string> };
      const date = Date.parse(headers?.['date'] ?? '');
      if (!Number.isNaN(date)) ahead = date - Date.now();
      return result;
    },
    // Between the connection and what makes an error of an answer.
    { step: 'deserialize', priority: 'low' },
  );
  return () => ahead;
}

function clockStep(ahead: number | undefined): Step {
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

/** Whether what a reader asks of the table is allowed. */
async function* reader(on: Opened, options: CheckOptions): AsyncGenerator<Step, boolean> {
  const { dynamodb } = on;
  const { name, byName, signal } = options;
  const TableName = on.settings.table;
  const query = new QueryCommand({
    TableName,
    ConsistentRead: true,
    KeyConditionExpression: '#name = :name',
    ExpressionAttributeNames: { '#name': 'name' },
    ExpressionAttributeValues: { ':name': { S: name } },
  });
  const get = new GetItemCommand({
    TableName,
    Key: keyOf(name, FIRST_VERSION),
    ConsistentRead: true,
  });
  // It is of no name: the first entry is counted, and not sent.
  const scan = new ScanCommand({ TableName, Limit: 1, Select: 'COUNT' });
  const probes: [action: string, send: (options: SendOptions) => Promise<unknown>][] = [
    ['dynamodb:Query', (options) => dynamodb.send(query, options)],
    ['dynamodb:GetItem', (options) => dynamodb.send(get, options)],
    ['dynamodb:Scan', (options) => dynamodb.send(scan, options)],
  ];
  let readable = true;
  for (const [action, send] of probes) {
    const answer = await askTable(on, signal, action, send);
    if (!(answer instanceof CredstashError)) {
      yield okStep('reader', `${action} is allowed`);
      if (action === 'dynamodb:Scan') yield await versions(on, signal);
    } else if (action === 'dynamodb:Scan' && byName && isHidden(answer)) {
      yield okStep('reader', `${action} is not allowed, which listings and * would need`);
      yield unknownStep('versions', SORTING, answer);
    } else {
      yield failedStep('reader', answer, 'failed', 'reader');
      readable = false;
      // The next one would wait as long.
      if (!isHidden(answer)) return false;
    }
  }
  return readable;
}

/** Whether versions sort as numbers, as far as one small page of them tells. */
async function versions(on: Opened, signal: AbortSignal | undefined): Promise<Step> {
  const command = new ScanCommand({
    TableName: on.settings.table,
    Limit: VERSIONS_READ,
    ProjectionExpression: '#version',
    ExpressionAttributeNames: { '#version': 'version' },
  });
  const answer = await askTable(on, signal, 'dynamodb:Scan', (options) =>
    on.dynamodb.send(command, options),
  );
  if (answer instanceof CredstashError) return unknownStep('versions', SORTING, answer);
  const { Items = [], LastEvaluatedKey: next } = answer;
  const unpadded = Items.filter(({ version }) => isUnpadded(version?.S ?? '')).length;
  return versionsStep(unpadded, next ? `the first ${Items.length} entries` : 'all entries');
}

/** Whether what a writer asks of the table is allowed, where that is wanted. */
async function* writer(on: Opened, options: CheckOptions): AsyncGenerator<Step, boolean> {
  const { dynamodb } = on;
  const { name, write, signal } = options;
  const Key = keyOf(name, FIRST_VERSION);
  // No entry has this name, and so nothing is written.
  const condition = {
    TableName: on.settings.table,
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
  let writable = true;
  for (const [action, who, required, send] of probes) {
    const answer = await askTable(on, signal, action, async (options) => {
      try {
        await send(options);
      } catch (error) {
        if (nameOf(error) !== 'ConditionalCheckFailedException') throw error;
      }
    });
    if (!(answer instanceof CredstashError)) yield okStep('writer', `${action} is allowed`);
    else if (required || !isHidden(answer)) {
      yield failedStep('writer', answer, 'failed', 'writer');
      writable = false;
    } else if (answer.code === 'ACCESS_DENIED') {
      yield okStep('writer', `${action} is not allowed, which ${who} would need`);
    } else yield failedStep('writer', answer, 'unknown');
  }
  return writable;
}

/** Whether new data keys can come from the key, as far as one may look. */
async function* key(on: Opened, { write, signal }: CheckOptions): AsyncGenerator<Step, boolean> {
  const { kms, region, settings, trusted } = on;
  const askKey = <T>(action: string, send: (options: SendOptions) => Promise<T>) =>
    ask(signal, send, (error) => fromKms(error, action, `the key ${settings.key}`, region.kms));
  const description = await askKey('kms:DescribeKey', (options) =>
    kms.send(new DescribeKeyCommand({ KeyId: settings.key }), options),
  );
  if (description instanceof CredstashError) {
    const mayBeUsable = isHidden(description);
    yield mayBeUsable
      ? unknownStep('key', 'what it is like', description)
      : failedStep('key', description);
    return mayBeUsable;
  }
  const { KeyMetadata: metadata } = description;
  if (!metadata) {
    yield { title: 'key', state: 'unknown', found: 'KMS does not tell about it' };
    return true;
  }
  const step = keyStep(metadata, `${settings.key} in ${region.kms}`);
  yield step;
  if (step.state === 'failed') return false;
  const distrust = await attempt(() => trusted?.checkKey(metadata.Arn, settings.key), signal);
  if (distrust) yield untrustedKey(distrust, write);
  // An alias is not taken here.
  const ofRotation = new GetKeyRotationStatusCommand({ KeyId: metadata.KeyId });
  const rotation = await askKey('kms:GetKeyRotationStatus', (options) =>
    kms.send(ofRotation, options),
  );
  if (rotation instanceof CredstashError) {
    yield unknownStep('key', 'whether its automatic rotation is on', rotation);
  } else if (rotation.KeyRotationEnabled) yield okStep('key', 'its automatic rotation is on');
  else {
    const hint = `turn it on: aws kms enable-key-rotation --key-id ${metadata.KeyId ?? ''} (credstash setup --create-key makes a key with it)`;
    yield warningStep('key', 'its automatic rotation is off', hint);
  }
  return !distrust;
}

function keyStep(metadata: KeyMetadata, where: string): Step {
  const { KeyState = '?', KeySpec, KeyUsage, KeyId = '', Arn = '', MultiRegion } = metadata;
  const unusable = (found: string, hint: string): Step =>
    failedStep('key', new CredstashError('KEY_UNUSABLE', `${where} ${found}`, { hint }));
  if (KeySpec !== 'SYMMETRIC_DEFAULT' || KeyUsage !== 'ENCRYPT_DECRYPT') {
    const kind = `${KeySpec ?? '?'}, ${words(KeyUsage)}`;
    return unusable(
      `makes no data keys (${kind})`,
      'name a symmetric key to encrypt with, with -k',
    );
  }
  if (KeyState !== 'Enabled') {
    const how = REMEDIES[KeyState];
    return unusable(`is ${KeyState}`, how ? `${how} ${KeyId}` : 'name another with -k');
  }
  return okStep(
    'key',
    `${where}: enabled, ${MultiRegion ? 'multi-region' : 'of one region'}, ${Arn}`,
  );
}

function words(constant = '?'): string {
  return constant.toLowerCase().replaceAll('_', ' ');
}

function ask<T>(
  signal: AbortSignal | undefined,
  send: (options: SendOptions) => Promise<T>,
  translated: (error: unknown) => CredstashError,
): Promise<T | CredstashError> {
  return attempt(async () => {
    try {
      return await send(sendOptions(signal));
    } catch (error) {
      throw translated(error);
    }
  }, signal);
}

function askTable<T>(
  { settings, region }: Opened,
  signal: AbortSignal | undefined,
  action: string,
  send: (options: SendOptions) => Promise<T>,
): Promise<T | CredstashError> {
  return ask(signal, send, (error) => fromDynamo(error, action, settings.table, region.dynamodb));
}
