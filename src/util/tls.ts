/**
 * Whether the environment makes this process accept any TLS certificate. Node.js and Bun read the variable at each connection,
 * and only the value 0 has an effect. The option `rejectUnauthorized` overrides it.
 * https://nodejs.org/api/cli.html#node_tls_reject_unauthorizedvalue
 */
export function acceptsAnyCertificate(): boolean {
  return process.env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0';
}
