const hosts = new WeakMap<object, string>();

interface Request {
  readonly request?: { readonly hostname?: string; readonly port?: number };
}
type Handler = (args: Request) => Promise<unknown>;
interface Stack {
  readonly add: (middleware: (next: Handler) => Handler, options: object) => void;
}

/** For a client of the SDK's: remembers which host a request went to that failed. */
export const rememberFailedHost = onFailedAttempt('rememberFailedHost', (error, { request }) => {
  const { hostname, port } = request ?? {};
  if (typeof error === 'object' && error && hostname) {
    hosts.set(error, port ? `${hostname}:${port}` : hostname);
  }
});

/**
 * For a client of the SDK's.
 *
 * @param name of the middleware
 * @param tell called for each attempt that fails, also if the SDK tries again
 */
export function onFailedAttempt(
  name: string,
  tell: (error: unknown, args: Request) => void,
): { readonly applyToStack: (stack: { readonly add: (...args: never[]) => unknown }) => void } {
  return {
    applyToStack: (stack) => {
      // Every client has types of its own for its stack, and this fits them all.
      (stack as unknown as Stack).add(
        (next) => async (args) => {
          try {
            return await next(args);
          } catch (error) {
            tell(error, args);
            throw error;
          }
        },
        { step: 'deserialize', priority: 'high', name, override: true },
      );
    },
  };
}

/** The host, with its port if that is not the usual one, that a failed request went to. */
export function failedHostOf(error: unknown): string | undefined {
  return typeof error === 'object' && error ? hosts.get(error) : undefined;
}
