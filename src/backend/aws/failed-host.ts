const hosts = new WeakMap<object, string>();
const starts = new WeakMap<object, number>();

interface Request {
  readonly request?: { readonly hostname?: string; readonly port?: number };
}
type Handler = (args: Request) => Promise<unknown>;
interface Stack {
  readonly add: (middleware: (next: Handler) => Handler, options: object) => void;
}

/** A middleware for the SDK's clients that remembers the host of each failed request. */
export const rememberFailedHost = onFailedAttempt('rememberFailedHost', (error, { request }) => {
  const { hostname, port } = request ?? {};
  if (typeof error === 'object' && error && hostname) {
    hosts.set(error, port ? `${hostname}:${port}` : hostname);
  }
});

/**
 * Makes a middleware for the SDK's clients.
 *
 * @param name of the middleware
 * @param tell called for each failed attempt, also if the SDK tries again
 */
export function onFailedAttempt(
  name: string,
  tell: (error: unknown, args: Request) => void,
): { readonly applyToStack: (stack: { readonly add: (...args: never[]) => unknown }) => void } {
  return {
    applyToStack: (stack) => {
      // Each client's stack has its own types; this one fits all of them.
      (stack as unknown as Stack).add(
        (next) => async (args) => {
          const start = performance.now();
          try {
            return await next(args);
          } catch (error) {
            if (typeof error === 'object' && error) starts.set(error, start);
            tell(error, args);
            throw error;
          }
        },
        { step: 'deserialize', priority: 'high', name, override: true },
      );
    },
  };
}

/** Finds the host that a failed request went to, with its port unless that is the default. */
export function findFailedHost(error: unknown): string | undefined {
  return typeof error === 'object' && error ? hosts.get(error) : undefined;
}

/** When the attempt began that failed with this error, in milliseconds as `performance.now()` has them. */
export function startOfAttempt(error: unknown): number | undefined {
  return typeof error === 'object' && error ? starts.get(error) : undefined;
}
