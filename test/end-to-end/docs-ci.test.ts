import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { blocksOf } from '../support/documents.ts';
import { readGithubEnv, readMasks } from '../support/github.ts';
import { describeUnless, programMissing } from '../support/needed.ts';
import type { Ended, RootFolder } from '../support/root-folder.ts';
import { webIdentityToken } from '../support/sts-server.ts';
import { parseUnit, type Unit } from '../support/systemd-unit.ts';
import {
  credentialsFile,
  type Documented,
  namedBlocks,
  password,
  program,
  secrets,
  startDocumented,
  testBlocks,
  told,
  token,
} from './documented.ts';

const block = namedBlocks('docs/how-to/ci.md');
let here: Documented;
beforeAll(async () => {
  here = await startDocumented();
});
afterAll(() => here.close());

/** The lines that are `NAME=value`, or `NAME = 'value'` of Groovy. */
function settings(lines: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of lines) {
    const [, name, value = ''] = /^\s*(\w+) ?= ?(?:'(?=.*'$))?(.*?)'?$/.exec(line) ?? [];
    if (name !== undefined) found[name] = value;
  }
  return found;
}

/** A unit as systemd would set it up: its folders, its credentials, and its environment. */
function service(
  name: string,
  prepare: (root: RootFolder) => void = () => undefined,
): { root: RootFolder; unit: Unit; env: Record<string, string> } {
  const root = here.machine();
  for (const each of ['api', 'web']) root.write(`usr/local/bin/${each}`, program, 0o755);
  root.write('etc/api/aws-credentials', credentialsFile('default'));
  prepare(root);
  const credentials = root.folder('run/credentials');
  const unit = parseUnit(root.inside(block(name)), { d: credentials, t: join(root.path, 'run') });
  for (const each of unit.settings.get('RuntimeDirectory') ?? []) root.folder(`run/${each}`);
  for (const each of unit.settings.get('LoadCredential') ?? []) {
    const [id = '', path = ''] = each.split(':');
    root.copy(`run/credentials/${id}`, path);
  }
  const env = { ...here.servers, ...unit.environment, CREDENTIALS_DIRECTORY: credentials };
  return { root, unit, env };
}

/** What an outsider wrote: the title of a commit or a pull request, in the variables that each service has for it. */
const written = 'credstash://prod.api.db-password';
const titles = {
  PR_TITLE: written,
  CI_COMMIT_TITLE: written,
  CI_COMMIT_MESSAGE: written,
  CHANGE_TITLE: written,
};

