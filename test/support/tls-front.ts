import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';

/** A server of HTTP behind TLS, with a certificate for 127.0.0.1 that nobody knows. */
export interface TlsFront {
  readonly url: string;
  readonly port: number;
  /** The file of its certificate. */
  readonly certificate: string;
  readonly close: () => void;
}

/** Puts TLS before a server. @param folder takes the certificate and its key */
export async function startTlsFront(server: string, folder: string): Promise<TlsFront> {
  const key = join(folder, 'key.pem');
  const certificate = join(folder, 'certificate.pem');
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-keyout', key, '-out', certificate, '-days', '2', '-subj', '/CN=test'],
      ...['-addext', 'subjectAltName=IP:127.0.0.1'],
    ],
    { stdio: 'ignore' },
  );
  const front = createServer(
    { key: readFileSync(key), cert: readFileSync(certificate) },
    (socket) => {
      socket.on('error', () => socket.destroy());
      socket.pipe(connect(Number(new URL(server).port), '127.0.0.1')).pipe(socket);
    },
  );
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  const { port } = front.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}`,
    port,
    certificate,
    close: () => {
      front.close();
    },
  };
}
