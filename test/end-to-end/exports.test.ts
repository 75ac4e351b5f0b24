import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { readGithubEnv, readMasks } from '../support/github.ts';
import { describeUnless, programMissing } from '../support/needed.ts';
import {
  failed,
  ok,
  type Place,
  runHere,
  type Running,
  stored,
  vault,
  vaultPlace,
} from './backends.ts';
import { shell } from './shell.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const values = {
  'app.db-password': `it's "$(echo RUN >&2)" \`id\` \\ #1 = 100%`,
  'app.greeting': ' grüße 🔑 ',
  'app.tls.key': '-----BEGIN KEY-----\nAbc+/=\n\t$x\n-----END KEY-----\n\n',
};

let running: Running;
let place: Place;
let cs: Place['cs'];
const folder = temporaryFolder();
const file = (name: string): string => join(folder, name);
beforeAll(async () => {
  running = await vault.start();
});
beforeEach(async () => {
  place = await running.place();
  cs = place.cs;
  const input = JSON.stringify(values);
  expect(await cs(['putall', '-'], { input })).toMatchObject({ status: 0, stderr: '' });
});
afterAll(async () => {
  await running.close();
});

describe('-f shell', () => {
  const shells = ['sh', 'dash', 'bash', 'zsh -f', 'ksh'].filter(
    (each) => programMissing(each.split(' ')[0] ?? '', '-c', ':') === undefined,
  );

  test.each(shells)('is evaluated by %s, from get and from getall', async (each) => {
    for (const command of ["get 'app.*'", 'getall']) {
      const { status, stdout, stderr } = await shell(
        place,
        `${each} -c 'eval "$('"$credstash"' ${command.replaceAll("'", '"')} -f shell)"; exec env -0'`,
      );
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const environment = stdout.split('\0');
      expect(environment).toContain(`APP_DB_PASSWORD=${values['app.db-password']}`);
      expect(environment).toContain(`APP_GREETING=${values['app.greeting']}`);
      expect(environment).toContain(`APP_TLS_KEY=${values['app.tls.key']}`);
    }
  });

  test.each(shells)('%s refuses it loudly where the quotes of eval are forgotten', async (each) => {
    const { status, stdout, stderr } = await shell(
      place,
      `${each} -c 'eval $('"$credstash"' get "app.*" -f shell) && echo evaluated; env -0 | grep -z ^APP_'`,
    );
    expect({ isFailure: status !== 0, stdout }).toEqual({ isFailure: true, stdout: '' });
    expect(stderr).toMatch(/syntax error|parse error/i);
    for (const word of Object.values(values).flatMap((value) => value.split(/\s+/))) {
      if (word.length > 4) expect(stderr).not.toContain(word);
    }
  });

  test.each(shells)('%s reads it from a file, or from another program', async (each) => {
    expect(await cs(['get', '*', '-f', 'shell', '-o', file('vars.sh')])).toEqual(ok(''));
    const ways = [`. ${file('vars.sh')}`];
    if (/bash|zsh|ksh/.test(each)) ways.push('source <(eval "$1")');
    for (const way of ways) {
      const { status, stdout, stderr } = await shell(
        place,
        `${each} -c '${way}; exec env -0' sh "$credstash getall -f shell"`,
      );
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout.split('\0')).toContain(`APP_GREETING=${values['app.greeting']}`);
    }
  });

  test('a name that a shell evaluates, and a name that none has: nothing is printed', async () => {
    await cs(['put', 'random', 'x[$(id)]']);
    expect(await cs(['getall', '-f', 'shell'])).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining(
        'error: random: RANDOM is a variable that a shell keeps for itself',
      ) as string,
    });
    expect(await cs(['get', 'app.*', '-f', 'shell', '--raw-names'])).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining(
        'error: app.greeting: a shell takes no such name for a variable',
      ) as string,
    });
  });

  test('one secret, and several by their names, are printed in every format', async () => {
    await cs(['put', 'b', 'x']);
    const formats = ['json', 'yaml', 'csv', 'dotenv', 'shell', 'fish', 'docker', 'k8s', 'tfvars'];
    for (const format of [...formats, 'properties']) {
      const one = await cs(['get', 'app.greeting', '-f', format]);
      const matching = await cs(['get', 'app.greeting*', '-f', format]);
      const end = format === 'json' ? '\n' : '';
      expect(one, format).toEqual({ ...matching, stdout: `${matching.stdout}${end}` });
      expect(one.stdout).not.toMatch(/^ grüße/);

      const several = await cs(['get', 'app.greeting', 'b', 'app.greeting', '-f', format]);
      expect(several, format).toMatchObject({ status: 0, stderr: '' });
      expect(several.stdout).toMatch(/b/i);
      expect(several.stdout.length).toBeGreaterThan(one.stdout.length);
    }
    const github = await cs(['get', 'b', 'app.greeting', '-f', 'github']);
    expect(github.stdout.match(/^::add-mask::.*\n|^\w+<</gm)).toEqual([
      '::add-mask::x\n',
      '::add-mask:: grüße 🔑 \n',
      '::add-mask::grüße 🔑\n',
      'B<<',
      'APP_GREETING<<',
    ]);
    expect(await cs(['get', 'b', '-f', 'shell'])).toEqual(ok("if :\nthen\nexport B='x'\nfi\n"));
    expect(await cs(['get', '-f', 'dotenv', 'b', 'app.greeting'])).toEqual(
      ok(`B='x'\nAPP_GREETING='${values['app.greeting']}'\n`),
    );
  });

  test('words are names unless they have a =, with a format', async () => {
    await cs(['put', 'mine', 'x', 'env=prod']);
    await cs(['put', 'a=b', 'y']);
    expect(await cs(['get', '-f', 'csv', 'env=prod', 'mine'])).toEqual(ok('mine,x\n'));
    expect(await cs(['get', 'mine', 'env=prod', '-f', 'csv'])).toEqual(ok('mine,x\n'));
    // The original takes the first word for the name, whatever is in it.
    expect(await cs(['get', 'a=b', '-f', 'csv'])).toEqual(ok('a=b,y\n'));
    expect(await cs(['get', 'a=*', '-f', 'csv'])).toEqual(ok('a=b,y\n'));
    expect(await cs(['get', 'a=b', 'env=prod', '-f', 'csv'])).toMatchObject({ status: 6 });
    expect(await cs(['get', 'mine', 'app.greeting', '-f', 'csv', 'env=prod'])).toMatchObject({
      status: 6,
      stdout: '',
      stderr: expect.stringContaining('error: app.greeting: version') as string,
    });
    expect(await cs(['get', 'none', '-f', 'csv'])).toEqual(failed(3, 'there is no secret none'));
    expect(await cs(['get', 'none', '-f', 'csv', '--default', 'z'])).toEqual(ok('none,z\n'));
    expect(await cs(['get', 'none', 'mine', '-f', 'csv', '--default', 'z'])).toEqual(
      failed(2, '--default is for one secret'),
    );
    expect(await cs(['get', 'mine', 'a*', '-f', 'csv'])).toEqual(
      failed(2, 'a name with * cannot be combined'),
    );
    expect(await cs(['get', 'mine', '-f', 'csv', '--skip-undecryptable'])).toEqual(
      failed(2, '--skip-undecryptable is for a name with *'),
    );
    const hint = /hint: several secrets need a format: credstash get -f json NAME NAME/;
    expect(await cs(['get', 'mine', 'app.greeting'])).toEqual(failed(2, 'KEY=VALUE', hint));
    // The advice, followed.
    const both = await cs(['get', '-f', 'json', 'app.tls.key', 'app.greeting']);
    expect(Object.keys(JSON.parse(both.stdout) as object)).toEqual(['app.tls.key', 'app.greeting']);
  });

  test('a version, a label and --github-env hold for one and for several', async () => {
    await cs(['put', 'b', 'x']);
    await cs(['put', 'b', 'y', '-a']);
    await cs(['label', 'b', 'live', '-v', '1']);
    expect(await cs(['get', 'b', '-f', 'csv', '-v', '1'])).toEqual(ok('b,x\n'));
    expect(await cs(['get', 'b', '-f', 'csv', '--label', 'live'])).toEqual(ok('b,x\n'));
    expect(await cs(['get', 'b', 'app.greeting', '-f', 'csv', '-v', '2'])).toMatchObject({
      status: 3,
      stdout: '',
    });
    const file = join(folder, 'named');
    writeFileSync(file, '');
    const env = { GITHUB_ENV: file };
    expect(await cs(['get', 'b', '-f', 'github', '--github-env', '--raw-names'], { env })).toEqual(
      ok('::add-mask::y\n'),
    );
    expect([...readGithubEnv(readFileSync(file, 'utf8'))]).toEqual([['b', 'y']]);
  });
});

