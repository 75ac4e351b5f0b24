import { chmodSync, existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { buildImage, type Image } from '../support/dockerfile.ts';
import { type Block, blocksOf } from '../support/documents.ts';
import { createTable, type Dynamo, startDynalite } from '../support/dynamo.ts';
import { readGithubEnv, readMasks } from '../support/github.ts';
import { type HttpServer, startHttpServer } from '../support/http-server.ts';
import { type KmsServer, startKmsServer } from '../support/kms-server.ts';
import { describeUnless, programMissing } from '../support/needed.ts';
import { type Ended, packedCommand, RootFolder } from '../support/root-folder.ts';
import { nodeUnderTest, run, standaloneUnderTest } from '../support/run.ts';
import { type Credential, testCredential } from '../support/sigv4.ts';
import { startStsServer, type StsServer, webIdentityToken } from '../support/sts-server.ts';
import { parseUnit, type Unit } from '../support/systemd-unit.ts';
import { temporaryFolder } from './backends.ts';

/*
 * What docs/containers.md and docs/ci.md show, run as it stands there. Programs of other people are stand-ins that tell
 * what they were given; services are our test servers.
 */

const secrets = {
  'prod.api.db-password': `pa$$ "w'ord`,
  'tls.key': '-----BEGIN KEY-----\nMIIB\n-----END KEY-----\n',
  'ci.npm-token': 'npm_t0ken',
} as const;
const password = secrets['prod.api.db-password'];
const token = secrets['ci.npm-token'];
const canaries = /pa\$\$|MIIB|npm_t0ken/;

const blocks = ['docs/containers.md', 'docs/ci.md'].flatMap(blocksOf);
const folder = temporaryFolder();
const project = resolve(import.meta.dirname, '../..');

let dynamo: Dynamo;
let sts: StsServer;
let kms: KmsServer;
let ecs: HttpServer;
/** The command as npm installs it. */
let installed: string;
/** Where AWS is; no credentials. */
let servers: Record<string, string>;

/** What the role of a task of ECS is given. */
const taskCredential: Required<Credential> = {
  accessKeyId: 'ASIATASKROLE',
  secretAccessKey: 'of-the-task',
  sessionToken: 'session-of-the-task',
};

beforeAll(async () => {
  [dynamo, sts, ecs] = await Promise.all([
    startDynalite(),
    startStsServer(),
    // https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
    startHttpServer((_, response) => {
      response.setHeader('content-type', 'application/json').end(
        JSON.stringify({
          AccessKeyId: taskCredential.accessKeyId,
          SecretAccessKey: taskCredential.secretAccessKey,
          Token: taskCredential.sessionToken,
          Expiration: new Date(Date.now() + 3_600_000).toISOString(),
        }),
      );
    }),
  ]);
  kms = await startKmsServer({
    credentials: (id) => (id === taskCredential.accessKeyId ? taskCredential : sts.credentials(id)),
  });
  servers = {
    AWS_ENDPOINT_URL_DYNAMODB: dynamo.url,
    AWS_ENDPOINT_URL_KMS: kms.url,
    AWS_ENDPOINT_URL_STS: sts.url,
  };
  await createTable(dynamo.url, 'credential-store');
  for (const [name, input] of Object.entries(secrets)) {
    expect(await run(['put', name, '-'], { input, env: withKeys() })).toMatchObject({ status: 0 });
  }
  installed = packedCommand(folder.path);
});
afterAll(async () => {
  folder.remove();
  await Promise.all([dynamo, sts, kms, ecs].map((each) => each.close()));
});

/** The block that is run under `name`. */
function block(name: string): string {
  const found = blocks.filter((each) => each.run === name);
  expect(found.map(({ where }) => where)).toHaveLength(1);
  return found[0]?.text ?? '';
}

/** The environment of whoever has the keys in it, as a step behind configure-aws-credentials. */
function withKeys(env: Record<string, string> = {}): Record<string, string> {
  const { accessKeyId, secretAccessKey } = testCredential;
  return {
    ...servers,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    ...env,
  };
}

/** Other people's program: it tells its environment, its arguments, and what is in the files that these name. */
const program = `#!/usr/bin/env node
const { existsSync, readFileSync } = require('node:fs');
const args = process.argv.slice(2);
const files = [process.env.CONFIG_FILE, ...args].filter((each) => each && existsSync(each));
const read = Object.fromEntries(files.map((each) => [each, readFileSync(each, 'utf8')]));
process.stdout.write(JSON.stringify({ env: process.env, args, read }) + '\\n');
`;

interface Told {
  readonly env: Record<string, string>;
  readonly args: string[];
  readonly read: Record<string, string>;
}

/** What the program told; everything else of the run is free of secrets. */
function told({ status, stdout, stderr }: Ended): Told {
  expect({ status, stderr }).toMatchObject({ status: 0 });
  expect(stderr).not.toMatch(canaries);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Told;
}

/** A machine with node and, installed by npm, the command. */
function machine(): RootFolder {
  const root = new RootFolder(folder.path);
  root.addNode();
  root.link('usr/local/bin/credstash', installed);
  return root;
}

/** What `COPY` finds: the application, and what a build of the command leaves. */
function context(): { parent: string; files: Record<string, string> } {
  const source = new RootFolder(folder.path);
  source.write('app/server.js', program);
  source.write('app/app.yaml.tpl', 'password: {{ credstash://prod.api.db-password | json }}\n');
  source.write('single', `#!/bin/sh\nexec '${nodeUnderTest()}' '${installed}' "$@"\n`, 0o755);
  return {
    parent: folder.path,
    files: {
      app: join(source.path, 'app'),
      // A program that is no JavaScript.
      'app/server': '/usr/bin/env',
      'dist/bin': join(project, 'dist/bin'),
      // What the file itself needs is tested in test/standalone; without it, what the image does with it.
      'dist/standalone/credstash': standaloneUnderTest() ?? join(source.path, 'single'),
    },
  };
}

function start(image: Image, env: Record<string, string>, command = image.command): Promise<Ended> {
  const { root, entrypoint, workdir: cwd, path } = image;
  return root.run([...entrypoint, ...command], { env, cwd, path });
}

const references = {
  DB_PASSWORD: 'credstash://prod.api.db-password',
  TLS_KEY: 'credstash://tls.key?version=1',
};
const resolved = { DB_PASSWORD: password, TLS_KEY: secrets['tls.key'] };

/** The lines that are `NAME=value`, or `NAME = 'value'` of Groovy. */
function settings(lines: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of lines) {
    const [, name, value = ''] = /^\s*(\w+) ?= ?(?:'(?=.*'$))?(.*?)'?$/.exec(line) ?? [];
    if (name !== undefined) found[name] = value;
  }
  return found;
}

