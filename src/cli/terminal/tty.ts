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
 * Opens the terminal of the process, if stdin is another stream. Reads use a descriptor of their own: a stream would keep
 * the process from ending in Bun.
 */
export function openTerminal(noTerminal: CredstashError): Terminal {
  let mode: ReadStream;
  let typed: Waiting;
  try {
    // Loaded here: most commands never ask.
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

/** What is typed up to the end of a line: the terminal gives a line at a time, and Ctrl-C ends the process. */
export async function readLine(keys: AsyncIterable<Uint8Array>): Promise<string> {
  let line = '';
  for await (const chunk of keys) {
    line += Buffer.from(chunk).toString('latin1');
    if (line.includes('\n')) break;
  }
  return line;
}
