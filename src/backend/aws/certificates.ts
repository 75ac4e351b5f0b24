import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { CredstashError } from '../../errors.ts';

const CERTIFICATE =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[\s\S]+?-----END (?:TRUSTED |X509 )?CERTIFICATE-----/;

/**
 * Reads a file of certificates. Node.js would silently accept a file without any, and then trust no server.
 *
 * @param from the setting that names the file: `AWS_CA_BUNDLE`
 * @throws CredstashError USAGE if the file cannot be read, or has no certificate in PEM
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
 * Lists the authorities that Node.js trusts by default, for Bun: the built-in ones, those of NODE_EXTRA_CA_CERTS, and the
 * system's with NODE_USE_SYSTEM_CA=1. By default Bun also trusts /etc/ssl, SSL_CERT_FILE and SSL_CERT_DIR.
 *
 * @returns certificates in PEM; undefined on Node.js
 */
export function builtInAuthorities(): string | undefined {
  if (process.versions['bun'] === undefined) return undefined;
  const { getCACertificates } = process.getBuiltinModule('node:tls') as {
    getCACertificates?: (type: 'default') => string[];
  };
  // Bun parses one text faster than a list.
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