describeUnless(programMissing('fish', '-c', 'true'), '-f fish', () => {
  test.each([
    'credstash getall -f fish | source',
    "set secrets (credstash get 'app.*' -f fish); and eval $secrets",
    `credstash get 'app.*' -f fish -o ${file('vars.fish')}; and source ${file('vars.fish')}`,
  ])('%s', async (line) => {
    const { status, stdout, stderr } = await shell(
      place,
      `fish --no-config -c "function credstash; $credstash \\$argv; end; ${line.replace('$secrets', '\\$secrets')}; and exec env -0"`,
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const environment = stdout.split('\0');
    expect(environment).toContain(`APP_DB_PASSWORD=${values['app.db-password']}`);
    expect(environment).toContain(`APP_GREETING=${values['app.greeting']}`);
    expect(environment).toContain(`APP_TLS_KEY=${values['app.tls.key']}`);
  });

  test('the hint of a variable that fish keeps for itself does not offer --allow-name', async () => {
    await cs(['put', 'pwd', 'x']);
    const refused = await cs(['get', 'pwd', '-f', 'fish']);
    expect(refused).toMatchObject({ status: 2, stdout: '' });
    expect(refused.stderr).toContain('pwd: PWD is a variable that fish keeps for itself\n');
    expect(refused.stderr).toMatch(
      /hint: with a prefix before every variable: credstash .*get pwd -f fish --prefix APP_\n$/,
    );
    expect(await cs(['get', 'pwd', '-f', 'fish', '--prefix', 'APP_'])).toEqual(
      ok("set -gx APP_PWD 'x'\n"),
    );
  });
});

describe('-f docker', () => {
  test('names the secret that has a line break, and prints nothing', async () => {
    expect(await cs(['get', 'app.*', '-f', 'docker'])).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining(
        'error: app.tls.key: its value has a line break, and docker ends it there',
      ) as string,
    });
    await cs(['delete', 'app.tls.key']);
    expect(await cs(['get', 'app.*', '-f', 'docker', '-o', file('env')])).toEqual(ok(''));
    expect(readFileSync(file('env'), 'utf8')).toBe(
      `APP_DB_PASSWORD=${values['app.db-password']}\nAPP_GREETING= grüße 🔑 \n`,
    );
    expect(statSync(file('env')).mode & 0o777).toBe(0o600);
    const raw = await cs(['getall', '-f', 'docker', '--raw-names']);
    expect(raw.stdout).toContain('app.greeting= grüße 🔑 \n');
  });
});

