import { Readable, Writable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { main } from '../../../src/cli/main.ts';
import { Io } from '../../../src/cli/terminal/io.ts';
import { dynalite, type Place, type Running } from '../../end-to-end/backends.ts';

let running: Running;
let place: Place;
beforeAll(async () => {
  running = await dynalite.start();
  place = await running.place();
  for (const name of ['db.password', 'db.passwort']) await place.cs(['put', name, 'canary-x']);
});
afterAll(async () => {
  await running.close();
});
beforeEach(() => {
  // The half second that a look may take is never over here, but in the test of it: a busy machine may need more.
  vi.spyOn(AbortSignal, 'timeout').mockImplementation(() => new AbortController().signal);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

/** Runs the command on the table. @returns its status and its stderr, which is a terminal or a log */
async function runOn(
  stderrIs: 'terminal' | 'log',
  args: readonly string[],
): Promise<{ status: number; stderr: string }> {
  for (const [name, value] of Object.entries({ ...place.env, FORCE_COLOR: '0' })) {
    vi.stubEnv(name, value);
  }
  let stderr = '';
  const sink = new Writable({
    write: (chunk: Buffer, _, done) => {
      stderr += chunk.toString();
      done();
    },
  });
  const streams = {
    stdin: Readable.from([]),
    stdout: new Writable({
      write: (_, __, done) => {
        done();
      },
    }),
    stderr: Object.assign(sink, { isTTY: stderrIs === 'terminal' }),
  };
  const status = await main([...place.args, ...args], new Io(streams));
  return { status, stderr };
}

describe('a name that the table does not have', () => {
  it.each([
    [['get', 'db.pasword'], 'did you mean db.password?'],
    [['delete', 'db.pasword'], 'did you mean db.password?'],
  ])('%j is told the nearest one on a terminal only', async (args, near) => {
    const shown = await runOn('terminal', args);
    expect(shown.status).toBe(3);
    expect(shown.stderr).toContain(`credstash: hint: ${near} list`);
    const logged = await runOn('log', args);
    expect(logged.status).toBe(3);
    expect(logged.stderr).not.toContain('did you mean');
    // Only the hint differs.
    expect(shown.stderr).toContain(logged.stderr.split('\n')[0]);
  });

  it('is told one name, although two are as near', async () => {
    const { stderr } = await runOn('terminal', ['get', 'db.passwor']);
    expect(stderr).toMatch(/did you mean db\.passwor[dt]\?/);
    expect(stderr.includes('db.password')).not.toBe(stderr.includes('db.passwort'));
  });

  it('is not told it when the look fails or is late, or when --timeout is near', async () => {
    const signal = AbortSignal.abort(new Error('late'));
    const look = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(signal);
    const late = await runOn('terminal', ['get', 'db.pasword']);
    expect(late).toEqual(
      await runOn('log', ['get', 'db.pasword']).then((each) => ({
        status: 3,
        stderr: expect.stringContaining(each.stderr) as string,
      })),
    );
    expect(look).toHaveBeenCalledWith(500);
    look.mockRestore();
    // Its second is never over, however long this takes; that it is near is what the clock says.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const hurried = await runOn('terminal', ['--timeout', '1s', 'get', 'db.pasword']);
    expect(hurried.stderr).not.toContain('did you mean');
    expect(hurried.status).toBe(3);
  });
});
