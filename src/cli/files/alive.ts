import { chmodSync, lstatSync, readdirSync, renameSync, unlinkSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { readErrorCode } from '../../util/errno.ts';
import type { PrivatePlace } from './private-places.ts';
import { wipe } from './wipe.ts';

/*
 * A private folder has a socket on which the process that made it listens. Once that process has ended, however it did, nobody
 * listens any more. Unlike the number of a process, which others get later and which means nothing in another container, that
 * holds for everybody who sees the folder.
 */

/** The socket in a private folder. */
const SOCKET = 'alive';

/** The socket before its process listens on it. */
const DRAFT = 'new';

/** The longest path of a socket, in bytes (sun_path of macOS, less a NUL; Linux has four more). */
const LONGEST_PATH = 103;

/** How long a folder can be without its socket, in milliseconds, before it is taken for a leftover. It holds no secret then. */
const CREATION_MS = 60_000;

/**
 * Starts to listen in a private folder. Secrets may be written into it only afterwards.
 *
 * @returns a function that stops it, and removes the socket
 * @throws Error of node:net or node:fs
 */
export async function listenIn(folder: string): Promise<() => void> {
  const [draft, socket] = [join(folder, DRAFT), join(folder, SOCKET)];
  if (Buffer.byteLength(socket) > LONGEST_PATH) {
    throw Object.assign(new Error('the path is too long'), { code: 'ENAMETOOLONG' });
  }
  const server: Server = createServer((connection) => connection.destroy());
  await new Promise<AddressInfo | undefined>((resolve, reject) => {
    server.on('error', reject);
    server.listen(draft, () => {
      resolve(undefined);
    });
  });
  // The process must be able to end.
  server.unref();
  chmodSync(draft, 0o600);
  renameSync(draft, socket);
  return () => {
    server.close();
    unlinkSync(socket);
  };
}

/** Removes the private folders whose process has ended without removing them. */
export async function removeLeftovers(places: readonly PrivatePlace[]): Promise<void> {
  await Promise.all(places.flatMap((place) => listFolders(place).map(removeIfLeft)));
}

/** Lists this user's private folders. */
function listFolders({ path, prefix }: PrivatePlace): string[] {
  const user = process.geteuid?.();
  try {
    return readdirSync(path)
      .filter((name) => name.startsWith(prefix) && /^\w+$/.test(name.slice(prefix.length)))
      .map((name) => join(path, name))
      .filter((folder) => {
        const stat = lstatSync(folder, { throwIfNoEntry: false });
        return stat?.isDirectory() && stat.uid === user;
      });
  } catch {
    return [];
  }
}

async function removeIfLeft(folder: string): Promise<void> {
  try {
    if (!(await isLeft(folder))) return;
    // The socket goes last: while it exists, the next run finds out that nobody listens on it.
    for (const name of readdirSync(folder)) if (name !== SOCKET) wipe(join(folder, name));
    wipe(folder);
  } catch {
    // Another run removes it at the same time, or the next one does.
  }
}

async function isLeft(folder: string): Promise<boolean> {
  const fault = await tryToConnect(join(folder, SOCKET));
  if (fault !== 'ENOENT') return fault === 'ECONNREFUSED';
  const stat = lstatSync(folder, { throwIfNoEntry: false });
  return stat !== undefined && Date.now() - stat.mtimeMs > CREATION_MS;
}

/** Connects to a socket. @returns the error's code; undefined if somebody listens */
function tryToConnect(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const connection = connect(path, () => {
      connection.destroy();
      resolve(undefined);
    });
    connection.on('error', (error) => {
      resolve(readErrorCode(error));
    });
  });
}
