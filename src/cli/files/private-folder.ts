import { createHmac, randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants as files,
  fchmodSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { CredstashError } from '../../errors.ts';
import { readErrorCode } from '../../util/errno.ts';
import { FULL_DISK_HINT } from '../../util/system-faults.ts';
import { endBySignal, onEndingSignal } from '../exec/signals.ts';
import { listenIn, removeLeftovers } from './alive.ts';
import { findPrivatePlaces, type PrivatePlace } from './private-places.ts';
import { wipe } from './wipe.ts';

/** How the names of folders begin that stay for the user. Later runs must not take them for leftovers. */
const KEPT = 'credstash-kept-';

/**
 * A folder for files with secrets, which only this user can enter. It is in memory if the system has such a place. It is removed
 * at the end of the process, also if a signal or an error ends it. What SIGKILL leaves, the next run removes.
 */
export class PrivateFolder {
  readonly path: string;
  /** Called for each signal and exit that ends this process before `remove`. Default: `remove`. */
  atEnd = (): void => {
    this.remove();
  };
  readonly #stopListening: () => void;
  readonly #stopCatching: () => void;
  readonly #warn: (message: string) => void;
  readonly #atExit = (): void => {
    this.atEnd();
  };
  /** The key of the digests. It stays in this process, so that nobody can look contents up by their digest. */
  readonly #key = randomBytes(32);
  #parts = 0;
  #isGone = false;

  private constructor(path: string, stopListening: () => void, warn: (message: string) => void) {
    this.path = path;
    this.#stopListening = stopListening;
    this.#warn = warn;
    // `endBySignal` emits exit as well.
    process.on('exit', this.#atExit);
    this.#stopCatching = onEndingSignal((signal) => {
      endBySignal(signal);
      // This process is PID 1, or would leave a core. A handler of a signal can return no exit status.
      // oxlint-disable-next-line no-restricted-properties
      process.exit(128 + constants.signals[signal]);
    });
  }

  /**
   * Makes a folder, after the removal of leftovers. From now on a signal that would end this process removes the folder first,
   * unless somebody else catches it.
   *
   * @param warn is told if the folder cannot be removed
   * @throws CredstashError IO if no place takes a folder
   */
  static async create(warn: (message: string) => void): Promise<PrivateFolder> {
    const places = findPrivatePlaces();
    await removeLeftovers(places);
    const faults: string[] = [];
    for (const place of places) {
      try {
        const { path, stop } = await makeFolder(place);
        return new PrivateFolder(path, stop, warn);
      } catch (error) {
        faults.push(`${place.path} (${readErrorCode(error)})`);
      }
    }
    const tried = faults.length > 0 ? `: ${faults.join(', ')}` : '';
    throw new CredstashError('IO', `no folder for files with secrets can be made${tried}`, {
      hint: 'set TMPDIR to a folder of yours that others cannot write to',
    });
  }

  /** Makes a folder in this one. @throws CredstashError IO */
  addPart(): string {
    const part = join(this.path, String(++this.#parts));
    try {
      mkdirSync(part, { mode: 0o700 });
    } catch (error) {
      throw cannotWrite(dirname(this.path), error);
    }
    return part;
  }

  /**
   * Creates a file that only this user can read.
   *
   * @returns a digest, by which the contents of two files can be compared
   * @throws CredstashError IO
   */
  write(path: string, bytes: Uint8Array): string {
    try {
      writeFileSync(path, bytes, { mode: 0o600, flag: 'wx' });
      chmodSync(path, 0o600);
      return createHmac('sha256', this.#key).update(bytes).digest('base64');
    } catch (error) {
      throw cannotWrite(dirname(this.path), error);
    }
  }

  /** Wipes a file or folder in this folder, and removes it. Warns if that fails. */
  wipe(path: string): void {
    try {
      wipe(path);
    } catch (error) {
      this.#warn(`${path} cannot be removed (${readErrorCode(error)}): remove it yourself`);
    }
  }

  /** Wipes and removes the folder. Does nothing the second time. */
  remove(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    process.off('exit', this.#atExit);
    this.#stopCatching();
    for (let part = this.#parts; part > 0; part -= 1) this.wipe(join(this.path, String(part)));
    try {
      this.#stopListening();
    } catch {
      // The socket has been removed already.
    }
    this.wipe(this.path);
  }

  /**
   * Replaces the contents of a file. Takes no space if the new ones are shorter, so that it works on a full disk.
   *
   * @throws Error of node:fs
   */
  rewrite(path: string, bytes: Uint8Array): void {
    const { O_CREAT, O_NOFOLLOW, O_WRONLY } = files;
    const fd = openSync(path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0o600);
    try {
      fchmodSync(fd, 0o600);
      writeFileSync(fd, bytes);
      ftruncateSync(fd, bytes.length);
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Moves the part that has a file out of this folder. The file stays for the user, and everything else is removed.
   *
   * @param file a file in a folder of `addPart`
   * @returns its new path
   * @throws Error of node:fs
   */
  keep(file: string): string {
    const kept = join(dirname(this.path), `${KEPT}${randomBytes(6).toString('hex')}`);
    // A rename works on a full disk, too. A new folder would not.
    renameSync(dirname(file), kept);
    for (const name of readdirSync(kept)) {
      if (name !== basename(file)) this.wipe(join(kept, name));
    }
    this.remove();
    return join(kept, basename(file));
  }
}

/** Makes a folder that only this user can enter, and listens in it. @throws Error of node:fs or node:net */
async function makeFolder({
  path: place,
  prefix,
}: PrivatePlace): Promise<{ readonly path: string; readonly stop: () => void }> {
  const path = mkdtempSync(join(realpathSync(place), prefix));
  try {
    const stat = lstatSync(path);
    if (!stat.isDirectory() || stat.uid !== process.geteuid?.()) {
      throw Object.assign(new Error('it is not ours'), { code: 'EACCES' });
    }
    // The umask may have removed a right of this user.
    chmodSync(path, 0o700);
    return { path, stop: await listenIn(path) };
  } catch (error) {
    wipe(path);
    throw error;
  }
}

function cannotWrite(place: string, cause: unknown): CredstashError {
  const code = readErrorCode(cause);
  const isFull = ['ENOSPC', 'EDQUOT'].includes(code);
  return new CredstashError('IO', `no file with a secret can be written in ${place} (${code})`, {
    cause,
    hint: isFull ? FULL_DISK_HINT : undefined,
  });
}
