import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { hintAtWriting } from '../../../src/cli/files/write-hint.ts';
import { inProcess } from '../../support/in-process.ts';
import { CLOSED } from '../../support/tls.ts';

const folder = mkdtempSync(join(tmpdir(), 'credstash-'));
const home = process.cwd();
const local = { HOME: folder, PATH: process.env['PATH'] ?? '', CREDSTASH_LOCAL: `${folder}/vault` };
const aws = {
  HOME: folder,
  PATH: local.PATH,
  AWS_REGION: 'us-east-1',
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_ENDPOINT_URL: CLOSED,
  AWS_MAX_ATTEMPTS: '1',
};
const keys = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'key' };

async function run(args: readonly string[], env: Readonly<Record<string, string>> = local) {
  const { status, stderr } = await inProcess(args, { env });
  const [, hint = ''] = /^credstash: hint: (.*)$/m.exec(stderr) ?? [];
  return { status, hint, stderr };
}

beforeAll(async () => {
  process.chdir(folder);
  for (const file of ['app.a', 'app.b', 'secrets.json', 'script']) writeFileSync(file, '{}');
  mkdirSync('stash');
  mkdirSync('.aws');
  writeFileSync('.aws/config', '[profile dev]\nregion = us-east-1\n[profile prod]\n');
  await run(['put', 'db.password', 'x']);
  await run(['put', 'a b', 'x', 'env=prod']);
  await run(['label', 'db.password', 'live']);
});

afterAll(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true });
});

const NOT_FOUND: [code: string, args: string[], hint: string][] = [
  ['SECRET_NOT_FOUND', ['get', 'nothing'], 'list the secrets: credstash list'],
  ['SECRET_NOT_FOUND', ['get', 'db.pasword'], 'did you mean db.password? list the secrets:'],
  ['SECRET_NOT_FOUND', ['delete', 'db.pasword'], 'did you mean db.password?'],
  ['SECRET_NOT_FOUND', ['history', 'ab'], "did you mean 'a b'?"],
  ['SECRET_NOT_FOUND', ['get', '--json', 'db.pasword', 'x'], 'did you mean db.password?'],
  ['SECRET_NOT_FOUND', ['exec', 'zz*', '--', 'true'], 'credstash list'],
  ['SECRET_NOT_FOUND', ['get', 'zz*', '-f', 'shell'], 'credstash list'],
  ['VERSION_NOT_FOUND', ['get', 'db.password', '-v', '9'], 'credstash history db.password'],
  ['VERSION_NOT_FOUND', ['get', 'a b', '-v', '9'], "credstash history 'a b'"],
  ['VERSION_NOT_FOUND', ['label', 'db.password', 'x', '-v', '9'], 'history db.password'],
  ['VERSION_NOT_FOUND', ['get', 'db.password', '--label', 'liev'], 'did you mean live? list its'],
  ['VERSION_NOT_FOUND', ['unlabel', 'db.password', 'x'], 'credstash history db.password'],
  ['VERSION_EXISTS', ['put', 'db.password', 'y'], 'use -a'],
  ['WRONG_CONTEXT', ['get', 'a b'], 'KEY=VALUE'],
];

describe('a command that cannot do it', () => {
  test.each(NOT_FOUND)('%s %j', async (_, args, hint) => {
    const ended = await run(args);
    expect(ended.hint).toContain(hint);
    expect(ended.status).not.toBe(0);
  });

  test('the advice of the reference is the one that is printed', () => {
    const text = readFileSync(join(home, 'docs/reference/errors.md'), 'utf8');
    const [, table = ''] = /## What to do\n([^]*?)\n## /.exec(text) ?? [];
    for (const [code, command] of [
      ['SECRET_NOT_FOUND', 'credstash list'],
      ['VERSION_NOT_FOUND', 'credstash history NAME'],
      ['VERSION_EXISTS', 'put -a'],
      ['WRONG_CONTEXT', 'KEY=VALUE'],
    ]) {
      expect(table.split('\n').find((line) => line.includes(`\`${code}\``))).toContain(command);
      expect(NOT_FOUND.map(([each]) => each)).toContain(code);
    }
  });

  test('the hint, followed, lists what exists', async () => {
    const { hint } = await run(['get', 'a b', '-v', '9']);
    expect(hint).toBe("list its versions: credstash history 'a b'");
    expect((await run(['history', 'a b'])).status).toBe(0);
  });
});

