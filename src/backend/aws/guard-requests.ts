/**
 * Two rules for every request of every client, also of the SDK's own credential providers: no certificate is accepted
 * unverified, and no answer is read beyond limits of size and time.
 */
import type { Readable } from 'node:stream';
import type { HttpHandlerExtensionConfiguration } from '@smithy/core/protocols';
import { CredstashError } from '../../errors.ts';
import { acceptsAnyCertificate } from '../../util/tls.ts';

/**
 * The largest answer of DynamoDB, in bytes. A page has up to 1 MB of data, and its last item may go 400 KB beyond. JSON
 * makes four bytes of three of a binary, six of a control character in a text, and up to nine of an element of a list: 13 MB
 * at most. This leaves room for that, and for the 16 MB of a batch in base64.
 */
export const MAX_TABLE_ANSWER_BYTES = 24 * 2 ** 20;

/** The same for KMS and for the services that give credentials. Their largest answers have some 10 KB. */
export const MAX_ANSWER_BYTES = 2 ** 20;

/** How long an answer may take, from its status line to its end. */
export const MAX_ANSWER_MS = 60_000;

/** An answer that was not read to its end. The message continues a sentence that begins with the service's name. */
export class AnswerError extends Error {
  // The SDK does not retry an error of this name: another answer would end no better.
  override readonly name = 'AnswerError';
}

/** TLS connections that do not set rejectUnauthorized, and therefore obey NODE_TLS_REJECT_UNAUTHORIZED. */
export interface Unverified {
  /** For a person: `the connection to the proxy`. */
  readonly what: string;
  /** The protocols of the requests that use them. */
  readonly protocols: readonly string[];
}

export interface Guard {
  /** The largest body of an answer. Nothing decompresses it later, so these are the bytes on the wire. */
  readonly maxBytes?: number;
  readonly maxMilliseconds?: number;
  /** How long no byte of an answer's body may come, in milliseconds; default: as long as the whole answer may take. */
  readonly silenceMs?: number | undefined;
  readonly unverified?: Unverified | undefined;
}

/**
 * Makes an extension for the SDK's clients. It reads each answer itself, within the limits, and refuses a request whose
 * server would not have to show a valid certificate.
 *
 * @returns for `extensions` of a client's configuration. With it, `send` throws an AnswerError for an answer beyond the
 *   limits, and a CredstashError USAGE for a refused request
 */
export function guardRequests(guard: Guard = {}): {
  readonly configure: (client: HttpHandlerExtensionConfiguration) => void;
} {
  const {
    maxBytes = MAX_ANSWER_BYTES,
    maxMilliseconds = MAX_ANSWER_MS,
    unverified,
    silenceMs,
  } = guard;
  const extension = {
    configure: (client: HttpHandlerExtensionConfiguration) => {
      if (!hasHandler(client)) ignored.add(extension);
      wrapHandler(client, async (request, send) => {
        if (unverified?.protocols.includes(request.protocol)) {
          refuseAnyCertificate(unverified.what);
        }
        const answer = await send(request);
        const { response } = answer;
        const body: unknown = response.body;
        // An application's own handler may return something else, which the application itself must limit.
        if (isStream(body)) {
          response.body = await readAnswer(body, maxBytes, maxMilliseconds, silenceMs);
        }
        return answer;
      });
    },
  };
  return extension;
}

/** Guards that a client was made with, and that its release of the SDK ignores. */
const ignored = new WeakSet<Guarded>();

/** In a release of the SDK from 2025 or before, an extension is given no handler, and the one that it sets is not used. */
function hasHandler(client: HttpHandlerExtensionConfiguration): boolean {
  return (client.httpHandler() as Handler | undefined) !== undefined;
}

/** Guards a client that was made with a guard, if its release of the SDK ignores the handlers of extensions. */
export function guardOlderClient({ config }: { readonly config: object }): void {
  const client = config as { requestHandler: Handler; readonly extensions?: readonly Guarded[] };
  for (const extension of client.extensions ?? []) {
    if (!ignored.has(extension)) continue;
    extension.configure({
      httpHandler: () => client.requestHandler,
      setHttpHandler: (handler) => {
        client.requestHandler = handler;
      },
    } as HttpHandlerExtensionConfiguration);
  }
}

