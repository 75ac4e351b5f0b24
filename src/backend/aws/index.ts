import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import type { KMSClient } from '@aws-sdk/client-kms';
import { checkNewAlias } from '../../model/key-id.ts';
import { checkTrustedKeys } from '../../model/trust.ts';
import type { CheckOptions, Checks } from '../diagnosis.ts';
import type { EntryStore } from '../entry-store.ts';
import type { KeyService } from '../key-service.ts';
import type { SetupOptions } from '../setup.ts';
import { createClientConfig, createServiceConfig } from './client-config.ts';
import { AwsEntryStore } from './entry-store.ts';
import { isThrottling } from './errors.ts';
import { onFailedAttempt, rememberFailedHost } from './failed-host.ts';
import { refuseAnyCertificate } from './guard-requests.ts';
import { PreconnectAgent } from './preconnect-agent.ts';
import { checkRegions, inDefaultRegion, findRegions } from './regions.ts';
import type { AwsSettings } from './settings.ts';
import { Table } from './table.ts';
import { ThrottleRetry } from './throttle-retry.ts';

export type { AwsSettings };

/** What comes with the first data key. */
interface Loaded {
  readonly kms: KMSClient;
  readonly keys: KeyService;
  readonly connect: () => Promise<void>;
}

/** The table and the key of `settings`. No request is sent before the first use; files of AWS's settings are read. */
export async function openAws(settings: AwsSettings): Promise<{
  keys: KeyService;
  entries: EntryStore;
  /** What a policy is about. */
  place: { readonly table: string; readonly key: string; region: string; kmsRegion: string };
  setup: (options: SetupOptions) => Promise<boolean>;
  check: (options: CheckOptions) => Checks;
  close: () => void;
}> {
  const { table, key, trustedKeys, trustNames } = settings;
  const trusted = checkTrustedKeys(trustedKeys, trustNames?.trustedKeys);
  if (settings.clients) refuseAnyCertificate("the application's client");
  const origins = await findRegions(settings);
  const region = checkRegions(origins);
  const isDefault = inDefaultRegion(origins);
  const { shared: config, endpoints } = await createClientConfig(settings, region.dynamodb);
  const own = settings.clientOptions ?? {};
  const retry = new ThrottleRetry({
    tell: settings.waiting,
    attempts: config.maxAttempts as number | undefined,
    counted: [own.dynamodb, own.kms].some((options) => options?.maxAttempts !== undefined),
  });
  const { credentials: provider } = config;
  const shared =
    typeof provider === 'function'
      ? {
          ...config,
          credentials: (...args: Parameters<typeof provider>) =>
            retry.getCredentials(() => provider(...args)),
        }
      : config;
  const { httpsAgent } = shared.requestHandler;
  // A client of the application's, or one with a handler of its own, connects in its own way.
  const early =
    !settings.clients &&
    httpsAgent instanceof PreconnectAgent &&
    !own.dynamodb?.requestHandler &&
    !own.kms?.requestHandler
      ? httpsAgent
      : undefined;
  const dynamodb =
    settings.clients?.dynamodb ??
    new DynamoDBClient({
      ...createServiceConfig(shared, endpoints, 'DYNAMODB', own.dynamodb),
      region: region.dynamodb,
    });
  const tellThrottling = onFailedAttempt('tellThrottling', (error) => {
    if (isThrottling(error)) retry.sawThrottling();
  });
  if (!settings.clients?.dynamodb) {
    dynamodb.middlewareStack.use(rememberFailedHost);
    dynamodb.middlewareStack.use(tellThrottling);
  }
  if (isDefault.dynamodb) settings.onDefaultRegion?.('DynamoDB', region.dynamodb);
  const close: (() => void)[] = [];
  // What the application made is its own to close.
  if (!settings.clients?.dynamodb) {
    close.push(() => {
      dynamodb.destroy();
    });
  }

  // Listing and deleting need no key service, so its client is loaded with the first data key.
  let loaded: Promise<Loaded> | undefined;
  const load = async (): Promise<Loaded> => {
    if (isDefault.kms) settings.onDefaultRegion?.('KMS', region.kms);
    const { AwsKeyService, DecryptCommand, KMSClient } = await import('./key-service.ts');
    // The first client's provider, which remembers what it got: both clients ask for credentials once. Not so where it was
    // given them for itself.
    const { credentials } = dynamodb.config;
    const { clients, profile, roleArn } = settings;
    const isOwn =
      own.dynamodb?.credentials ??
      (clients?.dynamodb && (settings.credentials ?? profile ?? roleArn));
    const common = isOwn ? shared : { ...shared, credentials };
    const kms =
      settings.clients?.kms ??
      new KMSClient({
        ...createServiceConfig(common, endpoints, 'KMS', own.kms),
        region: region.kms,
      });
    if (!settings.clients?.kms) {
      kms.middlewareStack.use(rememberFailedHost);
      kms.middlewareStack.use(tellThrottling);
      close.push(() => {
        kms.destroy();
      });
    }
    return {
      kms,
      keys: new AwsKeyService(kms, key, region.kms, retry, trusted),
      connect: () => early?.connect(kms, DecryptCommand) ?? Promise.resolve(),
    };
  };
  const service = (): NonNullable<typeof loaded> => (loaded ??= load());

  const prepare = (): void => {
    // An entry is read or stored in any case. What loads KMS must not hold up that request.
    void early?.connect(dynamodb, GetItemCommand);
    // What goes wrong is told by the request.
    early?.waiting
      .then(service)
      .then(({ connect }) => connect())
      .catch(() => undefined);
  };
  const lazily = (signal?: AbortSignal): KeyService => {
    const keys = async (): Promise<KeyService> => {
      const { keys } = await service();
      return signal ? keys.withSignal(signal) : keys;
    };
    return {
      warmUp: prepare,
      checkKey: () => trusted?.checkName(key),
      generate: async (context) => (await keys()).generate(context),
      unwrap: async (wrapped, context) => (await keys()).unwrap(wrapped, context),
      wrap: async (plaintext, context) => (await keys()).wrap(plaintext, context),
      rewrap: async (wrapped, context) => (await keys()).rewrap(wrapped, context),
      withSignal: lazily,
    };
  };

  return {
    keys: lazily(),
    entries: new AwsEntryStore(new Table(dynamodb, table, region.dynamodb, retry)),
    place: { table, key, region: region.dynamodb, kmsRegion: region.kms },
    setup: async (options) => {
      // Checked before anything is made.
      const alias = options.createKey ? checkNewAlias(key) : undefined;
      const { setUp } = await import('./setup/table.ts');
      return setUp(
        { dynamodb, table, region: region.dynamodb, retry, signal: options.signal },
        alias === undefined
          ? undefined
          : async () => ({
              kms: (await service()).kms,
              alias,
              region: region.kms,
              retry,
              signal: options.signal,
            }),
        options,
      );
    },
    check: async function* (options) {
      const { checkAws } = await import('./doctor/index.ts');
      const closeLater = (each: () => void): unknown => close.push(each);
      const loadKms = async (): Promise<KMSClient> => (await service()).kms;
      return yield* checkAws(
        { settings, region, shared, endpoints, dynamodb, loadKms, trusted, closeLater },
        options,
      );
    },
    close: () => {
      for (const each of close) each();
    },
  };
}
