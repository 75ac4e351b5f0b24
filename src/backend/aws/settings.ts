import type { DynamoDBClient, DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import type { KMSClient, KMSClientConfig } from '@aws-sdk/client-kms';
import { CredstashError } from '../../errors.ts';
import type { TrustNames } from '../../model/trust.ts';
import type { OutageLimits } from './outage-limits.ts';
import type { OnWait } from './throttle-retry.ts';

/** The table, the key, and the credentials. Missing settings are found as AWS's own tools find them. */
export interface AwsSettings {
  /** Default: AWS_REGION, AWS_DEFAULT_REGION, the profile's, then us-east-1 as in the original. */
  readonly region?: string | undefined;
  /** Default: as `region`. */
  readonly kmsRegion?: string | undefined;
  /**
   * The regions to read from, in this order, while `region` has an outage. Each needs a replica of the table and of the
   * multi-Region key. `region` itself is ignored in this list. Default: none.
   */
  readonly fallbackRegions?: readonly string[] | undefined;
  readonly profile?: string | undefined;
  /** A role to assume, from the profile's or the environment's credentials. */
  readonly roleArn?: string | undefined;
  /** The external ID that the trust policy of `roleArn` asks for: 2 to 1224 letters, digits and `_ + = , . @ : / -`. */
  readonly externalId?: string | undefined;
  /** A name or an ARN. */
  readonly table: string;
  /** The master key of new data keys: an alias with its `alias/`, a key id, or an ARN of either. */
  readonly key: string;
  /**
   * The ARNs of the trusted KMS keys. An entry under another key is refused (ENTRY_NOT_TRUSTED), and nothing is sealed under
   * another key (KEY_NOT_TRUSTED). A multi-Region key counts in every region. Default: every key that KMS lets the caller use.
   */
  readonly trustedKeys?: readonly string[] | undefined;
  /** @internal How messages name the settings of trust. */
  readonly trustNames?: TrustNames | undefined;
  /** Credentials, or a provider of them, instead of those of AWS's environment variables and files. */
  readonly credentials?: DynamoDBClientConfig['credentials'];
  /** The URL of both services, for a test. */
  readonly endpoint?: string | undefined;
  /** The application's own clients, with their regions and credentials. They are not closed. */
  readonly clients?: { readonly dynamodb?: DynamoDBClient; readonly kms?: KMSClient } | undefined;
  /** Options for the SDK's clients. They override everything above, such as region, credentials and endpoint. */
  readonly clientOptions?:
    | { readonly dynamodb?: DynamoDBClientConfig; readonly kms?: KMSClientConfig }
    | undefined;
  /**
   * How long a throttled request is sent again after the SDK's own retries, in milliseconds; default: 5000, five seconds. Then it is
   * THROTTLED. A job that reads a large table of few provisioned units needs minutes. It has no effect if AWS_MAX_ATTEMPTS or
   * `maxAttempts` of a client says how often to try.
   */
  readonly throttlingTimeoutMs?: number | undefined;
  /** @internal Called if a service is used in the default region, because no setting names a region. */
  readonly onDefaultRegion?: ((service: 'DynamoDB' | 'KMS', region: string) => void) | undefined;
  /** @internal How soon requests give up on this region, because another one can be asked. Default: as late as the SDK does. */
  readonly outage?: OutageLimits | undefined;
  /** @internal Makes a region take the credentials that another one got, as long as they are valid. */
  readonly shareCredentials?: ((provider: CredentialProvider) => CredentialProvider) | undefined;
  /** Called when a request waits: the table or KMS throttles, or has not answered for some seconds. */
  readonly waiting?: OnWait;
  /** Asks the person for the code of the MFA device `serial`. */
  readonly mfaCode?: (serial: string) => Promise<string>;
  /** Nobody can be prompted. No program is run for credentials (`credential_process`), because it may prompt. */
  readonly unattended?: boolean;
}

/** Gets credentials, as the SDK's clients call it. */
export type CredentialProvider = Extract<
  NonNullable<DynamoDBClientConfig['credentials']>,
  (...args: never[]) => unknown
>;

/** https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html */
const TABLE = /^(?:arn:[^:]+:dynamodb:([^:]+):\d+:table\/)?[A-Za-z0-9_.-]{3,255}$/;

/** Checks the name or ARN of a table. @returns it, and the region of an ARN. @throws CredstashError USAGE */
export function checkTable(table: string): { table: string; region: string | undefined } {
  const match = TABLE.exec(table);
  if (!match) {
    throw new CredstashError(
      'USAGE',
      'the table is neither a name (3 to 255 letters, digits, _ . -) nor an ARN',
      { hint: 'list the tables of the region: aws dynamodb list-tables' },
    );
  }
  return { table, region: match[1] };
}
