import { CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { toUsageError } from '../../../src/cli/advice/usage-error.ts';
import { inProcess } from '../../support/in-process.ts';

const SECRET = 'hunter2';

describe('an unknown option', () => {
  it.each([
    [['put', 'n', `-${SECRET}`], `-${SECRET}`],
    [['get', 'n', `-x${SECRET}`], `-x${SECRET}`],
    [['get', 'n', `--defautl=${SECRET}`], `--defautl=${SECRET}`],
    [['exec', 'n', `--token=${SECRET}`], `--token=${SECRET}`],
    [['exec', 'n', `--token=${SECRET}`, '--', 'x'], `--token=${SECRET}`],
  ])('quotes no value of %j', async (argv, option) => {
    const said = `error: unknown option '${option}'`;
    const error = await toUsageError(new CommanderError(1, 'commander.unknownOption', said), argv);
    expect(error.exitStatus).toBe(2);
    expect(error.hint).toBeDefined();
    expect(`${error.message} ${error.hint ?? ''}`).not.toContain(SECRET);
  });
});

describe('a mistyped word', () => {
  it.each([
    [['gte', 'x'], "unknown command 'gte'", 'did you mean get?'],
    [['help', 'lable'], "unknown command 'lable'", 'did you mean label?'],
    [['help', 'format'], "unknown command 'format'", 'did you mean formats?'],
    [['zzzzzz'], "unknown command 'zzzzzz'", 'see credstash --help'],
    [['__complet'], "unknown command '__complet'", 'see credstash --help'],
    [['get', 'x', '--lable', 'y'], "unknown option '--lable'", 'did you mean --label?'],
    [['--regoin', 'x', 'keys'], "unknown option '--regoin'", 'did you mean --region?'],
    [['get', 'x', '--vesion=3'], "unknown option '--vesion'", 'did you mean --version?'],
    [['put', 'x', '--comit'], 'put does not know one', 'put -- before a value that begins with -'],
    [['put', 'x', '--coment=y'], 'put does not know one', 'did you mean --comment?'],
    [['exec', 'x', '--lable', 'y'], 'exec does not know one', 'did you mean --label?'],
    [['get', 'x', '-f', 'ymal'], '-f, --format is one of json, yaml', 'did you mean yaml?'],
    [['policy', 'wirter'], 'ROLE is one of reader', 'did you mean writer?'],
    [['completion', 'fsh'], 'SHELL is one of bash', 'did you mean fish?'],
    [['put', 'x', 'y', '--cipher', 'AES-256-CRT'], 'unknown cipher', 'did you mean AES-256-CTR?'],
    [['list', '--cipher', 'AES-256-GMC'], '--cipher takes', 'did you mean AES-256-GCM?'],
    [
      ['put', 'x', 'y', '-d', 'SHA265'],
      'secrets are not stored under that digest',
      'did you mean SHA256?',
    ],
  ])('%j', async (args, message, hint) => {
    const { status, stdout, stderr } = await inProcess(args, { env: {} });
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(`credstash: error: ${message}`);
    expect(stderr).toContain(`credstash: hint: ${hint}`);
  });
});

describe('what another tool calls it', () => {
  it.each([
    ['ls', 'use credstash list'],
    ['rm', 'use credstash delete NAME'],
    ['show', 'use credstash get NAME'],
    ['cat', 'use credstash get NAME'],
    ['set', 'use credstash put NAME'],
    ['add', 'use credstash put NAME'],
    ['version', 'use credstash --version'],
    ['run', 'use credstash exec GLOB -- COMMAND'],
    ['env', 'use credstash exec GLOB -- env'],
    ['export', 'use credstash getall -f dotenv'],
    ['import', 'use credstash putall @FILE'],
  ])('%s', async (word, hint) => {
    const { status, stderr } = await inProcess([word, 'x'], { env: {} });
    expect(status).toBe(2);
    expect(stderr).toContain(
      `credstash: error: unknown command '${word}'\ncredstash: hint: ${hint}`,
    );
  });
});

describe('what is wrong with a command line is said in our words', () => {
  it.each([
    [['put'], 'missing NAME', 'credstash put [options] <name> [value] [context...]'],
    [['prune'], 'missing --keep N', 'credstash prune'],
    [['label', 'a', 'b', 'c'], 'too many arguments: label takes 2, not 3', 'credstash label '],
    [['get', 'x', '-v'], 'the value of -v, --version is missing', 'see credstash get --help'],
    [['constructor'], "unknown command 'constructor'", 'see credstash --help'],
  ])('%j', async (args, message, hint) => {
    const { status, stderr } = await inProcess(args, { env: {} });
    expect(status).toBe(2);
    expect(stderr).toContain(`credstash: error: ${message}\ncredstash: hint: ${hint}`);
  });
});
