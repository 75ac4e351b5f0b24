import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import type { EntryStore } from '../entry-store.ts';
import type { KeyService } from '../key-service.ts';
import { type AwsSettings, clientConfig, regions } from './config.ts';
import { EarlyAgent } from './early-agent.ts';
import { AwsEntryStore } from './entry-store.ts';
import { Patience } from './patience.ts';

export type { AwsSettings };

/** The table and the key of `settings`. No request is sent before the first use; files of AWS's settings are read. */
export async function openAws(settings: AwsSettings): Promise<{
  keys: KeyService;
  entries: EntryStore;
  setup: (
    tags: Readonly<Record<string, string>>,
    creating: () => Promise<void>,
  ) => Promise<boolean>;
  close: () => void;
}> {
  const { table, key } = settings;
  const region = await regions(settings);
  const shared = await clientConfig(settings, region.dynamodb);
  const { httpsAgent } = shared.requestHandler;
  const early = httpsAgent instanceof EarlyAgent ? httpsAgent : undefined;
  const dynamodb = new DynamoDBClient({ ...shared, region: region.dynamodb });
  const patience = new Patience(settings.waiting);
  const close = [
    () => {
      dynamodb.destroy();
    },
  ];

  // Listing and deleting need no key service, so its client is loaded with the first data key.
  let loaded: Promise<{ keys: KeyService; connect: () => Promise<void> }> | undefined;
  const load = async (): Promise<{ keys: KeyService; connect: () => Promise<void> }> => {
    const { AwsKeyService, DecryptCommand, KMSClient } = await import('./key-service.ts');
    // The first client's provider, which remembers what it got: both clients ask for credentials once.
    const { credentials } = dynamodb.config;
    const kms = new KMSClient({ ...shared, credentials, region: region.kms });
    close.push(() => {
      kms.destroy();
    });
    return {
      keys: new AwsKeyService(kms, key, region.kms, patience),
      connect: () => early?.connect(kms, DecryptCommand) ?? Promise.resolve(),
    };
  };
  const service = (): NonNullable<typeof loaded> => (loaded ??= load());

  return {
    keys: {
      prepare: () => {
        // An entry is read or stored in any case. What loads KMS must not hold up that request.
        void early?.connect(dynamodb, GetItemCommand);
        // What goes wrong is told by the request.
        early?.waiting
          .then(service)
          .then(({ connect }) => connect())
          .catch(() => undefined);
      },
      generate: async (context) => (await service()).keys.generate(context),
      unwrap: async (wrapped, context) => (await service()).keys.unwrap(wrapped, context),
      rewrap: async (wrapped, context) => (await service()).keys.rewrap(wrapped, context),
    },
    entries: new AwsEntryStore(dynamodb, table, region.dynamodb, patience),
    setup: async (tags, creating) => {
      const { createTable } = await import('./setup.ts');
      return createTable(dynamodb, table, region.dynamodb, tags, patience, creating);
    },
    close: () => {
      for (const each of close) each();
    },
  };
}