describe('-f github', () => {
  const environment = new Map([
    ['APP_DB_PASSWORD', values['app.db-password']],
    ['APP_GREETING', values['app.greeting']],
    ['APP_TLS_KEY', values['app.tls.key']],
  ]);

  test('is the masks, then the variables', async () => {
    const { status, stdout, stderr } = await cs(['getall', '-f', 'github']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const [, masks = '', variables = ''] = /^((?:::[^\n]*\n)*)([^]*)$/.exec(stdout) ?? [];
    expect(readMasks(masks)).toContain(values['app.tls.key']);
    expect(readMasks(masks)).toContain('-----BEGIN KEY-----');
    expect(readGithubEnv(variables)).toEqual(environment);
  });

  test('--github-env appends the variables, and prints the masks alone', async () => {
    for (const [before, command] of [
      ['', ['get', 'app.*']],
      ['FIRST=1\n', ['getall']],
      ['FIRST=1', ['get', '*']],
    ] as const) {
      writeFileSync(file('github'), before, { mode: 0o644 });
      const { status, stdout, stderr } = await cs([...command, '-f', 'github', '--github-env'], {
        env: { GITHUB_ENV: file('github') },
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(readMasks(stdout)).toContain(values['app.db-password']);
      const after = readFileSync(file('github'), 'utf8');
      expect(after).toMatch(/\n$/);
      expect(readGithubEnv(after)).toEqual(
        new Map([...(before === '' ? [] : [['FIRST', '1'] as const]), ...environment]),
      );
    }
  });

  test('a name that nothing matches is an error, and the file is left alone', async () => {
    writeFileSync(file('github'), 'FIRST=1');
    const env = { GITHUB_ENV: file('github') };
    for (const format of ['github', 'shell', 'fish', 'docker', 'k8s', 'tfvars', 'properties']) {
      const options = format === 'github' ? ['--github-env'] : [];
      expect(await cs(['get', 'zzz*', '-f', format, ...options], { env })).toEqual(
        failed(3, 'no secret matches zzz*'),
      );
    }
    expect(await cs(['get', 'zzz*'])).toEqual(ok('{}'));
    expect(readFileSync(file('github'), 'utf8')).toBe('FIRST=1');
  });

  test('what cannot be exported is named, and neither printed nor appended', async () => {
    writeFileSync(file('github'), 'FIRST=1\n');
    expect(await cs(['put', 'node.options', 'x'])).toEqual(stored('node.options'));
    const env = { GITHUB_ENV: file('github') };
    expect(await cs(['getall', '-f', 'github', '--github-env'], { env })).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining(
        'error: node.options: GitHub Actions lets no job set NODE_OPTIONS',
      ) as string,
    });
    expect(readFileSync(file('github'), 'utf8')).toBe('FIRST=1\n');
  });

  test('--github-env needs a file to append to, before there is a vault to read', async () => {
    const { cs } = vaultPlace(file('no-vault'), runHere);
    const args = ['getall', '-f', 'github', '--github-env'];
    mkdirSync(file('folder'));
    writeFileSync(file('target'), '');
    symlinkSync(file('target'), file('link'));
    execFileSync('mkfifo', [file('pipe')]);
    expect(await cs(args)).toEqual(failed(2, '--github-env needs the environment variable'));
    for (const [name, why] of [
      ['', '--github-env needs the environment variable GITHUB_ENV'],
      [file('none'), `${file('none')}, which GITHUB_ENV names, cannot be written (ENOENT)`],
      [file('folder'), 'cannot be written (EISDIR)'],
      [file('link'), 'cannot be written (ELOOP)'],
      [file('pipe'), 'is not a plain file'],
      ['/dev/null', 'is not a plain file'],
    ] as const) {
      expect(await cs(args, { env: { GITHUB_ENV: name } }), name).toEqual(failed(2, why));
    }
    const env = { GITHUB_ENV: file('target') };
    expect(await cs(['getall', '--github-env'], { env })).toEqual(
      failed(2, '--github-env is for -f github'),
    );
    expect(
      await cs(['get', '*', '-f', 'github', '--github-env', '-o', file('out')], { env }),
    ).toEqual(failed(2, '--github-env writes to a file of its own'));
    expect(await cs(args, { env })).toEqual(failed(3, 'there is no vault'));
    expect(readFileSync(file('target'), 'utf8')).toBe('');
  });

  test('a disk that takes a part of it: the file is as it was, and the status 1', async () => {
    const before = `FIRST=${'x'.repeat(900)}\n`;
    writeFileSync(file('github'), before);
    await cs(['put', 'app.large', '-'], { input: 'x'.repeat(5000) });
    // The limit is 1024 bytes of a file.
    const { status, stdout, stderr } = await shell(
      place,
      `export GITHUB_ENV='${file('github')}'; ulimit -f 1; credstash get 'app.*' -f github --github-env`,
    );
    expect(stderr).toContain(`${file('github')}, which GITHUB_ENV names, cannot be written (`);
    expect(status).toBe(1);
    expect(readMasks(stdout)).toContain('x'.repeat(5000));
    expect(readFileSync(file('github'), 'utf8')).toBe(before);
  });
});

describe('-f k8s', () => {
  const data = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
  );

  test('is the manifest of a Secret, of any bytes', async () => {
    await cs(['put', 'app.bytes', '-'], { input: Buffer.from([0xff, 0x00, 0x80]) });
    const { status, stdout, stderr } = await cs(['getall', '-f', 'k8s', '--k8s-name', 'my.app']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(parseYaml(stdout)).toEqual({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'my.app' },
      type: 'Opaque',
      data: { ...data, 'app.bytes': '/wCA' },
    });
  });

  test('the name is checked before there is a vault to read', async () => {
    const { cs } = vaultPlace(file('no-vault'), runHere);
    expect(await cs(['getall', '-f', 'k8s', '--k8s-name', 'My_App'])).toEqual(
      failed(2, 'no Secret of Kubernetes can have the name of --k8s-name', 'a-z 0-9'),
    );
    expect(await cs(['get', '*', '--k8s-name', 'app'])).toEqual(
      failed(2, '--k8s-name is for -f k8s'),
    );
  });

  test('a name that can be no key is an error', async () => {
    await cs(['put', 'a/b', 'x']);
    expect(await cs(['getall', '-f', 'k8s'])).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining('error: a/b: a key of Kubernetes') as string,
    });
  });
});

