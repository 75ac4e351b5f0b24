import { debuglog } from 'node:util';
import { CredstashError } from '../../errors.ts';
import { acceptsAnyCertificate } from '../../util/tls.ts';

/** Sections of NODE_DEBUG that print what is typed, read and sent, signed requests, or the environment. */
const LEAKY_DEBUG_SECTIONS = [
  'child_process',
  'fetch',
  'http',
  'http2',
  'https',
  'net',
  'stream',
  'tls',
  'undici',
];

/**
 * Looks for two settings of the runtime that every command refuses. NODE_DEBUG can print secrets; Node.js reads it before our
 * code runs, and nothing turns it off later. NODE_TLS_REJECT_UNAUTHORIZED=0 asks to accept any certificate; it has no effect
 * here, which its user must know.
 *
 * @returns a USAGE error; undefined if neither is set
 */
export function findRuntimeDanger(): CredstashError | undefined {
  const section = LEAKY_DEBUG_SECTIONS.find((each) => debuglog(each).enabled);
  if (section !== undefined) {
    return new CredstashError(
      'USAGE',
      `with ${section} in NODE_DEBUG, Node.js would print secrets, data keys and credentials`,
      { hint: 'run it without: env -u NODE_DEBUG credstash …' },
    );
  }
  if (acceptsAnyCertificate()) {
    return new CredstashError(
      'USAGE',
      'NODE_TLS_REJECT_UNAUTHORIZED=0 asks to accept any TLS certificate, which no command does',
      {
        hint: 'run it without: env -u NODE_TLS_REJECT_UNAUTHORIZED credstash …, and name the file of a certificate to trust with AWS_CA_BUNDLE',
      },
    );
  }
  return undefined;
}
