/** Makes the connections of the SDK's clients: agents with the user's certificates and proxy, or the application's own handler. */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent, type AgentOptions } from 'node:https';
import type { DynamoDBClient, DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import type { KMSClient } from '@aws-sdk/client-kms';
import { CredstashError } from '../../errors.ts';
import { builtInAuthorities, readCertificates } from './certificates.ts';
import type { Unverified } from './guard-requests.ts';
import { PreconnectAgent } from './preconnect-agent.ts';
import { findProfileName, findProfileSetting } from './profile.ts';
import { PROXIES, ProxyAgent, isProxySet, canUseProxy } from './proxy.ts';
import { resolveEndpoint } from './resolve-endpoint.ts';
import type { AwsSettings } from './settings.ts';

/** The options of the SDK's request handler. Times are in milliseconds. */
export interface RequestHandler {
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly throwOnRequestTimeout: true;
  readonly httpAgent: HttpAgent;
  readonly httpsAgent: HttpsAgent;
}

/** Whether this is an agent, and not the options to make an agent. The SDK checks it in the same way. */
function isAgent(agent: object): agent is HttpsAgent {
  return typeof (agent as Partial<HttpsAgent>).destroy === 'function';
}

/**
 * Merges the application's handler options into the shared options. A handler of the application replaces them all. An agent's
 * options are merged into the shared agent's, so that its certificates and their verification stay.
 *
 * @throws CredstashError USAGE if the options turn off the verification of certificates
 */
export function mergeHandlerOptions(
  { requestHandler: shared }: { readonly requestHandler: RequestHandler },
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

/** Finds a proxy that is reached over TLS, if one is set. Node.js connects to it without the agent's options. */
export function findUnverifiedProxy(): Unverified | undefined {
  const isUsed = canUseProxy() && PROXIES.some((name) => /^https:/i.test(process.env[name] ?? ''));
  const protocols = ['http:', 'https:'];
  return isUsed ? { what: 'the connection to the proxy', protocols } : undefined;
}

/**
 * Makes the agents that connect to the services. Like boto, and unlike the SDK, they use the environment's proxy and
 * certificates. Node.js before 22.21 ignores `proxyEnv` (https://nodejs.org/api/http.html#new-agentoptions).
 *
 * @throws CredstashError USAGE if the file of certificates is unusable, or a proxy is not one of HTTP
 */
export function createAgents(
  settings: AwsSettings,
): Pick<RequestHandler, 'httpAgent' | 'httpsAgent'> {
  const fromEnvironment = process.env['AWS_CA_BUNDLE'];
  const bundle = fromEnvironment || findProfileSetting(settings, 'ca_bundle');
  const from = fromEnvironment
    ? 'AWS_CA_BUNDLE'
    : `ca_bundle of the profile ${findProfileName(settings) ?? 'default'}`;
  const ca = bundle ? readCertificates(bundle, from) : builtInAuthorities();
  const common = {
    keepAlive: true,
    // The SDK's own agents have the same limit.
    maxSockets: 50,
    // Set explicitly, because NODE_TLS_REJECT_UNAUTHORIZED can change the default.
    rejectUnauthorized: true,
    ...(ca ? { ca } : {}),
  };
  if (!isProxySet()) {
    const httpsAgent = new PreconnectAgent(common);
    return { httpAgent: httpsAgent.httpAgent, httpsAgent };
  }
  const proxied = { ...common, proxyEnv: readProxyEnvironment() };
  return { httpAgent: new HttpAgent(proxied), httpsAgent: new ProxyAgent(proxied) };
}

/**
 * Opens a connection for the first request of `client`, once the client has credentials: without them it sends no request.
 * Never rejects, because the request itself reports what fails.
 */
export async function preconnect(
  agent: PreconnectAgent,
  client: DynamoDBClient | KMSClient,
): Promise<void> {
  try {
    await client.config.credentials();
    agent.openConnection(await resolveEndpoint(client.config));
  } catch {
    // The request reports it.
  }
}

/**
 * Copies the environment with its proxies as URLs, because Node.js silently ignores a proxy that is not a URL.
 *
 * @throws CredstashError USAGE for a proxy of another protocol than HTTP
 */
export function readProxyEnvironment(): NodeJS.ProcessEnv {
  const environment = { ...process.env };
  for (const name of PROXIES) {
    const proxy = environment[name];
    if (!proxy || /^https?:\/\//i.test(proxy)) continue;
    // The message does not quote the proxy, which may contain a password.
    if (proxy.includes('://')) {
      throw new CredstashError('USAGE', `${name} is not the URL of an HTTP proxy`);
    }
    environment[name] = `http://${proxy}`;
  }
  return environment;
}
