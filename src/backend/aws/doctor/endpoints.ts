/** Checks the endpoint of each service. */
import { isIP } from 'node:net';
import { CredstashError } from '../../../errors.ts';
import { attempt, failedStep, okStep, type Step, warningStep } from '../../diagnosis.ts';
import type { Service } from '../client-settings.ts';
import { translate } from '../errors.ts';
import { resolveEndpoint } from '../resolve-endpoint.ts';
import type { OpenedAws } from './ask.ts';
import type { Sts } from './credentials.ts';

/** Names the endpoint that each service is asked at, and warns of one without TLS. */
export async function* checkEndpoints(
  { settings, endpoints, dynamodb, kms }: OpenedAws,
  sts: Sts,
  hasCredentials: boolean,
): AsyncGenerator<Step> {
  const { clients, clientOptions } = settings;
  const configured = (service: Service): string | undefined =>
    settings.endpoint === undefined ? endpoints[service]?.from : 'as given';
  // Without credentials there is no account either, which may be a part of DynamoDB's.
  const known = <T extends object>(config: T): T =>
    hasCredentials ? config : { ...config, credentials: undefined };
  const clientsOf = [
    {
      service: 'DynamoDB',
      config: known(dynamodb.config),
      from: findApplication(clients?.dynamodb, clientOptions?.dynamodb) ?? configured('DYNAMODB'),
    },
    {
      service: 'KMS',
      config: known(kms.config),
      from: findApplication(clients?.kms, clientOptions?.kms) ?? configured('KMS'),
    },
    {
      service: 'STS',
      config: known(sts.client.config),
      from: configured('STS'),
    },
  ];
  for (const { service, config, from = 'default' } of clientsOf) {
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

/** Who says where a client connects to, if that is the application. */
export function findApplication(
  client: object | undefined,
  options: { readonly endpoint?: unknown } | undefined,
): string | undefined {
  if (client) return "the application's client";
  return options?.endpoint === undefined ? undefined : "the application's options";
}

export function createEndpointStep(service: string, url: URL, from: string): Step {
  // Without what may be a password.
  const found = `${service}: ${url.protocol}//${url.host} (${from})`;
  if (url.protocol === 'https:' || isLoopback(url.hostname)) return okStep('endpoint', found);
  return warningStep(
    'endpoint',
    `${found}, without TLS`,
    'name one with https: everybody on the way can read data keys and change answers',
  );
}

export function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === '::1' ||
    (isIP(host) === 4 && host.startsWith('127.'))
  );
}
