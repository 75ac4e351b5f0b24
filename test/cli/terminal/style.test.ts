/* oxlint-disable no-control-regex -- colours are control characters */
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Io } from '../../../src/cli/terminal/io.ts';
import { inProcess } from '../../support/in-process.ts';
import { pty } from '../../support/pty.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const folder = temporaryFolder();
const vault = { CREDSTASH_LOCAL: join(folder, 'vault'), HOME: folder };
beforeAll(async () => {
  const put = ['put', 'db.password', 'canary-x', '-c', '\x1b[31mred'];
  expect((await inProcess(put, { env: vault })).status).toBe(0);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/** Runs the command and gives what it prints in colour, which is otherwise the same as without. */
async function colourOf(args: readonly string[]): Promise<string> {
  const run = async (colour: string): Promise<string> => {
    const { stdout, stderr } = await inProcess(args, { env: { ...vault, FORCE_COLOR: colour } });
    return `${stdout.toString()}${stderr}`;
  };
  const coloured = await run('1');
  expect(coloured.replace(/\x1b\[\d+m/g, '')).toBe(await run('0'));
  return coloured;
}

describe('colour', () => {
  it.each([
    ['list', '-l'],
    ['history', 'db.password'],
  ])('of %s %s is in the heading only', async (...args) => {
    const [heading, ...rows] = (await colourOf(args)).split('\n');
    expect(heading).toMatch(/^\x1b\[1m[A-Z ]+\x1b\[22m$/);
    expect(rows.join('\n')).not.toContain('\x1b');
  });

  it('of doctor is in the states, which stay in their column', async () => {
    const text = await colourOf(['doctor', '--local=/nowhere']);
    expect(text).toMatch(/^\x1b\[32mok\x1b\[39m {7}runtime/);
    expect(text).toMatch(/^\x1b\[31mfailed\x1b\[39m {3}\w/m);
  });

  it('of an error is in its labels', async () => {
    const text = await colourOf(['list', '--cipher', 'AES-256-CTX']);
    expect(text).toMatch(/^credstash: \x1b\[1m\x1b\[31merror:\x1b\[39m\x1b\[22m --cipher takes/);
    expect(text).toMatch(/^credstash: \x1b\[1mhint:\x1b\[22m did you mean AES-256-CTR\?$/m);
  });

  it('is not what an untrusted text asks for', () => {
    expect(noteOnTerminal('credstash: error: a\x1b[32m error: b\ncredstash: error: c')).toBe(
      'credstash: \x1b[1m\x1b[31merror:\x1b[39m\x1b[22m a\\u001b[32m error: b\\u000acredstash: error: c\n',
    );
    expect(noteOnTerminal('error: a')).toBe('error: a\n');
  });

  it.each([{ NO_COLOR: '1' }, { TERM: 'dumb' }, { FORCE_COLOR: '0' }])(
    'is off by %j',
    (environment) => {
      const warning = 'credstash: warning: a';
      expect(noteOnTerminal(warning)).toContain('\x1b[33mwarning:\x1b[39m');
      expect(noteOnTerminal(warning, environment)).toBe(`${warning}\n`);
    },
  );

  it('is on a real terminal, and not in the pipe beside it', async () => {
    const shown = pty(['get', 'none'], {
      env: { ...vault, NO_COLOR: '' },
      script: (command) => `${command}; ${command} 2>&1 | cat`,
    });
    const { output } = await shown.done;
    expect(output.split('\x1b[31merror:')).toHaveLength(2);
    expect(output).toContain('\ncredstash: error: there is no secret none');
  });
});

/** What a note writes to a stderr that is a terminal. */
function noteOnTerminal(line: string, environment: Readonly<Record<string, string>> = {}): string {
  vi.unstubAllEnvs();
  const colours = { NO_COLOR: undefined, FORCE_COLOR: undefined, TERM: 'xterm', ...environment };
  for (const [name, value] of Object.entries(colours)) vi.stubEnv(name, value);
  let written = '';
  const sink = new Writable({
    write: (chunk: Buffer, _, done) => {
      written += chunk.toString();
      done();
    },
  });
  const stderr = Object.assign(sink, { isTTY: true });
  new Io({ stdin: Readable.from([]), stdout: sink, stderr }).note(line);
  // The status line is erased first.
  return written.slice(written.search(/credstash|error/));
}
