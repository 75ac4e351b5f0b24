import { createHash } from 'node:crypto';
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { readIdentity } from '../../scripts/identity.js';
import { TARGETS } from '../../scripts/tools.js';
import { type Place, dynalite, type Running, stored } from '../end-to-end/backends.ts';
import { type Done, runAction } from '../support/action-runner.ts';
import { readMasks } from '../support/github.ts';
import { loadGithubParser } from '../support/github-parser.ts';
import { type HttpServer, startHttpServer } from '../support/http-server.ts';
import { builtCommand, nodeUnderTest, standaloneUnderTest } from '../support/sandbox.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * action.yml, whose steps a stand-in for GitHub's runner carries out, with a table of DynamoDB's stand-in and a server that
 * has a release to download.
 */

const root = join(import.meta.dirname, '../..');
const file = join(root, 'action.yml');
const version = manifest.version;

const secrets = {
  'ci.npm-token': 'npm_t0ken',
  'ci.key': '-----BEGIN KEY-----\nMIIB 100%\n-----END KEY-----\n',
  'ci.command': '::set-output name=path::/evil\n::stop-commands::x\nPATH<<credstash-x',
  'db.password': "  spaces and 'quotes' $(id) `id`  ",
  'app.config': '{"db":{"user":"u$er"}}',
  'evil.path': '/tmp/evil',
  'evil.ld-preload': '/tmp/evil.so',
} as const;

/** The release: for each platform a program that says which it is, and runs the command under test. */
const release = new Map<string, string>();
const command = standaloneUnderTest() ?? `${nodeUnderTest()}' '${builtCommand}`;
for (const target of Object.keys(TARGETS)) {
  const name = `credstash-${target}${target.startsWith('windows') ? '.exe' : ''}`;
  release.set(name, `#!/bin/sh\n# ${name}\nexec '${command}' "$@"\n`);
}
const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');
const sums = [...release].map(([name, text]) => `${digestOf(text)}  ${name}\n`).join('');

let running: Running;
let place: Place;
let server: HttpServer;
/** What the server gives in place of a file of the release. */
const replaced = new Map<string, string>();
const asked: string[] = [];

beforeAll(async () => {
  running = await dynalite.start();
  place = await running.place();
  for (const [name, input] of Object.entries(secrets)) {
    expect(await place.cs(['put', name, '-'], { input })).toEqual(stored(name));
  }
  server = await startHttpServer(({ url = '' }, response) => {
    asked.push(url);
    const [, release_, name = ''] = url.split('/');
    const text = replaced.get(name) ?? (name === 'SHA256SUMS' ? sums : release.get(name));
    if (release_ !== `v${version}` || text === undefined) response.writeHead(404).end();
    else response.end(text);
  });
});
afterAll(async () => {
  await Promise.all([running.close(), server.close()]);
});

/** Runs the action in a job on Linux, with credentials of its role. */
async function run(
  inputs: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
): Promise<Done> {
  asked.length = 0;
  const option = (name: string): string => place.args[place.args.indexOf(name) + 1] ?? '';
  return runAction(
    file,
    { 'download-url': server.url, table: option('-t'), ...inputs },
    {
      PATH: process.env['PATH'] ?? '',
      HOME: temporaryFolder(),
      RUNNER_OS: 'Linux',
      RUNNER_ARCH: 'X64',
      AWS_EC2_METADATA_DISABLED: 'true',
      ...place.env,
      ...env,
    },
  );
}

/** That nothing reached the job, and what the log says; of a secret it says nothing. */
function refused({ status, log, env }: Done, ...said: string[]): void {
  expect({ status, env }).toEqual({
    status: expect.toSatisfy((it) => it !== 0) as number,
    env: {},
  });
  for (const text of said) expect(log).toContain(text);
  for (const line of Object.values(secrets).flatMap((value) => value.split('\n'))) {
    if (line !== '') expect(log.replaceAll(/^::add-mask::.*$/gm, '')).not.toContain(line);
  }
}

