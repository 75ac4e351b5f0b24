/** Checks the endpoint of each service. */
import { isIP } from 'node:net';
import { CredstashError } from '../../../errors.ts';
import { attempt, failedStep, okStep, type Step, warningStep } from '../../diagnosis.ts';
import type { Service } from '../client-settings.ts';
import { translate } from '../errors.ts';
import { resolveEndpoint } from '../resolve-endpoint.ts';
import type { OpenedAws } from './ask.ts';
import type { Sts } from './credentials.ts';

/** Reports the endpoint of each service, and warns of an endpoint without TLS. */
export async function* checkEndpoints(
  { settings, endpoints, dynamodb, kms }: OpenedAws,
  sts: Sts,
  hasCredentials: boolean,
): AsyncGenerator<Step> {
  const { clients, clientOptions } = settings;
  const configured = (service: Service): string | undefined =>
    settings.endpoint === undefined ? endpoints[service]?.from : 'as given';
  // DynamoDB's endpoint may contain the account, which is unknown without credentials.
  const withoutAccount = <T extends object>(config: T): T =>
    hasCredentials ? config : { ...config, credentials: undefined };
  const services = [
    {
      service: 'DynamoDB',
      config: withoutAccount(dynamodb.config),
      from: findApplication(clients?.dynamodb, clientOptions?.dynamodb) ?? configured('DYNAMODB'),
    },
    {
      service: 'KMS',
      config: withoutAccount(kms.config),
      from: findApplication(clients?.kms, clientOptions?.kms) ?? configured('KMS'),
    },
    {
      service: 'STS',
      config: withoutAccount(sts.client.config),
      from: configured('STS'),
    },
  ];
  for (const { service, config, from = 'default' } of services) {
    const url = await attempt(async () => {
      try {
        return await resolveEndpoint(config);
      } catch (error) {
        throw translate(error, { service, resource: 'the endpoint' });
      }
    });
    yield url instanceof CredstashError
      ? failedStep('endpoint', url)
      : createEndpointStep(service, url, from);
  }
}

/** Names the source of a client's endpoint if the application sets it; undefined otherwise. */
export function findApplication(
  client: object | undefined,
  options: { readonly endpoint?: unknown } | undefined,
): string | undefined {
  if (client) return "the application's client";
  return options?.endpoint === undefined ? undefined : "the application's options";
}

/** Makes the step of one endpoint. @param from the setting that names the endpoint */
export function createEndpointStep(service: string, url: URL, from: string): Step {
  // Without the user and the path, which may contain a password.
  const found = `${service}: ${url.protocol}//${url.host} (${from})`;
  if (url.protocol === 'https:' || isLoopback(url.hostname)) return okStep('endpoint', found);
  return warningStep(
    'endpoint',
    `${found}, without TLS`,
    'name one with https: everybody on the way can read data keys and change answers',
  );
}

/** Whether a host name, or an address in brackets or without, is this machine. */
export function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === '::1' ||
    (isIP(host) === 4 && host.startsWith('127.'))
  );
}
