import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { blocksOf } from '../support/documents.ts';
import { createTable, startDynalite } from '../support/dynamo.ts';
import { startHttpServer } from '../support/http-server.ts';
import { type KmsServer, startKmsServer } from '../support/kms-server.ts';
import { type Recorder, startRecorder } from '../support/recorder.ts';
import { pack } from '../support/packed.ts';
import { type Ended, packedCommand, RootFolder } from '../support/root-folder.ts';
import { run } from '../support/run.ts';
import { type Credential, testCredential } from '../support/sigv4.ts';
import { startStsServer, type StsServer, webIdentityToken } from '../support/sts-server.ts';
import { makeFolder, removeFolder } from '../support/temporary-folder.ts';

/*
 * Where what a document shows is run as it stands there. Programs of other people are stand-ins that tell what they
 * were given; the services of AWS are our test servers.
 */

export const secrets = {
  'prod.api.db-password': `pa$$ "w'ord`,
  'tls.key': '-----BEGIN KEY-----\nMIIB\n-----END KEY-----\n',
  'ci.npm-token': 'npm_t0ken',
} as const;
export const password = secrets['prod.api.db-password'];
export const token = secrets['ci.npm-token'];
const canaries = /pa\$\$|MIIB|npm_t0ken/;

export const project = resolve(import.meta.dirname, '../..');

/** What the role of a task of ECS is given. */
const taskCredential: Required<Credential> = {
  accessKeyId: 'ASIATASKROLE',
  secretAccessKey: 'of-the-task',
  sessionToken: 'session-of-the-task',
};

/** A table with the secrets, whoever may read it, and machines that have the command. */
export interface Documented {
  /** DynamoDB's requests. */
  readonly recorder: Recorder;
  readonly kms: KmsServer;
  readonly sts: StsServer;
  /** Of everything that is made. */
  readonly folder: string;
  /** The command as npm installs it. */
  readonly installed: string;
  /** Where AWS is; no credentials. */
  readonly servers: Readonly<Record<string, string>>;
  /** The environment of whoever has keys in it. */
  readonly withKeys: (env?: Readonly<Record<string, string>>) => Record<string, string>;
  /** What a task of ECS has for its role, whose access key is `taskKey`. */
  readonly taskRole: Readonly<Record<string, string>>;
  readonly taskKey: string;
  /** A machine with node and the command. */
  readonly machine: () => RootFolder;
  /** A machine with node, the tarball in `app/tools`, and an npm that installs that file and nothing else. */
  readonly withTarball: () => RootFolder;
  readonly close: () => Promise<void>;
}