testBlocks('docs/how-to/ci.md', () => here, {
  resolve: async () => {
    const root = here.machine();
    root.write('app/publish.sh', program, 0o755);
    const env = here.withKeys({ ...titles, DEPLOY_KEY: 'credstash://tls.key' });
    const lines = block('resolve').trim().split('\n');
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      here.kms.requests.length = 0;
      const { env: given } = told(await root.run(['sh', '-c', line], { env }));
      const [names, resolves] = [line.includes('--env'), line.includes('--resolve')];
      expect(given).toMatchObject(titles);
      expect(given['DEPLOY_KEY']).toBe(resolves ? secrets['tls.key'] : 'credstash://tls.key');
      expect(given['NPM_TOKEN']).toBe(names ? token : undefined);
      expect(here.kms.requests).toHaveLength(Number(names) + Number(resolves));
    }
  },

  pattern: async () => {
    const root = here.machine();
    root.write('app/publish.sh', program, 0o755);
    const env = here.withKeys(titles);
    const { env: given } = told(await root.run(['sh', '-c', block('pattern')], { env }));
    expect(given).toMatchObject({ ...titles, NPM_TOKEN: token });
  },

  github: async () => {
    const { permissions, jobs } = parse(block('github')) as {
      permissions: Record<string, string>;
      jobs: Record<string, { steps: { uses?: string; run?: string }[] }>;
    };
    expect(permissions['id-token']).toBe('write');
    const root = here.withTarball();
    for (const name of ['env', 'temp']) root.folder(`run/${name}`);
    root.write('app/publish.sh', program, 0o755);
    root.write('run/env/file', '');
    const GITHUB_ENV = join(root.path, 'run/env/file');
    const RUNNER_TEMP = join(root.path, 'run/temp');
    const logs: Ended[] = [];
    for (const { steps } of Object.values(jobs)) {
      for (const { run: script } of steps) {
        if (script === undefined) continue;
        root.write('run/step.sh', script);
        const env = {
          ...here.withKeys({ ...titles, AWS_REGION: 'eu-west-1', GITHUB_ENV, RUNNER_TEMP }),
          ...Object.fromEntries(readGithubEnv(readFileSync(GITHUB_ENV, 'utf8'))),
        };
        // The shell of a step that names none.
        logs.push(await root.run(['bash', '-e', join(root.path, 'run/step.sh')], { env }));
      }
    }
    expect(logs.map(({ status, stderr }) => ({ status, stderr }))).toEqual(
      logs.map(() => ({ status: 0, stderr: '' })),
    );
    const [install, exec, masks, later, file] = logs as [Ended, Ended, Ended, Ended, Ended];
    expect([install.stdout, file.stdout]).toEqual(['', '']);
    expect(told(exec).env).toMatchObject({ ...titles, NPM_TOKEN: token });
    expect(told(exec).env).not.toHaveProperty('CI_NPM_TOKEN');
    expect(readMasks(masks.stdout)).toEqual([token]);
    expect(told(later).env).toMatchObject({ CI_NPM_TOKEN: token });
    expect(readFileSync(join(RUNNER_TEMP, 'tls.key'), 'utf8')).toBe(secrets['tls.key']);
  },

  gitlab: async () => {
    const jobs = parse(block('gitlab')) as Record<
      string,
      {
        id_tokens: Record<string, { aud: string }>;
        variables: Record<string, string>;
        before_script: string[];
        script: string[];
      }
    >;
    for (const { id_tokens, variables, before_script, script } of Object.values(jobs)) {
      const root = here.withTarball();
      root.write('app/publish.sh', program, 0o755);
      const env: Record<string, string> = { ...titles, ...here.servers, ...variables };
      env['TMPDIR'] = root.path;
      for (const name of Object.keys(id_tokens)) env[name] = webIdentityToken;
      const lines = [...before_script, ...script].join('\n');
      // One shell for both: https://docs.gitlab.com/ci/yaml/#before_script
      const ended = await root.run(['bash', '-eo', 'pipefail', '-c', lines], { env });
      const { env: given } = told(ended);
      expect(given).toMatchObject({ ...titles, NPM_TOKEN: token });
      expect(statSync(given['AWS_WEB_IDENTITY_TOKEN_FILE'] ?? '').mode & 0o777).toBe(0o600);
      expect(here.sts.requests.at(-1)).toMatchObject({ roleArn: variables['AWS_ROLE_ARN'] });
    }
  },

  jenkins: async () => {
    const text = block('jenkins');
    const steps = [...text.matchAll(/\bsh (?:'''([^]*?)'''|'([^'\n]*)')/g)];
    const variables = [...text.matchAll(/^\s+[A-Z_]+ = '.*'$/gm)];
    expect([steps.length, variables.length]).toEqual([3, 1]);
    const root = here.machine();
    root.write('app/publish.sh', program, 0o755);
    root.write('app/deploy.yaml.tpl', 'token: {{ credstash://ci.npm-token }}\n');
    const env = here.withKeys({ ...titles, ...settings(variables.map(([line]) => line)) });
    const logs: Ended[] = [];
    for (const [, several, one] of steps) {
      root.write('run/step.sh', several ?? one ?? '');
      logs.push(await root.run(['sh', '-xe', join(root.path, 'run/step.sh')], { env }));
    }
    const [first, second, last] = logs as [Ended, Ended, Ended];
    expect(first.stderr).toMatch(/^\+ credstash exec/);
    expect(told(first).env).toMatchObject({ ...titles, NPM_TOKEN: token });
    const { env: given, read } = told(second);
    expect(given).toMatchObject({ ...titles, TOKEN: token });
    expect(read).toEqual({ 'deploy.yaml': `token: ${token}\n` });
    expect(last).toMatchObject({ status: 0 });
    expect(existsSync(root.at('app/deploy.yaml'))).toBe(false);
    // What the document warns of.
    const warned = `secrets=$(credstash get ci.npm-token -f shell)`;
    expect((await root.run(['sh', '-xec', warned], { env })).stderr).toContain(token);
  },

  cron: async () => {
    const root = here.machine();
    root.write('usr/local/bin/backup', program, 0o755);
    root.write('home/.aws/credentials', credentialsFile('backup'));
    const lines = root.inside(block('cron')).trim().split('\n');
    const env = { LOGNAME: 'me', SHELL: '/bin/sh', ...here.servers, ...settings(lines) };
    const [, command = ''] = /^(?:\S+\s+){5}(.*)$/.exec(lines.at(-1) ?? '') ?? [];
    expect(command).not.toMatch(/%/);
    const { env: given, args } = told(await root.run(['/bin/sh', '-c', command], { env }));
    expect({ given, args }).toMatchObject({ given: { PGPASSWORD: password }, args: ['--all'] });
  },

  'systemd-exec': async () => {
    const { root, unit, env } = service('systemd-exec');
    const { env: given } = told(await root.run(unit.command(env), { env, path: '/usr/local/bin' }));
    expect(given).toMatchObject({ DB_PASSWORD: password, TLS_KEY: secrets['tls.key'] });
  },

  'systemd-get': async () => {
    const { root, unit, env } = service('systemd-get');
    const ended = await root.run(unit.command(env), {
      env: here.withKeys(env),
      path: '/usr/local/bin',
    });
    expect(ended).toEqual({ status: 0, stdout: '', stderr: '' });
    const file = root.at('run/web-secrets/tls.key');
    expect(readFileSync(file, 'utf8')).toBe(secrets['tls.key']);
    // Where the next unit takes it from.
    const next = parseUnit(block('systemd-credential'), { t: root.at('run') });
    expect(next.settings.get('LoadCredential')).toEqual([`tls.key:${file}`]);
  },

  'systemd-credential': async () => {
    const { root, unit, env } = service('systemd-credential', (root) => {
      root.write('run/web-secrets/tls.key', secrets['tls.key']);
    });
    const { args, read } = told(await root.run(unit.command(env), { env }));
    expect(args[0]).toBe('--tls-key');
    expect(Object.values(read)).toEqual([secrets['tls.key']]);
  },
});

