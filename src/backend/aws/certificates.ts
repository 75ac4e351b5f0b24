import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { CredstashError } from '../../errors.ts';

const CERTIFICATE =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[\s\S]+?-----END (?:TRUSTED |X509 )?CERTIFICATE-----/;

/**
 * Reads a file of certificates. Node.js would take a file without one silently, and then trust nobody.
 *
 * @param from what names the file: `AWS_CA_BUNDLE`
 * @throws CredstashError USAGE for a file that cannot be read, or that has no certificate (PEM) in it
 */
export function readCertificates(path: string, from: string): Buffer {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new CredstashError('USAGE', `the certificates ${path} cannot be read (${from})`, {
      cause,
    });
  }
  const [first] = CERTIFICATE.exec(bytes.toString('latin1')) ?? [];
  if (first !== undefined && isCertificate(first)) return bytes;
  throw new CredstashError('USAGE', `${path} has no certificate in it (${from})`, {
    hint: 'it takes certificates in PEM: -----BEGIN CERTIFICATE-----',
  });
}

/**
 * The authorities that Bun must be told to trust: those that are built in, those of NODE_EXTRA_CA_CERTS, and the system's with
 * NODE_USE_SYSTEM_CA=1, as in Node.js. Left to itself, Bun also trusts /etc/ssl, SSL_CERT_FILE and SSL_CERT_DIR.
 *
 * @returns undefined for Node.js, whose default they are
 */
export function builtInAuthorities(): string | undefined {
  if (process.versions['bun'] === undefined) return undefined;
  const { getCACertificates } = process.getBuiltinModule('node:tls') as {
    getCACertificates?: (type: 'default') => string[];
  };
  // Bun reads one text sooner than a list.
  return getCACertificates?.('default').join('\n');
}

function isCertificate(text: string): boolean {
  try {
    new X509Certificate(text);
    return true;
  } catch {
    return false;
  }
}
