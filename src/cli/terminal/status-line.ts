import type { WriteStream } from 'node:tty';
import { escapeUnseen } from '../../format/visible.ts';

/** Work that ends within this time shows no progress. */
const PROGRESS_DELAY_MS = 1000;
const PAUSE_MS = 100;
/** How often the line of a wait is redrawn on a terminal. */
const WAIT_PAUSE_MS = 1000;
/** On a stream that is not a terminal: the delay of a wait's first line, and the pause before each further line. */
const FIRST_LINE_MS = 5000;
const LINE_PAUSE_MS = 30_000;

/**
 * One line on a terminal that shows progress and waits. It is erased before anything else is printed. A wait appears at once
 * and hides progress, which appears after a second. On a stream that is not a terminal, a long wait is printed in lines of its
 * own, and progress is not shown.
 *
 * After Ctrl-C the line stays, and the shell continues below it.
 */
export class StatusLine {
  /** Whether to show nothing. */
  quiet = false;
  readonly #stream: () => NodeJS.WritableStream | undefined;
  readonly #say: (line: string) => void;
  readonly #now: () => number;
  #shown = false;
  /** Whether a question is on the terminal, so that the line stays hidden. */
  #isAsking = false;
  #wait: (() => string) | undefined;
  #waitTimer: NodeJS.Timeout | undefined;
  /** Waits in close succession count as one wait: the start of the first, and the end of the last. */
  #waitsSince = -Infinity;
  #waitsEnded = -Infinity;
  #lineSaid = -Infinity;
  #progress: (() => string) | undefined;
  /** When progress is shown next; undefined before the first of it. */
  #due: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param stream gets the stream when there is something to show; undefined if it is not a terminal
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
   * Shows a wait, or ends it if `text` is undefined.
   *
   * @param text makes the text each time that the line is drawn
   * @param waited the duration of the wait so far, in milliseconds
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
    else if (!this.#isAsking) {
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
    // Redraw at once: the line moved because of the printed text, not because progress changed again.
    if (this.#due !== undefined) this.#due = Math.min(this.#due, this.#now());
  }

  /** Erases the line, and shows none until `ask` returns. The time of the answer does not count as work. */
  async without<T>(ask: () => Promise<T>): Promise<T> {
    this.erase();
    this.#isAsking = true;
    try {
      return await ask();
    } finally {
      this.#isAsking = false;
      this.#due = undefined;
    }
  }

  get #isTerminal(): boolean {
    if (this.quiet || this.#isAsking || process.env['TERM'] === 'dumb') return false;
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
    // Cut the text to one row, because only one row can be erased.
    const columns = (this.#stream() as Partial<WriteStream> | undefined)?.columns || 80;
    this.#write(escapeUnseen(`credstash: ${text}`).slice(0, columns - 1));
    this.#shown = true;
  }

  #clear(): void {
    this.#write('');
    this.#shown = false;
  }

  #write(text: string): void {
    // Return to the first column and erase the line (ECMA-48, 8.3.15 and 8.3.41).
    this.#stream()?.write(`\r\x1b[K${text}`);
  }
}
