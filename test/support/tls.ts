import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, type Server as NetServer } from 'node:net';
import { join } from 'node:path';
import { createServer, type TLSSocket } from 'node:tls';

/** A certificate for 127.0.0.1, which nobody trusts unless told to. */
export interface Certificate {
  /** Its file, PEM. */
  readonly path: string;
  readonly key: Buffer;
  readonly cert: Buffer;
}

/** Makes a certificate with `openssl`, in this folder. */
export function makeCertificate(folder: string): Certificate {
  const path = join(folder, 'certificate.pem');
  const keyPath = join(folder, 'key.pem');
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-keyout', keyPath, '-out', path, '-days', '2', '-subj', '/CN=test'],
      ...['-addext', 'subjectAltName=IP:127.0.0.1'],
    ],
    { stdio: 'ignore' },
  );
  return { path, key: readFileSync(keyPath), cert: readFileSync(path) };
}

/** An authority that a test can be told to trust. */
export interface Authority {
  /** The file of its own certificate, PEM. */
  readonly path: string;
  /** Signs a certificate for a host, `IP:127.0.0.1` unless given. One of -1 days has expired. */
  readonly issue: (host?: string, days?: number) => Certificate;
}

/** Makes an authority with `openssl`, in this folder. */
export function makeAuthority(folder: string): Authority {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const openssl = (...args: string[]): unknown =>
    execFileSync('openssl', args, { stdio: 'ignore' });
  const path = join(folder, 'authority.pem');
  const authorityKey = join(folder, 'authority-key.pem');
  openssl(
    ...['req', '-x509', ...curve, '-keyout', authorityKey, '-out', path, '-days', '2'],
    ...['-subj', '/CN=authority'],
  );
  let serial = 0;
  return {
    path,
    issue: (host = 'IP:127.0.0.1', days = 2) => {
      serial += 1;
      const file = (name: string): string => join(folder, `${serial}-${name}.pem`);
      writeFileSync(file('extensions'), `subjectAltName=${host}\n`);
      openssl(
        ...['req', '-new', ...curve, '-keyout', file('key'), '-out', file('request')],
        ...['-subj', '/CN=test'],
      );
      openssl(
        ...['x509', '-req', '-in', file('request'), '-CA', path, '-CAkey', authorityKey],
        ...['-days', `${days}`, '-set_serial', `${serial}`, '-out', file('certificate')],
        ...['-extfile', file('extensions')],
      );
      const certificate = file('certificate');
      return { path: certificate, key: readFileSync(file('key')), cert: readFileSync(certificate) };
    },
  };
}

/** Listens on a free port of 127.0.0.1. */
export async function listening<T extends NetServer>(server: T): Promise<T> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/**
 * A URL on which nobody listens. No server that asks for a free port gets port 1, and a port that was free a moment ago
 * would be given to another test.
 */
export const CLOSED = 'http://127.0.0.1:1';

export const portOf = (server: NetServer): number => (server.address() as AddressInfo).port;

/**
 * HTTPS in front of a server that speaks HTTP.
 *
 * @param met called with each connection, once its handshake is done
 * @param hold what an answer waits for
 */
export function tlsFront(
  { key, cert }: Certificate,
  target: string,
  met: (socket: TLSSocket) => void = () => undefined,
  hold: () => Promise<void> = () => Promise.resolve(),
): Promise<NetServer> {
  return listening(
    createServer({ key, cert }, (socket) => {
      const onward = connect(Number(new URL(target).port), '127.0.0.1');
      for (const each of [socket, onward]) {
        each.on('error', () => {
          socket.destroy();
          onward.destroy();
        });
      }
      met(socket);
      socket.pipe(onward);
      onward.on('data', (chunk) => {
        void hold().then(() => socket.write(chunk));
      });
      onward.on('end', () => {
        void hold().then(() => socket.end());
      });
    }),
  );
}
