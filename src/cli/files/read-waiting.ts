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
 * Reads a terminal or a FIFO without blocking, by polling. Node.js would wait for the read, and for the opening of a FIFO, in a
 * thread, and not even process.exit ends a process before its threads. A command could then not end at its time limit.
 */

const PAUSE_MS = 20;
const CHUNK_BYTES = 65_536;

/** A file that is read by polling. */
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
  // Windows has no O_NONBLOCK, and no FIFO.
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

/** Whether a path leads to an existing name. On Linux `/dev/fd/63`, as `<(…)` makes it, does not. */
function isNamed(path: string): boolean {
  try {
    return existsSync(realpathSync(path));
  } catch {
    return false;
  }
}

/**
 * Reads a descriptor by polling.
 *
 * @param waitsForWriter whether to ignore the end of the file until a writer has opened the FIFO
 * @param isOpen whether the descriptor is still open
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
