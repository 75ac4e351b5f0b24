/**
 * Finds the endpoint of a client of the SDK. The SDK's own function for this is internal, and has moved between packages:
 * an application may have a release of the SDK that lacks it.
 */

/** An endpoint as a client's configuration has it. */
type Endpoint =
  | string
  | { readonly url: URL }
  | {
      readonly protocol: string;
      readonly hostname: string;
      readonly port?: number | undefined;
      readonly path: string;
    };

/** The parts of a client's configuration that say where it sends its requests. */
interface EndpointConfig {
  readonly endpoint?: Setting<Endpoint>;
  readonly isCustomEndpoint?: boolean;
  readonly ignoreConfiguredEndpointUrls?: boolean;
  /** The endpoint in the environment or in a profile. */
  readonly serviceConfiguredEndpoint?: () => Promise<string | undefined>;
  readonly region?: Setting<string>;
  readonly useFipsEndpoint?: Setting<boolean>;
  readonly useDualstackEndpoint?: Setting<boolean>;
  readonly useGlobalEndpoint?: Setting<boolean>;
  readonly accountIdEndpointMode?: Setting<string>;
  readonly credentials?: Setting<{ readonly accountId?: string }>;
  readonly endpointProvider: (parameters: object, context: object) => { readonly url: URL };
}

type Setting<T> = T | (() => T | Promise<T>) | undefined;

/**
 * Finds the endpoint of a client. No request is sent, except for credentials that the client does not have yet.
 *
 * @param config the client's `config`
 * @returns the URL; its path is that of a custom endpoint
 * @throws what the SDK throws for a region or an endpoint that is not valid
 */
export async function resolveEndpoint(config: object): Promise<URL> {
  const known = config as EndpointConfig;
  const credentials = await read(known.credentials);
  const { url } = known.endpointProvider(
    {
      Endpoint: await findCustomEndpoint(known),
      Region: await read(known.region),
      UseFIPS: await read(known.useFipsEndpoint),
      UseDualStack: await read(known.useDualstackEndpoint),
      UseGlobalEndpoint: await read(known.useGlobalEndpoint),
      AccountId: credentials?.accountId,
      AccountIdEndpointMode: await read(known.accountIdEndpointMode),
    },
    {},
  );
  return url;
}

async function findCustomEndpoint(config: EndpointConfig): Promise<string | undefined> {
  const { isCustomEndpoint, ignoreConfiguredEndpointUrls, serviceConfiguredEndpoint } = config;
  const configured =
    isCustomEndpoint || ignoreConfiguredEndpointUrls
      ? undefined
      : await serviceConfiguredEndpoint?.();
  const endpoint = configured ?? (await read(config.endpoint));
  if (endpoint === undefined || typeof endpoint === 'string') return endpoint;
  if ('url' in endpoint) return endpoint.url.href;
  const { protocol, hostname, port, path } = endpoint;
  return `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`;
}

async function read<T>(setting: Setting<T>): Promise<T | undefined> {
  return typeof setting === 'function' ? (setting as () => T | Promise<T>)() : setting;
}