type Guarded = ReturnType<typeof guardRequests>;

export type Handler = ReturnType<HttpHandlerExtensionConfiguration['httpHandler']>;

export type Request = Parameters<Handler['handle']>[0];

export type Answer = ReturnType<Handler['handle']>;

/**
 * Wraps the client's handler: `handle` calls `send` to pass a request on. The last wrapper is the outermost. Does nothing for a
 * client of a release of the SDK that ignores the handlers of extensions.
 */
export function wrapHandler(
  client: HttpHandlerExtensionConfiguration,
  handle: (request: Request, send: (request: Request) => Answer) => Answer,
): void {
  if (!hasHandler(client)) return;
  const handler = client.httpHandler();
  client.setHttpHandler({
    ...(handler.metadata ? { metadata: handler.metadata } : {}),
    destroy: () => {
      handler.destroy?.();
    },
    updateHttpClientConfig: (key, value) => {
      handler.updateHttpClientConfig(key, value);
    },
    httpHandlerConfigs: () => handler.httpHandlerConfigs(),
    handle: (request, options) => handle(request, (each) => handler.handle(each, options)),
  });
}

/**
 * Throws if the environment tells this process to accept any certificate.
 *
 * @param what connects, for the message
 * @throws CredstashError USAGE
 */
export function refuseAnyCertificate(what: string): void {
  if (!acceptsAnyCertificate()) return;
  throw new CredstashError(
    'USAGE',
    `${what} would accept any TLS certificate: NODE_TLS_REJECT_UNAUTHORIZED is 0`,
    {
      hint: 'unset it; AWS_CA_BUNDLE or NODE_EXTRA_CA_CERTS names the file of a certificate to trust',
    },
  );
}

export function isStream(body: unknown): body is Readable {
  return typeof (body as Partial<Readable> | undefined)?.pipe === 'function';
}

/** Reads a body to its end. @throws AnswerError if it exceeds a limit; the error of the connection if that fails */
export function readAnswer(
  body: Readable,
  maxBytes: number,
  maxMilliseconds: number,
  silenceMs?: number,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    // One growing buffer instead of a list of chunks: with one byte per chunk, a list would take a hundred times the limit.
    let bytes = Buffer.alloc(0);
    let length = 0;
    const fail = (error: Error): void => {
      clearTimeout(timer);
      clearTimeout(silence);
      body.destroy();
      reject(error);
    };
    const timer = setTimeout(() => {
      fail(new AnswerError(`took longer than ${maxMilliseconds / 1000} s to send its answer`));
    }, maxMilliseconds);
    const silence =
      silenceMs === undefined
        ? undefined
        : setTimeout(() => {
            fail(Object.assign(new Error('the answer stopped'), { name: 'TimeoutError' }));
          }, silenceMs);
    body.on('data', (chunk: Uint8Array) => {
      silence?.refresh();
      const after = length + chunk.length;
      if (after > maxBytes) {
        fail(new AnswerError(`sent an answer larger than ${maxBytes / 2 ** 20} MB`));
        return;
      }
      if (after > bytes.length) {
        // Not from Node.js' shared pool of small buffers, because an answer of KMS holds a data key.
        const larger = Buffer.allocUnsafeSlow(Math.max(after, 2 * bytes.length));
        bytes.copy(larger, 0, 0, length);
        bytes.fill(0);
        bytes = larger;
      }
      bytes.set(chunk, length);
      length = after;
    });
    body.on('end', () => {
      clearTimeout(timer);
      clearTimeout(silence);
      resolve(bytes.subarray(0, length));
    });
    body.on('error', fail);
    // A truncated answer may close without an error. After 'end' this has no effect.
    body.on('close', () => {
      fail(Object.assign(new Error('the answer is cut off'), { code: 'ECONNRESET' }));
    });
  });
}
