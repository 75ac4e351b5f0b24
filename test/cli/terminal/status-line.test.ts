import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Io } from '../../../src/cli/terminal/io.ts';
import { CredstashError } from '../../../src/errors.ts';
import { withProgress } from '../../../src/util/progress.ts';

/** An Io on a terminal of 40 columns, and all that it wrote there: `<` stands for an erased line. */
function terminal(options: { isTTY?: boolean } = {}): { io: Io; screen: () => string } {
  let written = '';
  const stream = Object.assign(
    new Writable({
      write: (chunk: Buffer, _, done) => {
        written += chunk.toString();
        done();
      },
    }),
    { isTTY: options.isTTY ?? true, columns: 40 },
  );
  const io = new Io({ stdin: process.stdin, stdout: stream, stderr: stream });
  return { io, screen: () => written.replaceAll('\r\x1b[K', '<') };
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubEnv('TERM', 'xterm');
  vi.stubEnv('FORCE_COLOR', '0');
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

describe('progress', () => {
  it('shows nothing for a second, and then what it was told last', () => {
    const { io, screen } = terminal();
    const progress = io.progress('secrets opened');
    progress(0, undefined);
    progress(7, undefined);
    vi.advanceTimersByTime(999);
    expect(screen()).toBe('');
    vi.advanceTimersByTime(1);
    expect(screen()).toBe('<credstash: entries read: 7');
    progress(37, 300);
    vi.advanceTimersByTime(100);
    expect(screen()).toBe('<credstash: entries read: 7<credstash: secrets opened: 37 of 300');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is shown by work that lets no timer run, ten times a second', () => {
    const { io, screen } = terminal();
    const progress = io.progress();
    for (let n = 0; n < 3000; n++) {
      vi.setSystemTime(Date.now() + 1);
      vi.spyOn(performance, 'now').mockReturnValue(n);
      progress(n, undefined);
    }
    expect(screen().match(/entries read: \d+/g)).toEqual(
      Array.from({ length: 20 }, (_, i) => `entries read: ${1000 + 100 * i}`),
    );
  });

  it('is erased before anything is printed, and shown again with what comes next', async () => {
    const { io, screen } = terminal();
    const progress = io.progress('secrets done');
    progress(0, 3);
    vi.advanceTimersByTime(1000);
    await io.write('a\n');
    progress(1, 3);
    io.note('credstash: warning: b');
    progress(2, 3);
    io.status.erase();
    io.status.erase();
    expect(screen()).toBe(
      '<credstash: secrets done: 0 of 3<a\n<credstash: secrets done: 1 of 3<credstash: warning: b\n' +
        '<credstash: secrets done: 2 of 3<',
    );
    vi.advanceTimersByTime(5000);
    expect(screen().endsWith('of 3<')).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([true, false])('with --quiet nothing is written, of a wait neither', (isTTY) => {
    const { io, screen } = terminal({ isTTY });
    io.status.quiet = true;
    const progress = io.progress();
    progress(0, undefined);
    io.status.wait(() => 'the table t is throttled');
    vi.advanceTimersByTime(5000);
    progress(1, undefined);
    io.status.wait(undefined);
    io.note('credstash: warning: x');
    expect(screen()).toBe('credstash: warning: x\n');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('gives way to a wait, which shows at once, and is back after it', () => {
    const { io, screen } = terminal();
    const progress = io.progress('opened');
    progress(0, 9);
    io.status.wait(() => 'throttled: 1 s');
    expect(screen()).toBe('<credstash: throttled: 1 s');
    vi.advanceTimersByTime(2000);
    progress(4, 9);
    io.status.wait(() => 'throttled: 3 s');
    io.status.wait(undefined);
    // It is shown anew every second.
    const once = '<credstash: throttled: 1 s';
    expect(screen()).toBe(
      `${once}${once}${once}<credstash: throttled: 3 s<<credstash: opened: 4 of 9`,
    );
  });

  it('is away while somebody is asked, and waits for another second after it', async () => {
    const { io, screen } = terminal();
    const progress = io.progress();
    progress(0, undefined);
    vi.advanceTimersByTime(1000);
    await io.status.without(() => {
      progress(1, undefined);
      io.status.wait(() => 'throttled');
      vi.advanceTimersByTime(60_000);
      return Promise.resolve();
    });
    io.status.wait(undefined);
    progress(2, undefined);
    vi.advanceTimersByTime(999);
    expect(screen()).toBe('<credstash: entries read: 0<');
    vi.advanceTimersByTime(1);
    expect(screen()).toBe('<credstash: entries read: 0<<credstash: entries read: 2');
  });

  it('is away also when the question fails', async () => {
    const { io, screen } = terminal();
    io.progress()(0, undefined);
    vi.advanceTimersByTime(1000);
    const failed = io.status.without(() => Promise.reject(new CredstashError('USAGE', 'no')));
    await expect(failed).rejects.toThrow('no');
    expect(screen()).toBe('<credstash: entries read: 0<');
  });

  it('takes one row, and drives no terminal', () => {
    const { io, screen } = terminal();
    io.status.wait(() => `\x1b[2J${'x'.repeat(100)}`);
    expect(screen()).toBe(`<credstash: \\u001b[2J${'x'.repeat(19)}`);
  });
});

describe.each([
  ['where stderr is no terminal', false, 'xterm'],
  ['on a terminal that erases no line', true, 'dumb'],
])('%s', (_, isTTY, TERM) => {
  beforeEach(() => {
    vi.stubEnv('TERM', TERM);
  });

  it('a wait is told after 5 seconds, and then every 30', () => {
    const { io, screen } = terminal({ isTTY });
    io.progress()(0, undefined);
    const start = Date.now();
    io.status.wait(() => `waiting: ${(Date.now() - start) / 1000} s`);
    vi.advanceTimersByTime(4999);
    expect(screen()).toBe('');
    vi.advanceTimersByTime(1);
    expect(screen()).toBe('credstash: waiting: 5 s\n');
    vi.advanceTimersByTime(60_000);
    const three = 'credstash: waiting: 5 s\ncredstash: waiting: 35 s\ncredstash: waiting: 65 s\n';
    expect(screen()).toBe(three);
    io.status.wait(undefined);
    vi.advanceTimersByTime(60_000);
    expect(screen()).toBe(three);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('a wait that is told late has its time counted from when it began', () => {
    const { io, screen } = terminal({ isTTY });
    io.status.wait(() => 'w', 2000);
    vi.advanceTimersByTime(2999);
    expect(screen()).toBe('');
    vi.advanceTimersByTime(1);
    expect(screen()).toBe('credstash: w\n');
  });

  it('waits that follow each other closely are told as one, others each after 5 seconds', () => {
    const { io, screen } = terminal({ isTTY });
    for (let n = 0; n < 20; n++) {
      io.status.wait(() => `closely ${n}`);
      vi.advanceTimersByTime(1000);
      io.status.wait(undefined);
      vi.advanceTimersByTime(1000);
    }
    expect(screen()).toBe('credstash: closely 2\ncredstash: closely 17\n');
    for (let n = 0; n < 20; n++) {
      io.status.wait(() => `seldom ${n}`);
      vi.advanceTimersByTime(1000);
      io.status.wait(undefined);
      vi.advanceTimersByTime(60_000);
    }
    expect(screen()).toBe('credstash: closely 2\ncredstash: closely 17\n');
  });
});

describe('counted', () => {
  async function* items(): AsyncGenerator<string> {
    yield* ['a', 'b'];
    await Promise.resolve();
  }

  it('tells the start, and each item once the caller is through with it', async () => {
    const told: unknown[] = [];
    const progress = (...args: unknown[]): unknown => told.push(args);
    for await (const item of withProgress(items(), progress, 2)) told.push(item);
    expect(told).toEqual([[0, 2], 'a', [1, 2], 'b', [2, 2]]);
  });

  it('leaves the items as they are where nobody is told', () => {
    const given = items();
    expect(withProgress(given, undefined)).toBe(given);
  });
});
