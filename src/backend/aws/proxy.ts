import { Agent } from 'node:https';
import type { Socket } from 'node:net';

/** The largest answer of a proxy to CONNECT. Node.js has the same limit for the headers of other answers. */
const MAX_HEADER_BYTES = 16 * 1024;

/** The most pieces of that answer. Node.js 24 doubles its listeners with each piece. */
const MAX_PIECES = 12;

/** The time limit for connecting to the proxy, and through it to the service. */
const MAX_TUNNEL_MS = 8000;

/**
 * An agent that lets Node.js connect through the proxy of its option `proxyEnv`, and adds the limits that Node.js lacks: the
 * size and time of the proxy's answer. It also closes connections that their requests have given up.
 */
export class ProxyAgent extends Agent {
  /** Connections to a proxy that do not reach the service yet. Node.js does not list them, and so cannot destroy them. */
  readonly #pending = new Set<Socket>();

  override createConnection(...args: Parameters<Agent['createConnection']>): Socket {
    const [options, callback] = args;
    const socket = super.createConnection(options, (error, stream) => {
      settle();
      callback?.(error, stream);
    }) as Socket;
    let pieces = 0;
    const fail = (): void => {
      const message = 'the proxy does not answer CONNECT as a proxy does';
      socket.destroy(Object.assign(new Error(message), { code: 'ERR_PROXY_TUNNEL' }));
    };
    const measure = (): void => {
      pieces += 1;
      if (pieces > MAX_PIECES || socket.bytesRead > MAX_HEADER_BYTES) fail();
    };
    const timer = setTimeout(fail, MAX_TUNNEL_MS);
    const settle = (): void => {
      clearTimeout(timer);
      this.#pending.delete(socket);
      socket.off('readable', measure);
    };
    this.#pending.add(socket);
    socket.once('close', settle);
    // If NO_PROXY exempts the host, the agent lists the connection at once.
    process.nextTick(() => {
      if (Object.values(this.sockets).some((listed) => listed?.includes(socket))) settle();
      else socket.setMaxListeners(0).on('readable', measure);
    });
    return socket;
  }

  override destroy(): void {
    for (const socket of this.#pending) socket.destroy();
    super.destroy();
  }
}

/** The variables that name a proxy. */
export const PROXIES = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'];

export const PROXY_HINT =
  'the proxy of the environment is used by Node.js 22.21, 24.5 and later, not by this one';

/** Whether the environment names a proxy, as curl and boto understand it. */
export function isProxySet(): boolean {
  return PROXIES.some((name) => process.env[name]);
}

/** Whether this Node.js can use the environment's proxy. */
export function canUseProxy(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 21);
}
