import type { AwsSettings } from '../backend/aws/settings.ts';
import { CredstashError } from '../errors.ts';

/*
 * Converts the client options of the AWS SDK 2 to those of the SDK 3. nodecredstash 2 takes the former, nodecredstash 3 the
 * latter.
 */

type ClientOptions = NonNullable<AwsSettings['clientOptions']>;
/** The options of a client of the SDK 3 for DynamoDB or KMS. */
export type Sdk3Options = NonNullable<ClientOptions['dynamodb']> &
  NonNullable<ClientOptions['kms']>;

/** Credentials of the SDK 2, which get and renew themselves. */
interface Sdk2Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly expireTime?: Date | null | undefined;
  readonly get: (callback: (error?: unknown) => void) => void;
}

/** The options of the SDK 2 that differ in the SDK 3. */
interface Sdk2Options {
  readonly accessKeyId?: string | undefined;
  readonly secretAccessKey?: string | undefined;
  readonly sessionToken?: string | undefined;
  readonly credentials?: Sdk3Options['credentials'] | Sdk2Credentials | null | undefined;
  readonly credentialProvider?:
    | {
        readonly resolve: (
          callback: (error: unknown, credentials?: Sdk2Credentials) => void,
        ) => void;
      }
    | undefined;
  /** A text with or without its protocol, a URL, or an `AWS.Endpoint`. */
  readonly endpoint?: Sdk3Options['endpoint'] | { readonly href: string } | undefined;
  readonly maxRetries?: number | undefined;
  readonly sslEnabled?: boolean | undefined;
  readonly httpOptions?:
    | {
        readonly timeout?: number | undefined;
        readonly connectTimeout?: number | undefined;
        readonly agent?: object | undefined;
        /** Refused, because the SDK 3 has no such option: the requests would bypass the proxy. */
        readonly proxy?: string | undefined;
      }
    | undefined;
  /** Ignored, because a log of requests must not come near secrets. */
  readonly logger?: unknown;
}

/** Options of the SDK 2, the SDK 3, or both. Options that the SDK 3 does not know have no effect. */
export type SdkOptions = Omit<
  { readonly [K in keyof Sdk3Options]: Sdk3Options[K] | undefined },
  keyof Sdk2Options
> &
  Sdk2Options;

/**
 * Converts options to those of the SDK 3. Leaves out options that are undefined or null.
 *
 * @throws CredstashError USAGE for `httpOptions.proxy`
 */
export function sdk3Options(options: SdkOptions): Sdk3Options {
  const {
    accessKeyId,
    secretAccessKey,
    sessionToken,
    credentials,
    credentialProvider,
    endpoint,
    maxRetries,
    sslEnabled,
    httpOptions,
    logger: _,
    ...same
  } = options;
  if (httpOptions?.proxy) {
    throw new CredstashError(
      'USAGE',
      'the option httpOptions.proxy of the AWS SDK 2 has no effect here',
      {
        hint: 'set HTTPS_PROXY, or give an httpOptions.agent that goes through the proxy',
      },
    );
  }
  const keys =
    accessKeyId && secretAccessKey
      ? { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) }
      : undefined;
  const provider = credentialProvider && (() => resolveProvider(credentialProvider));
  return omitUnset({
    maxAttempts: maxRetries === undefined ? undefined : maxRetries + 1,
    tls: sslEnabled,
    requestHandler: httpOptions && handlerOptions(httpOptions),
    ...omitUnset(same),
    endpoint: endpointOf(endpoint, sslEnabled),
    credentials: keys ?? (isSdk2(credentials) ? () => renew(credentials) : credentials) ?? provider,
  });
}

function handlerOptions({
  timeout,
  connectTimeout,
  agent,
}: NonNullable<Sdk2Options['httpOptions']>): object {
  return omitUnset({
    // In both SDKs, 0 means no limit.
    requestTimeout: timeout,
    connectionTimeout: connectTimeout,
    httpAgent: agent,
    httpsAgent: agent,
  });
}

function endpointOf(
  endpoint: SdkOptions['endpoint'],
  sslEnabled = true,
): Sdk3Options['endpoint'] | undefined {
  if (typeof endpoint === 'string') {
    return endpoint.includes('://') ? endpoint : `http${sslEnabled ? 's' : ''}://${endpoint}`;
  }
  return endpoint && 'href' in endpoint ? endpoint.href : endpoint;
}

function isSdk2(credentials: SdkOptions['credentials']): credentials is Sdk2Credentials {
  return !!credentials && 'get' in credentials && typeof credentials.get === 'function';
}

/** Renews credentials of the SDK 2 if necessary, and converts them. The SDK 3 calls this again before they expire. */
async function renew(credentials: Sdk2Credentials): Promise<{
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
  expiration?: Date;
}> {
  await new Promise<void>((resolve, reject) => {
    credentials.get((error) => {
      if (error) reject(credentialsFailed());
      else resolve();
    });
  });
  const { accessKeyId, secretAccessKey, sessionToken, expireTime } = credentials;
  return {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken ? { sessionToken } : {}),
    ...(expireTime ? { expiration: expireTime } : {}),
  };
}

async function resolveProvider(
  provider: NonNullable<Sdk2Options['credentialProvider']>,
): ReturnType<typeof renew> {
  const credentials = await new Promise<Sdk2Credentials>((resolve, reject) => {
    provider.resolve((error, found) => {
      if (error || !found) reject(credentialsFailed());
      else resolve(found);
    });
  });
  return renew(credentials);
}

/** Makes the error that the SDK 3 throws without credentials. The SDK 2's own error is dropped, because it may quote a file. */
function credentialsFailed(): Error {
  return Object.assign(new Error('the credentials of the AWS SDK 2 cannot be got'), {
    name: 'CredentialsProviderError',
  });
}

function omitUnset(options: Readonly<Record<string, unknown>>): Sdk3Options {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined && value !== null),
  );
}
