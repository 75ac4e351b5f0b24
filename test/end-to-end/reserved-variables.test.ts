import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readGithubEnv } from '../support/github.ts';
import { failed, type Place, runHere, type Running, vault, vaultPlace } from './backends.ts';
import { shell } from './shell.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
const file = (name: string): string => join(folder, name);
let running: Running;
let place: Place;
let cs: Place['cs'];
beforeAll(async () => {
  running = await vault.start();
});
beforeEach(async () => {
  place = await running.place();
  cs = place.cs;
  await put({ 'app.path': 'canary', 'app.key': 'k' });
});
afterAll(async () => {
  await running.close();
});

async function put(secrets: Readonly<Record<string, string>>, ...context: string[]): Promise<void> {
  const input = JSON.stringify(secrets);
  expect(await cs(['putall', '-', ...context], { input })).toMatchObject({ status: 0 });
}

/** Types `line` in a shell. */
async function type(
  line: string,
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  return await shell(place, line);
}

/** Types a line that is refused, and gives the line that its hint ends with. */
async function advisedBy(line: string): Promise<string> {
  const refused = await type(line);
  expect(refused).toMatchObject({ status: 2, stdout: '' });
  expect(refused.stderr).not.toContain('canary');
  const [, advised = ''] = /^credstash: hint: .*: (credstash .*)$/m.exec(refused.stderr) ?? [];
  // What a place adds is no part of what was typed here.
  return place.args.reduce((rest, arg) => rest.replace(` ${arg}`, ''), advised);
}

describe('the line that a hint ends with is the one that was typed, and works', () => {
  test.each([
    [
      "credstash exec 'app.*' -- env",
      "credstash exec 'app.*' --prefix APP_ -- env",
      'APP_PATH=canary',
    ],
    [
      "credstash exec 'app.*' --prefix=GIT_EXEC_ --env 'X=app.key?version=1' -- env -0",
      "credstash exec 'app.*' --env 'X=app.key?…' --prefix APP_ -- env -0",
      'APP_PATH=canary',
    ],
    [
      "credstash exec --no-override 'ld*' 'app.k*' --prefix LD -- env",
      "credstash exec --no-override 'ld*' 'app.k*' --prefix APP_K -- env",
      'APP_KEY=k',
    ],
    [
      'credstash getall -f shell --prefix LD_',
      'credstash getall -f shell --prefix APP_',
      "export APP_LD_PRELOAD='canary'",
    ],
    [
      "credstash get 'ld*' -f docker",
      "credstash get 'ld*' -f docker --prefix APP_",
      'APP_LD_PRELOAD=canary',
    ],
    [
      "credstash get -f docker -- 'ld*'",
      "credstash get -f docker --prefix APP_ -- 'ld*'",
      'APP_LD_PRELOAD=canary',
    ],
  ])('%s', async (typed, advised, shown) => {
    await put({ 'ld.preload': 'canary' });
    expect(await advisedBy(typed)).toBe(advised);
    // What a reference asks for besides the name is for whoever types it to fill in.
    const { status, stdout } = await type(advised.replace('?…', '?version=1'));
    expect({ status, shown: stdout.split(/[\n\0]/) }).toEqual({
      status: 0,
      shown: expect.arrayContaining([shown]) as string[],
    });
  });

  test('with another prefix where the GLOB has none, or one that is reserved too', async () => {
    await put({ path: 'canary', 'ld.ld.preload': 'canary' });
    expect(await advisedBy("credstash exec '*th' -- env")).toBe(
      "credstash exec '*th' --prefix APP_ -- env",
    );
    expect(await advisedBy("credstash exec 'ld.*' -- env")).toBe(
      "credstash exec 'ld.*' --prefix APP_ -- env",
    );
    // APP_ would give two secrets one variable.
    const both = "credstash exec '*th' app.path -- env";
    await put({ 'app.app.path': 'canary' });
    expect(await advisedBy(both)).toBe("credstash exec '*th' app.path --prefix APP_ -- env");
  });

  test('without what may be secret: of a context, and of the command that is run', async () => {
    await put({ 'bound.path': 'canary' }, 'env=hidden');
    writeFileSync(file('server.js'), '');
    const { stderr } = await type(
      `credstash exec 'bound.*' env=hidden -- node ${file('server.js')} --token hidden -phidden -x --url=hidden`,
    );
    expect(stderr).toMatch(
      / exec 'bound\.\*' env=… --prefix BOUND_ -- node \S+\/server\.js --token … … -x …$/m,
    );
    expect(stderr.replaceAll('env=hidden', '')).not.toContain('hidden');
  });

  test('and none where no prefix helps, or where a word cannot be shown', async () => {
    await put({ 'bin.path': 'canary', 'bin.a-b': '1', 'bin.a.b': '2' });
    for (const typed of [
      "credstash exec 'bin.*' -- env",
      "credstash exec $'app.*\\a*' 'app.*' -- env",
    ]) {
      const { stderr, status } = await type(typed);
      expect(status).not.toBe(0);
      expect(stderr).not.toContain('every variable: ');
    }
    const { stderr } = await type("credstash exec 'bin.*' -- env");
    expect(stderr).toMatch(/ --prefix PREFIX puts a prefix before every variable$/m);
  });
});