export async function startDocumented(): Promise<Documented> {
  const [dynamo, sts, ecs] = await Promise.all([
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
  const kms = await startKmsServer({
    credentials: (id) => (id === taskCredential.accessKeyId ? taskCredential : sts.credentials(id)),
  });
  const recorder = await startRecorder({ DynamoDB: dynamo.url });
  const servers = {
    AWS_REGION: 'us-east-1',
    AWS_ENDPOINT_URL_DYNAMODB: recorder.url,
    AWS_ENDPOINT_URL_KMS: kms.url,
    AWS_ENDPOINT_URL_STS: sts.url,
  };
  const withKeys: Documented['withKeys'] = (env) => ({
    ...servers,
    AWS_ACCESS_KEY_ID: testCredential.accessKeyId,
    AWS_SECRET_ACCESS_KEY: testCredential.secretAccessKey,
    ...env,
  });
  await createTable(dynamo.url, 'credential-store');
  for (const [name, input] of Object.entries(secrets)) {
    expect(await run(['put', name, '-'], { input, env: withKeys() })).toMatchObject({ status: 0 });
  }
  const folder = makeFolder();
  const installed = packedCommand(folder);
  const withNode = (): RootFolder => {
    const root = new RootFolder(folder);
    root.addNode();
    return root;
  };
  return {
    recorder,
    kms,
    sts,
    folder,
    installed,
    servers,
    withKeys,
    // A task has the address without its host, which is one that only ECS has.
    taskRole: { ...servers, AWS_CONTAINER_CREDENTIALS_FULL_URI: `${ecs.url}/role` },
    taskKey: taskCredential.accessKeyId,
    machine: () => {
      const root = withNode();
      root.link('usr/local/bin/credstash', installed);
      return root;
    },
    withTarball: () => {
      const root = withNode();
      const tarball = `${manifest.name}-${manifest.version}.tgz`;
      root.copy(`app/tools/${tarball}`, pack());
      // test/end-to-end/install.test.ts runs the same command with npm itself.
      root.write(
        'usr/local/bin/npm',
        `#!/bin/sh
[ "$*" = "install -g --ignore-scripts ./tools/${tarball}" ] && [ -f "$4" ] || exit 1
ln -s '${installed}' '${root.path}/usr/local/bin/credstash'\n`,
        0o755,
      );
      return root;
    },
    close: async () => {
      removeFolder(folder);
      await Promise.all([recorder, dynamo, sts, kms, ecs].map((each) => each.close()));
    },
  };
}

/** AWS's file of credentials, with the keys that every server here takes. */
export function credentialsFile(profile: string): string {
  const { accessKeyId, secretAccessKey } = testCredential;
  return `[${profile}]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`;
}

/** What the webhook of EKS puts into a container of a pod with this role. */
export function irsa(
  root: RootFolder,
  servers: Readonly<Record<string, string>>,
  role: string,
): Record<string, string> {
  root.write('run/token', webIdentityToken);
  const AWS_WEB_IDENTITY_TOKEN_FILE = join(root.path, 'run/token');
  return { ...servers, AWS_ROLE_ARN: role, AWS_WEB_IDENTITY_TOKEN_FILE };
}

/** Other people's program: it tells its environment, its arguments, and what is in the files that these name. */
export const program = `#!/usr/bin/env node
const { existsSync, readFileSync } = require('node:fs');
const args = process.argv.slice(2);
const files = [process.env.CONFIG_FILE, ...args].filter((each) => each && existsSync(each));
const read = Object.fromEntries(files.map((each) => [each, readFileSync(each, 'utf8')]));
process.stdout.write(JSON.stringify({ env: process.env, args, read }) + '\\n');
`;

export interface Told {
  readonly env: Record<string, string>;
  readonly args: string[];
  readonly read: Record<string, string>;
}

/** What the program told; everything else of the run is free of secrets. */
export function told({ status, stdout, stderr }: Ended): Told {
  expect({ status, stderr }).toMatchObject({ status: 0 });
  expect(stderr).not.toMatch(canaries);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Told;
}

/** The blocks of a document that have a name, by it. */
export function namedBlocks(document: string): (name: string) => string {
  const blocks = new Map(blocksOf(document).map(({ run, text }) => [run, text]));
  return (name) => blocks.get(name) ?? expect.fail(`${document} has no block ${name}`);
}

/**
 * Tests that each of `runs` does what the document shows, and that it shows nothing else. No block reads a whole table, which
 * a policy cannot narrow to names, unless it is called `pattern`.
 */
export function testBlocks(
  document: string,
  here: () => Documented,
  runs: Readonly<Record<string, () => Promise<void>>>,
): void {
  test('every block is run, or says that it is not', () => {
    const blocks = blocksOf(document);
    expect(blocks.flatMap(({ run }) => run ?? []).sort()).toEqual(Object.keys(runs).sort());
    for (const { where, run, before } of blocks) {
      if (run === undefined) expect(before, where).toMatch(/\bnot run\b/i);
    }
  });

  describe('what is shown works:', () => {
    test.each(Object.entries(runs))('%s', async (name, works) => {
      const { requests } = here().recorder;
      requests.length = 0;
      await works();
      const scans = requests.filter(({ action }) => action === 'DynamoDB.Scan');
      if (name === 'pattern') expect(scans).not.toEqual([]);
      else expect(scans).toEqual([]);
    });
  });
}
