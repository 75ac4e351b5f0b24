import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  readvSync,
  statSync,
  writeSync,
} from 'node:fs';
import { constants as os } from 'node:os';
import type { WriteStream } from 'node:tty';
import { CredstashError } from '../../errors.ts';
import { escapeUnseen } from '../../format/visible.ts';
import type { Progress } from '../../util/progress.ts';
import type { Deadline } from '../options/deadline.ts';
import { endBySignal, onEndingSignal } from '../exec/signals.ts';
import { openWaiting } from '../files/read-waiting.ts';
import { type PromptHints, readHidden } from './read-hidden.ts';
import { StatusLine } from './status-line.ts';
import { chooseStyle, markLabel, type Style } from './style.ts';
import { isTerminal, keysOf, openTerminal, readLine } from './tty.ts';
import { readErrorCode } from '../../util/errno.ts';
import { FULL_DISK_HINT } from '../../util/system-faults.ts';

// Over 250 lines: no other file touches the streams, so everything that needs them is a method of Io.

/** The streams of a process, or a test's. */
export interface Streams {
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

/** The handle of libuv inside a stream. Node.js has no public API to make a stream blocking. */
interface Blockable {
  readonly _handle: { readonly setBlocking?: (blocking: boolean) => void } | null;
}

const FD = { stdin: 0, stdout: 1, stderr: 2 } as const;

/** The only place that touches stdin, stdout, stderr and the terminal. */
export class Io {
  /** The status line on stderr. Printing erases it first. A caller that hands the terminal to another program must erase it. */
  readonly status: StatusLine;
  /** The command's time limit; undefined if it may take any time. */
  deadline: Deadline | undefined;
  /** Whether another program has the terminal, so that nobody can be asked. */
  isLent = false;
  readonly #streams: Streams;
  readonly #touched = new Set<keyof Streams>();
  #outputClosed = false;

  constructor(streams: Streams = process) {
    this.#streams = streams;
    this.status = new StatusLine(
      () => this.#streamOfTerminal('stderr'),
      (line) => {
        this.#say(`${escapeUnseen(line)}\n`);
      },
    );
  }

  /** Gets a stream. On first use Node.js creates it, and makes its pipe or terminal non-blocking. */
  #stream<Name extends keyof Streams>(name: Name): Streams[Name] {
    const stream = this.#streams[name];
    if (!this.#touched.has(name)) {
      this.#touched.add(name);
      // Without a listener, a reader that goes away would end the process in the middle of its work.
      if (name !== 'stdin') stream.on('error', () => undefined);
    }
    return stream;
  }

  /**
   * Writes to the descriptor. Loading a stream of Node.js would take a tenth of the start, and streams do not check how much of
   * the data a full disk took.
   *
   * @returns the rest, for the stream to write: another program made the descriptor non-blocking, and its reader is slow. In a
   *   test, all of the data
   * @throws Error of node:fs
   */
  #writeNow(name: 'stdout' | 'stderr', data: string | Uint8Array): Uint8Array {
    let rest = typeof data === 'string' ? Buffer.from(data) : data;
    if (this.#streams !== process) return rest;
    try {
      while (rest.length > 0) rest = rest.subarray(writeSync(FD[name], rest));
    } catch (error) {
      if (readErrorCode(error) !== 'EAGAIN') throw error;
    }
    return rest;
  }