describe('a mistyped command line', () => {
  const QUOTE = "quote it, such as 'app.*'";
  test.each([
    [['get', 'app.a', 'app.b'], QUOTE],
    [['get', '--json', 'app.a', 'app.b'], QUOTE],
    [['list', 'app.a', 'app.b'], QUOTE],
    [['exec', 'app.a', 'app.b', '--', 'true'], QUOTE],
    [['putall', 'secrets.json'], 'credstash putall @secrets.json'],
    [['putall', 'other.yaml'], 'credstash putall @FILE'],
    [['putall', '.env'], 'credstash putall @FILE'],
    [['--local', 'stash', 'list'], '--local=stash'],
    [['--local', './new', 'list'], '--local=./new'],
    [['get', '--local', 'stash', 'x'], '--local=stash'],
    [['exec', 'db*', '--', 'no-such-command'], 'command -v no-such-command'],
    [['exec', 'db*', '--', './script'], 'chmod +x ./script'],
    [['exec', 'db*', '--', './stash'], 'is a folder'],
  ])('%j', async (args, hint) => {
    expect((await run(args)).hint).toContain(hint);
  });

  test.each([
    ['-r', 'eu-west-1'],
    ['-t', 'x'],
    ['-p', 'dev'],
  ])('option of AWS %s with CREDSTASH_LOCAL', async (...option) => {
    const { hint } = await run([...option, 'list']);
    expect(hint).toBe('for AWS: unset CREDSTASH_LOCAL');
    // Followed, it gets as far as AWS.
    expect((await run([...option, 'list'], { ...aws, ...keys })).stderr).not.toContain('LOCAL');
  });
});

describe('a value that cannot be', () => {
  const long = 'n'.repeat(2049);
  test.each([
    [['get', ''], 'a variable that the name is taken from may be empty'],
    [['get', long], 'use a shorter name; credstash list shows the names in use'],
    [['get', 'a\ud800'], 'such as app.db-password'],
    [['put', 'x', 'y', '-v', ''], 'write a number such as 3'],
    [['put', 'x', 'y', '-v', long], 'write a number such as 3'],
    [['put', 'x', 'y', '-v', 'a\ud800'], 'write a number such as 3'],
    [['label', 'db.password', 'two words'], 'use a label such as live'],
    [['list', '--older-than', '3'], 'for days, write 3d'],
    [['list', '--older-than', 'x'], 'for 90 days, write 90d'],
    [['prune', '--keep', 'x'], '--keep 1'],
    [['get', 'db*', '--k8s-name', 'x', '-f', 'json'], 'add -f k8s, or leave --k8s-name out'],
    [['getall', '--github-env'], 'add -f github, or leave --github-env out'],
    [['rollback', 'db.password'], 'credstash history db.password'],
    [['render', 'no-such-file'], 'name a file that you can read, or - for stdin'],
  ])('%j', async (args, hint) => {
    const ended = await run(args);
    expect(ended.hint).toContain(hint);
    expect(ended.status).not.toBe(0);
  });

  test.each([
    [['-r', 'EU West', 'list'], 'check -r, --kms-region, AWS_REGION'],
    [['-t', 'a b', 'list'], 'aws dynamodb list-tables'],
    [['-n', 'admin', 'list'], 'aws iam get-role'],
  ])('on AWS: %j', async (args, hint) => {
    const ended = await run(args, { ...aws, ...keys });
    expect(ended.hint).toContain(hint);
    expect(ended.status).toBe(2);
  });

  test.each([
    ['-o', (path: string) => ['get', 'db.password', '-o', path]],
    ['--log-file', (path: string) => ['--log-file', path, 'list']],
  ])('%s in a missing folder: the hint, followed, lets it be written', async (option, argsOf) => {
    const parent = `no folder${option}`;
    const args = argsOf(`${parent}/in it/file`);
    const { hint, status } = await run(args);
    expect(hint).toBe(`create the folder: mkdir -p '${parent}/in it'`);
    expect(status).toBe(2);
    execFileSync('sh', ['-c', hint.replace('create the folder: ', '')]);
    expect((await run(args)).status).toBe(0);
  });

  test('a disk is full', () => {
    for (const code of ['ENOSPC', 'EDQUOT']) expect(hintAtWriting('f', code)).toMatch(/free space/);
    expect(hintAtWriting('f', 'EACCES')).toBeUndefined();
    expect(hintAtWriting('-x/f', 'ENOENT')).toBe('create the folder: mkdir -p -- -x');
  });
});

test.each([
  [['list']],
  [['list', '-l']],
  [['list', '--json']],
  [['keys', 'db*']],
  [['keys', '--json']],
  [['history', 'db.password']],
  [['history', 'db.password', '--json']],
])('%j writes to a file with -o what it prints', async (args) => {
  const printed = await inProcess(args, { env: local });
  const written = await inProcess([...args, '-o', 'listed'], { env: local });
  expect(printed.stdout).not.toHaveLength(0);
  expect(written).toMatchObject({ status: 0, stderr: '' });
  expect(written.stdout).toHaveLength(0);
  expect(readFileSync('listed', 'utf8')).toBe(printed.stdout.toString());
  expect(statSync('listed').mode & 0o777).toBe(0o600);
});

describe('on AWS', () => {
  it('names the profiles that exist', async () => {
    const { hint } = await run(['-p', 'prd', 'list'], aws);
    expect(hint).toContain('the profiles are: dev, prod');
  });

  it('says what to do without credentials', async () => {
    expect((await run(['list'], aws)).hint).toMatch(/aws sso login|-p|--local/);
  });

  it('says what to check when nothing answers', async () => {
    const { status, hint } = await run(['list'], { ...aws, ...keys });
    expect(status).toBe(7);
    expect(hint).toMatch(/endpoint|network/);
  });
});
