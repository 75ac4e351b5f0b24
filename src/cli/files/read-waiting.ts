import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readSync,
  realpathSync,
} from 'node:fs';
import { readErrorCode } from '../../util/errno.ts';
import { sleep } from '../../util/sleep.ts';

/*
 * Reads what may make it wait for ever: a terminal, or a pipe that a path names. Node.js waits for such a read, and for the
 * opening of a FIFO, in a thread, and a process does not end before its threads do: neither by process.exit when the time of
 * a command is over. So nothing waits in the system here: it is looked every few milliseconds whether something came.
 */

const PAUSE_MS = 20;
const CHUNK_BYTES = 65_536;

/** A file that is read without waiting in the system. */
export interface Waiting {
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly close: () => void;
}

/**
 * Opens a terminal, a FIFO or a file.
 *
 * @throws Error of node:fs
 */
export function openWaiting(path: string): Waiting {
  // Windows has no such flag, and no FIFO.
  const flags = constants.O_RDONLY | ((constants.O_NONBLOCK as number | undefined) ?? 0);
  const fd = openSync(path, flags);
  let isOpen = true;
  return {
    chunks: chunksOf(fd, fstatSync(fd).isFIFO() && isNamed(path), () => isOpen),
    close: () => {
      if (isOpen) closeSync(fd);
      isOpen = false;
    },
  };
}

/** Whether a path leads to a file of that name: `/dev/fd/63` of `<(…)` does not, on Linux. */
function isNamed(path: string): boolean {
  try {
    return existsSync(realpathSync(path));
  } catch {
    return false;
  }
}

/**
 * @param waitsForWriter the end of the file means nothing until there was a writer: a FIFO that nobody writes to yet
 * @param isOpen whether the descriptor is still ours
 */
async function* chunksOf(
  fd: number,
  waitsForWriter: boolean,
  isOpen: () => boolean,
): AsyncGenerator<Uint8Array> {
  let hadWriter = !waitsForWriter;
  const chunk = Buffer.alloc(CHUNK_BYTES);
  while (isOpen()) {
    let length: number | undefined;
    try {
      length = readSync(fd, chunk, 0, chunk.length, null);
    } catch (error) {
      if (readErrorCode(error) !== 'EAGAIN') throw error;
      hadWriter = true;
    }
    if (length) {
      hadWriter = true;
      yield Buffer.from(chunk.subarray(0, length));
    } else if (length === 0 && hadWriter) return;
    else await sleep(PAUSE_MS);
  }
}
