import { Readable, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { report } from '../../src/cli/report.ts';
import { Io } from '../../src/cli/terminal/io.ts';
import { ChangesError, CredstashError, type Failure } from '../../src/errors.ts';

const SECRET = 'hunter2';

interface Reported {
  readonly status: number;
  readonly stderr: string;
  readonly log: readonly string[];
}

function reported(error: unknown, argv: readonly string[] = [], debug?: boolean): Reported {
  let stderr = '';
  const log: string[] = [];
  const sink = new Writable({
    write: (chunk: Buffer, _, done) => {
      stderr += chunk.toString();
      done();
    },
  });
  const io = new Io({ stdin: Readable.from([]), stdout: sink, stderr: sink });
  const status = report(error, argv, io, { debug, log: (messages) => log.push(...messages) });
  return { status, stderr, log };
}

const failures = (
  count: number,
  code: 'ACCESS_DENIED' | 'INTEGRITY' = 'ACCESS_DENIED',
): Failure[] =>
  Array.from({ length: count }, (_, i) => ({
    name: `${code} ${i}`,
    error: new CredstashError(code, 'it failed'),
  }));

describe('an error of ours', () => {
  it('is its message and its hint, and ends with its status', () => {
    const error = new CredstashError('SECRET_NOT_FOUND', 'no secret x', { hint: 'try y' });
    const { status, stderr, log } = reported(error);
    expect({ status, stderr }).toEqual({
      status: 3,
      stderr: 'credstash: error: no secret x\ncredstash: hint: try y\n',
    });
    expect(log.slice(0, 2)).toEqual(['error: no secret x', 'hint: try y']);
    expect(log[2]).toMatch(/^debug: /);
  });

  it('shows where it came from, and its causes, only if asked', () => {
    const error = new CredstashError('IO', 'outer', { cause: new Error('inner') });
    expect(reported(error).stderr).not.toContain('debug');
    expect(reported(error, [], true).stderr).toMatch(/debug: .*outer[^]*debug: .*inner/);
    expect(reported(error, ['--log-level', 'debug']).stderr).toContain('credstash: debug: ');
    expect(reported(error, ['--log-level=DEBUG']).stderr).toContain('credstash: debug: ');
    expect(reported(error, ['get', 'debug']).stderr).not.toContain('debug');
    expect(reported(error, ['--log-level', 'debug'], false).stderr).not.toContain('debug');
  });

  it('has no line break, and nothing that drives a terminal', () => {
    const { stderr } = reported(new CredstashError('USAGE', 'a\u001b[2J\ncredstash: error: b'));
    expect(stderr.split('\n')).toHaveLength(2);
    expect(stderr).not.toContain('\u001b');
  });

  it('names every failure; of many changes the first 20, the grave ones first, and all in the log', () => {
    const all = new CredstashError('ACCESS_DENIED', 'all', { failures: failures(30) });
    expect(reported(all).stderr.match(/it failed/g)).toHaveLength(30);
    const many = new ChangesError('ACCESS_DENIED', 'many', {
      failures: [...failures(30), ...failures(1, 'INTEGRITY')],
    });
    const { stderr, log } = reported(many);
    expect(stderr.match(/it failed/g)).toHaveLength(20);
    expect(stderr.split('\n')[1]).toContain('INTEGRITY 0');
    expect(stderr).toContain('and 11 more: --log-file FILE takes all');
    expect(
      log.filter((line) => line.startsWith('error: ') && line.endsWith('it failed')),
    ).toHaveLength(31);
  });

  it('is silent after Ctrl-C, where the status says it', () => {
    expect(reported(new CredstashError('INTERRUPTED', 'interrupted'))).toMatchObject({
      status: 130,
      stderr: '',
    });
  });
});

describe('an error of nobody', () => {
  it('is told by its name alone: its message may be a secret, as may lines of its stack', () => {
    const error = new TypeError(`${SECRET}\n    at ${SECRET} (x:1:1)`);
    const { status, stderr, log } = reported(error, [], true);
    expect(status).toBe(1);
    expect(stderr).toContain('credstash: error: unexpected failure (TypeError)');
    expect(stderr).toMatch(/debug: +at /);
    expect(stderr + log.join('\n')).not.toContain(SECRET);
  });

  it.each([
    Object.assign(new Error('x'), { name: `no name: ${SECRET}` }),
    SECRET,
    { message: SECRET },
    undefined,
  ])('%o', (error) => {
    const { stderr, log } = reported(error, [], true);
    expect(stderr).toContain('unexpected failure (');
    expect(stderr + log.join('\n')).not.toContain(SECRET);
  });

  it('is one of the system if no file can be opened', () => {
    const { stderr } = reported(Object.assign(new Error('EMFILE'), { code: 'EMFILE' }));
    expect(stderr).toContain('the system refused to open a file, or to start a program (EMFILE)');
    expect(stderr).toContain('hint: this process may open too few files');
  });
});
