import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import type { Environment } from '../../../src/cli/exec/environment.ts';
import { findProgram, toProgram } from '../../../src/cli/exec/find-program.ts';
import { runFollowing } from '../../../src/cli/exec/follow.ts';
import type { Start } from '../../../src/cli/exec/start.ts';
import { parseWatchTimes } from '../../../src/cli/exec/watch.ts';
import { Io } from '../../../src/cli/terminal/io.ts';
import { CredstashError, hasCode } from '../../../src/errors.ts';
import { eventually } from '../../support/eventually.ts';

const folder = mkdtempSync(join(tmpdir(), 'credstash-exec-follow-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

afterEach(() => {
  vi.useRealTimers();
});

let counter = 0;

/** Environments as a test gives them. */
class Environments implements AsyncIterator<Start, unknown, undefined> {
  readonly #given: (Environment | Error)[] = [];
  #wake: () => void = () => undefined;

  give(environment: Environment | Error): void {
    this.#given.push(environment);
    this.#wake();
  }

  async next(): Promise<IteratorResult<Start, unknown>> {
    while (this.#given.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const value = this.#given.shift() as Environment | Error;
    if (value instanceof Error) throw value;
    const discard = (): void => undefined;
    return { done: false, value: { environment: value, compared: value, discard } };
  }
}

interface Started {
  readonly environments: Environments;
  readonly status: Promise<number>;
  /** The lines that the programs have written. */
  readonly lines: () => string[];
  readonly errors: unknown[];
  readonly said: () => string;
}

/** Runs a script of sh, which writes to `$OUT`. */
function start(script: string, graceMs = 60_000): Started {
  const out = join(folder, `out-${++counter}`);
  writeFileSync(out, '');
  const environments = new Environments();
  const errors: unknown[] = [];
  let said = '';
  const sink = (): Writable =>
    new Writable({
      write: (chunk: Buffer, _, done) => {
        said += chunk.toString();
        done();
      },
    });
  const io = new Io({ stdin: Readable.from([]), stdout: sink(), stderr: sink() });
  const argv = ['sh', '-c', script];
  const status = runFollowing(
    {
      starts: environments,
      graceMs,
      isQuiet: false,
      report: (error) => errors.push(error),
      findProgram: () => toProgram(findProgram('sh', process.env['PATH']), argv),
    },
    io,
  );
  status.catch(() => undefined);
  const give = environments.give.bind(environments);
  environments.give = (environment) => {
    const base = { PATH: process.env['PATH'] ?? '', OUT: out };
    give(environment instanceof Error ? environment : { ...base, ...environment });
  };
  const lines = (): string[] => readFileSync(out, 'utf8').trim().split('\n');
  return { environments, status, lines, errors, said: () => said };
}

describe('runFollowing', () => {
  it('starts the program, restarts it with each change, and ends with its status', async () => {
    const { environments, status, lines, said, errors } = start(
      `trap 'echo "end $A" >>"$OUT"; exit 0' TERM; echo "start $A" >>"$OUT"; [ "$A" = 3 ] && exit 7; while :; do sleep 0.05; done`,
    );
    environments.give({ A: '1' });
    await eventually(() => {
      expect(lines()).toEqual(['start 1']);
    });
    environments.give({ A: '2', B: 'new' });
    await eventually(() => {
      expect(lines()).toEqual(['start 1', 'end 1', 'start 2']);
    });
    // Nothing that the program sees has changed.
    environments.give({ A: '2', B: 'new' });
    environments.give({ A: '3' });
    expect(await status).toBe(7);
    expect(lines()).toEqual(['start 1', 'end 1', 'start 2', 'end 2', 'start 3']);
    expect(said()).toBe(
      'credstash: A, B have changed: restarting COMMAND\ncredstash: A, B have changed: restarting COMMAND\n',
    );
    expect(errors).toEqual([]);
  });

  it('a program that ignores SIGTERM has the grace, and is killed', async () => {
    // The grace is over when this test says so, and not before the program has seen the signal.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const graceMs = 3_600_000;
    const { environments, status, lines } = start(
      `[ "$A" = 2 ] && exit 5; trap 'echo asked >>"$OUT"' TERM; echo "start" >>"$OUT"; while :; do sleep 0.02; done`,
      graceMs,
    );
    environments.give({ A: '1' });
    await eventually(() => {
      expect(lines()).toEqual(['start']);
    });
    environments.give({ A: '2' });
    await eventually(() => {
      expect(lines()).toEqual(['start', 'asked']);
    });
    vi.advanceTimersByTime(graceMs);
    expect(await status).toBe(5);
    expect(lines()).toEqual(['start', 'asked']);
  });

  it('an error in what follows the secrets leaves the program running', async () => {
    const { environments, status, errors } = start(
      'echo start >>"$OUT"; while [ ! -e "$OUT.end" ]; do sleep 0.02; done; exit 4',
    );
    environments.give({});
    environments.give(new Error('broken'));
    await eventually(() => {
      expect(errors).toHaveLength(1);
    });
    writeFileSync(join(folder, `out-${counter}.end`), '');
    expect(await status).toBe(4);
  });

  it('an environment that the system does not take leaves the program running, and the next one restarts it', async () => {
    const { environments, status, lines, errors } = start(
      'echo "start $A" >>"$OUT"; [ "$A" = 3 ] && exit 6; exec sleep 60',
    );
    environments.give({ A: '1' });
    await eventually(() => {
      expect(lines()).toEqual(['start 1']);
    });
    const large = Array.from({ length: 80 }, (_, i) => [`L${i}`, 'x'.repeat(100_000)]);
    environments.give(Object.fromEntries(large) as Environment);
    await eventually(() => {
      expect(errors).toHaveLength(1);
    });
    expect(hasCode(errors[0], 'TOO_LARGE')).toBe(true);
    environments.give({ A: '3' });
    expect(await status).toBe(6);
    expect(lines()).toEqual(['start 1', 'start 3']);
  });

  it.each(['SIGTERM', 'SIGHUP'] as const)(
    'after %s to both, a program that takes its time to end is not restarted',
    async (signal) => {
      const { environments, status, lines, said } = start(
        `trap 'echo asked >>"$OUT"; sleep 0.5; exit 3' TERM INT HUP; echo start >>"$OUT"; while :; do sleep 0.02; done`,
      );
      environments.give({ A: '1' });
      await eventually(() => {
        expect(lines()).toEqual(['start']);
      });
      process.kill(process.pid, signal);
      await eventually(() => {
        expect(lines().length).toBeGreaterThan(1);
      });
      environments.give({ A: '2' });
      expect(await status).toBe(3);
      expect(lines()).toEqual(['start', 'asked']);
      expect(said()).toBe('');
    },
  );

  it('a signal that comes during a restart ends it', async () => {
    const { environments, status, lines } = start(
      `trap 'echo asked >>"$OUT"; sleep 0.5; exit 3' TERM; echo start >>"$OUT"; while :; do sleep 0.02; done`,
    );
    environments.give({ A: '1' });
    await eventually(() => {
      expect(lines()).toEqual(['start']);
    });
    environments.give({ A: '2' });
    await eventually(() => {
      expect(lines()).toEqual(['start', 'asked']);
    });
    process.kill(process.pid, 'SIGTERM');
    expect(await status).toBe(3);
    expect(lines().filter((line) => line === 'start')).toHaveLength(1);
  });

  it('what the first environment throws is thrown', async () => {
    const { environments, status } = start('exit 0');
    environments.give(new CredstashError('SECRET_NOT_FOUND', 'there is none'));
    await expect(status).rejects.toMatchObject({ code: 'SECRET_NOT_FOUND' });
  });
});

describe('parseWatchTimes', () => {
  it.each([
    [{}, undefined],
    [{ watch: '' }, { interval: 60_000, graceMs: 10_000 }],
    [{ watch: '5' }, { interval: 5000, graceMs: 10_000 }],
    [
      { watch: '30s', grace: '1m' },
      { interval: 30_000, graceMs: 60_000 },
    ],
    [
      { watch: '5m', grace: '0' },
      { interval: 300_000, graceMs: 0 },
    ],
    [
      { watch: '1h', grace: '0s' },
      { interval: 3_600_000, graceMs: 0 },
    ],
  ])('%j', (options, times) => {
    expect(parseWatchTimes(options)).toEqual(times);
  });

  it.each([
    [{ watch: '4' }, /--watch looks every 5 s at most/],
    [{ watch: '4999ms' }, /looks every 5 s/],
    [{ watch: 'x' }, /the value of --watch is not a duration/],
    [{ watch: '-5' }, /the value of --watch is not a duration/],
    [{ watch: '1000h' }, /the value of --watch is not a duration/],
    [{ watch: '', grace: 'x' }, /the value of --grace is not a duration/],
    [{ grace: '5s' }, /--grace is for --watch/],
  ])('is an error of usage: %j', (options, said) => {
    expect(() => parseWatchTimes(options)).toThrow(said);
  });
});