/** The masks of a log that has nothing else. */
function masks({ status, log }: Done): string[] {
  expect({ status, log }).toMatchObject({ status: 0 });
  return readMasks(log);
}

describe('variables', () => {
  it('of a pattern, named after the whole secrets, and masked', async () => {
    const done = await run({ secrets: 'ci.*' });
    expect(done.env).toEqual({
      CI_NPM_TOKEN: secrets['ci.npm-token'],
      CI_KEY: secrets['ci.key'],
      CI_COMMAND: secrets['ci.command'],
    });
    expect(done.outputs['variables']?.split(' ').sort()).toEqual(Object.keys(done.env).sort());
    const hidden = masks(done);
    for (const value of Object.values(done.env)) {
      for (const line of value.split('\n').filter(Boolean)) expect(hidden).toContain(line.trim());
    }
  });

  it('without the part of the pattern, with a prefix, of several patterns and names', async () => {
    const { env } = await run({
      secrets: 'ci.n* \n  db.password\n',
      prefix: 'APP_',
      'strip-prefix': 'true',
    });
    expect(env).toEqual({
      APP_PM_TOKEN: secrets['ci.npm-token'],
      APP_DB_PASSWORD: secrets['db.password'],
    });
  });

  it('of references, named by the job', async () => {
    const done = await run({
      references: `
        NPM_TOKEN=ci.npm-token

        PGPASSWORD=credstash://db.password?version=1
        DB_USER=app.config#/db/user
      `,
      prefix: 'NOT_OF_REFERENCES_',
    });
    expect(done).toMatchObject({ status: 0 });
    expect(done.env).toEqual({
      NPM_TOKEN: secrets['ci.npm-token'],
      PGPASSWORD: secrets['db.password'],
      DB_USER: 'u$er',
    });
    expect(masks(done)).toContain(secrets['ci.npm-token']);
    expect(done.outputs['variables']).toBe('NPM_TOKEN PGPASSWORD DB_USER');
  });

  it('of both; and of neither, for a job that only needs the command', async () => {
    const both = await run({ secrets: 'ci.npm-token', references: 'KEY=ci.key' });
    expect(both.env).toEqual({
      CI_NPM_TOKEN: secrets['ci.npm-token'],
      KEY: secrets['ci.key'],
    });
    const neither = await run({});
    expect(neither).toMatchObject({ status: 0, log: '', env: {}, outputs: { variables: '' } });
    expect(neither.path).toEqual([join(neither.outputs['path'] ?? '', '..')]);
  });

  it('leaves no file behind but the command', async () => {
    const { path } = await run({ secrets: 'ci.*', references: 'KEY=ci.key' });
    const [folder = ''] = path;
    const left = readdirSync(join(folder, '..')).filter((name) => name.startsWith('credstash-'));
    expect(left).toHaveLength(1);
    expect(readdirSync(folder).sort()).toEqual(['SHA256SUMS', 'credstash']);
  });
});

