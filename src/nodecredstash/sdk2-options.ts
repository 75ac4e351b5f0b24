import type { AwsSettings } from '../backend/aws/settings.ts';
import { CredstashError } from '../errors.ts';

/*
 * Options of a client of the AWS SDK 2 as those of one of the SDK 3: nodecredstash 2 takes the ones, 3 the others.
 */

type ClientOptions = NonNullable<AwsSettings['clientOptions']>;
/** What a client of the SDK 3 takes, DynamoDB's or KMS's. */
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

/** The options of the SDK 2 that the SDK 3 spells in another way. */
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
        /** Refused: without it the requests would go another way. */
        readonly proxy?: string | undefined;
      }
    | undefined;
  /** Not used: a log of requests is no place that secrets should be near to. */
  readonly logger?: unknown;
}

/** Options of the SDK 2 or of the SDK 3, or of both. What the SDK 3 does not know has no effect. */
export type SdkOptions = Omit<
  { readonly [K in keyof Sdk3Options]: Sdk3Options[K] | undefined },
  keyof Sdk2Options
> &
  Sdk2Options;

/**
 * The same options in the SDK 3's spelling; those that are undefined or null are left out.
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
  const provided = credentialProvider && (() => resolved(credentialProvider));
  return stated({
    maxAttempts: maxRetries === undefined ? undefined : maxRetries + 1,
    tls: sslEnabled,
    requestHandler: httpOptions && handlerOptions(httpOptions),
    ...stated(same),
    endpoint: endpointOf(endpoint, sslEnabled),
    credentials: keys ?? (isSdk2(credentials) ? () => got(credentials) : credentials) ?? provided,
  });
}

function handlerOptions({
  timeout,
  connectTimeout,
  agent,
}: NonNullable<Sdk2Options['httpOptions']>): object {
  return stated({
    // 0 is none in both.
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

/** What credentials of the SDK 2 are now; the SDK 3 asks again before they expire. */
async function got(credentials: Sdk2Credentials): Promise<{
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
  expiration?: Date;
}> {
  await new Promise<void>((resolve, reject) => {
    credentials.get((error) => {
      if (error) reject(failed());
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

async function resolved(
  provider: NonNullable<Sdk2Options['credentialProvider']>,
): ReturnType<typeof got> {
  const credentials = await new Promise<Sdk2Credentials>((resolve, reject) => {
    provider.resolve((error, found) => {
      if (error || !found) reject(failed());
      else resolve(found);
    });
  });
  return got(credentials);
}

/** Told as the SDK 3 tells that it found none; what the SDK 2 says of it may quote a file. */
function failed(): Error {
  return Object.assign(new Error('the credentials of the AWS SDK 2 cannot be got'), {
    name: 'CredentialsProviderError',
  });
}

function stated(options: Readonly<Record<string, unknown>>): Sdk3Options {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined && value !== null),
  );
}
