import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { dynalite, type Place, type Running, stored } from '../end-to-end/backends.ts';
import { buildImage, type Image } from '../support/dockerfile.ts';
import { RootFolder } from '../support/root-folder.ts';
import { builtCommand, nodeUnderTest, standaloneUnderTest } from '../support/sandbox.ts';
import { schemaErrors } from '../support/schema-store.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * The image, which the reader of Dockerfiles puts together without an engine: its base images are not there, and neither is
 * its user. test/standalone has what the single file needs of a machine.
 */

const project = join(import.meta.dirname, '../..');
const dockerfile = readFileSync(join(project, 'Dockerfile'), 'utf8');
const parent = temporaryFolder();
const password = 'pa$$ "w\'ord';
let running: Running;
let place: Place;
let image: Image;

beforeAll(async () => {
  running = await dynalite.start();
  place = await running.place();
  const put = ['put', 'prod.api.db-password', '-'];
  expect(await place.cs(put, { input: password })).toEqual(stored('prod.api.db-password'));
  const files = new RootFolder(parent);
  files.write('single', `#!/bin/sh\nexec '${nodeUnderTest()}' '${builtCommand}' "$@"\n`, 0o755);
  image = await buildImage(dockerfile, {
    parent,
    files: {
      LICENSE: join(project, 'LICENSE'),
      'THIRD-PARTY-NOTICES': join(project, 'THIRD-PARTY-NOTICES'),
      'dist/release/credstash-linux-*': standaloneUnderTest() ?? files.at('single'),
    },
  });
});
afterAll(() => running.close());

describe('the image', () => {
  const start = (...args: string[]): ReturnType<RootFolder['run']> =>
    image.root.run([...image.entrypoint, ...(args.length > 0 ? args : image.command)], {
      env: { ...image.env, ...place.env },
      cwd: image.workdir,
      path: image.path,
    });

  it('is the command: it gets a secret, and without arguments prints its help', async () => {
    const get = await start(...place.args, 'get', '-n', 'prod.api.db-password');
    expect(get).toEqual({ status: 0, stdout: password, stderr: '' });
    expect(await start()).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^Usage: credstash/) as string,
    });
  });

  it('stores in a vault below the home of its user', async () => {
    expect(await start('--local', 'put', 'a', 'x')).toMatchObject({ status: 0 });
    expect(await start('--local', 'get', 'a')).toMatchObject({ status: 0, stdout: 'x\n' });
  });

  it('runs as a user without rights, has no shell, and the licences', () => {
    expect(image.user).toBe('65532:65532');
    expect(image.entrypoint).toEqual([image.root.at('usr/local/bin/credstash')]);
    expect(readdirSync(image.root.at('usr/local/bin'))).toEqual(['credstash']);
    expect(readdirSync(image.root.at('usr/share/doc/credstash'))).toEqual([
      'LICENSE',
      'THIRD-PARTY-NOTICES',
    ]);
  });

  it('names its base images by digest', () => {
    const bases = [...dockerfile.matchAll(/^FROM (?:--\S+ )?(\S+)/gm)].map(([, base]) => base);
    expect(bases).toHaveLength(2);
    for (const base of bases) expect(base).toMatch(/^[\w./-]+:[\w-]+@sha256:[0-9a-f]{64}$/);
  });
});

describe('.dockerignore', () => {
  const lines = readFileSync(join(project, '.dockerignore'), 'utf8').split('\n');
  const kept = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));

  it('keeps only files of the repository, and all that the Dockerfile copies', () => {
    expect(lines).toContain('*');
    const tracked = new Set(
      execFileSync('git', ['ls-files'], { cwd: project, encoding: 'utf8' })
        .split('\n')
        .map((path) => path.split('/')[0]),
    );
    expect(kept.filter((path) => !tracked.has(path))).toEqual([]);
    expect(kept).toEqual(expect.arrayContaining(['LICENSE', 'THIRD-PARTY-NOTICES']));
  });

  it('keeps what the build reads', () => {
    // The roots of relative imports and of files that the scripts name.
    const scripts = readdirSync(join(project, 'scripts')).filter((name) =>
      /^build|^reference|^commit|^tools/.test(name),
    );
    const sources = scripts.map((name) => readFileSync(join(project, 'scripts', name), 'utf8'));
    const imported = sources.flatMap((text) => [...text.matchAll(/from '\.\.\/([\w.-]+)/g)]);
    const configured = sources.flatMap((text) => [...text.matchAll(/'(tsconfig[\w.]*json)'/g)]);
    expect(imported.length).toBeGreaterThan(0);
    for (const [line, path = ''] of [...imported, ...configured]) {
      if (path !== 'dist') expect(kept, line).toContain(path);
    }
  });
});

describe('the example for compose', () => {
  const folder = join(project, 'examples/compose');
  const text = readFileSync(join(folder, 'compose.yaml'), 'utf8');
  const { services } = parse(text) as {
    services: Record<
      'config' | 'app',
      { command: string[]; user: string; environment: Record<string, string> }
    >;
  };

  it('fits the schema', () => {
    const schema = 'raw.githubusercontent.com/compose-spec/compose-spec/master/schema/compose-spec';
    expect(schemaErrors(schema, text)).toEqual([]);
    expect(schemaErrors(schema, text.replace('read_only', 'readonly'))).not.toEqual([]);
  });

  it('writes the file that the program reads, as the user who runs it', async () => {
    const { config, app } = services;
    const { root } = image;
    root.copy('templates/app.yaml.tpl', join(folder, 'app.yaml.tpl'));
    root.folder('secrets');
    const words = [...place.args, ...config.command].map((word) => root.inside(word));
    const env = { ...place.env, ...config.environment, AWS_REGION: place.env['AWS_REGION'] ?? '' };
    expect(await root.run([...image.entrypoint, ...words], { env, path: image.path })).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    });
    const file = root.inside(app.environment['CONFIG_FILE'] ?? '');
    expect(parse(readFileSync(file, 'utf8'))).toEqual({ database: { password } });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect([config.user, app.user]).toEqual([image.user, image.user]);
  });
});
