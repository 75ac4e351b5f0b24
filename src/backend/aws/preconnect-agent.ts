import { Agent as HttpAgent } from 'node:http';
import { Agent } from 'node:https';
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { KMSClient } from '@aws-sdk/client-kms';
import {
  type EndpointParameterInstructionsSupplier,
  getEndpointFromInstructions,
} from '@smithy/core/endpoints';

/**
 * An agent that can connect before there is a request: one handshake goes on while another service answers, and while
 * the SDK makes up the request. A connection that is never used, or fails, costs nobody anything: the first request to
 * that origin takes it, or opens its own, and tells what is wrong.
 */
export class PreconnectAgent extends Agent {
  /** Resolves once the first request is on its way, and there is nothing to do but to wait for the answer. */
  readonly waiting: Promise<void>;
  /** For endpoints without TLS, which need no head start: it tells when a request is on its way, as this one does. */
  readonly plain: HttpAgent;
  #wait: () => void = () => undefined;
  readonly #ready = new Map<string, TLSSocket>();
  readonly #asked = new WeakSet<DynamoDBClient | KMSClient>();

  constructor(options: ConstructorParameters<typeof Agent>[0]) {
    super(options);
    this.waiting = new Promise((resolve) => {
      this.#wait = resolve;
    });
    this.plain = new HttpAgent(options);
    const connectPlain = this.plain.createConnection.bind(this.plain);
    this.plain.createConnection = (...args) => {
      const socket = connectPlain(...args) as Socket;
      return socket.once('connect', () => setImmediate(this.#wait));
    };
  }

  /**
   * Opens a connection for the first request of `client`, once, when it has credentials: without them it sends none.
   * It opens nothing for an endpoint without HTTPS. Never rejects.
   *
   * @param command any of the client's: they all go to one endpoint
   */
  async connect(
    client: DynamoDBClient | KMSClient,
    command: EndpointParameterInstructionsSupplier,
  ): Promise<void> {
    if (this.#asked.has(client)) return;
    this.#asked.add(client);
    try {
      await client.config.credentials();
      const { url } = await getEndpointFromInstructions({}, command, client.config);
      if (url.protocol === 'https:') this.#open(url);
    } catch {
      // Told by the request.
    }
  }

  #open({ hostname, port: given }: URL): void {
    const host = hostname.replace(/^\[|\]$/g, '');
    const port = given === '' ? 443 : Number(given);
    const origin = `${host}:${port}`;
    const standing = [...Object.keys(this.sockets), ...Object.keys(this.freeSockets)];
    if (standing.some((name) => name.startsWith(`${origin}:`))) return;
    // The address is looked up, and TCP connects, while TLS reads the certificates that it trusts: 25 ms on Node.js 20.
    const tcp = connect({ port, host, noDelay: true });
    // The request that takes the connection is told of its error. A process does not stay alive for the connection.
    tcp.on('error', () => undefined).unref();
    let socket: TLSSocket;
    try {
      socket = connectTls({
        ...this.options,
        socket: tcp,
        host,
        port,
        servername: isIP(host) === 0 ? host : '',
        ALPNProtocols: ['http/1.1'],
      });
    } catch (error) {
      tcp.destroy();
      throw error;
    }
    socket.on('error', () => undefined).unref();
    this.#ready.set(origin, socket);
  }

  override createConnection(...args: Parameters<Agent['createConnection']>): Socket {
    const { host, port } = args[0] as { host?: string; port?: number | string };
    const origin = `${host ?? ''}:${port ?? ''}`;
    const early = this.#ready.get(origin);
    this.#ready.delete(origin);
    const socket = early && !early.destroyed ? early.ref() : super.createConnection(...args);
    const stands = (): unknown => setImmediate(this.#wait);
    if (early?.authorized) stands();
    else (socket as Socket).once('secureConnect', stands);
    return socket as Socket;
  }

  override destroy(): void {
    for (const socket of this.#ready.values()) socket.destroy();
    this.plain.destroy();
    super.destroy();
  }
}