describe('what the job must not get', () => {
  it.each([
    ['a pattern', { secrets: 'evil.*', 'strip-prefix': 'true' }, 'PATH'],
    [
      'a pattern beside good ones',
      { secrets: 'ci.* evil.*', 'strip-prefix': 'true' },
      'LD_PRELOAD',
    ],
    ['a reference', { references: 'PATH=ci.npm-token' }, 'PATH'],
    [
      'a reference beside a good one',
      { references: 'A=ci.key\nLD_PRELOAD=ci.npm-token' },
      'LD_PRELOAD',
    ],
    ['a variable of the runner', { references: 'GITHUB_TOKEN=ci.npm-token' }, 'GITHUB_TOKEN'],
  ])('%s sets no variable that decides what runs', async (_, inputs, variable) => {
    refused(await run(inputs), variable);
  });

  it('unless the job allows it', async () => {
    const { env } = await run({
      secrets: 'evil.p*',
      'strip-prefix': 'false',
      references: 'PATH=evil.path',
      'allow-names': 'PATH',
    });
    expect(env).toEqual({ EVIL_PATH: '/tmp/evil', PATH: '/tmp/evil' });
  });

  it.each([
    ['no match', { secrets: 'none.*' }, 'none.*'],
    ['one of two patterns without a match', { secrets: 'ci.* none.*' }, 'none.*'],
    ['a missing secret', { secrets: 'ci.key none' }, 'none'],
    ['a missing reference', { references: 'A=ci.key\nB=none' }, 'none'],
    ['another table', { secrets: 'ci.*', table: 'no-such-table' }, 'no-such-table'],
    ['an option as a name', { secrets: '--output' }, '--output'],
    ['a context without a name', { secrets: 'env=prod' }, 'KEY=VALUE and no name'],
    ['a line without =', { references: 'A=ci.key\nnonsense' }, 'not of the form NAME=REFERENCE'],
    [
      'a reference that ends the template',
      { references: 'A=x}}{{ credstash://ci.key' },
      'not of the form',
    ],
    [
      'a variable twice',
      { secrets: 'ci.key', references: 'CI_KEY=db.password' },
      'the same variable',
    ],
    ['a variable of two references', { references: 'A=ci.key\nA=db.password' }, 'A'],
  ])('%s fails the step, and sets nothing', async (_, inputs, said) => {
    refused(await run(inputs), said);
  });

  it('text of an input as a command to the runner', async () => {
    const hostile = 'x\n::add-path::/evil\n::set-env name=A::b';
    for (const inputs of [
      { version: hostile },
      { sha256: hostile },
      { 'download-url': hostile },
      { references: hostile },
      { secrets: hostile },
      { secrets: 'ci.key', region: hostile },
      { secrets: 'ci.key', table: hostile },
      { secrets: 'ci.key', prefix: hostile },
      { secrets: 'ci.key', 'allow-names': hostile },
    ]) {
      const done = await run(inputs);
      const [input = ''] = Object.keys(inputs).slice(-1);
      expect(
        done.log.replaceAll(/^::(?:error title=credstash|add-mask)::/gm, ''),
        input,
      ).not.toMatch(/^::/m);
      if (input !== 'allow-names') expect(done.status, input).not.toBe(0);
    }
  });

  it('a shell that reads an input as its own text', async () => {
    const marker = join(temporaryFolder(), 'ran');
    const text = `$(touch ${marker})\`touch ${marker}\`"; touch ${marker}; '; touch ${marker}; a[$(touch ${marker})]=b`;
    for (const input of [
      'version',
      'sha256',
      'secrets',
      'references',
      'prefix',
      'table',
      'region',
      'allow-names',
      'strip-prefix',
    ]) {
      await run({ secrets: 'ci.key', [input]: text });
    }
    expect(() => readFileSync(marker)).toThrow('ENOENT');
  });
});

