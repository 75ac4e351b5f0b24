/**
 * Reads and checks the settings of the SDK's clients in the environment and in a profile, before any request. The SDK itself
 * would read some of them from the profile of AWS_PROFILE even if the client has another profile, and would ignore values that
 * it does not understand.
 */
import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { CredstashError } from '../../errors.ts';
import type { guardRequests } from './guard-requests.ts';
import type { RequestHandler } from './http.ts';
import { type AwsFiles, findProfileName, readAwsFiles, type Section } from './profile.ts';

/** The services that have an endpoint, by the last part of their variables' names. */
export const SERVICES = ['DYNAMODB', 'KMS', 'STS', 'SSO', 'SSO_OIDC', 'SIGNIN'] as const;

export type Service = (typeof SERVICES)[number];

/** A setting's text and its source, for a person: `AWS_RETRY_MODE`, `retry_mode of the profile X`. */
export interface Found {
  readonly value: string;
  readonly from: string;
}

export type ClientSettings = Pick<
  DynamoDBClientConfig,
  | 'maxAttempts'
  | 'retryMode'
  | 'useFipsEndpoint'
  | 'useDualstackEndpoint'
  | 'defaultsMode'
  | 'accountIdEndpointMode'
> & {
  /** The SDK must not look for endpoints: it is given each one. */
  readonly ignoreConfiguredEndpointUrls: true;
  /** For clients of STS only: use sts.amazonaws.com in the older regions, as `sts_regional_endpoints = legacy` says. */
  readonly useGlobalEndpoint?: true;
};

/** The endpoint of each service. A service without an entry has AWS's default endpoint. */
export type Endpoints = Readonly<Partial<Record<Service, Found>>>;

/** The settings that say where to look. */
interface Place {
  readonly profile?: string | undefined;
  readonly endpoint?: string | undefined;
}

/**
 * Finds the endpoint of each service. As in botocore, environment variables override the profile, and a service's own URL
 * overrides the general URL. The profile of `place` overrides AWS_PROFILE.
 *
 * @throws CredstashError USAGE for a URL other than http and https, and for a `services` section that does not exist
 */
export function findEndpoints(place: Place, files: AwsFiles = readAwsFiles()): Endpoints {
  const found: Partial<Record<Service, Found>> = {};
  const override = place.endpoint;
  const { name, section } = findProfile(place, files);
  if (override === undefined && isTrue(findIgnoreEndpoints(name, section))) return found;
  const services = findServices(name, section, files);
  for (const service of SERVICES) {
    const key = `${service.toLowerCase()}.endpoint_url`;
    const url =
      override === undefined
        ? (readVariable(`AWS_ENDPOINT_URL_${service}`) ??
          readVariable('AWS_ENDPOINT_URL') ??
          (services && readSetting(services, key, `${key} of the services section`, name)) ??
          readSetting(section, 'endpoint_url', 'endpoint_url', name))
        : { value: override, from: 'the endpoint' };
    if (!url) continue;
    found[service] = checkUrl(url);
  }
  return found;
}

/**
 * Finds the settings of clients, and the endpoints.
 *
 * @throws CredstashError USAGE for an invalid value, and for FIPS or dual-stack together with an endpoint
 */
export function findClientSettings(place: Place): {
  readonly settings: ClientSettings;
  readonly endpoints: Endpoints;
} {
  const files = readAwsFiles();
  const { name, section } = findProfile(place, files);
  const find = (key: string, env = `AWS_${key.toUpperCase()}`): Found | undefined =>
    readVariable(env) ?? readSetting(section, key, key, name);
  const endpoints = findEndpoints(place, files);
  const fips = find('use_fips_endpoint');
  const dualstack = find('use_dualstack_endpoint');
  for (const setting of [fips, dualstack]) {
    const endpoint = endpoints.DYNAMODB ?? endpoints.KMS ?? endpoints.STS;
    if (!setting || !isTrue(setting) || !endpoint) continue;
    throw new CredstashError(
      'USAGE',
      `${setting.from} cannot be used together with an endpoint (${endpoint.from})`,
      { hint: 'unset one of the two' },
    );
  }
  const mode = checkWord(find('retry_mode'), ['legacy', 'standard', 'adaptive']);
  const attempts = find('max_attempts');
  if (attempts && !/^0*[1-9]\d{0,5}$/.test(attempts.value)) {
    throw invalidSetting(attempts, 'a number from 1 on');
  }
  const defaults = checkWord(find('defaults_mode'), [
    ...['legacy', 'standard', 'in-region', 'cross-region', 'mobile', 'auto'],
  ]);
  const accounts = checkWord(find('account_id_endpoint_mode'), [
    'preferred',
    'disabled',
    'required',
  ]);
  const sts = checkWord(find('sts_regional_endpoints'), ['legacy', 'regional']);
  return {
    endpoints,
    settings: {
      ignoreConfiguredEndpointUrls: true,
      ...(attempts ? { maxAttempts: Number(attempts.value) } : {}),
      // Only boto has a legacy mode. The SDK's standard mode is the closest.
      ...(mode ? { retryMode: mode === 'legacy' ? 'standard' : mode } : {}),
      ...(fips ? { useFipsEndpoint: isTrue(fips) } : {}),
      ...(dualstack ? { useDualstackEndpoint: isTrue(dualstack) } : {}),
      ...(defaults ? { defaultsMode: defaults as 'standard' } : {}),
      ...(accounts ? { accountIdEndpointMode: accounts as 'preferred' } : {}),
      ...(sts === 'legacy' ? { useGlobalEndpoint: true } : {}),
    },
  };
}