test('no job resolves every reference of its environment', () => {
  const lines = ['resolve', 'pattern', 'github', 'gitlab', 'jenkins'].flatMap((name) =>
    block(name).split('\n'),
  );
  const execs = lines.filter((line) => line.includes('credstash exec'));
  expect(execs.length).toBeGreaterThan(5);
  for (const line of execs) {
    expect(line).toMatch(/ exec ['"]ci\.\*['"] | --env | --resolve=/);
    expect(line).not.toMatch(/--resolve(?!=)/);
  }
});

describeUnless(programMissing('systemd-analyze', '--version'), 'units of systemd', () => {
  test('systemd finds nothing wrong with them', async () => {
    const root = here.machine();
    for (const each of ['api', 'web']) root.write(`usr/local/bin/${each}`, program, 0o755);
    const units = blocksOf('docs/how-to/ci.md').flatMap(({ text }) => {
      const name = /^# \/etc\/systemd\/system\/(\S+)$/m.exec(text)?.[1];
      if (name === undefined) return [];
      root.write(`units/${name}`, root.inside(text));
      return [join(root.path, 'units', name)];
    });
    expect(units).toHaveLength(3);
    const verify = ['systemd-analyze', 'verify', '--man=no', ...units];
    expect(await root.run(verify)).toEqual({ status: 0, stdout: '', stderr: '' });
  });
});
