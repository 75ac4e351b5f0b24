import { createHash } from 'node:crypto';
import { statfsSync, statSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { isAbsolute } from 'node:path';

/** A folder of the system in which private folders are made. */
export interface PrivatePlace {
  readonly path: string;
  /** How the names of this machine's private folders begin there. */
  readonly prefix: string;
}

/** The types of file systems in memory (statfs(2)): tmpfs and ramfs. */
const IN_MEMORY = [0x01021994, 0x858458f6];

/**
 * Lists the folders in which private folders can be made, the best first: `XDG_RUNTIME_DIR`, which the user or the system has set
 * for such files and which is in memory as a rule; then /dev/shm and the system's temporary folder, the one in memory first. A
 * folder in which other users could replace ours is left out.
 */
export function findPrivatePlaces(): PrivatePlace[] {
  const runtime = process.env['XDG_RUNTIME_DIR'] ?? '';
  const others = ['/dev/shm', tmpdir()].filter((path) => isSafe(path));
  const places = [
    ...(isSafe(runtime, { isOwn: true }) ? [runtime] : []),
    ...others.toSorted((a, b) => Number(isInMemory(b)) - Number(isInMemory(a))),
  ];
  return [...new Set(places)].map((path) => ({
    path,
    // Machines can share a folder on a disk of the network, but no memory.
    prefix: isInMemory(path) ? 'credstash-' : `credstash-${nameMachine()}-`,
  }));
}

/**
 * Whether no other user can replace a file of ours in a folder: it belongs to this user or to root, and if others can write to
 * it, it is sticky, as /tmp is.
 *
 * @param isOwn whether only this user may enter it, as the XDG Base Directory Specification demands of `XDG_RUNTIME_DIR`
 */
function isSafe(path: string, { isOwn = false } = {}): boolean {
  if (!isAbsolute(path)) return false;
  try {
    const stat = statSync(path);
    const user = process.geteuid?.();
    if (!stat.isDirectory()) return false;
    if (isOwn) return stat.uid === user && (stat.mode & 0o077) === 0;
    const isSticky = (stat.mode & 0o1000) !== 0;
    return [0, user].includes(stat.uid) && ((stat.mode & 0o022) === 0 || isSticky);
  } catch {
    return false;
  }
}

function isInMemory(path: string): boolean {
  // The numbers are those of Linux.
  if (process.platform !== 'linux') return false;
  try {
    return IN_MEMORY.includes(statfsSync(path).type);
  } catch {
    return false;
  }
}

function nameMachine(): string {
  return createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
}
