import {
  chmodSync,
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  rmdirSync,
  rmSync,
  type Stats,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/** The largest file that is overwritten, in bytes. A secret has 400 KB at most; an editor's files about it have more. */
const LARGEST_WIPED = 16 * 1024 * 1024;

/** The size of one write, in bytes. */
const ZEROS = new Uint8Array(64 * 1024);

/**
 * Removes a file, or a folder with all that is in it. Overwrites each file with zeros first: freed memory keeps what it held.
 * Follows no link. Does nothing if the path does not exist.
 *
 * @throws Error of node:fs if something stays
 */
export function wipe(path: string): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (!stat) return;
  if (!stat.isDirectory()) {
    overwrite(path, stat);
    unlinkSync(path);
    return;
  }
  chmodSync(path, 0o700);
  for (const name of readdirSync(path)) wipe(join(path, name));
  try {
    rmdirSync(path);
  } catch {
    // It has a name that is not UTF-8, which `readdirSync` cannot give, or another process has just created a file.
    rmSync(path, { recursive: true, force: true });
  }
}

/** Overwrites a plain file. It leaves a file with another name as it is: the user's program keeps it elsewhere. */
function overwrite(path: string, stat: Stats): void {
  if (!stat.isFile() || stat.nlink !== 1 || stat.size > LARGEST_WIPED) return;
  let fd: number | undefined;
  try {
    chmodSync(path, 0o600);
    fd = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW);
    for (let rest = stat.size; rest > 0; rest -= ZEROS.length) {
      writeSync(fd, ZEROS, 0, Math.min(rest, ZEROS.length));
    }
    fsyncSync(fd);
  } catch {
    // The file is removed all the same.
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
