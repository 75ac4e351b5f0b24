import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { KMSClient } from '@aws-sdk/client-kms';
import type { PolicyPlace } from '../../iam-policy.ts';
import { checkNewAlias } from '../../model/key-id.ts';
import { checkTrustedKeys } from '../../model/trust.ts';
import type { CheckOptions, Checks, FallbackChecks } from '../diagnosis.ts';
import type { EntryStore } from '../entry-store.ts';
import type { KeyService } from '../key-service.ts';
import type { SetupOptions } from '../setup.ts';
import { createClientConfig, createServiceConfig, limitRetries } from './client-config.ts';
import { AwsEntryStore } from './entry-store.ts';
import type { EarlyAgents } from './early-connections.ts';
import { isThrottling } from './errors.ts';
import type { Probed } from './doctor/fallback.ts';
import { onFailedAttempt, rememberFailedHost } from './failed-host.ts';
import { createFallbackChecks } from './fallback-settings.ts';
import { guardOlderClient, refuseAnyCertificate } from './guard-requests.ts';
import { preconnect } from './http.ts';
import { PreconnectAgent } from './preconnect-agent.ts';
import { checkRegions, findDefaultedServices, findRegions } from './regions.ts';
import type { AwsSettings } from './settings.ts';
import { Table } from './table.ts';
import { ThrottleRetry } from './throttle-retry.ts';

/** Loaded with the first data key. */
interface KmsModule {
  readonly kms: KMSClient;
  readonly keys: KeyService;
  readonly preconnect: () => Promise<void>;
}

/**
 * Opens the table and the key of `settings`. Reads AWS's configuration files, but sends no request before the first use.
 * @param agents that have opened connections for these settings
 */