/** A list of `{ name, value }`, as ECS and Kubernetes have an environment. */
function environmentOf(
  list: readonly { name: string; value: string }[] = [],
): Record<string, string> {
  return Object.fromEntries(list.map(({ name, value }) => [name, value]));
}

interface Container {
  readonly command: string[];
  readonly args?: string[];
  readonly env?: { name: string; value: string }[];
}

/** The manifests of a block. */
function manifests(name: string): unknown[] {
  return parseAllDocuments(block(name)).map((each) => {
    expect(each.errors).toEqual([]);
    return each.toJS() as unknown;
  });
}

/** What the webhook of EKS puts into a container of a pod with this role. */
function irsa(root: RootFolder, role: string): Record<string, string> {
  root.write('run/token', webIdentityToken);
  return {
    ...servers,
    AWS_ROLE_ARN: role,
    AWS_WEB_IDENTITY_TOKEN_FILE: join(root.path, 'run/token'),
  };
}

const runs: Record<string, () => Promise<void>> = {
  'docker-node': async () => {
    const image = await buildImage(block('docker-node'), context());
    expect(existsSync(join(image.root.path, 'home/.cache/credstash/code'))).toBe(true);
    expect(told(await start(image, withKeys(references))).env).toMatchObject(resolved);
    const missing = await start(image, withKeys({ A: 'credstash://none' }));
    expect(missing).toMatchObject({ status: 3, stdout: '' });
  },

  compose: async () => {
    const image = await buildImage(block('docker-node'), context());
    const { services } = parse(block('compose')) as {
      services: { api: { environment: Record<string, string> } };
    };
    const { environment } = services.api;
    expect(told(await start(image, withKeys(environment))).env).toMatchObject(resolved);
  },

  entrypoint: async () => {
    const { root, workdir } = await buildImage(block('docker-node'), context());
    root.write('entrypoint.sh', root.inside(block('entrypoint')), 0o755);
    const command = [join(root.path, 'entrypoint.sh'), 'node', 'server.js'];
    const env = { ...withKeys(), CONFIG_FILE: join(root.path, 'run/app.yaml') };
    const { env: given, read } = told(await root.run(command, { env, cwd: workdir }));
    expect(given).toMatchObject({ DB_PASSWORD: password });
    expect(read).toEqual({ [env.CONFIG_FILE]: `password: ${JSON.stringify(password)}\n` });
    expect(statSync(env.CONFIG_FILE).mode & 0o777).toBe(0o600);
  },

  'docker-file': async () => {
    const image = await buildImage(block('docker-file'), context());
    const { status, stdout } = await start(image, withKeys(references), ['exec', '--', 'env']);
    expect({ status, stdout }).toMatchObject({ status: 0 });
    expect(stdout).toContain(`\nDB_PASSWORD=${password}\n`);
  },

  'distroless-node': async () => {
    const image = await buildImage(block('distroless-node'), context());
    expect(told(await start(image, withKeys(references))).env).toMatchObject(resolved);
  },

  'distroless-file': async () => {
    const image = await buildImage(block('distroless-file'), context());
    const { status, stdout } = await start(image, withKeys(references));
    expect({ status, stdout }).toMatchObject({ status: 0 });
    expect(stdout).toContain(`\nDB_PASSWORD=${password}\n`);
  },

  ecs: async () => {
    const task = JSON.parse(block('ecs')) as {
      taskRoleArn: string;
      containerDefinitions: {
        entryPoint: string[];
        command: string[];
        environment: { name: string; value: string }[];
      }[];
    };
    expect(task.taskRoleArn).toMatch(/^arn:aws:iam::\d{12}:role\//);
    const root = machine();
    root.write('app/server.js', program);
    kms.requests.length = 0;
    for (const { entryPoint, command, environment } of task.containerDefinitions) {
      const env = {
        ...servers,
        // A task has the address without its host, which is one that only ECS has.
        AWS_CONTAINER_CREDENTIALS_FULL_URI: `${ecs.url}/role`,
        ...environmentOf(environment),
      };
      const { env: given } = told(await root.run([...entryPoint, ...command], { env }));
      expect(given).toMatchObject({ ...resolved, AWS_REGION: 'eu-west-1' });
    }
    expect(kms.requests).toHaveLength(2);
    expect(kms.requests[0]).toMatchObject({
      accessKeyId: taskCredential.accessKeyId,
      region: 'eu-west-1',
    });
  },

  kubernetes: async () => {
    const [account, deployment] = manifests('kubernetes') as [
      { metadata: { name: string; annotations: Record<string, string> } },
      { spec: { template: { spec: { serviceAccountName: string; containers: Container[] } } } },
    ];
    const { serviceAccountName, containers } = deployment.spec.template.spec;
    expect(serviceAccountName).toBe(account.metadata.name);
    const role = account.metadata.annotations['eks.amazonaws.com/role-arn'] ?? '';
    const root = machine();
    root.write('app/server.js', program);
    for (const { command, args = [], env: own } of containers) {
      const env = { ...irsa(root, role), ...environmentOf(own) };
      const { env: given } = told(await root.run([...command, ...args], { env }));
      expect(given).toMatchObject({ DB_PASSWORD: password });
    }
    expect(sts.requests.at(-1)).toMatchObject({
      action: 'AssumeRoleWithWebIdentity',
      roleArn: role,
    });
    // Without a token, or with another's, there is no role, and the program does not run.
    const command = ['credstash', 'exec', '--', 'node', 'server.js'];
    const env = { ...irsa(root, role), ...references };
    for (const [file, said] of [
      ['other-token', 'STS refused the AWS credentials (InvalidIdentityTokenException)\n'],
      ['none', 'a file that is named for them cannot be read (ENOENT)\n'],
    ] as const) {
      root.write('run/other-token', 'another');
      const AWS_WEB_IDENTITY_TOKEN_FILE = join(root.path, 'run', file);
      const ended = await root.run(command, { env: { ...env, AWS_WEB_IDENTITY_TOKEN_FILE } });
      expect(ended).toMatchObject({ status: 6, stdout: '' });
      expect(ended.stderr).toContain(said);
    }
  },

  'kubernetes-init': async () => {
    const [templates, pod] = manifests('kubernetes-init') as [
      { metadata: { name: string }; data: Record<string, string> },
      {
        spec: {
          initContainers: Container[];
          containers: Container[];
          volumes: { name: string; configMap?: { name: string } }[];
        };
      },
    ];
    const { initContainers, containers, volumes } = pod.spec;
    expect(volumes.find((each) => each.configMap)?.configMap?.name).toBe(templates.metadata.name);
    const root = machine();
    root.write('app/server.js', program);
    root.folder('secrets');
    for (const [name, text] of Object.entries(templates.data))
      root.write(`templates/${name}`, text);
    const inside = (words: readonly string[]): string[] => words.map((each) => root.inside(each));
    for (const { command } of initContainers) {
      const env = irsa(root, 'arn:aws:iam::123456789012:role/api');
      expect(await root.run(inside(command), { env })).toEqual({
        status: 0,
        stdout: '',
        stderr: '',
      });
    }
    expect(readFileSync(root.at('secrets/tls.key'), 'utf8')).toBe(secrets['tls.key']);
    for (const { command, env: own = [] } of containers) {
      const env = environmentOf(
        own.map(({ name, value }) => ({ name, value: root.inside(value) })),
      );
      const { read } = told(await root.run(inside(command), { env }));
      const [config] = Object.values(read);
      expect(parse(config ?? '')).toEqual({ database: { password } });
    }
  },

  lambda: async () => {
    const root = new RootFolder(folder.path);
    root.addNode();
    root.write('app/index.mjs', block('lambda'));
    root.link('app/node_modules/credstash-cli', project);
    root.write(
      'app/runtime.mjs',
      `import { handler } from './index.mjs';
      const failed = await handler({ database: 'db' }).catch((error) => error.code);
      process.env.DB_PASSWORD = 'credstash://prod.api.db-password';
      const answers = [await handler({ database: 'db' }), await handler({ database: 'db' })];
      process.stdout.write(JSON.stringify({ failed, answers }));`,
    );
    kms.requests.length = 0;
    const env = withKeys({
      DB_PASSWORD: 'credstash://none',
      AWS_REGION: 'eu-west-1',
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    });
    const { stdout, stderr } = await root.run(['node', 'runtime.mjs'], { env });
    const answer = { connected: `db with ${password.length} characters` };
    expect({ stderr, told: JSON.parse(stdout) as unknown }).toEqual({
      stderr: '',
      told: { failed: 'SECRET_NOT_FOUND', answers: [answer, answer] },
    });
    expect(kms.requests).toHaveLength(1);
  },

  github: async () => {
    const { permissions, jobs } = parse(block('github')) as {
      permissions: Record<string, string>;
      jobs: Record<string, { steps: { uses?: string; run?: string }[] }>;
    };
    expect(permissions['id-token']).toBe('write');
    const root = registry();
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
          ...withKeys({ AWS_REGION: 'eu-west-1', GITHUB_ENV, RUNNER_TEMP }),
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
    expect(told(exec).env).toMatchObject({ NPM_TOKEN: token });
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
      const root = registry();
      root.write('app/publish.sh', program, 0o755);
      const env: Record<string, string> = { ...servers, ...variables, TMPDIR: root.path };
      for (const name of Object.keys(id_tokens)) env[name] = webIdentityToken;
      const lines = [...before_script, ...script].join('\n');
      // One shell for both: https://docs.gitlab.com/ci/yaml/#before_script
      const ended = await root.run(['bash', '-eo', 'pipefail', '-c', lines], { env });
      const { env: given } = told(ended);
      expect(given).toMatchObject({ NPM_TOKEN: token });
      expect(statSync(given['AWS_WEB_IDENTITY_TOKEN_FILE'] ?? '').mode & 0o777).toBe(0o600);
      expect(sts.requests.at(-1)).toMatchObject({ roleArn: variables['AWS_ROLE_ARN'] });
    }
  },

  jenkins: async () => {
    const text = block('jenkins');
    const steps = [...text.matchAll(/\bsh (?:'''([^]*?)'''|'([^'\n]*)')/g)];
    const variables = [...text.matchAll(/^\s+[A-Z_]+ = '.*'$/gm)];
    expect([steps.length, variables.length]).toEqual([3, 1]);
    const root = machine();
    root.write('app/publish.sh', program, 0o755);
    root.write('app/deploy.yaml.tpl', 'token: {{ credstash://ci.npm-token }}\n');
    const env = withKeys(settings(variables.map(([line]) => line)));
    const logs: Ended[] = [];
    for (const [, several, one] of steps) {
      root.write('run/step.sh', several ?? one ?? '');
      logs.push(await root.run(['sh', '-xe', join(root.path, 'run/step.sh')], { env }));
    }
    const [first, second, last] = logs as [Ended, Ended, Ended];
    expect(first.stderr).toMatch(/^\+ credstash exec/);
    expect(told(first).env).toMatchObject({ NPM_TOKEN: token });
    const { env: given, read } = told(second);
    expect(given).toMatchObject({ TOKEN: token });
    expect(read).toEqual({ 'deploy.yaml': `token: ${token}\n` });
    expect(last).toMatchObject({ status: 0 });
    expect(existsSync(root.at('app/deploy.yaml'))).toBe(false);
    // What the document warns of.
    const warned = `secrets=$(credstash get 'ci.*' -f shell)`;
    expect((await root.run(['sh', '-xec', warned], { env })).stderr).toContain(token);
  },

  cron: async () => {
    const root = machine();
    root.write('usr/local/bin/backup', program, 0o755);
    const { accessKeyId, secretAccessKey } = testCredential;
    root.write(
      'home/.aws/credentials',
      `[backup]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`,
    );
    const lines = root.inside(block('cron')).trim().split('\n');
    const env = { LOGNAME: 'me', SHELL: '/bin/sh', ...servers, ...settings(lines) };
    const [, command = ''] = /^(?:\S+\s+){5}(.*)$/.exec(lines.at(-1) ?? '') ?? [];
    expect(command).not.toMatch(/%/);
    const { env: given, args } = told(await root.run(['/bin/sh', '-c', command], { env }));
    expect({ given, args }).toMatchObject({ given: { PGPASSWORD: password }, args: ['--all'] });
  },

  'systemd-exec': async () => {
    const { root, unit, env } = service('systemd-exec');
    const { env: given } = told(await root.run(unit.command(env), { env, path: '/usr/local/bin' }));
    expect(given).toMatchObject(resolved);
  },

  'systemd-get': async () => {
    const { root, unit, env } = service('systemd-get');
    const ended = await root.run(unit.command(env), { env: withKeys(env), path: '/usr/local/bin' });
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
};

/** A machine whose npm has nothing but this package, as if it were released. */
function registry(): RootFolder {
  const root = new RootFolder(folder.path);
  root.addNode();
  const bin = join(root.path, 'usr/local/bin');
  root.write(
    'usr/local/bin/npm',
    `#!/bin/sh
    [ "$*" = 'install -g --ignore-scripts credstash-cli' ] || exit 1
    ln -s '${installed}' '${bin}/credstash'\n`,
    0o755,
  );
  return root;
}

/** A unit as systemd would set it up: its folders, its credentials, and its environment. */
function service(
  name: string,
  prepare: (root: RootFolder) => void = () => undefined,
): { root: RootFolder; unit: Unit; env: Record<string, string> } {
  const root = machine();
  for (const each of ['api', 'web']) root.write(`usr/local/bin/${each}`, program, 0o755);
  const { accessKeyId, secretAccessKey } = testCredential;
  root.write(
    'etc/api/aws-credentials',
    `[default]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`,
  );
  prepare(root);
  const credentials = root.folder('run/credentials');
  const unit = parseUnit(root.inside(block(name)), { d: credentials, t: join(root.path, 'run') });
  for (const each of unit.settings.get('RuntimeDirectory') ?? []) root.folder(`run/${each}`);
  for (const each of unit.settings.get('LoadCredential') ?? []) {
    const [id = '', path = ''] = each.split(':');
    root.copy(`run/credentials/${id}`, path);
  }
  const env = { ...servers, ...unit.environment, CREDENTIALS_DIRECTORY: credentials };
  return { root, unit, env };
}

test('every block is run, or says that it is not', () => {
  const names = blocks.flatMap((each: Block) => each.run ?? []);
  expect(names.sort()).toEqual(Object.keys(runs).sort());
  for (const { where, run: name, before } of blocks) {
    if (name === undefined) expect(before, where).toMatch(/\bnot run\b/i);
  }
});

describe('what is shown works:', () => {
  test.each(Object.entries(runs))('%s', (_, works) => works());
});

describeUnless(programMissing('systemd-analyze', '--version'), 'units of systemd', () => {
  test('systemd finds nothing wrong with them', async () => {
    const root = machine();
    for (const each of ['api', 'web']) root.write(`usr/local/bin/${each}`, program, 0o755);
    chmodSync(root.path, 0o755);
    const units = blocks.flatMap(({ text }) => {
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
