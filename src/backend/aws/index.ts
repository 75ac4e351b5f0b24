import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { EntryStore } from '../entry-store.ts';
import type { KeyService } from '../key-service.ts';
import { type AwsSettings, clientConfig, regions } from './config.ts';
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
  const dynamodb = new DynamoDBClient({ ...shared, region: region.dynamodb });
  const patience = new Patience(settings.waiting);
  const close = [
    () => {
      dynamodb.destroy();
    },
  ];

  // Listing and deleting need no key service, so its client is loaded with the first data key.
  const keys = lazily(async () => {
    const [{ KMSClient }, { AwsKeyService }] = await Promise.all([
      import('@aws-sdk/client-kms'),
      import('./key-service.ts'),
    ]);
    // The first client's provider, which remembers what it got: both clients ask for credentials once.
    const kms = new KMSClient({
      ...shared,
      credentials: dynamodb.config.credentials,
      region: region.kms,
    });
    close.push(() => {
      kms.destroy();
    });
    return new AwsKeyService(kms, key, region.kms, patience);
  });

  return {
    keys,
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

function lazily(load: () => Promise<KeyService>): KeyService {
  let loaded: Promise<KeyService> | undefined;
  const service = (): Promise<KeyService> => (loaded ??= load());
  return {
    generate: async (context) => (await service()).generate(context),
    unwrap: async (wrapped, context) => (await service()).unwrap(wrapped, context),
    rewrap: async (wrapped, context) => (await service()).rewrap(wrapped, context),
  };
}
