import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { startHttpServer } from '../support/http-server.ts';
import { builtCommand, nodeUnderTest, type Outcome, pty, run } from '../support/run.ts';
import { runHere } from './backends.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * What people do without meaning to: an unset variable, a cron job with no stdin, a disk that is full. Each must
 * end in an error, and never in another table, an empty secret, or a part of one.
 */

const root = temporaryFolder();
let vault: string;

beforeAll(async () => {
  vault = join(root, 'vault');
  await cs(['put', 'big', '-'], 'x'.repeat(300_000));
});

const cs = (args: string[], input?: string): Promise<Outcome> =>
  runHere([`--local=${vault}`, ...args], {
    env: { HOME: root },
    ...(input === undefined ? {} : { input }),
  });

async function expectUsage(outcome: Promise<Outcome>, said: string): Promise<void> {
  const { status, stdout, stderr } = await outcome;
  expect({ status, stdout: stdout.toString() }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toContain(said);
}

describe('an empty option [compat 12]', () => {
  it.each(['-r', '--kms-region', '-t', '-p', '--arn', '--local', '--log-file'])(
    '%s is no default',
    async (option) => {
      const outcome = runHere(['list', ...(option === '--local' ? ['--local='] : [option, ''])]);
      await expectUsage(outcome, 'is empty');
    },
  );

  it('-k is no default', async () => {
    await expectUsage(runHere(['put', 'n', 'v', '-k', '']), 'the value of -k is empty');
  });
});

describe('a vault', () => {
  it('is not made of a word in CREDSTASH_LOCAL', async () => {
    await expectUsage(
      runHere(['put', 'n', 'v'], { cwd: root, env: { CREDSTASH_LOCAL: 'true' } }),
      'CREDSTASH_LOCAL is neither 1 nor the path of a folder',
    );
    expect(existsSync(join(root, 'true'))).toBe(false);
  });

  it('is not made below the current folder where there is no home', async () => {
    await expectUsage(
      runHere(['--local', 'put', 'n', 'v'], { cwd: root, env: { HOME: '' } }),
      'there is no home folder',
    );
    expect(existsSync(join(root, '.local'))).toBe(false);
  });

  it('is told from AWS before a value is read', async () => {
    await expectUsage(cs(['put', 'n', '-k', 'alias/x'], 'secret'), '-k is for AWS');
  });
});

describe('no value [compat 16]', () => {
  it('and no stdin stores nothing', async () => {
    await expectUsage(cs(['put', 'cron']), 'stdin is empty');
    await expectUsage(cs(['put', 'cron'], ''), 'stdin is empty');
    expect((await cs(['get', 'cron'])).status).toBe(3);
  });

  it('is the empty secret when that is meant', async () => {
    expect((await cs(['put', 'meant', '-', '--allow-empty'], '')).status).toBe(0);
    expect((await cs(['put', 'meant', '', '-a'])).status).toBe(0);
    expect((await cs(['get', 'meant'])).stdout.toString()).toBe('\n');
  });
});

describe('a stdin that gives nothing', () => {
  /** Runs the command as a shell does that reads `script`, in which it is "$@". */
  const through = async (script: string, ...args: string[]) => {
    const outcome = await run([`--local=${vault}`, ...args], {
      ...{ cwd: root, env: { HOME: root } },
      under: ['bash', '-c', script, 'bash'],
    });
    return { ...outcome, stdout: outcome.stdout.toString() };
  };
  const commands = [
    ['put', 'gone', '-'],
    ['put', 'gone'],
    ['putall', '-'],
    ['render', '-'],
  ];

  it.each([
    ['a folder', '< /', 'stdin is a folder'],
    ['closed', '<&-', 'stdin is empty: it is closed, or /dev/null'],
    ['/dev/null', '< /dev/null', 'stdin is empty: it is closed, or /dev/null'],
    ['a file that is open for writing', '0> written', 'stdin is open for writing only'],
    ["a pipe's writing end", '0> >(cat)', 'stdin is open for writing only'],
  ])('%s is an error that names it, and stores nothing', async (_, redirected, message) => {
    for (const command of commands) {
      const { status, stdout, stderr } = await through(`"$@" ${redirected}`, ...command);
      const what = command.join(' ');
      expect({ status, stdout }, what).toEqual({ status: 2, stdout: '' });
      expect(stderr, what).toMatch(
        RegExp(`^credstash: error: ${message}\ncredstash: hint: [^\n]+\n$`),
      );
    }
    expect((await cs(['list', 'gone'])).stdout.toString()).toBe('');
  });

  it('of a command that failed stores nothing, and what is there stays the newest', async () => {
    expect((await cs(['put', 'kept', 'before'])).status).toBe(0);
    const { status, stderr } = await through('(exit 3) | "$@"', 'put', '-a', 'kept', '-');
    expect(status).toBe(2);
    expect(stderr).toMatch(/error: stdin is empty\n.*hint: .*--allow-empty\n$/);
    expect((await cs(['get', 'kept'])).stdout.toString()).toBe('before\n');
    // The hint, followed.
    const allowed = ['put', '-a', 'kept', '-', '--allow-empty'];
    expect((await through(': | "$@"', ...allowed)).status).toBe(0);
    expect((await cs(['get', 'kept'])).stdout.toString()).toBe('\n');
  });
});

describe('a disk that takes a part only', () => {
  // The file size limit makes a write of 300,000 bytes end short, as a full disk does.
  const limited = (args: string, cwd: string): { status: number | null; stderr: string } => {
    const line = `ulimit -f 100; trap '' XFSZ; "${nodeUnderTest()}" "${builtCommand}" --local="${vault}" ${args}`;
    const { status, stderr } = spawnSync('bash', ['-c', line], {
      cwd,
      env: { PATH: process.env['PATH'] ?? '', HOME: root },
      encoding: 'utf8',
    });
    return { status, stderr };
  };

  it('makes a get into a file fail', () => {
    const { status, stderr } = limited(`get big > '${join(root, 'out')}'`, root);
    expect(stderr).toContain('credstash: error: stdout cannot be written');
    expect(status).toBe(1);
  });

  it('makes get -o fail, and leaves what was there', () => {
    const folder = mkdtempSync(join(root, 'o-'));
    writeFileSync(join(folder, 'file'), 'before');
    const { status, stderr } = limited('get big -o file', folder);
    expect(stderr).toContain('cannot be written (EFBIG)');
    expect(status).toBe(1);
    expect(readdirSync(folder)).toEqual(['file']);
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('before');
  });
});

describe('an output file', () => {
  it('that cannot be is told before any request', async () => {
    let requests = 0;
    const server = await startHttpServer((_, response) => {
      requests += 1;
      response.end();
    });
    const env = {
      AWS_ENDPOINT_URL: server.url,
      AWS_ACCESS_KEY_ID: 'A',
      AWS_SECRET_ACCESS_KEY: 's',
    };
    await expectUsage(
      runHere(['get', 'n', '-o', join(root, 'none', 'f')], { env }),
      'cannot be written (ENOENT)',
    );
    await expectUsage(runHere(['get', 'n', '-o', '/dev/null'], { env }), 'is not a plain file');
    expect(requests).toBe(0);
    await server.close();
  });

  it('may have the longest name', async () => {
    const file = 'n'.repeat(255);
    expect(await cs(['put', 'small', 'x'])).toMatchObject({ status: 0 });
    expect((await cs(['get', 'small', '-o', join(root, file)])).status).toBe(0);
    expect(readFileSync(join(root, file), 'utf8')).toBe('x');
  });
});

describe('a key at the prompt', () => {
  it('whose sequence comes in two parts is no part of the secret', async () => {
    const terminal = pty([`--local=${vault}`, 'put', 'typed'], { env: { HOME: root } });
    await terminal.waitFor('typed: ');
    terminal.send('ab\u001b');
    await new Promise((resolve) => setTimeout(resolve, 300));
    terminal.send('[Dc\r');
    expect((await terminal.done).status).toBe(0);
    expect((await cs(['get', 'typed', '-n'])).stdout.toString()).toBe('abc');
  });
});
