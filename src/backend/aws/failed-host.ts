const hosts = new WeakMap<object, string>();

interface Request {
  readonly request?: { readonly hostname?: string; readonly port?: number };
}
type Handler = (args: Request) => Promise<unknown>;
interface Stack {
  readonly add: (middleware: (next: Handler) => Handler, options: object) => void;
}

/** For a client of the SDK's: remembers which host a request went to that failed. */
export const rememberFailedHost = {
  applyToStack: (stack: { readonly add: (...args: never[]) => unknown }): void => {
    // Every client has types of its own for its stack, and this fits them all.
    (stack as unknown as Stack).add(
      (next) => async (args) => {
        try {
          return await next(args);
        } catch (error) {
          const { hostname, port } = args.request ?? {};
          if (typeof error === 'object' && error && hostname) {
            hosts.set(error, port ? `${hostname}:${port}` : hostname);
          }
          throw error;
        }
      },
      { step: 'deserialize', priority: 'high', name: 'rememberFailedHost', override: true },
    );
  },
};

/** The host, with its port if that is not the usual one, that a failed request went to. */
export function failedHostOf(error: unknown): string | undefined {
  return typeof error === 'object' && error ? hosts.get(error) : undefined;
}
