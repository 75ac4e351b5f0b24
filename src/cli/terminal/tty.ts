import { openSync } from 'node:fs';
import type { ReadStream } from 'node:tty';
import type { CredstashError } from '../../errors.ts';
import { openWaiting, type Waiting } from '../files/read-waiting.ts';

export function isTerminal(stream: NodeJS.ReadableStream): stream is ReadStream {
  return 'isTTY' in stream && stream.isTTY === true;
}

/** A terminal for prompts. */
export interface Terminal {
  readonly setRawMode: (raw: boolean) => void;
  /** The typed bytes, as they arrive. */
  readonly keys: AsyncIterable<Uint8Array>;
  readonly close: () => void;
}

/** Makes a terminal for prompts of stdin. Closing it leaves stdin open. */
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
 * Opens /dev/tty for prompts, for a process whose stdin is another stream. Reads have a descriptor of their own, because in Bun
 * a stream would keep the process alive.
 *
 * @param noTerminal thrown if the process has no terminal
 */
export function openTerminal(noTerminal: CredstashError): Terminal {
  let mode: ReadStream;
  let typed: Waiting;
  try {
    // Loaded on use, because most commands never ask.
    mode = new (process.getBuiltinModule('node:tty').ReadStream)(openSync('/dev/tty', 'r+'));
    typed = openWaiting('/dev/tty');
  } catch {
    throw noTerminal;
  }
  return {
    setRawMode: (raw) => mode.setRawMode(raw),
    keys: typed.chunks,
    close: () => {
      mode.destroy();
      typed.close();
    },
  };
}

/** Reads one line in the terminal's normal mode, in which Ctrl-C ends the process. @returns the line with its end */
export async function readLine(keys: AsyncIterable<Uint8Array>): Promise<string> {
  let line = '';
  for await (const chunk of keys) {
    line += Buffer.from(chunk).toString('latin1');
    if (line.includes('\n')) break;
  }
  return line;
}
