import { readErrorName } from '../errors.ts';
import { type guardRequests, wrapHandler } from '../guard-requests.ts';
import { isText } from './identity.ts';

/** A request that got no answer. */
export interface Unanswered {
  readonly host: string;
  readonly code: string;
}

/**
 * Makes an extension for the clients that the SDK creates itself. It remembers the last request that got no answer, because
 * the SDK's errors do not name its host.
 *
 * @param route returns the endpoint to send a request to; undefined leaves the request unchanged
 * @returns `extension` for the client's configuration; `failure` returns the last request that got no answer
 */
export function watchRequests(route: (request: { readonly path: string }) => string | undefined): {
  readonly extension: ReturnType<typeof guardRequests>;
  readonly failure: () => Unanswered | undefined;
} {
  let failure: Unanswered | undefined;
  return {
    failure: () => failure,
    extension: {
      configure: (client) => {
        wrapHandler(client, async (original, send) => {
          // Change a copy, because the SDK sends the original again when it retries. Its class is not exported.
          const request = Object.assign(
            Object.create(Object.getPrototypeOf(original) as object) as typeof original,
            original,
            { headers: { ...original.headers } },
          );
          const endpoint = route(request);
          if (endpoint !== undefined) {
            const { protocol, hostname, port, host, pathname } = new URL(endpoint);
            Object.assign(request, {
              protocol,
              hostname,
              port: port === '' ? undefined : Number(port),
              path: pathname.replace(/\/$/, '') + request.path,
              headers: { ...request.headers, host },
            });
          }
          try {
            failure = undefined;
            return await send(request);
          } catch (error) {
            const { hostname, port } = request;
            const { code } = Object(error) as { code?: unknown };
            failure = {
              host: port === undefined ? hostname : `${hostname}:${port}`,
              code: isText(code) ? code : readErrorName(error),
            };
            throw error;
          }
        });
      },
    },
  };
}