export async function openAws(
  settings: AwsSettings,
  agents?: EarlyAgents,
): Promise<{
  keys: KeyService;
  entries: EntryStore;
  place: PolicyPlace;
  setup: (options: SetupOptions) => Promise<boolean>;
  check: (options: CheckOptions) => Checks;
  /** The regions to fall back to, without the region itself. */
  fallbacks: readonly FallbackChecks[];
  /** The clients, for the checks of another region. */
  probe: () => Promise<Probed>;
  close: () => void;
}> {
  const { table, key, trustedKeys, trustNames } = settings;
  const trusted = checkTrustedKeys(trustedKeys, trustNames?.trustedKeys);
  if (settings.clients) refuseAnyCertificate("the application's client");
  const origins = await findRegions(settings);
  const region = checkRegions(origins);
  const isDefault = findDefaultedServices(origins);
  const { shared: config, endpoints } = await createClientConfig(settings, region.dynamodb, agents);
  const own = settings.clientOptions ?? {};
  const { outage, shareCredentials } = settings;
  const retry = new ThrottleRetry({
    tell: settings.waiting,
    longestMs: outage?.throttlingMs ?? settings.throttlingTimeoutMs,
    outage,
    attempts: config.maxAttempts as number | undefined,
    counted: [own.dynamodb, own.kms].some((options) => options?.maxAttempts !== undefined),
  });
  const { credentials: unshared } = config;
  const provider =
    shareCredentials && typeof unshared === 'function' ? shareCredentials(unshared) : unshared;
  const shared =
    typeof provider === 'function'
      ? {
          ...config,
          credentials: (...args: Parameters<typeof provider>) =>
            retry.getCredentials(() => provider(...args)),
        }
      : config;
  const { httpsAgent } = shared.requestHandler;
  // An application's own client or request handler connects in its own way.
  const agent =
    !settings.clients &&
    httpsAgent instanceof PreconnectAgent &&
    !own.dynamodb?.requestHandler &&
    !own.kms?.requestHandler
      ? httpsAgent
      : undefined;
  const dynamodb =
    settings.clients?.dynamodb ??
    new DynamoDBClient({
      ...createServiceConfig(
        { ...shared, ...(await limitRetries(outage, { ...shared, ...own.dynamodb })) },
        endpoints,
        'DYNAMODB',
        own.dynamodb,
        outage,
      ),
      region: region.dynamodb,
    });
  const tellThrottling = onFailedAttempt('tellThrottling', (error) => {
    if (isThrottling(error)) retry.sawThrottling();
  });
  if (!settings.clients?.dynamodb) {
    guardOlderClient(dynamodb);
    dynamodb.middlewareStack.use(rememberFailedHost);
    dynamodb.middlewareStack.use(tellThrottling);
  }
  if (isDefault.dynamodb) settings.onDefaultRegion?.('DynamoDB', region.dynamodb);
  const close: (() => void)[] = [];
  // An application closes its own clients.
  if (!settings.clients?.dynamodb) {
    close.push(() => {
      dynamodb.destroy();
      // A client that has sent no request does not close its agents.
      agents?.httpsAgent.destroy();
    });
  }

  // Listing and deleting need no key service, so its client is loaded with the first data key.
  let kmsModule: Promise<KmsModule> | undefined;
  const createKms = async (): Promise<KmsModule> => {
    if (isDefault.kms) settings.onDefaultRegion?.('KMS', region.kms);
    const { AwsKeyService, KMSClient } = await import('./key-service.ts');
    // The first client's provider caches the credentials, so both clients get them with one request, unless the application
    // gave that client credentials of its own.
    const { credentials } = dynamodb.config;
    const { clients, profile, roleArn } = settings;
    const isOwn =
      own.dynamodb?.credentials ??
      (clients?.dynamodb && (settings.credentials ?? profile ?? roleArn));
    const common = isOwn ? shared : { ...shared, credentials };
    const kms =
      settings.clients?.kms ??
      new KMSClient({
        ...createServiceConfig(
          { ...common, ...(await limitRetries(outage, { ...common, ...own.kms })) },
          endpoints,
          'KMS',
          own.kms,
          outage,
        ),
        region: region.kms,
      });
    if (!settings.clients?.kms) {
      guardOlderClient(kms);
      kms.middlewareStack.use(rememberFailedHost);
      kms.middlewareStack.use(tellThrottling);
      close.push(() => {
        kms.destroy();
      });
    }
    return {
      kms,
      keys: new AwsKeyService(kms, key, region.kms, retry, trusted),
      preconnect: async () => {
        if (agent) await preconnect(agent, kms);
      },
    };
  };
  const loadKms = (): Promise<KmsModule> => (kmsModule ??= createKms());

  let isWarm = false;
  const warmUp = (): void => {
    if (!agent || isWarm) return;
    isWarm = true;
    void preconnect(agent, dynamodb);
    // Every operation asks DynamoDB first. Loading KMS must not delay that request.
    agent.requestSent
      .then(loadKms)
      .then((kms) => kms.preconnect())
      .catch(() => {
        // The request that needs KMS reports it.
      });
  };
  const createLazyKeys = (signal?: AbortSignal): KeyService => {
    const keys = async (): Promise<KeyService> => {
      const { keys } = await loadKms();
      return signal ? keys.withSignal(signal) : keys;
    };
    return {
      warmUp,
      checkKey: () => trusted?.checkName(key),
      generate: async (context) => (await keys()).generate(context),
      unwrap: async (wrapped, context) => (await keys()).unwrap(wrapped, context),
      wrap: async (plaintext, context) => (await keys()).wrap(plaintext, context),
      rewrap: async (wrapped, context) => (await keys()).rewrap(wrapped, context),
      withSignal: createLazyKeys,
    };
  };

  const probe = async (): Promise<Probed> => ({
    settings,
    region,
    dynamodb,
    kms: (await loadKms()).kms,
  });

  return {
    probe,
    fallbacks: createFallbackChecks(settings, region.dynamodb, probe, openAws, (each) => {
      close.push(each);
    }),
    keys: createLazyKeys(),
    entries: new AwsEntryStore(new Table(dynamodb, table, region.dynamodb, retry)),
    place: {
      table,
      key,
      region: region.dynamodb,
      kmsRegion: region.kms,
      fallbackRegions: settings.fallbackRegions,
    },
    setup: async (options) => {
      // Checked before anything is created.
      const alias = options.createKey ? checkNewAlias(key) : undefined;
      const { setUp } = await import('./setup/table.ts');
      return setUp(
        { dynamodb, table, region: region.dynamodb, retry, signal: options.signal },
        alias === undefined
          ? undefined
          : async () => ({
              kms: (await loadKms()).kms,
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
      return yield* checkAws(
        {
          settings,
          region,
          shared,
          endpoints,
          dynamodb,
          loadKms: async () => (await loadKms()).kms,
          trusted,
          closeLater,
        },
        options,
      );
    },
    close: () => {
      for (const each of close) each();
    },
  };
}
