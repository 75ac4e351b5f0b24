import type { WriteStream } from 'node:tty';
import { escapeUnseen } from '../../format/visible.ts';

/** Work that ends within this time shows no progress. */
const PROGRESS_DELAY_MS = 1000;
const PAUSE_MS = 100;
/** How often the line of a wait is redrawn on a terminal. */
const WAIT_PAUSE_MS = 1000;
/** If the stream is not a terminal: the delay of a wait's first line, and the pause between the next ones. */
const FIRST_LINE_MS = 5000;
const LINE_PAUSE_MS = 30_000;

/**
 * One line on a terminal that says what a command is at, and is erased before anything else is printed. A wait shows at
 * once and goes before progress, which shows after a second. If the stream is not a terminal that can erase a line, a long
 * wait is told in lines of its own, and progress is not shown.
 *
 * Ctrl-C ends the process as it ends any other: the line stays as it is, and the shell goes on below it.
 */
export class StatusLine {
  /** Nothing is shown. */
  quiet = false;
  readonly #stream: () => NodeJS.WritableStream | undefined;
  readonly #say: (line: string) => void;
  readonly #now: () => number;
  #shown = false;
  #held = false;
  #wait: (() => string) | undefined;
  #waitTimer: NodeJS.Timeout | undefined;
  /** Waits that follow each other closely count as one: the start of the first, and the end of the last. */
  #waitsSince = -Infinity;
  #waitsEnded = -Infinity;
  #lineSaid = -Infinity;
  #progress: (() => string) | undefined;
  /** When progress is shown next; undefined before the first of it. */
  #due: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param stream opens the stream once there is something to show; undefined if it is not a terminal
   * @param say writes a line of its own, for a stream that is not a terminal
   * @param now a clock, in milliseconds
   */
  constructor(
    stream: () => NodeJS.WritableStream | undefined,
    say: (line: string) => void,
    now: () => number = () => performance.now(),
  ) {
    this.#stream = stream;
    this.#say = say;
    this.#now = now;
  }

  /**
   * Shows what is waited for, until it is undefined.
   *
   * @param text called whenever it is shown
   * @param waited how long it has been waited for already, in milliseconds
   */
  wait(text: (() => string) | undefined, waited = 0): void {
    const now = this.#now();
    if (text && !this.#wait && now - this.#waitsEnded > FIRST_LINE_MS) {
      this.#waitsSince = now - waited;
    }
    if (!text && this.#wait) this.#waitsEnded = now;
    this.#wait = text;
    clearTimeout(this.#waitTimer);
    if (text) this.#showWait();
    else if (this.#shown) {
      this.#clear();
      if (this.#progress) this.#update();
    }
  }

  /** Shows the wait if it is due, and later again by a timer that does not keep the process alive. */
  #showWait(): void {
    if (!this.#wait || this.quiet) return;
    let pause = WAIT_PAUSE_MS;
    if (this.#isTerminal) this.#show(this.#wait());
    else if (!this.#held) {
      const now = this.#now();
      const due = Math.max(this.#waitsSince + FIRST_LINE_MS, this.#lineSaid + LINE_PAUSE_MS);
      if (now >= due) {
        this.#lineSaid = now;
        this.#say(`credstash: ${this.#wait()}`);
      }
      pause = now >= due ? LINE_PAUSE_MS : due - now;
    }
    this.#waitTimer = setTimeout(() => {
      this.#showWait();
    }, pause).unref();
  }

  /** Makes the text of the progress only when it is shown, because this is called more often. */
  progress(text: () => string): void {
    if (!this.#isTerminal) return;
    this.#progress = text;
    this.#due ??= this.#now() + PROGRESS_DELAY_MS;
    this.#update();
  }

  /** Erases the line, if one is shown. The next progress shows it again without another delay. */
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

  /** Shows progress if it is due, otherwise sets a timer for it that does not keep the process alive. */
  #update(): void {
    if (this.#wait || !this.#progress || this.#due === undefined) return;
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
    this.#write(escapeUnseen(`credstash: ${text}`).slice(0, columns - 1));
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