/** Finds settings that look like true but count as false, because as in boto only `true` turns them on. */
export function findIneffective(place: Place): Found[] {
  const { name, section } = findProfile(place, readAwsFiles());
  const keys = ['use_fips_endpoint', 'use_dualstack_endpoint', 'ignore_configured_endpoint_urls'];
  return keys.flatMap((key) => {
    const setting =
      readVariable(`AWS_${key.toUpperCase()}`) ?? readSetting(section, key, key, name);
    return setting && !/^(?:true|false|0|no|off)$/i.test(setting.value) ? [setting] : [];
  });
}

/**
 * Finds the endpoint of the instance's metadata service.
 *
 * @throws CredstashError USAGE for a URL other than http and https, and for a mode other than IPv4 and IPv6
 */
export function findInstanceEndpoint(place: Place, files: AwsFiles): Found {
  const { name, section } = findProfile(place, files);
  const find = (key: string): Found | undefined =>
    readVariable(`AWS_${key.toUpperCase()}`) ?? readSetting(section, key, key, name);
  const url = find('ec2_metadata_service_endpoint');
  if (url) return checkUrl(url, 'http://169.254.169.254');
  const mode = checkWord(find('ec2_metadata_service_endpoint_mode'), ['ipv4', 'ipv6']);
  return {
    value: mode === 'ipv6' ? 'http://[fd00:ec2::254]' : 'http://169.254.169.254',
    from: 'default',
  };
}

/** The `endpoint` option of a client; empty for AWS's default endpoint. */
export function endpointOption(
  endpoints: Endpoints,
  service: Service,
): { readonly endpoint?: string } {
  const endpoint = endpoints[service];
  return endpoint ? { endpoint: endpoint.value } : {};
}

function findProfile(place: Place, files: AwsFiles): { name: string; section: Section } {
  const name = findProfileName(place) ?? 'default';
  return { name, section: files.profiles.get(name) ?? {} };
}

function readVariable(name: string): Found | undefined {
  const value = process.env[name];
  return value ? { value, from: name } : undefined;
}

function readSetting(section: Section, key: string, words: string, profile: string) {
  const value = section[key];
  return value === undefined ? undefined : { value, from: `${words} of the profile ${profile}` };
}

function findIgnoreEndpoints(profile: string, section: Section): Found | undefined {
  const key = 'ignore_configured_endpoint_urls';
  return (
    readVariable('AWS_IGNORE_CONFIGURED_ENDPOINT_URLS') ?? readSetting(section, key, key, profile)
  );
}

function findServices(profile: string, section: Section, files: AwsFiles): Section | undefined {
  const { services } = section;
  if (services === undefined) return undefined;
  const found = files.services.get(services);
  if (found) return found;
  throw new CredstashError(
    'USAGE',
    `the profile ${profile} names the services section ${services}, which does not exist`,
    { hint: `add [services ${services}] to the AWS configuration file` },
  );
}

/** Reads a switch as boto does: everything except `true`, in upper or lower case, is false. */
function isTrue(setting: Found | undefined): boolean {
  return setting?.value.toLowerCase() === 'true';
}

/** Checks a setting against the allowed words. The error does not repeat the value: it may be a misplaced password. */
function checkWord(setting: Found | undefined, words: readonly string[]): string | undefined {
  if (!setting) return undefined;
  const value = setting.value.toLowerCase();
  if (words.includes(value)) return value;
  throw invalidSetting(setting, words.join(', ').replace(/, ([^,]*)$/, ' or $1'));
}

function invalidSetting({ from }: Found, expected: string): CredstashError {
  return new CredstashError('USAGE', `${from} must be ${expected}`);
}

function checkUrl(
  found: Found,
  example = 'https://dynamodb.eu-west-1.amazonaws.com or http://127.0.0.1:8000',
): Found {
  const { value, from } = found;
  if (/^https?:\/\//i.test(value) && URL.canParse(value)) return found;
  throw new CredstashError('USAGE', `${from} is not an http or https URL`, {
    hint: `it looks like ${example}`,
  });
}

/** The configuration that all clients share. */
export type ClientConfig = Pick<
  DynamoDBClientConfig,
  | 'profile'
  | 'credentials'
  | 'logger'
  | 'endpoint'
  | 'cacheMiddleware'
  | 'customUserAgent'
  | 'retryStrategy'
> &
  ClientSettings & {
    readonly requestHandler: RequestHandler;
    readonly extensions: ReturnType<typeof guardRequests>[];
  };
