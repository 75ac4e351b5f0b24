import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { buildImage, type Image } from '../support/dockerfile.ts';
import { type Ended, RootFolder } from '../support/root-folder.ts';
import { nodeUnderTest, standaloneUnderTest } from '../support/run.ts';
import {
  type Documented,
  irsa,
  namedBlocks,
  password,
  program,
  project,
  secrets,
  startDocumented,
  testBlocks,
  told,
} from './documented.ts';
import { stored, vaultPlace } from './backends.ts';

const block = namedBlocks('docs/how-to/containers.md');
let here: Documented;
beforeAll(async () => {
  here = await startDocumented();
});
afterAll(() => here.close());

/** What `COPY` finds: the application, and what a build of the command leaves. */
function context(): { parent: string; files: Record<string, string> } {
  const source = new RootFolder(here.folder);
  source.write('app/server.js', program);
  source.write('app/app.yaml.tpl', 'password: {{ credstash://prod.api.db-password | json }}\n');
  source.write('single', `#!/bin/sh\nexec '${nodeUnderTest()}' '${here.installed}' "$@"\n`, 0o755);
  return {
    parent: here.folder,
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
  return root.run([...entrypoint, ...command], { env: { ...image.env, ...env }, cwd, path });
}

const references = {
  DB_PASSWORD: 'credstash://prod.api.db-password',
  TLS_KEY: 'credstash://tls.key?version=1',
};
const resolved = { DB_PASSWORD: password, TLS_KEY: secrets['tls.key'] };

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

testBlocks('docs/how-to/containers.md', () => here, {
  'docker-node': async () => {
    const image = await buildImage(block('docker-node'), context());
    const cache = readdirSync(image.root.at('home/.cache/credstash/code'), { recursive: true });
    expect(cache.map(String)).toContainEqual(expect.stringMatching(/\/aws-[\w-]+\.cjs\.cache$/));
    expect(told(await start(image, here.withKeys(references))).env).toMatchObject(resolved);
    const missing = await start(image, here.withKeys({ A: 'credstash://none' }));
    expect(missing).toMatchObject({ status: 3, stdout: '' });
  },

  compose: async () => {
    const image = await buildImage(block('docker-node'), context());
    const { services } = parse(block('compose')) as {
      services: { api: { environment: Record<string, string> } };
    };
    const { environment } = services.api;
    expect(told(await start(image, here.withKeys(environment))).env).toMatchObject(resolved);
  },

  entrypoint: async () => {
    const { root, workdir } = await buildImage(block('docker-node'), context());
    root.write('entrypoint.sh', root.inside(block('entrypoint')), 0o755);
    const command = [join(root.path, 'entrypoint.sh'), 'node', 'server.js'];
    const env = { ...here.withKeys(references), CONFIG_FILE: join(root.path, 'run/app.yaml') };
    const { env: given, read } = told(await root.run(command, { env, cwd: workdir }));
    expect(given).toMatchObject(resolved);
    expect(read).toEqual({ [env.CONFIG_FILE]: `password: ${JSON.stringify(password)}\n` });
    expect(statSync(env.CONFIG_FILE).mode & 0o777).toBe(0o600);
  },

  'vault-image': async () => {
    const { files, parent } = context();
    const vault = join(here.folder, 'vault');
    const local = vaultPlace(vault);
    const names = ['prod.api.db-password', 'tls.key'] as const;
    for (const name of names) {
      expect(await local.cs(['put', name, '-'], { input: secrets[name] })).toEqual(stored(name));
    }
    const build = async (dockerfile: string): Promise<Image> => {
      const image = await buildImage(dockerfile, { parent, files: { ...files, vault } });
      // What Node.js 24 has, and the one under test may lack: SQLite.
      image.root.link('opt/node_modules', join(project, 'node_modules'));
      return image;
    };
    const image = await build(block('vault-image'));
    expect(told(await start(image, references)).env).toMatchObject(resolved);
    // Without the chmod the folder has the mode that COPY gives it.
    const open = block('vault-image').replace(/^RUN chmod .*$/m, '');
    expect(await start(await build(open), references)).toMatchObject({
      status: 6,
      stderr: expect.stringContaining('others than you can open') as string,
    });
  },

  'docker-file': async () => {
    const image = await buildImage(block('docker-file'), context());
    const { status, stdout } = await start(image, here.withKeys(references), ['exec', '--', 'env']);
    expect({ status, stdout }).toMatchObject({ status: 0 });
    expect(stdout).toContain(`\nDB_PASSWORD=${password}\n`);
  },

  'distroless-node': async () => {
    const image = await buildImage(block('distroless-node'), context());
    expect(told(await start(image, here.withKeys(references))).env).toMatchObject(resolved);
  },

  'distroless-file': async () => {
    const image = await buildImage(block('distroless-file'), context());
    const { status, stdout } = await start(image, here.withKeys(references));
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
    const root = here.machine();
    root.write('app/server.js', program);
    here.kms.requests.length = 0;
    for (const { entryPoint, command, environment } of task.containerDefinitions) {
      const env = {
        ...here.taskRole,
        ...environmentOf(environment),
      };
      const { env: given } = told(await root.run([...entryPoint, ...command], { env }));
      expect(given).toMatchObject({ ...resolved, AWS_REGION: 'eu-west-1' });
    }
    expect(here.kms.requests).toHaveLength(2);
    expect(here.kms.requests[0]).toMatchObject({
      accessKeyId: here.taskKey,
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
    const root = here.machine();
    root.write('app/server.js', program);
    for (const { command, args = [], env: own } of containers) {
      const env = { ...irsa(root, here.servers, role), ...environmentOf(own) };
      const { env: given } = told(await root.run([...command, ...args], { env }));
      expect(given).toMatchObject({ DB_PASSWORD: password });
    }
    expect(here.sts.requests.at(-1)).toMatchObject({
      action: 'AssumeRoleWithWebIdentity',
      roleArn: role,
    });
    // Without a token, or with another's, there is no role, and the program does not run.
    const command = ['credstash', 'exec', '--', 'node', 'server.js'];
    const env = { ...irsa(root, here.servers, role), ...references };
    for (const [file, said] of [
      ['other-token', 'STS refused the AWS credentials (InvalidIdentityTokenException)\n'],
      ['none', '(AWS_WEB_IDENTITY_TOKEN_FILE) cannot be read (ENOENT)\n'],
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
    const root = here.machine();
    root.write('app/server.js', program);
    root.folder('secrets');
    for (const [name, text] of Object.entries(templates.data))
      root.write(`templates/${name}`, text);
    const inside = (words: readonly string[]): string[] => words.map((each) => root.inside(each));
    for (const { command, env: own } of initContainers) {
      const role = irsa(root, here.servers, 'arn:aws:iam::123456789012:role/api');
      const env = { ...role, ...environmentOf(own) };
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
    const root = new RootFolder(here.folder);
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
    here.kms.requests.length = 0;
    const env = here.withKeys({
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
    expect(here.kms.requests).toHaveLength(1);
  },
});