test('-f tfvars is JSON with names that Terraform takes', async () => {
  const { stdout } = await cs(['getall', '-f', 'tfvars']);
  expect(JSON.parse(stdout)).toEqual({
    'app_db-password': values['app.db-password'],
    app_greeting: values['app.greeting'],
    app_tls_key: values['app.tls.key'],
  });
  expect(await cs(['getall', '-f', 'tfvars', '--raw-names'])).toMatchObject({
    status: 2,
    stdout: '',
  });
});

test('-f properties keeps the names', async () => {
  expect(await cs(['get', 'app.g*', '-f', 'properties'])).toEqual(
    ok('app.greeting=\\ gr\\u00fc\\u00dfe \\ud83d\\udd11 \n'),
  );
});

describe('--strip-prefix', () => {
  const strip = (format: string, ...options: string[]): ReturnType<typeof cs> =>
    cs(['get', 'app.*', '-f', format, '--strip-prefix', ...options]);

  beforeEach(async () => {
    await cs(['delete', 'app.tls.key']);
    await cs(['delete', 'app.db-password']);
    await cs(['put', 'app.2fa', 'x']);
  });

  test.each([
    ['dotenv', "_2FA='x'\nGREETING=' grüße 🔑 '\n"],
    ['shell', "if :\nthen\nexport _2FA='x'\nexport GREETING=' grüße 🔑 '\nfi\n"],
    ['fish', "set -gx _2FA 'x';\nset -gx GREETING ' grüße 🔑 '\n"],
    ['docker', '_2FA=x\nGREETING= grüße 🔑 \n'],
    ['tfvars', '{\n    "_2fa": "x",\n    "greeting": " gr\\u00fc\\u00dfe \\ud83d\\udd11 "\n}\n'],
    ['properties', '2fa=x\ngreeting=\\ gr\\u00fc\\u00dfe \\ud83d\\udd11 \n'],
  ])('-f %s', async (format, printed) => {
    expect(await strip(format)).toEqual(ok(printed));
  });

  test('-f github and -f k8s', async () => {
    const file = join(folder, 'stripped');
    writeFileSync(file, '');
    const args = ['get', 'app.*', '-f', 'github', '--strip-prefix', '--github-env'];
    expect(await cs(args, { env: { GITHUB_ENV: file } })).toMatchObject({ status: 0, stderr: '' });
    expect([...readGithubEnv(readFileSync(file, 'utf8')).keys()]).toEqual(['_2FA', 'GREETING']);
    const { stdout } = await strip('k8s');
    const { data } = parseYaml(stdout) as { data: object };
    expect(Object.keys(data)).toEqual(['2fa', 'greeting']);
  });

  test('names the variables that exec sets', async () => {
    await cs(['put', 'app.x.y', 'z']);
    for (const glob of ['app.*', 'app*', 'a*.*', '*', '*y']) {
      const { stdout } = await cs(['exec', glob, '--pristine', '--', 'env', '-0']);
      const { stdout: exported } = await cs(['get', glob, '-f', 'docker', '--strip-prefix']);
      const set = stdout.split('\0').filter((pair) => !/^(?:PATH|HOME|TERM)=|^$/.test(pair));
      expect(exported.split('\n').filter(Boolean).sort(), glob).toEqual(set.sort());
    }
  });

  test('comes before --prefix and --raw-names', async () => {
    expect(await strip('docker', '--prefix', 'X_')).toEqual(ok('X_2FA=x\nX_GREETING= grüße 🔑 \n'));
    expect(await strip('docker', '--raw-names')).toEqual(ok('2fa=x\ngreeting= grüße 🔑 \n'));
  });

  test('two secrets of one variable, and one of which nothing is left, are errors', async () => {
    await cs(['put', 'app.GREETING', 'z']);
    await cs(['put', 'app.', 'z']);
    for (const format of ['dotenv', 'shell', 'fish', 'docker', 'github', 'tfvars', 'k8s']) {
      const { status, stdout, stderr } = await strip(format);
      expect({ status, stdout }, format).toEqual({ status: 2, stdout: '' });
      expect(stderr).toContain('app.: nothing of its name is left for its variable\n');
      if (format === 'k8s' || format === 'tfvars') continue;
      expect(stderr).toContain('its variable would be GREETING, as that of app.GREETING\n');
    }
    expect(await strip('properties')).toMatchObject({ status: 2, stdout: '' });
    await cs(['delete', 'app.GREETING']);
    const { stdout } = await strip('docker', '--prefix', 'X_');
    expect(stdout).toContain('X_=z\n');
  });

  test('a reserved variable: the hint has ways that work, and dotenv and k8s warn', async () => {
    await cs(['put', 'app.path', 'z']);
    const refused = await strip('shell');
    expect(refused).toMatchObject({ status: 2, stdout: '' });
    expect(refused.stderr).toMatch(
      /hint: names stay whole without --strip-prefix; --allow-name PATH allows it; with a prefix before every variable: credstash .*get 'app\.\*' -f shell --strip-prefix --prefix APP_\n$/,
    );
    expect((await cs(['get', 'app.*', '-f', 'shell'])).stdout).toContain("APP_PATH='z'");
    expect((await strip('shell', '--allow-name', 'PATH')).stdout).toContain("export PATH='z'");
    expect((await strip('shell', '--prefix', 'APP_')).stdout).toContain("export APP_PATH='z'");
    expect((await strip('dotenv')).stderr).toMatch(/^credstash: warning: [^\n]*: PATH\n$/);
    await cs(['put', 'app.PATH', 'z']);
    expect((await strip('k8s')).stderr).toMatch(/^credstash: warning: [^\n]*: PATH\n$/);
  });

  test('is refused where it would do nothing, before there is a vault to read', async () => {
    const { cs } = vaultPlace(file('no-vault'), runHere);
    for (const format of ['json', 'yaml', 'csv']) {
      expect(await cs(['get', 'app.*', '-f', format, '--strip-prefix'])).toEqual(
        failed(2, '--strip-prefix is for secrets as variables', '-f properties'),
      );
    }
    for (const args of [['app.*'], ['app.*', '--json'], ['app.x']]) {
      expect(await cs(['get', ...args, '--strip-prefix'])).toEqual(
        failed(2, '--strip-prefix is for secrets as variables'),
      );
    }
    const hint = "credstash get 'PREFIX*' -f dotenv --strip-prefix";
    for (const names of [['app.x'], ['app.x', 'app.y']]) {
      expect(await cs(['get', ...names, '-f', 'dotenv', '--strip-prefix'])).toEqual(
        failed(2, '--strip-prefix is for a name with *', hint),
      );
    }
    expect(await cs(['getall', '-f', 'dotenv', '--strip-prefix'])).toEqual(
      failed(2, 'getall has no GLOB', "credstash get 'PREFIX*' -f FORMAT --strip-prefix"),
    );
  });
});

test('bytes that are no text are named by each format that holds texts alone', async () => {
  await cs(['put', 'app.bytes', '-'], { input: Buffer.from([0xff]) });
  for (const format of ['shell', 'fish', 'docker', 'github', 'tfvars', 'properties']) {
    expect(await cs(['get', 'app.*', '-f', format])).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining('error: app.bytes: it is not UTF-8 text') as string,
    });
  }
});
