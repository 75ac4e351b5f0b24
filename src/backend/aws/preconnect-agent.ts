import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent, type AgentOptions } from 'node:https';
import { connect, isIP, type Socket } from 'node:net';
import {
  connect as connectTls,
  createSecureContext,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';

/**
 * An HTTPS agent that can open a connection before its first request: the handshake with one service then overlaps with the
 * other service's answer, and with the work of the SDK. The first request to that origin takes the connection. If the
 * connection has failed or closed meanwhile, the request opens its own, and reports the error.
 */
export class PreconnectAgent extends HttpsAgent {
  /** Resolves once the first request of either agent is sent, so that code that blocks can load while the service answers. */
  readonly requestSent: Promise<void>;
  /** The agent for endpoints without TLS. It opens no connection early, but its first request counts as well. */
  readonly httpAgent: HttpAgent;
  /** Connections that no request has taken yet, by `host:port`. */
  readonly #early = new Map<string, TLSSocket>();
  readonly #onConnected: () => void;
  /** The trusted certificates, which all connections share: parsing a file of 140 takes 10 ms. */
  #context: SecureContext | undefined;

  constructor(options: AgentOptions) {
    super(options);
    let resolve: () => void = () => undefined;
    this.requestSent = new Promise((done) => {
      resolve = done;
    });
    // Node.js writes a waiting request right after it has told that the connection is established.
    this.#onConnected = () => setImmediate(resolve);
    this.httpAgent = new ObservedHttpAgent(options, this.#onConnected);
  }

  /**
   * Opens a connection to the origin of `url`, unless there is one. Never throws for the network: the request that takes the
   * connection reports its error. The process does not stay alive for the connection.
   *
   * @param url of scheme `https:`; other schemes open nothing
   */
  openConnection(url: URL): void {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const port = url.port === '' ? 443 : Number(url.port);
    const origin = `${host}:${port}`;
    if (url.protocol !== 'https:' || this.#hasConnection(origin)) return;
    // DNS and TCP go on while TLS reads the certificates that it trusts, which takes 25 ms on Node.js 20.
    const tcp = connect({ port, host, noDelay: true });
    tcp.on('error', () => undefined).unref();
    try {
      const socket = connectTls({
        ...this.options,
        secureContext: this.#shareContext(),
        socket: tcp,
        host,
        port,
        servername: isIP(host) === 0 ? host : '',
        ALPNProtocols: ['http/1.1'],
      });
      this.#early.set(origin, socket.on('error', () => undefined).unref());
    } catch (error) {
      tcp.destroy();
      throw error;
    }
  }

  override createConnection(...args: Parameters<HttpsAgent['createConnection']>): Socket {
    const [options, ...rest] = args;
    const { host = '', port = '' } = options as { host?: string; port?: number | string };
    const early = this.#takeEarly(`${host}:${port}`);
    if (early?.authorized) this.#onConnected();
    const shared = { ...options, secureContext: this.#shareContext() };
    const socket = early ?? (super.createConnection(shared, ...rest) as Socket);
    return socket.once('secureConnect', this.#onConnected);
  }

  override destroy(): void {
    for (const socket of this.#early.values()) socket.destroy();
    this.httpAgent.destroy();
    super.destroy();
  }

  #shareContext(): SecureContext {
    return (this.#context ??= createSecureContext(this.options));
  }

  #hasConnection(origin: string): boolean {
    const names = [...Object.keys(this.sockets), ...Object.keys(this.freeSockets)];
    return this.#early.has(origin) || names.some((name) => name.startsWith(`${origin}:`));
  }

  #takeEarly(origin: string): TLSSocket | undefined {
    const socket = this.#early.get(origin);
    this.#early.delete(origin);
    return socket?.destroyed ? undefined : socket?.ref();
  }
}

/** An HTTP agent that calls `onConnected` for each connection. */
class ObservedHttpAgent extends HttpAgent {
  readonly #onConnected: () => void;

  constructor(options: AgentOptions, onConnected: () => void) {
    super(options);
    this.#onConnected = onConnected;
  }

  override createConnection(...args: Parameters<HttpAgent['createConnection']>): Socket {
    return (super.createConnection(...args) as Socket).once('connect', this.#onConnected);
  }
}
