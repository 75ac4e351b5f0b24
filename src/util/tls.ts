/**
 * Whether the environment makes this process accept any TLS certificate. Node.js and Bun read the variable at each
 * connection, obey this one value, and let `rejectUnauthorized` come before it.
 * https://nodejs.org/api/cli.html#node_tls_reject_unauthorizedvalue
 */
export function acceptsAnyCertificate(): boolean {
  return process.env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0';
}
