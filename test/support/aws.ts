import type { KmsServer } from './kms-server.ts';
import { startKmsServer } from './kms-server.ts';
import {
  createTable,
  type Dynamo,
  dynamoLocalMissing,
  startDynalite,
  startDynamoLocal,
} from './dynamo.ts';
import { testCredential } from './sigv4.ts';

/** KMS and DynamoDB on this machine, with the table there. */
export interface Aws {
  readonly kms: KmsServer;
  readonly dynamo: Dynamo;
  /** What points the SDK at them. */
  readonly env: Readonly<Record<string, string>>;
  readonly close: () => Promise<void>;
}

/** The table that `startAws` creates. */
export const table = 'credential-store';

export async function startAws(startDynamo: () => Promise<Dynamo>): Promise<Aws> {
  const [kms, dynamo] = await Promise.all([startKmsServer(), startDynamo()]);
  await createTable(dynamo.url, table);
  return {
    kms,
    dynamo,
    env: {
      AWS_REGION: 'us-east-1',
      AWS_ENDPOINT_URL_KMS: kms.url,
      AWS_ENDPOINT_URL_DYNAMODB: dynamo.url,
      AWS_ACCESS_KEY_ID: testCredential.accessKeyId,
      AWS_SECRET_ACCESS_KEY: testCredential.secretAccessKey,
    },
    close: async () => {
      await Promise.all([kms.close(), dynamo.close()]);
    },
  };
}

/**
 * The DynamoDBs that the suites run on. AWS's own engine needs Java and a fetched jar: without them it is left out,
 * which one loud line says; in CI that is a failure.
 */
export function dynamoEngines(): { name: string; start: () => Promise<Dynamo> }[] {
  const engines = [{ name: 'dynalite', start: startDynalite }];
  const missing = dynamoLocalMissing();
  if (missing === undefined) {
    engines.push({ name: 'DynamoDB Local', start: startDynamoLocal });
  } else if (process.env['CI'] !== undefined) {
    throw new Error(`DynamoDB Local is missing: ${missing}`);
  } else {
    process.stderr.write(
      `\n!!!! LEFT OUT: every test on DynamoDB Local: ${missing} (npm run test:tools)\n\n`,
    );
  }
  return engines;
}
