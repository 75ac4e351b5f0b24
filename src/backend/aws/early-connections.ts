import { setImmediate } from 'node:timers';
import { checkTrustedKeys } from '../../model/trust.ts';
import { findClientSettings } from './client-settings.ts';
import { createAgents } from './http.ts';
import { PreconnectAgent } from './preconnect-agent.ts';
import { checkRegions, findRegions } from './regions.ts';
import type { AwsSettings } from './settings.ts';

/*
 * Connects to DynamoDB and KMS before the SDK is loaded, which takes as long as a handshake. It imports nothing of the SDK, and
 * so connects only if the origins are certain without it. Otherwise openAws connects a little later.
 */

/** The regions of AWS's main partition. The endpoints of the others have other domains. */
const MAIN_REGION = /^(?:us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-\d+$/;

/** The agents of the SDK's clients. The one for HTTPS has opened connections. */
export interface EarlyAgents {
  readonly httpAgent: PreconnectAgent['httpAgent'];
  readonly httpsAgent: PreconnectAgent;
}

/**
 * Opens a TLS connection to each service, if the credentials are in the environment: without credentials no request is sent.
 * The first request to the same origin takes the connection. The process does not stay alive for it.
 *
 * @param settings checked by the caller, except for what AWS's environment variables and files say
 * @returns undefined if nothing was opened
 */
export async function connectEarly(settings: AwsSettings): Promise<EarlyAgents | undefined> {
  const { clients, clientOptions, credentials, profile, roleArn, externalId } = settings;
  // An application's own clients connect in their own way.
  if (clients ?? clientOptions ?? credentials ?? profile ?? roleArn ?? externalId) return undefined;
  if (!process.env['AWS_ACCESS_KEY_ID'] || !process.env['AWS_SECRET_ACCESS_KEY']) return undefined;
  let agents: ReturnType<typeof createAgents> | undefined;
  try {
    checkTrustedKeys(settings.trustedKeys)?.checkName(settings.key);
    const urls = await findUrls(settings);
    if (urls.length === 0) return undefined;
    agents = createAgents(settings);
    const { httpAgent, httpsAgent } = agents;
    if (!(httpsAgent instanceof PreconnectAgent)) return undefined;
    for (const url of urls) httpsAgent.openConnection(url);
    // Lets the connections begin: loading the SDK then blocks the thread.
    await new Promise((resolve) => setImmediate(resolve));
    return { httpAgent, httpsAgent };
  } catch {
    // openAws checks the same settings, and reports what is wrong with them.
    agents?.httpsAgent.destroy();
    return undefined;
  }
}

/** Finds the URLs with TLS of both services, as far as they are certain. */
async function findUrls(settings: AwsSettings): Promise<URL[]> {
  const region = checkRegions(await findRegions(settings));
  const { endpoints, settings: client } = findClientSettings(settings);
  const { useFipsEndpoint, useDualstackEndpoint, accountIdEndpointMode } = client;
  const hasOwnHost =
    process.env['AWS_ACCOUNT_ID'] !== undefined && accountIdEndpointMode !== 'disabled';
  const findUrl = (service: 'DYNAMODB' | 'KMS'): string | undefined => {
    const own = endpoints[service];
    if (own) return own.value;
    const name = service.toLowerCase() as 'dynamodb' | 'kms';
    if (useFipsEndpoint || useDualstackEndpoint || !MAIN_REGION.test(region[name]))
      return undefined;
    if (service === 'DYNAMODB' && hasOwnHost) return undefined;
    return `https://${name}.${region[name]}.amazonaws.com`;
  };
  return [findUrl('DYNAMODB'), findUrl('KMS')]
    .flatMap((url) => (url === undefined ? [] : [new URL(url)]))
    .filter(({ protocol }) => protocol === 'https:');
}
