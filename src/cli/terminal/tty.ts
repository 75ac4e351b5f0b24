import { closeSync, openSync, read } from 'node:fs';
import type { ReadStream } from 'node:tty';
import { promisify } from 'node:util';
import type { CredstashError } from '../../errors.ts';

export function isTerminal(stream: NodeJS.ReadableStream): stream is ReadStream {
  return 'isTTY' in stream && stream.isTTY === true;
}

/** A terminal that is asked on. */
export interface Terminal {
  readonly setRawMode: (raw: boolean) => void;
  /** What is typed, as it comes. */
  readonly keys: AsyncIterable<Uint8Array>;
  readonly close: () => void;
}

export function keysOf(stdin: ReadStream): Terminal {
  return {
    setRawMode: (raw) => stdin.setRawMode(raw),
    keys: stdin.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>,
    close: () => {
      stdin.pause();
    },
  };
}

/**
 * The terminal of the process where stdin is another stream. It is read through a descriptor of its own: a stream of
 * it would keep the process from ending in Bun, whatever is done with it.
 */
export function openTerminal(noTerminal: CredstashError): Terminal {
  let mode: ReadStream;
  let fd: number;
  try {
    // Loaded here: most commands never ask.
    mode = new (process.getBuiltinModule('node:tty').ReadStream)(openSync('/dev/tty', 'r+'));
    fd = openSync('/dev/tty', 'r');
  } catch {
    throw noTerminal;
  }
  return {
    setRawMode: (raw) => mode.setRawMode(raw),
    keys: chunksOf(fd),
    close: () => {
      mode.destroy();
      closeSync(fd);
    },
  };
}

export async function* chunksOf(fd: number): AsyncGenerator<Uint8Array> {
  for (;;) {
    // More than a terminal gives at once.
    const chunk = Buffer.alloc(65_536);
    const { bytesRead } = await promisify(read)(fd, chunk, 0, chunk.length, null);
    if (bytesRead === 0) return;
    yield chunk.subarray(0, bytesRead);
  }
}
