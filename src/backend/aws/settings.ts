import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent, type AgentOptions } from 'node:https';
import type { DynamoDBClient, DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import type { KMSClient, KMSClientConfig } from '@aws-sdk/client-kms';
import { fromEnv, fromTemporaryCredentials } from '@aws-sdk/credential-providers';
import { CredstashError } from '../../errors.ts';
import { checkRegion } from '../../model/region.ts';
import type { TrustNames } from '../../model/trust.ts';
import { builtInAuthorities, readCertificates } from './certificates.ts';
import {
  type ClientSettings,
  endpointOption,
  type Endpoints,
  findClientSettings,
} from './client-settings.ts';
import { PreconnectAgent } from './preconnect-agent.ts';
import { PROXIES, proxyIsSet, translate, usesProxy } from './errors.ts';
import { rememberFailedHost } from './failed-host.ts';
import { guardRequests, MAX_TABLE_ANSWER_BYTES, type Unverified } from './http.ts';
import type { OnWait } from './throttle-retry.ts';
import { findSessionName, isRoleArn, profileNameOf, readAwsFiles } from './profile.ts';
import { ProxyAgent } from './proxy.ts';
import { USER_AGENT } from './user-agent.ts';

/** Where the table and the key are, and who asks. What is absent is found as AWS's own tools find it. */
export interface AwsSettings {
  /** Default: AWS_REGION, AWS_DEFAULT_REGION, the profile's, then us-east-1 as in the original. */
  readonly region?: string | undefined;
  /** Default: as `region`. */
  readonly kmsRegion?: string | undefined;
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
   * The ARNs of the KMS keys that entries may be under: one under another key is refused (ENTRY_NOT_TRUSTED), and nothing is
   * sealed under another key (KEY_NOT_TRUSTED). A multi-Region key counts in every region. Default: every key that KMS lets
   * the caller use.
   */
  readonly trustedKeys?: readonly string[] | undefined;
  /** @internal How the settings of trust are called where they were made. */
  readonly trustNames?: TrustNames | undefined;
  /** In the place of what AWS's environment variables and files say: credentials, or what gives them. */
  readonly credentials?: DynamoDBClientConfig['credentials'];
  /** The URL of both services, for a test. */
  readonly endpoint?: string | undefined;
  /** The application's own clients, with their regions and credentials. They are not closed. */
  readonly clients?: { readonly dynamodb?: DynamoDBClient; readonly kms?: KMSClient } | undefined;
  /** What the SDK's clients are made with, before all that is said here: a client's own region, credentials, endpoint. */
  readonly clientOptions?:
    { readonly dynamodb?: DynamoDBClientConfig; readonly kms?: KMSClientConfig } | undefined;
  /** @internal Told when a service is used in the default region, because nothing names one. */
  readonly onDefaultRegion?: ((service: 'DynamoDB' | 'KMS', region: string) => void) | undefined;
  /** Told of a wait: the table or KMS throttles, or has not answered for some seconds. */
  readonly waiting?: OnWait;
  /** Asks the person for the code of the MFA device `serial`. */
  readonly mfaCode?: (serial: string) => Promise<string>;
  /** Nobody can be asked: no program is run for credentials (`credential_process`), which may ask by itself. */
  readonly unattended?: boolean;
}

export type ClientConfig = Pick<
  DynamoDBClientConfig,
  'profile' | 'credentials' | 'logger' | 'endpoint' | 'cacheMiddleware' | 'customUserAgent'
> &
  ClientSettings & {
    readonly requestHandler: RequestHandler;
    readonly extensions: ReturnType<typeof guardRequests>[];
  };

interface RequestHandler {
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly throwOnRequestTimeout: true;
  readonly httpAgent: HttpAgent;
  readonly httpsAgent: HttpsAgent;
}

/** https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html */
const TABLE = /^(?:arn:[^:]+:dynamodb:([^:]+):\d+:table\/)?[A-Za-z0-9_.-]{3,255}$/;

/** The table, and the region to find it in. @throws CredstashError USAGE when it can be no table's name or ARN */
export function checkTable(table: string): { table: string; region: string | undefined } {
  const match = TABLE.exec(table);
  if (!match) {
    throw new CredstashError(
      'USAGE',
      'the table is neither a name (3 to 255 letters, digits, _ . -) nor an ARN',
    );
  }
  return { table, region: match[1] };
}

/** A setting, and where it came from, for a person. */
export interface Origin {
  readonly value: string;
  readonly from: string;
}

/** The regions of the table and of the key. */
export interface RegionOrigins {
  readonly dynamodb: Origin;
  readonly kms: Origin;
}

/** The region of the original, if nothing names one. */
const DEFAULT_REGION: Origin = { value: 'us-east-1', from: 'the default' };

/**
 * Finds the regions of the table and of the key. A table's ARN names its own region.
 *
 * @throws CredstashError USAGE when the table cannot be one
 *
 * Not left to the SDK, which knows nothing of AWS_DEFAULT_REGION (aws/aws-sdk-js#2929) and of us-east-1.
 */
export async function regionOrigins(settings: AwsSettings): Promise<RegionOrigins> {
  const { clients, clientOptions, kmsRegion, table } = settings;
  const profile = `the profile ${profileNameOf(settings) ?? 'default'}`;
  const region =
    given(settings.region, 'as given') ??
    ofEnvironment('AWS_REGION') ??
    ofEnvironment('AWS_DEFAULT_REGION') ??
    given(profileSetting(settings, 'region'), profile) ??
    DEFAULT_REGION;
  return {
    dynamodb:
      given(await clients?.dynamodb?.config.region(), "the application's client") ??
      given(await said(clientOptions?.dynamodb?.region), "the application's options") ??
      given(checkTable(table).region, "the table's ARN") ??
      region,
    kms:
      given(await clients?.kms?.config.region(), "the application's client") ??
      given(await said(clientOptions?.kms?.region), "the application's options") ??
      given(kmsRegion, 'as given') ??
      region,
  };
}

/** The names of the regions. @throws CredstashError USAGE when one cannot be a region */
export function checkRegions({ dynamodb, kms }: RegionOrigins): { dynamodb: string; kms: string } {
  return { dynamodb: checkRegion(dynamodb.value), kms: checkRegion(kms.value) };
}

/**
 * The services whose region nothing names. KMS is not one of them in the region that something names for the table.
 */
export function inDefaultRegion({ dynamodb, kms }: RegionOrigins): {
  readonly dynamodb: boolean;
  readonly kms: boolean;
} {
  return {
    dynamodb: dynamodb === DEFAULT_REGION,
    kms: kms === DEFAULT_REGION && kms.value !== dynamodb.value,
  };
}

/** A client's region may come from a function. */
async function said(region: DynamoDBClientConfig['region']): Promise<string | undefined> {
  return typeof region === 'function' ? region() : region;
}

function given(value: string | undefined, from: string): Origin | undefined {
  return value === undefined ? undefined : { value, from };
}

/** A variable of the environment; empty is absent. */
export function ofEnvironment(name: string): Origin | undefined {
  return given(process.env[name] || undefined, name);
}

/**
 * What the client of one service is made with: the shared configuration and the service's endpoint, with the application's own
 * options for this client, if any, in their place.
 *
 * @throws CredstashError USAGE if those options turn off the verification of certificates
 */
export function serviceConfig<T extends DynamoDBClientConfig | KMSClientConfig>(
  shared: ClientConfig,
  endpoints: Endpoints,
  service: 'DYNAMODB' | 'KMS',
  options: T | undefined,
): ClientConfig | (ClientConfig & T) {
  const { requestHandler, unverified } = withHandlerOptions(shared, options?.requestHandler);
  const guard = guardRequests({
    ...(service === 'DYNAMODB' ? { maxBytes: MAX_TABLE_ANSWER_BYTES } : {}),
    unverified: proxyOverTls() ?? unverified,
  });
  return {
    ...shared,
    ...endpointOption(endpoints, service),
    ...options,
    customUserAgent: [...USER_AGENT, ...pairsOf(options?.customUserAgent)],
    requestHandler,
    extensions: [...(options?.extensions ?? []), guard],
  } as ClientConfig | (ClientConfig & T);
}

/** An application's own part of the user agent, in the one of its two forms that has pairs. */
function pairsOf(
  agent: DynamoDBClientConfig['customUserAgent'] = [],
): Exclude<typeof agent, string> {
  return typeof agent === 'string' ? [[agent]] : agent;
}

/** An agent that exists, and no options to make one with. The SDK tells them apart in the same way. */
function isAgent(agent: object): agent is HttpsAgent {
  return typeof (agent as Partial<HttpsAgent>).destroy === 'function';
}

/**
 * The shared handler's options, changed by an application's; or a handler of its own, which replaces them all. Options of
 * an agent change the shared agent's, so that they lose neither its certificates nor their verification.
 */
function withHandlerOptions(
  { requestHandler: shared }: ClientConfig,
  own: DynamoDBClientConfig['requestHandler'] = {},
): { requestHandler: object; unverified?: Unverified } {
  const protocols = ['https:'];
  if ('handle' in own) {
    return {
      requestHandler: own,
      unverified: { what: "the application's request handler", protocols },
    };
  }
  const { httpAgent, httpsAgent } = own as { httpAgent?: object; httpsAgent?: object };
  const tls: AgentOptions | undefined =
    httpsAgent && (isAgent(httpsAgent) ? httpsAgent.options : httpsAgent);
  if (tls?.rejectUnauthorized === false) {
    throw new CredstashError(
      'USAGE',
      "the application's httpsAgent would accept any TLS certificate: its rejectUnauthorized is false",
      { hint: 'leave it out, and give the certificate to trust as ca of that agent' },
    );
  }
  const isOwn = httpsAgent !== undefined && isAgent(httpsAgent);
  const { options } = shared.httpsAgent;
  const Agent = shared.httpsAgent instanceof ProxyAgent ? ProxyAgent : HttpsAgent;
  return {
    requestHandler: {
      ...shared,
      ...own,
      ...(httpAgent && !isAgent(httpAgent)
        ? { httpAgent: new HttpAgent({ ...options, ...httpAgent }) }
        : {}),
      ...(httpsAgent && !isOwn
        ? { httpsAgent: new Agent({ ...options, ...httpsAgent, rejectUnauthorized: true }) }
        : {}),
    },
    ...(isOwn && tls?.rejectUnauthorized !== true
      ? { unverified: { what: "the application's httpsAgent", protocols } }
      : {}),
  };
}

/** A connection to a proxy over TLS, which Node.js makes without any of the agent's options. */
function proxyOverTls(): Unverified | undefined {
  const isUsed = usesProxy() && PROXIES.some((name) => /^https:/i.test(process.env[name] ?? ''));
  const protocols = ['http:', 'https:'];
  return isUsed ? { what: 'the connection to the proxy', protocols } : undefined;
}

/**
 * With no logger the SDK prints its notices, such as of several sources of credentials, to the user's terminal. This one has no
 * `info`, which the SDK calls where there is one: to hand it over, it would copy all that each request and answer carries.
 */
const QUIET = {
  debug: () => undefined,
  warn: () => undefined,
  error: () => undefined,
} as unknown as NonNullable<DynamoDBClientConfig['logger']>;

/**
 * What all clients share, without an endpoint, and where each service is. The credentials are the environment's, the
 * profile's or what comes after them (see credentials.ts), or a role assumed from those.
 */
export async function clientConfig(
  settings: AwsSettings,
  region: string,
): Promise<{ readonly shared: ClientConfig; readonly endpoints: Endpoints }> {
  const { endpoints, settings: clientSettings } = findClientSettings(settings);
  const shared = await sharedConfig(settings, region, endpoints, clientSettings);
  return { shared, endpoints };
}

async function sharedConfig(
  settings: AwsSettings,
  region: string,
  endpoints: Endpoints,
  clientSettings: ClientSettings,
): Promise<ClientConfig> {
  const mfaCodeProvider = settings.mfaCode;
  const profile = profileNameOf(settings);
  const shared = {
    ...(profile === undefined ? {} : { profile }),
    ...clientSettings,
    customUserAgent: USER_AGENT,
    logger: QUIET,
    extensions: [guardRequests({ unverified: proxyOverTls() })],
    // A client's requests of one kind differ in their input alone, and a getall sends thousands.
    cacheMiddleware: true,
    // A service that is not there must not hold a person up: all attempts together end within a minute.
    requestHandler: {
      connectionTimeout: 3000,
      requestTimeout: 8000,
      throwOnRequestTimeout: true as const,
      ...agents(settings),
    },
  };
  // As boto and the AWS command have it, keys in the environment come before a profile that the environment names;
  // the SDK has it the other way round.
  const keysInEnvironment =
    settings.profile === undefined &&
    process.env['AWS_ACCESS_KEY_ID'] &&
    process.env['AWS_SECRET_ACCESS_KEY'];
  if (settings.unattended && !keysInEnvironment && (await runsProcess(settings))) {
    throw new CredstashError('NO_CREDENTIALS', 'the credentials come from another program');
  }
  const { credentials, externalId } = settings;
  if (externalId !== undefined) checkExternalId(externalId, settings.roleArn);
  if (credentials && settings.roleArn === undefined) return { ...shared, credentials };
  const chain = credentials
    ? typeof credentials === 'function'
      ? credentials
      : () => Promise.resolve(credentials)
    : keysInEnvironment
      ? fromEnv({ logger: QUIET })
      : async () => {
          const { getCredentials } = await import('./credentials.ts');
          const { profile, mfaCode } = settings;
          return getCredentials({ profile, mfaCode, shared, region, endpoints });
        };
  const { roleArn } = settings;
  if (roleArn === undefined) return { ...shared, credentials: translated(chain, region, profile) };
  // STS would say that it is invalid, in words that are not kept.
  if (!isRoleArn(roleArn)) {
    throw new CredstashError(
      'USAGE',
      'the role is not an ARN such as arn:aws:iam::123456789012:role/NAME',
    );
  }
  // A profile without a role of its own may still say which MFA device its owner has.
  const serial =
    profileSetting(settings, 'role_arn') === undefined
      ? profileSetting(settings, 'mfa_serial')
      : undefined;
  const assumed = fromTemporaryCredentials({
    masterCredentials: chain,
    params: {
      RoleArn: roleArn,
      // The default is the original's: trust policies and CloudTrail filters may name it.
      RoleSessionName: findSessionName() ?? 'AssumeRoleCredstashSession1',
      ...(externalId === undefined ? {} : { ExternalId: externalId }),
      ...(serial === undefined ? {} : { SerialNumber: serial }),
    },
    ...(mfaCodeProvider ? { mfaCodeProvider } : {}),
    clientConfig: { ...shared, ...endpointOption(endpoints, 'STS'), region },
    clientPlugins: [rememberFailedHost],
  });
  return { ...shared, credentials: translated(assumed, region, profile) };
}

/**
 * Checks an external ID as STS does, whose words of a refusal are not kept
 * (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html).
 *
 * @throws CredstashError USAGE
 */
function checkExternalId(externalId: string, roleArn: string | undefined): void {
  if (roleArn === undefined) {
    throw new CredstashError('USAGE', 'an external ID is for a role to assume, and none is given');
  }
  if (/^[\w+=,.@:/-]{2,1224}$/.test(externalId)) return;
  throw new CredstashError(
    'USAGE',
    'an external ID has 2 to 1224 letters, digits and _ + = , . @ : / -',
  );
}

/** A failure to get credentials is told as such, and not as one of the request that needed them. */
function translated<A extends unknown[], T>(
  provider: (...args: A) => Promise<T>,
  region: string,
  profile: string | undefined,
): (...args: A) => Promise<T> {
  return async (...args) => {
    try {
      return await provider(...args);
    } catch (error) {
      throw translate(error, { service: 'STS', region, resource: 'credentials', profile });
    }
  };
}

/**
 * What connects to the services, with what boto takes from the environment and the SDK does not: a proxy, and
 * certificates that replace the system's. Node.js before 22.21 has no `proxyEnv` and leaves it alone
 * (https://nodejs.org/api/http.html#new-agentoptions).
 */
function agents(settings: AwsSettings): Pick<RequestHandler, 'httpAgent' | 'httpsAgent'> {
  const fromEnvironment = process.env['AWS_CA_BUNDLE'];
  const bundle = fromEnvironment || profileSetting(settings, 'ca_bundle');
  const from = fromEnvironment
    ? 'AWS_CA_BUNDLE'
    : `ca_bundle of the profile ${profileNameOf(settings) ?? 'default'}`;
  const ca = bundle ? readCertificates(bundle, from) : builtInAuthorities();
  const common = {
    keepAlive: true,
    // As many connections as the SDK's own agents have.
    maxSockets: 50,
    // Said, and not left to the default, which NODE_TLS_REJECT_UNAUTHORIZED can change.
    rejectUnauthorized: true,
    ...(ca ? { ca } : {}),
  };
  if (!proxyIsSet()) {
    const httpsAgent = new PreconnectAgent(common);
    return { httpAgent: httpsAgent.plain, httpsAgent };
  }
  const proxied = { ...common, proxyEnv: proxyEnvironment() };
  return { httpAgent: new HttpAgent(proxied), httpsAgent: new ProxyAgent(proxied) };
}

/** The environment with its proxies as URLs: Node.js goes directly, without a word, where one is none. */
function proxyEnvironment(): NodeJS.ProcessEnv {
  const environment = { ...process.env };
  for (const name of PROXIES) {
    const proxy = environment[name];
    if (!proxy || /^https?:\/\//i.test(proxy)) continue;
    // Not quoted: it may have a password.
    if (proxy.includes('://')) {
      throw new CredstashError('USAGE', `${name} names a proxy that is none of HTTP`);
    }
    environment[name] = `http://${proxy}`;
  }
  return environment;
}

function profileSetting(settings: AwsSettings, name: string): string | undefined {
  return readAwsFiles().profiles.get(profileNameOf(settings) ?? 'default')?.[name];
}

/** Whether the profile, or one that it takes its credentials from, has them from a program. */
async function runsProcess(settings: AwsSettings): Promise<boolean> {
  const { describeChain } = await import('./credentials.ts');
  return describeChain(settings).some(({ kind }) => kind === 'process');
}