  /**
   * Writes to stdout. If the reader has gone away (`credstash list | head -1`), drops the rest without an error, because a
   * delete must not stop half way.
   *
   * @throws CredstashError IO for any other failure, such as a full disk
   */
  async write(data: string | Uint8Array): Promise<void> {
    if (this.#outputClosed) return;
    this.status.erase();
    try {
      const rest = this.#writeNow('stdout', data);
      if (rest.length > 0) await this.#writeLater(rest);
    } catch (error) {
      if (readErrorCode(error) !== 'EPIPE') throw cannotWrite(error);
      this.#outputClosed = true;
    }
  }

  async #writeLater(bytes: Uint8Array): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#stream('stdout').write(bytes, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** Whether a stream is a terminal. Looks at the descriptor, to avoid loading the stream. */
  isTerminal(name: keyof Streams): boolean {
    if (this.#streams !== process)
      return (this.#streams[name] as Partial<WriteStream>).isTTY === true;
    const fd = FD[name];
    return fstatSync(fd).isCharacterDevice() && process.getBuiltinModule('node:tty').isatty(fd);
  }

  /** Returns the style of a stream's text: bold and colours on a terminal only. */
  style(name: 'stdout' | 'stderr'): Style {
    return chooseStyle(() => this.isTerminal(name));
  }

  /** The width of the terminal in columns; undefined if the stream is not a terminal, or the width is unknown. */
  columns(name: 'stdout' | 'stderr'): number | undefined {
    return (this.#streamOfTerminal(name) as Partial<WriteStream> | undefined)?.columns || undefined;
  }

  /**
   * Gets the stream if it may be a terminal. Loading the stream of a pipe would make the pipe non-blocking, which Bun cannot
   * undo before exec runs COMMAND.
   */
  #streamOfTerminal(name: 'stdout' | 'stderr'): NodeJS.WritableStream | undefined {
    if (this.#streams === process && !fstatSync(FD[name]).isCharacterDevice()) return undefined;
    return this.#stream(name);
  }

  /** Makes a function that shows progress. @param unit the things counted once the total is known: `secrets opened` */
  progress(unit = 'entries read'): Progress {
    return (done, total) => {
      this.status.progress(() =>
        total === undefined ? `entries read: ${done}` : `${unit}: ${done} of ${total}`,
      );
    };
  }

  /** Writes a line to stderr, with control characters made visible, and its label in colour on a terminal. */
  note(line: string): void {
    this.status.erase();
    this.#say(`${markLabel(escapeUnseen(line), this.style('stderr'))}\n`);
  }

  /** Writes to stderr. Ignores failures, because nothing is left to report them on. */
  #say(text: string): void {
    try {
      const rest = this.#writeNow('stderr', text);
      if (rest.length > 0) this.#stream('stderr').write(rest);
    } catch {
      // A closed stderr must not stop the work.
    }
  }

  /**
   * Makes the streams blocking again before another program takes over. Node.js makes pipes and terminals non-blocking, for
   * every process that has them open.
   */
  release(): void {
    this.status.erase();
    // Node.js itself creates the stream of stderr when a socket closes. Look at the descriptor, because loading the stream to
    // look takes a tenth of the start.
    if (this.#streams === process && isNonBlocking(FD.stderr)) this.#touched.add('stderr');
    for (const name of this.#touched) {
      (this.#streams[name] as Partial<Blockable>)._handle?.setBlocking?.(true);
    }
  }

  /** Whether stdin is a person at a terminal. */
  get interactive(): boolean {
    return this.#stdinFault() === undefined && isTerminal(this.#stream('stdin'));
  }

  /** Whether `askHidden` finds a terminal to ask on. */
  get canAsk(): boolean {
    if (this.interactive) return true;
    try {
      closeSync(openSync('/dev/tty', 'r+'));
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Whether stdin is /dev/null, so that nobody gave an input. Node.js and Bun also open /dev/null in place of a closed stdin.
   */
  get isNullInput(): boolean {
    if (this.#streams !== process) return false;
    const stdin = fstatSync(FD.stdin);
    return stdin.isCharacterDevice() && stdin.rdev === statSync('/dev/null').rdev;
  }

  /**
   * Finds out why stdin cannot be read; undefined if it can. Without this check, Node.js treats a folder as an empty stream,
   * and Bun waits for ever on the writing end of a pipe.
   */
  #stdinFault(): string | undefined {
    if (this.#streams !== process) return undefined;
    try {
      if (fstatSync(FD.stdin).isDirectory()) return 'is a folder';
      // A read of no bytes does not wait. It only checks whether reading is allowed.
      readvSync(FD.stdin, [Buffer.alloc(0)]);
      return undefined;
    } catch (error) {
      return readErrorCode(error) === 'EBADF'
        ? 'is open for writing only'
        : `cannot be read (${readErrorCode(error)})`;
    }
  }

  /**
   * Reads all of stdin.
   *
   * @param limit the most bytes, so that an endless stream ends
   * @throws CredstashError TOO_LARGE for more bytes; USAGE if stdin cannot be read; TIMEOUT
   */
  async readAll(limit: number): Promise<Uint8Array> {
    const fault = this.#stdinFault();
    if (fault !== undefined) throw unreadableStdin(fault);
    return this.inTime('stdin', this.#readStdin(limit));
  }

  async #readStdin(limit: number): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    try {
      for await (const chunk of this.#stream('stdin')) {
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
        length += bytes.length;
        if (length > limit) {
          throw tooLong('stdin', limit);
        }
        chunks.push(bytes);
      }
    } catch (error) {
      if (error instanceof CredstashError) throw error;
      throw unreadableStdin(`cannot be read (${readErrorCode(error)})`);
    }
    return Buffer.concat(chunks);
  }

  /**
   * Asks on the terminal and reads one line without showing it. Reads from stdin if that is the terminal, otherwise from
   * /dev/tty, as getpass does. Restores the terminal in every case, also if a signal ends the process.
   *
   * @param noTerminal thrown if no terminal can be opened
   * @returns the line's bytes without its end
   * @throws CredstashError `noTerminal`; USAGE if nothing was typed, or more than one line was pasted; INTERRUPTED for Ctrl-C
   *   or another signal that this process cannot end by; TIMEOUT
   */
  async askHidden(
    question: string,
    noTerminal: CredstashError,
    hints?: PromptHints,
  ): Promise<Uint8Array> {
    if (this.isLent) throw noTerminal;
    return this.status.without(() => this.#askHidden(question, noTerminal, hints));
  }

  /** Asks for yes or no on the terminal. Every answer except `y` and `yes` is no. @throws CredstashError TIMEOUT */
  async confirm(question: string): Promise<boolean> {
    return this.status.without(async () => {
      this.#say(`credstash: ${escapeUnseen(question)} [y/N] `);
      const typed = openWaiting('/dev/tty');
      try {
        return /^\s*y(es)?\s*$/i.test(await this.inTime('an answer', readLine(typed.chunks)));
      } catch (error) {
        this.#say('\n');
        throw error;
      } finally {
        typed.close();
      }
    });
  }

  /**
   * Waits for input until the deadline.
   *
   * @param source of the input, for the error: `stdin`
   * @throws CredstashError TIMEOUT
   */
  async inTime<T>(source: string, read: Promise<T>): Promise<T> {
    const { deadline } = this;
    if (!deadline) return read;
    deadline.waitsFor = `waiting for ${source}`;
    try {
      return await Promise.race([read, deadline.over]);
    } finally {
      if (!deadline.isOver) deadline.waitsFor = undefined;
    }
  }

  async #askHidden(
    question: string,
    noTerminal: CredstashError,
    hints: PromptHints | undefined,
  ): Promise<Uint8Array> {
    // Once Bun has read from stdin, it goes on reading, and takes the input of exec's COMMAND. Use /dev/tty instead.
    const isBun = process.versions['bun'] !== undefined;
    const stdin = isBun ? undefined : this.#stream('stdin');
    const terminal =
      stdin && isTerminal(stdin) && this.interactive ? keysOf(stdin) : openTerminal(noTerminal);
    // The runtimes restore the terminal only on SIGINT and SIGTERM. Here every signal that ends the process must do so.
    const signals = nextEndingSignal();
    // Raw mode turns off the echo. Set it before the question appears, because the person may answer at once.
    terminal.setRawMode(true);
    this.#say(escapeUnseen(question));
    let answer: Uint8Array | NodeJS.Signals;
    try {
      const typed = Promise.race([readHidden(terminal.keys, hints), signals.next]);
      answer = await this.inTime('an answer', typed);
    } finally {
      terminal.setRawMode(false);
      terminal.close();
      this.#say('\n');
      signals.stop();
    }
    if (typeof answer !== 'string') return answer;
    if (this.#streams === process) endBySignal(answer);
    throw new Interrupted(answer);
  }
}

/** A signal that arrived during a prompt, but cannot end this process. */
class Interrupted extends CredstashError {
  readonly #signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super('INTERRUPTED', 'interrupted');
    this.#signal = signal;
  }

  override get exitStatus(): number {
    return 128 + os.signals[this.#signal];
  }
}

/** Starts to wait for the next signal that would end this process. */
function nextEndingSignal(): { readonly next: Promise<NodeJS.Signals>; readonly stop: () => void } {
  let stop = (): void => undefined;
  const next = new Promise<NodeJS.Signals>((resolve) => {
    stop = onEndingSignal(resolve);
  });
  return { next, stop };
}

/** Makes the error of an input of more than `limit` bytes. */
export function tooLong(input: string, limit: number): CredstashError {
  return new CredstashError(
    'TOO_LARGE',
    `${input} holds more than the ${limit} bytes that are taken`,
  );
}

/** Whether a descriptor is non-blocking. Only Linux needs it: elsewhere COMMAND is a child, for which libuv makes it blocking. */
function isNonBlocking(fd: number): boolean {
  if (process.platform !== 'linux') return false;
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
    return (parseInt(flags ?? '0', 8) & constants.O_NONBLOCK) !== 0;
  } catch {
    // The system has no /proc.
    return false;
  }
}

/** Makes the error of a stdin that cannot be read. */
function unreadableStdin(fault: string): CredstashError {
  return new CredstashError('USAGE', `stdin ${fault}`, {
    hint: 'redirect a file or the output of a command to it: credstash … < FILE',
  });
}

function cannotWrite(error: unknown): CredstashError {
  const code = readErrorCode(error);
  const hint = ['ENOSPC', 'EDQUOT'].includes(code)
    ? FULL_DISK_HINT
    : 'check what stdout is redirected to';
  return new CredstashError('IO', `stdout cannot be written (${code})`, { hint });
}