describe('the other ways on that a hint names', () => {
  /** What stands in a hint, each tried. */
  async function waysOf(args: string[]): Promise<string[]> {
    const { status, stderr } = await cs(args);
    expect(status).toBe(2);
    const [, hint = ''] = /^credstash: hint: (.*)$/m.exec(stderr) ?? [];
    return [...hint.matchAll(/--(?:env|allow-name) (?:'[^']*'|\S+)|--full-names/g)].map(
      ([way]) => way,
    );
  }

  test('of exec: each of them works', async () => {
    await put({ 'app.user': 'u' });
    const ways = await waysOf(['exec', 'app.*', '--', '/usr/bin/env']);
    expect(ways).toEqual([
      '--full-names',
      '--env PATH=app.path',
      '--env USER=app.user',
      '--allow-name PATH',
      '--allow-name USER',
    ]);
    for (const [way, shown] of [
      [ways.slice(0, 1), 'APP_PATH=canary'],
      [ways.slice(1, 3), 'PATH=canary'],
      [ways.slice(3), 'PATH=canary'],
    ] as const) {
      const { status, stdout } = await type(
        `credstash exec 'app.*' ${way.join(' ')} -- /usr/bin/env`,
      );
      expect({ status, lines: stdout.split('\n') }).toEqual({
        status: 0,
        lines: expect.arrayContaining([shown]) as string[],
      });
    }
  });

  test('of exec: --env with what a reference encodes, and with the label', async () => {
    await put({ 'odd 5%?name.path': 'canary' });
    expect(await cs(['label', 'odd 5%?name.path', 'live'])).toMatchObject({ status: 0 });
    await cs(['put', '-a', 'odd 5%?name.path', 'newer']);
    for (const [options, shown] of [
      ['', 'newer'],
      [' --label live', 'canary'],
    ] as const) {
      const line = `credstash exec 'odd 5%?name.*'${options} -- env`;
      const { stderr } = await type(line);
      const [way = ''] = /--env (?:'[^']*'|\S+)/.exec(stderr) ?? [];
      const tried = await type(`credstash exec 'odd 5%?name.*' ${way}${options} -- /usr/bin/env`);
      expect(tried.stdout.split('\n')).toContain(`PATH=${shown}`);
    }
  });

  test('of an export: --allow-name alone', async () => {
    const ways = await waysOf(['get', 'app.*', '-f', 'docker', '--raw-names']).catch(() => []);
    expect(ways).toEqual([]);
    await put({ path: 'canary', home: '/' });
    const named = await waysOf(['get', '*h*', '-f', 'shell', '--prefix', 'P']).catch(() => []);
    expect(named).toEqual([]);
    const refused = await waysOf(['getall', '-f', 'shell']);
    expect(refused).toEqual(['--allow-name HOME', '--allow-name PATH']);
    const { stdout } = await cs(['getall', '-f', 'shell', ...refused.join(' ').split(' ')]);
    expect(stdout).toContain("export PATH='canary'\n");
  });
});

describe('an export refuses reserved variables', () => {
  test.each(['shell', 'fish', 'docker', 'github'])('-f %s: nothing is printed', async (format) => {
    await put({ path: 'canary', 'bash.env': 'canary', baud: 'canary', mailpath: 'canary' });
    const { status, stdout, stderr } = await cs(['getall', '-f', format]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    for (const name of ['BAUD', 'MAILPATH']) {
      expect(stderr).toContain(`${name} is a variable that a shell keeps for itself\n`);
    }
    expect(stderr).toContain('error: path: PATH is a variable that decides which code runs\n');
    expect(stderr).toContain(
      'error: bash.env: BASH_ENV is a variable that a shell keeps for itself\n',
    );
    expect(stderr).not.toContain('canary');
  });

  test('of a secret that was named, too, because what obeys it may be far away', async () => {
    await put({ path: 'canary' });
    expect(await advisedBy('credstash get path app.key -f docker')).toBe(
      'credstash get path app.key -f docker --prefix APP_',
    );
    expect(await cs(['get', 'path', '-f', 'docker', '--allow-name', 'PATH'])).toMatchObject({
      status: 0,
      stdout: 'PATH=canary\n',
    });
  });

  test('--github-env: the file is as it was, and with --prefix it has all of them', async () => {
    await put({ path: 'canary' });
    writeFileSync(file('github'), 'FIRST=1\n');
    const env = { GITHUB_ENV: file('github') };
    const args = ['getall', '-f', 'github', '--github-env'];
    expect(await cs(args, { env })).toMatchObject({ status: 2, stdout: '' });
    expect(readFileSync(file('github'), 'utf8')).toBe('FIRST=1\n');
    expect(await cs([...args, '--prefix', 'CI_'], { env })).toMatchObject({ status: 0 });
    expect(readGithubEnv(readFileSync(file('github'), 'utf8'))).toEqual(
      new Map([
        ['FIRST', '1'],
        ['CI_APP_KEY', 'k'],
        ['CI_APP_PATH', 'canary'],
        ['CI_PATH', 'canary'],
      ]),
    );
  });

  test('-f dotenv and -f k8s print every name, and warn of them', async () => {
    await put({ path: 'canary', LD_PRELOAD: 'canary' });
    const dotenv = await cs(['getall', '-f', 'dotenv']);
    expect(dotenv.status).toBe(0);
    expect(dotenv.stdout).toContain("PATH='canary'\n");
    expect(dotenv.stdout).toContain("LD_PRELOAD='canary'\n");
    expect(dotenv.stderr).toMatch(/^credstash: warning: [^\n]*: LD_PRELOAD, PATH\n$/);
    const k8s = await cs(['getall', '-f', 'k8s']);
    expect(k8s.stdout).toContain('  path: ');
    // A key in lower case is no variable of a pod.
    expect(k8s.stderr).toMatch(/^credstash: warning: [^\n]*envFrom[^\n]*: LD_PRELOAD\n$/);
    const allowed = ['--allow-name', 'PATH', '--allow-name', 'LD_PRELOAD'];
    expect(await cs(['getall', '-f', 'dotenv', ...allowed])).toMatchObject({
      status: 0,
      stderr: '',
    });
    const prefixed = await cs(['getall', '-f', 'dotenv', '--prefix', 'X_']);
    expect(prefixed.stderr).toBe('');
    expect(prefixed.stdout).toContain("X_PATH='canary'\n");
  });

  test('-f dotenv: a warning of many is one line', async () => {
    const names = Array.from({ length: 12 }, (_, i) => `ld.${String(i).padStart(2, '0')}`);
    await put(Object.fromEntries(names.map((name) => [name, 'x'])));
    const { stderr } = await cs(['getall', '-f', 'dotenv']);
    expect(stderr).toMatch(/^credstash: warning: [^\n]*: LD_00, [^\n]*LD_09 and 2 more\n$/);
  });
});

describe('options', () => {
  test('--prefix goes before every variable but those that are literal', async () => {
    await put({ '2fa': 'x' });
    const env = { REF: 'credstash://app.key' };
    const args = ['exec', 'app.k*', '2fa', '--env', 'LIT=app.key', '--resolve', '--prefix', 'My_'];
    const { stdout } = await cs([...args, '--', 'env'], { env });
    expect(stdout.split('\n')).toEqual(
      expect.arrayContaining(['My_EY=k', 'My_2FA=x', 'LIT=k', 'REF=k']),
    );
    expect(await cs(['get', '*', '-f', 'tfvars', '--prefix', 'my_'])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('"my_2fa": "x"') as string,
    });
    expect(
      await cs(['get', 'app.k*', '-f', 'docker', '--raw-names', '--prefix', 'X_']),
    ).toMatchObject({
      stdout: 'X_app.key=k\n',
    });
  });

  test('are checked before there is a vault to read', async () => {
    const { cs } = vaultPlace(file('no-vault'), runHere);
    for (const prefix of ['', '9', 'a-b', 'a b', 'é', 'X=']) {
      for (const args of [
        ['exec', '*', '--prefix', prefix, '--', 'env'],
        ['getall', '-f', 'shell', '--prefix', prefix],
      ]) {
        expect(await cs(args)).toEqual(
          failed(2, 'the value of --prefix cannot begin a variable', 'DB_'),
        );
      }
    }
    for (const format of ['json', 'yaml', 'csv', 'k8s', 'properties']) {
      expect(await cs(['getall', '-f', format, '--prefix', 'X_'])).toEqual(
        failed(2, '--prefix is for secrets as variables', '-f dotenv'),
      );
    }
    expect(await cs(['get', 'a', '--prefix', 'X_'])).toEqual(
      failed(2, '--prefix is for secrets as variables'),
    );
    expect(await cs(['getall', '-f', 'tfvars', '--allow-name', 'PATH'])).toEqual(
      failed(2, '--allow-name is for secrets as variables'),
    );
  });
});
