/** The configuration of each client of the SDK: what all of them share, and what one service's client adds. */
import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import type { KMSClientConfig } from '@aws-sdk/client-kms';
import { fromEnv, fromTemporaryCredentials } from '@aws-sdk/credential-providers';
import { CredstashError } from '../../errors.ts';
import {
  type ClientConfig,
  type ClientSettings,
  endpointOption,
  type Endpoints,
  findClientSettings,
} from './client-settings.ts';
import { guardProvider } from './credentials/provider.ts';
import { translate } from './errors.ts';
import { rememberFailedHost } from './failed-host.ts';
import { guardRequests, MAX_TABLE_ANSWER_BYTES } from './guard-requests.ts';
import { createAgents, findUnverifiedProxy, mergeHandlerOptions } from './http.ts';
import { findSessionName, isRoleArn, findProfileName, findProfileSetting } from './profile.ts';
import type { AwsSettings } from './settings.ts';
import { USER_AGENT } from './user-agent.ts';

/**
 * What the client of one service is made with: the shared configuration and the service's endpoint, with the application's own
 * options for this client, if any, in their place.
 *
 * @throws CredstashError USAGE if those options turn off the verification of certificates
 */
export function createServiceConfig<T extends DynamoDBClientConfig | KMSClientConfig>(
  shared: ClientConfig,
  endpoints: Endpoints,
  service: 'DYNAMODB' | 'KMS',
  options: T | undefined,
): ClientConfig | (ClientConfig & T) {
  const { requestHandler, unverified } = mergeHandlerOptions(shared, options?.requestHandler);
  const guard = guardRequests({
    ...(service === 'DYNAMODB' ? { maxBytes: MAX_TABLE_ANSWER_BYTES } : {}),
    unverified: findUnverifiedProxy() ?? unverified,
  });
  return {
    ...shared,
    ...endpointOption(endpoints, service),
    ...options,
    ...(options?.credentials ? { credentials: guardProvider(options.credentials) } : {}),
    customUserAgent: [...USER_AGENT, ...toUserAgentPairs(options?.customUserAgent)],
    requestHandler,
    extensions: [...(options?.extensions ?? []), guard],
  } as ClientConfig | (ClientConfig & T);
}

/** An application's own part of the user agent, in the one of its two forms that has pairs. */
export function toUserAgentPairs(
  agent: DynamoDBClientConfig['customUserAgent'] = [],
): Exclude<typeof agent, string> {
  return typeof agent === 'string' ? [[agent]] : agent;
}

/**
 * With no logger the SDK prints its notices, such as of several sources of credentials, to the user's terminal. This one has no
 * `info`, which the SDK calls where there is one: to hand it over, it would copy all that each request and answer carries.
 */
export const QUIET = {
  debug: () => undefined,
  warn: () => undefined,
  error: () => undefined,
} as unknown as NonNullable<DynamoDBClientConfig['logger']>;

/**
 * What all clients share, without an endpoint, and where each service is. The credentials are the environment's, the
 * profile's or what comes after them (see credentials/), or a role assumed from those.
 */
export async function createClientConfig(
  settings: AwsSettings,
  region: string,
): Promise<{ readonly shared: ClientConfig; readonly endpoints: Endpoints }> {
  const { endpoints, settings: clientSettings } = findClientSettings(settings);
  const shared = await createSharedConfig(settings, region, endpoints, clientSettings);
  return { shared, endpoints };
}

export async function createSharedConfig(
  settings: AwsSettings,
  region: string,
  endpoints: Endpoints,
  clientSettings: ClientSettings,
): Promise<ClientConfig> {
  const mfaCodeProvider = settings.mfaCode;
  const profile = findProfileName(settings);
  const shared = {
    ...(profile === undefined ? {} : { profile }),
    ...clientSettings,
    customUserAgent: USER_AGENT,
    logger: QUIET,
    extensions: [guardRequests({ unverified: findUnverifiedProxy() })],
    // A client's requests of one kind differ only in their input, and a getall sends thousands.
    cacheMiddleware: true,
    // An unreachable service must not keep a person waiting: all attempts together end within a minute.
    requestHandler: {
      connectionTimeout: 3000,
      requestTimeout: 8000,
      throwOnRequestTimeout: true as const,
      ...createAgents(settings),
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
  const { externalId } = settings;
  const credentials = settings.credentials && guardProvider(settings.credentials);
  if (externalId !== undefined) checkExternalId(externalId, settings.roleArn);
  if (credentials && settings.roleArn === undefined) return { ...shared, credentials };
  const chain = credentials
    ? typeof credentials === 'function'
      ? credentials
      : () => Promise.resolve(credentials)
    : keysInEnvironment
      ? fromEnv({ logger: QUIET })
      : async () => {
          const { getCredentials } = await import('./credentials/index.ts');
          const { profile, mfaCode } = settings;
          return getCredentials({ profile, mfaCode, shared, region, endpoints });
        };
  const { roleArn } = settings;
  if (roleArn === undefined)
    return { ...shared, credentials: translateFailures(chain, region, profile) };
  // STS would say that it is invalid, in words that are not kept.
  if (!isRoleArn(roleArn)) {
    throw new CredstashError(
      'USAGE',
      'the role is not an ARN such as arn:aws:iam::123456789012:role/NAME',
    );
  }
  // A profile without a role of its own may still say which MFA device its owner has.
  const serial =
    findProfileSetting(settings, 'role_arn') === undefined
      ? findProfileSetting(settings, 'mfa_serial')
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
  return { ...shared, credentials: translateFailures(assumed, region, profile) };
}

/**
 * Checks an external ID as STS does, whose words of a refusal are not kept
 * (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html).
 *
 * @throws CredstashError USAGE
 */
export function checkExternalId(externalId: string, roleArn: string | undefined): void {
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
export function translateFailures<A extends unknown[], T>(
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

/** Whether the profile, or one that it takes its credentials from, has them from a program. */
export async function runsProcess(settings: AwsSettings): Promise<boolean> {
  const { describeChain } = await import('./credentials/chain.ts');
  return describeChain(settings).some(({ kind }) => kind === 'process');
}
