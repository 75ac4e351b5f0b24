import fs from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { pty, run, silence } from './run.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credstash-test-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Writes a script to run in the place of the built command. */
async function program(source: string): Promise<{ executable: string }> {
  const executable = join(folder, `${String(Math.random()).slice(2)}.cjs`);
  await writeFile(executable, `const fs = require('node:fs');\n${source}`);
  return { executable };
}

/** Whether a process runs; one that has ended but was not collected yet has no command line. */
function isAlive(pid: string): boolean {
  const file = `/proc/${pid}/cmdline`;
  return fs.existsSync(file) && fs.readFileSync(file).length > 0;
}

describe('run', () => {
  test('reports bytes, text, status and signal', async () => {
    const prints = await program(
      `process.stdout.write(Buffer.from([0, 255])); process.stderr.write('é'); process.exitCode = 3`,
    );
    const stdout = Buffer.from([0, 255]);
    expect(await run([], prints)).toEqual({ status: 3, signal: null, stdout, stderr: 'é' });
    const dies = await program(`process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 60000)`);
    expect(await run([], dies)).toMatchObject({ status: null, signal: 'SIGTERM' });
  });

  test('lets nothing of this environment in', async () => {
    vi.stubEnv('AWS_PROFILE', 'developer');
    vi.stubEnv('NODE_EXTRA_CA_CERTS', '/etc/none');
    const shows = await program(
      `console.log(JSON.stringify({ env: process.env, files: fs.readdirSync(process.env.HOME) }))`,
    );
    const { stdout } = await run([], { ...shows, env: { GIVEN: 'yes' } });
    vi.unstubAllEnvs();
    const { env, files } = JSON.parse(stdout.toString()) as {
      env: Record<string, string>;
      files: string[];
    };
    expect(Object.keys(env).sort()).toEqual([
      'AWS_EC2_METADATA_DISABLED',
      'GIVEN',
      'HOME',
      'PATH',
      'XDG_CACHE_HOME',
    ]);
    expect(files).toEqual([]);
    await expect(readdir(env.HOME ?? '')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('gives arguments and input as they are, and /dev/null without input', async () => {
    const echoes = await program(
      `process.stdout.write(process.argv.slice(2).join('|') + fs.readFileSync(0))`,
    );
    const { stdout } = await run(["it's", '$HOME', ''], { ...echoes, input: ' in\n' });
    expect(stdout.toString()).toBe("it's|$HOME| in\n");
    expect((await run([], echoes)).stdout).toHaveLength(0);
  });

  test('does not mind a command that leaves its input unread', async () => {
    const ignores = await program(`process.exit(0)`);
    const { status } = await run([], { ...ignores, input: Buffer.alloc(4 * 1024 * 1024) });
    expect(status).toBe(0);
  });

  test('ends what does not end, and shows what it printed', async () => {
    const waits = await program(`console.error('waiting'); process.stdin.resume()`);
    const waiting = run(['get'], { ...waits, input: silence, timeoutMs: 5000 });
    await expect(waiting).rejects.toThrow(/credstash get did not end[^]*waiting/);
  });

  test('rejects when the program cannot be started', async () => {
    vi.stubEnv('CREDSTASH_TEST_NODE', '/nonexistent/node');
    await expect(run([])).rejects.toMatchObject({ code: 'ENOENT' });
    vi.unstubAllEnvs();
  });
});

describe('pty', () => {
  const asks = `
    if (process.argv[2] === 'hidden') process.stdin.setRawMode(true);
    process.stdout.write('Secret: ');
    let typed = '';
    process.stdin.on('data', (data) => {
      typed += data;
      if (!/[\\r\\n]/.test(typed)) return;
      console.log('\\ngot ' + JSON.stringify([process.stdout.isTTY, ...process.argv.slice(3), typed]));
      process.exit(3);
    });`;

  test('is a terminal of its own that echoes, and that a script can look at afterwards', async () => {
    const script = (command: string): string => `${command}; echo "status $?"; stty -a; exit 7`;
    const terminal = pty(['', "it's $HOME"], { ...(await program(asks)), script });
    await terminal.waitFor('Secret: ');
    terminal.send('hunter2\r');
    await terminal.waitFor(/got [^\n]*\n/);
    const { status, output } = await terminal.done;
    expect(status).toBe(7);
    expect(output).toContain('Secret: hunter2');
    expect(output).toContain(`got [true,"it's $HOME","hunter2\\n"]`);
    expect(output).toContain('status 3');
    expect(output).toMatch(/ icanon .* echo /s);
    expect(output).toContain('rows 24; columns 80');
  });

  test('shows nothing that is typed while the command has hidden it', async () => {
    const terminal = pty(['hidden'], await program(asks));
    await terminal.waitFor('Secret: ');
    terminal.send('hunter2\r');
    const { output } = await terminal.done;
    expect(output).toBe('Secret: \r\ngot [true,"hunter2\\r"]\r\n');
  });

  test('^C interrupts, and shows as 128 and the signal', async () => {
    const terminal = pty([''], await program(asks));
    await terminal.waitFor('Secret: ');
    terminal.send('\x03');
    expect((await terminal.done).status).toBe(130);
  });

  test('waitFor tells what there was when the command ends first', async () => {
    const terminal = pty([''], await program(`console.log('good bye')`));
    await expect(terminal.waitFor('hello')).rejects.toThrow(/hello did not appear[^]*good bye/);
    await terminal.done;
  });

  test('kill ends the command too', async () => {
    const waits = await program('process.stdin.resume(); console.log(`pid ${process.pid}.`)');
    const terminal = pty([], waits);
    const pid = /\d+/.exec(await terminal.waitFor(/pid \d+\./))?.[0];
    terminal.kill();
    expect((await terminal.done).status).toBe(137);
    await expect.poll(() => isAlive(String(pid))).toBe(false);
  });
});
