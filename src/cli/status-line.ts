import type { WriteStream } from 'node:tty';
import { visible } from '../format/visible.ts';

/** Work that is done sooner shows nothing. */
const PATIENCE_MS = 1000;
const PAUSE_MS = 100;

/**
 * One line on a terminal that says what a command is at, and is erased before anything else is printed. A wait shows at
 * once and goes before progress, which shows after a second. Where the stream is no terminal that can erase a line,
 * nothing is ever written.
 *
 * Ctrl-C ends the process as it ends any other: the line stays as it is, and the shell goes on below it.
 */
export class StatusLine {
  /** Nothing is shown. */
  quiet = false;
  readonly #stream: () => NodeJS.WritableStream | undefined;
  readonly #now: () => number;
  #shown = false;
  #held = false;
  #wait: string | undefined;
  #progress: (() => string) | undefined;
  /** When progress is shown next; undefined before the first of it. */
  #due: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param stream asked for once there is something to show; undefined if it is no terminal
   * @param now a clock, in milliseconds
   */
  constructor(
    stream: () => NodeJS.WritableStream | undefined,
    now: () => number = () => performance.now(),
  ) {
    this.#stream = stream;
    this.#now = now;
  }

  /** Shows what is waited for, until it is undefined. */
  wait(text: string | undefined): void {
    this.#wait = text;
    if (!this.#isTerminal) return;
    if (text !== undefined) this.#show(text);
    else if (this.#shown) {
      this.#clear();
      if (this.#progress) this.#update();
    }
  }

  /** How far the work is, once it is wanted: this is called more often than anything is shown. */
  progress(text: () => string): void {
    if (!this.#isTerminal) return;
    this.#progress = text;
    this.#due ??= this.#now() + PATIENCE_MS;
    this.#update();
  }

  /** Erases the line, if there is one. What is told of progress later shows it again, without another second. */
  erase(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#progress = undefined;
    if (!this.#shown) return;
    this.#clear();
    // What was printed moved it; it has not changed too often.
    if (this.#due !== undefined) this.#due = Math.min(this.#due, this.#now());
  }

  /** Erases the line and shows none while somebody is asked; that takes no time of the work. */
  async without<T>(ask: () => Promise<T>): Promise<T> {
    this.erase();
    this.#held = true;
    try {
      return await ask();
    } finally {
      this.#held = false;
      this.#due = undefined;
    }
  }

  get #isTerminal(): boolean {
    if (this.quiet || this.#held || process.env['TERM'] === 'dumb') return false;
    const stream = this.#stream();
    return stream !== undefined && 'isTTY' in stream && stream.isTTY === true;
  }

  /** Shows progress if it is due, else when it is: by a timer that keeps no process alive. */
  #update(): void {
    if (this.#wait !== undefined || !this.#progress || this.#due === undefined) return;
    const now = this.#now();
    if (now >= this.#due) {
      this.#due = now + PAUSE_MS;
      this.#show(this.#progress());
    } else {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        if (this.#isTerminal) this.#update();
      }, this.#due - now).unref();
    }
  }

  #show(text: string): void {
    // No longer than a row: only one is erased.
    const columns = (this.#stream() as Partial<WriteStream> | undefined)?.columns || 80;
    this.#write(visible(`credstash: ${text}`).slice(0, columns - 1));
    this.#shown = true;
  }

  #clear(): void {
    this.#write('');
    this.#shown = false;
  }

  #write(text: string): void {
    // To the first column, and erase the line (ECMA-48, 8.3.15 and 8.3.41).
    this.#stream()?.write(`\r\x1b[K${text}`);
  }
}