describe('the command', () => {
  it.each([
    ['Linux', 'X64', 'credstash-linux-x64'],
    ['Linux', 'ARM64', 'credstash-linux-arm64'],
    ['macOS', 'X64', 'credstash-macos-x64'],
    ['macOS', 'ARM64', 'credstash-macos-arm64'],
    ['Windows', 'X64', 'credstash-windows-x64.exe'],
    ['Windows', 'ARM64', 'credstash-windows-x64.exe'],
  ])('on %s and %s is the file for it', async (RUNNER_OS, RUNNER_ARCH, name) => {
    const { status, outputs } = await run({}, { RUNNER_OS, RUNNER_ARCH });
    expect(status).toBe(0);
    expect(asked).toEqual([`/v${version}/${name}`, `/v${version}/SHA256SUMS`]);
    expect(readFileSync(outputs['path'] ?? '', 'utf8')).toContain(`# ${name}\n`);
    expect(outputs['path']?.endsWith('.exe')).toBe(name.endsWith('.exe'));
  });

  it('in a container of Alpine is the file for musl', async () => {
    await run({}, withProgram('ldd', 'echo "musl libc (x86_64)" >&2; exit 1'));
    expect(asked).toEqual([`/v${version}/credstash-linux-x64-musl`, `/v${version}/SHA256SUMS`]);
  });

  it('is not there for other machines', async () => {
    refused(await run({}, { RUNNER_ARCH: 'ARM' }), 'no credstash for Linux on ARM');
  });

  it.each([
    ['other bytes', 'credstash-linux-x64', '#!/bin/sh\necho evil\n'],
    ['no digest', 'SHA256SUMS', sums.replace('credstash-linux-x64\n', 'other\n')],
    ['an empty list of digests', 'SHA256SUMS', ''],
  ])('with %s does not run', async (_, name, text) => {
    replaced.set(name, text);
    try {
      const done = await run({ secrets: 'ci.*' });
      refused(done, 'does not have the digest');
      expect(done.path).toEqual([]);
    } finally {
      replaced.clear();
    }
  });

  it('must have the digest that the job gives', async () => {
    const sha256 = digestOf(release.get('credstash-linux-x64') ?? '');
    expect((await run({ sha256 })).status).toBe(0);
    expect(asked).toEqual([`/v${version}/credstash-linux-x64`]);
    refused(await run({ sha256: digestOf('other') }), 'does not have the digest');
  });

  it('of a release that does not exist', async () => {
    refused(await run({ version: '9.9.9' }), 'could not be downloaded');
  });

  it('of GitHub is checked for who built it, if gh is installed', async () => {
    // The releases are on GitHub, and curl gets them from the server of this test.
    const curl = `for last; do :; done; exec ${JSON.stringify('/usr/bin/curl')} -fsSL -o "$8" "${server.url}/\${last#*/download/}"`;
    const url = `${readIdentity().repository}/releases/download`;
    const gh = (status: number): Record<string, string> =>
      withProgram(
        'curl',
        curl,
        withProgram('gh', `echo "$GH_TOKEN $*" >>"$HOME/gh"; exit ${status}`),
      );
    const HOME = temporaryFolder();
    expect(await run({ 'download-url': url }, { ...gh(0), HOME })).toMatchObject({
      status: 0,
      log: '',
    });
    const [, owner] = url.split('github.com/');
    const repository = owner?.replace('/releases/download', '') ?? '';
    expect(readFileSync(join(HOME, 'gh'), 'utf8')).toMatch(
      RegExp(
        `^ghs_token attestation verify \\S+/credstash-linux-x64 --repo ${repository} --signer-workflow ${repository}/.github/workflows/release.yml\n$`,
      ),
    );
    const done = await run({ 'download-url': url, secrets: 'ci.*' }, { ...gh(1), HOME });
    refused(done, `was not built by the release workflow of ${repository}`);
    expect(done.path).toEqual([]);
  });
});

/** An environment whose PATH begins with a program. */
function withProgram(
  name: string,
  script: string,
  env: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const folder = temporaryFolder();
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, name), 0o755);
  return { ...env, PATH: `${folder}:${env['PATH'] ?? process.env['PATH'] ?? ''}` };
}

describe('action.yml', () => {
  const text = readFileSync(file, 'utf8');

  it('is an action for GitHub', async () => {
    const problems = await loadGithubParser();
    expect(await problems(text, 'action')).toEqual([]);
    expect(await problems(text.replace('shell: bash', 'shel: bash'), 'action')).not.toEqual([]);
  });

  it('downloads this version, from the repository of identity.json', () => {
    expect(text).toContain(`default: '${version}'\n`);
    expect(text).toContain(`default: ${readIdentity().repository}/releases/download\n`);
  });
});
