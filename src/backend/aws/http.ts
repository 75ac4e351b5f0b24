/** How the SDK's clients connect: agents with the user's certificates and proxy, and an application's own handler. */
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

/** An agent that exists, and no options to make one with. The SDK tells them apart in the same way. */
function isAgent(agent: object): agent is HttpsAgent {
  return typeof (agent as Partial<HttpsAgent>).destroy === 'function';
}

/**
 * The shared handler's options, changed by an application's; or a handler of its own, which replaces them all. Options of
 * an agent change the shared agent's, so that they lose neither its certificates nor their verification.
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

/** A connection to a proxy over TLS, which Node.js makes without any of the agent's options. */
export function findUnverifiedProxy(): Unverified | undefined {
  const isUsed = canUseProxy() && PROXIES.some((name) => /^https:/i.test(process.env[name] ?? ''));
  const protocols = ['http:', 'https:'];
  return isUsed ? { what: 'the connection to the proxy', protocols } : undefined;
}

/**
 * What connects to the services, with what boto takes from the environment and the SDK does not: a proxy, and
 * certificates that replace the system's. Node.js before 22.21 has no `proxyEnv` and leaves it alone
 * (https://nodejs.org/api/http.html#new-agentoptions).
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
    // As many connections as the SDK's own agents have.
    maxSockets: 50,
    // Said, and not left to the default, which NODE_TLS_REJECT_UNAUTHORIZED can change.
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

/** The environment with its proxies as URLs: Node.js silently ignores a proxy that is not a URL. */
export function readProxyEnvironment(): NodeJS.ProcessEnv {
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
