/** The configuration of the SDK's clients: the part that they all share, and the part of each service. */
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
import type { EarlyAgents } from './early-connections.ts';
import { guardProvider } from './credentials/provider.ts';
import { translate } from './errors.ts';
import { rememberFailedHost } from './failed-host.ts';
import { guardRequests, MAX_TABLE_ANSWER_BYTES } from './guard-requests.ts';
import { createAgents, findUnverifiedProxy, mergeHandlerOptions } from './http.ts';
import type { OutageLimits } from './outage-limits.ts';
import { findSessionName, isRoleArn, findProfileName, findProfileSetting } from './profile.ts';
import type { AwsSettings } from './settings.ts';
import { USER_AGENT } from './user-agent.ts';

/**
 * Makes the configuration of one service's client: the shared configuration and the service's endpoint, overridden by the
 * application's own options for this client.
 *
 * @param options the application's own options; undefined if there are none
 * @param outage limits that `shared` was made with
 * @throws CredstashError USAGE if those options turn off the verification of certificates
 */
export function createServiceConfig<T extends DynamoDBClientConfig | KMSClientConfig>(
  shared: ClientConfig,
  endpoints: Endpoints,
  service: 'DYNAMODB' | 'KMS',
  options: T | undefined,
  outage?: OutageLimits,
): ClientConfig | (ClientConfig & T) {
  const { requestHandler, unverified } = mergeHandlerOptions(shared, options?.requestHandler);
  const guard = guardRequests({
    silenceMs: outage?.silenceMs,
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

/** Converts an application's part of the user agent to pairs. The SDK accepts a string as well. */
export function toUserAgentPairs(
  agent: DynamoDBClientConfig['customUserAgent'] = [],
): Exclude<typeof agent, string> {
  return typeof agent === 'string' ? [[agent]] : agent;
}

/**
 * A logger that prints nothing. Without a logger the SDK prints notices to the user's terminal, such as about several sources of
 * credentials. This logger has no `info`, because for `info` the SDK would copy the contents of each request and answer.
 */
export const QUIET = {
  debug: () => undefined,
  warn: () => undefined,
  error: () => undefined,
} as unknown as NonNullable<DynamoDBClientConfig['logger']>;

/**
 * Makes the configuration that all clients share, and finds the endpoint of each service. The credentials come from the
 * environment or from the sources in credentials/. If `settings.roleArn` is set, they assume that role.
 *
 * @param agents made of the same settings; default: new ones
 * @throws CredstashError USAGE for an invalid setting; NO_CREDENTIALS if a program gives the credentials and nobody can be
 *   prompted
 */
export async function createClientConfig(
  settings: AwsSettings,
  region: string,
  agents?: EarlyAgents,
): Promise<{ readonly shared: ClientConfig; readonly endpoints: Endpoints }> {
  const { endpoints, settings: clientSettings } = findClientSettings(settings);
  const shared = await createSharedConfig(settings, region, endpoints, clientSettings, agents);
  return { shared, endpoints };
}

/** Makes the configuration that all clients share. @param region of the role to assume */
export async function createSharedConfig(
  settings: AwsSettings,
  region: string,
  endpoints: Endpoints,
  clientSettings: ClientSettings,
  agents?: EarlyAgents,
): Promise<ClientConfig> {
  const mfaCodeProvider = settings.mfaCode;
  const profile = findProfileName(settings);
  const { outage } = settings;
  const shared = {
    ...(profile === undefined ? {} : { profile }),
    ...clientSettings,
    ...(await limitRetries(outage, clientSettings)),
    customUserAgent: USER_AGENT,
    logger: QUIET,
    extensions: [
      guardRequests({ unverified: findUnverifiedProxy(), silenceMs: outage?.silenceMs }),
    ],
    // Requests of the same kind differ only in their input, so their middleware is built once. A getall sends thousands.
    cacheMiddleware: true,
    // A person must not wait long for an unreachable service: all attempts together end within a minute.
    requestHandler: {
      connectionTimeout: outage?.silenceMs ?? 3000,
      requestTimeout: outage?.silenceMs ?? 8000,
      throwOnRequestTimeout: true as const,
      ...(agents ?? createAgents(settings)),
    },
  };
  // As in boto and the AWS command, keys in the environment override a profile that the environment names. The SDK does the
  // opposite.
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
  // Checked here, because the words of an STS refusal are not kept.
  if (!isRoleArn(roleArn)) {
    throw new CredstashError(
      'USAGE',
      'the role is not an ARN such as arn:aws:iam::123456789012:role/NAME',
      { hint: "print the role's ARN: aws iam get-role --role-name NAME --query Role.Arn" },
    );
  }
  // A profile without a role may still name its owner's MFA device.
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

/** Makes the retry strategy of one client that gives up early; none if it need not. */
export async function limitRetries(
  outage: OutageLimits | undefined,
  config: Pick<ClientConfig, 'maxAttempts' | 'retryMode'>,
): Promise<Pick<ClientConfig, 'retryStrategy'>> {
  if (!outage) return {};
  const { OutageRetryStrategy } = await import('./outage.ts');
  return { retryStrategy: new OutageRetryStrategy(config, outage) };
}

/**
 * Checks an external ID by the rules of STS
 * (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html). The words of an STS refusal are not kept.
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

/** Wraps a provider of credentials, so that its failures are not reported as failures of the request that needed them. */
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

/** Whether a program gives the credentials of the profile, or of a profile that it takes them from. */
export async function runsProcess(settings: AwsSettings): Promise<boolean> {
  const { describeChain } = await import('./credentials/chain.ts');
  return describeChain(settings).some(({ kind }) => kind === 'process');
}
