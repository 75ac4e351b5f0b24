import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  awsPlace,
  dynalite,
  failed,
  ok,
  type Place,
  type Running,
  stored,
  vaultPlace,
} from '../end-to-end/backends.ts';
import { canMount, type Mounts, startMounts } from '../support/mounts.ts';
import { run, standaloneUnderTest } from '../support/run.ts';
import { type Certificate, makeCertificate, portOf, tlsFront } from '../support/tls.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * What is true of the single file alone: what it needs of a machine, and what there has a say in it. What it does is
 * tested as of the command, by test/end-to-end.
 */

const command = standaloneUnderTest() ?? '';
const folder = temporaryFolder();
let running: Running;
let place: Place;
/** The same table, with DynamoDB behind TLS. */
let secure: Place;
let tls: Server;
let certificate: Certificate;

beforeAll(async () => {
  running = await dynalite.start();
  place = await running.place();
  expect(await place.cs(['put', 'db', 'secret'])).toEqual(stored('db'));
  certificate = makeCertificate(folder);
  tls = await tlsFront(certificate, running.dynamo ?? '');
  secure = awsPlace(
    `https://127.0.0.1:${portOf(tls)}`,
    running.kms?.url ?? '',
    place.args[1] ?? '',
  );
});
afterAll(async () => {
  tls.close();
  await running.close();
});

describe.runIf(canMount())('where there is nothing else', () => {
  const root = join(folder, 'root');
  const changeRoot = ['/usr/sbin/chroot', root];
  const vault = vaultPlace('/vault');
  let mounts: Mounts;
  let under: Mounts['under'];

  beforeAll(async () => {
    // "libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x…)", and the loader by its path alone
    const libraries = [...execFileSync('ldd', [command], { encoding: 'utf8' }).matchAll(/\/\S+/g)];
    for (const path of [command, certificate.path, ...libraries.map(([each]) => each)]) {
      mkdirSync(join(root, dirname(path)), { recursive: true });
      copyFileSync(path, join(root, path));
    }
    // Those of glibc, which is one package.
    expect(libraries.map(([each]) => basename(each)).sort()).toEqual([
      expect.stringMatching(/^ld-linux.*\.so/),
      'libc.so.6',
      'libdl.so.2',
      'libm.so.6',
      'libpthread.so.0',
    ]);
    // No /etc, no /dev, no shell; but every container has a /proc, and Bun reads it when it starts.
    mkdirSync(join(root, 'proc'));
    mounts = await startMounts(`mount --rbind /proc '${join(root, 'proc')}'`);
    under = [...mounts.under, ...changeRoot];
  });
  afterAll(() => mounts.close());

  test('it tells its version in an empty environment', async () => {
    const { status, stdout, stderr } = await run(['--version'], {
      under: [...mounts.under, 'env', '-i', 'PATH=/nonexistent', ...changeRoot],
    });
    expect({ status, stdout: stdout.toString(), stderr }).toEqual(
      ok(expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string),
    );
  });

  test('the vault works', async () => {
    expect(await vault.cs(['put', 'a', '-'], { under, input: 'x' })).toEqual(stored('a'));
    expect(await vault.cs(['get', 'a'], { under })).toEqual(ok('x\n'));
    expect(readdirSync(join(root, 'vault')).sort()).toEqual(['master.key', 'vault.db']);
  });

  test('AWS works, over TLS with the certificates that it is given', async () => {
    expect(await place.cs(['get', 'db'], { under })).toEqual(ok('secret\n'));
    expect(await secure.cs(['get', 'db'], { under })).toEqual(failed(7, 'CERT'));
    // What Bun trusts if nobody tells it whom to trust.
    mkdirSync(join(root, 'etc/ssl/certs'), { recursive: true });
    for (const each of ['etc/ssl/cert.pem', 'etc/ssl/certs/authority.pem']) {
      copyFileSync(certificate.path, join(root, each));
    }
    execFileSync('openssl', ['rehash', join(root, 'etc/ssl/certs')]);
    expect(await secure.cs(['get', 'db'], { under })).toEqual(failed(7, 'CERT'));
    for (const name of ['AWS_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS']) {
      const env = { [name]: certificate.path };
      expect(await secure.cs(['get', 'db'], { under, env }), name).toEqual(ok('secret\n'));
    }
  });
});

describe('what stands in a folder or in the environment', () => {
  const cwd = join(folder, 'hostile');
  const home = join(folder, 'home');
  const marker = join(folder, 'code-ran');
  const elsewhere = join(folder, 'elsewhere');
  const code = join(cwd, 'code.cjs');

  beforeAll(() => {
    for (const each of [cwd, home, join(cwd, 'node_modules/libsql')]) {
      mkdirSync(each, { recursive: true });
    }
    const source = `require('node:fs').writeFileSync(${JSON.stringify(marker)}, '')`;
    writeFileSync(code, source);
    writeFileSync(join(cwd, 'code.mjs'), source.replace('require(', 'process.getBuiltinModule('));
    writeFileSync(join(cwd, 'watchdog.cjs'), source);
    writeFileSync(join(cwd, 'node_modules/libsql/index.js'), source);
    for (const each of ['.env', '.env.local', '.env.production', '.env.development']) {
      writeFileSync(join(cwd, each), `CREDSTASH_LOCAL=${elsewhere}\n`);
    }
    for (const each of [join(cwd, 'bunfig.toml'), join(home, '.bunfig.toml')]) {
      writeFileSync(each, `preload = [${JSON.stringify(code)}]\n`);
    }
    writeFileSync(join(cwd, 'package.json'), '{"scripts":{"list":"touch code-ran"}}');
    writeFileSync(
      join(cwd, 'tsconfig.json'),
      '{"compilerOptions":{"baseUrl":".","paths":{"*":["./code.cjs"]}}}',
    );
  });

  test('files that Bun reads where it is started have no say', async () => {
    const env = { HOME: home, XDG_CONFIG_HOME: home, AWS_REGION: 'us-east-1' };
    const credentials = failed(6, 'no AWS credentials were found');
    expect(await place.cs(['put', 'here', 'x'], { cwd, env })).toEqual(stored('here'));
    const { status, stdout, stderr } = await run(['list'], { cwd, env });
    expect({ status, stdout: stdout.toString(), stderr }).toEqual(credentials);
    expect(await vaultPlace(join(folder, 'mine')).cs(['list'], { cwd, env })).toMatchObject({
      status: 3,
    });
    expect([existsSync(marker), existsSync(elsewhere)]).toEqual([false, false]);
    expect(existsSync(join(cwd, 'code-ran'))).toBe(false);
  });

  test('no variable that makes a runtime talkative shows more than a warning of itself', async () => {
    const section = 'child_process,fetch,http,http2,https,net,stream,tls,undici';
    const env = {
      NODE_DEBUG: section,
      NODE_OPTIONS: `--require ${code} --trace-warnings`,
      BUN_CONFIG_VERBOSE_FETCH: 'curl',
      AWS_CA_BUNDLE: certificate.path,
    };
    const warnings =
      /^(?:\(node:\d+\) Warning: Setting the NODE_DEBUG environment variable .*\n|\(Use .*\n)*$/;
    const warned: unknown = expect.stringMatching(warnings);
    for (const each of [place, secure]) {
      const put = await each.cs(['put', 'quiet', '-', '-a'], { env, input: 'canary' });
      expect(put).toEqual({ ...stored('quiet'), stderr: warned });
      const got = await each.cs(['get', 'quiet'], { env });
      expect(got).toEqual({ ...ok('canary\n'), stderr: warned });
    }
    expect(existsSync(marker)).toBe(false);
  });

  const left = (): string[] => readdirSync(cwd).sort();

  // docs/explanation/threat-model.md, "Settings of the runtime".
  test.each([
    `--preload ${code}`,
    `--preload=${code}`,
    `-r ${code}`,
    `--require=${code}`,
    `--import ${code}`,
    `-- --preload ${code}`,
    `'--preload' '${code}'`,
    `run ${code}`,
    code,
    `--config=${join(cwd, 'bunfig.toml')}`,
    `--env-file=${join(cwd, '.env')}`,
    '--print 40+2',
    '-e console.log(40+2)',
    '--version',
    '--heap-prof',
    '--cpu-prof',
    '--inspect-wait=127.0.0.1:0',
    '--cwd=/',
  ])('BUN_OPTIONS=%s does nothing', async (options) => {
    const before = left();
    const env = { BUN_OPTIONS: options };
    expect(await place.cs(['get', 'db'], { cwd, env })).toEqual(ok('secret\n'));
    expect(left()).toEqual(before);
    expect([existsSync(marker), existsSync(elsewhere)]).toEqual([false, false]);
  });

  test('BUN_OPTIONS reaches the command that exec runs, as every other variable', async () => {
    const env = { BUN_OPTIONS: '--smol' };
    const given = await place.cs(['exec', 'db', '--', 'printenv', 'DB', 'BUN_OPTIONS'], { env });
    expect(given).toEqual(ok('secret\n--smol\n'));
  });

  test('no variable opens a debugger, or loads code with one', async () => {
    const refused = { status: 1, stdout: '' };
    for (const file of [code, join(cwd, 'code.mjs')]) {
      const env = { BUN_INSPECT_PRELOAD: file };
      expect(await place.cs(['get', 'db'], { env })).toMatchObject(refused);
    }
    for (const url of ['ws://127.0.0.1:0/x', 'ws://127.0.0.1:0/x?wait=1']) {
      const env = { BUN_INSPECT: url, BUN_INSPECT_PRELOAD: code };
      const got = await place.cs(['get', 'db'], { env });
      expect(got).toMatchObject(refused);
      expect(got.stderr).toMatch(/BUN_INSPECT cannot be used/);
    }
    expect(existsSync(marker)).toBe(false);
    let connections = 0;
    const socket = join(folder, 'debugger.sock');
    const server = createServer(() => (connections += 1)).listen(socket);
    await once(server, 'listening');
    const env = { BUN_INSPECT_CONNECT_TO: socket, BUN_INSPECT_NOTIFY: `unix://${socket}` };
    const got = await place.cs(['get', 'db'], { env });
    server.close();
    expect(got).toMatchObject({ status: 0, stdout: 'secret\n' });
    expect(connections).toBe(0);
  });

  test('completion runs a thread of its own, and not the file of that name', async () => {
    const words = [...place.args, 'get', 'd'];
    const complete = ['__complete', 'zsh', '--', ...words];
    const { status, stdout } = await run(complete, { cwd, env: place.env });
    expect(status).toBe(0);
    expect(stdout.toString()).toMatch(/^words\ndb\t\n/);
    expect(existsSync(marker)).toBe(false);
  });

  // docs/how-to/containers.md, "A single file, no Node", which says so.
  test('BUN_BE_BUN=1 makes it the interpreter that it holds', async () => {
    const other = await run(['-e', 'console.log(40 + 2)'], { env: { BUN_BE_BUN: '1' } });
    expect(other.stdout.toString()).toBe('42\n');
  });
});

test('made in another folder, it has the same bytes', () => {
  const root = join(import.meta.dirname, '../..');
  const copy = join(folder, 'made/elsewhere');
  for (const part of ['dist/bin', 'scripts', 'package.json']) {
    cpSync(join(root, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(root, '.cache'), join(copy, '.cache'));
  const script = ['-c', 'umask 077; exec "$0" scripts/build-standalone.js', process.execPath];
  execFileSync('sh', script, { cwd: copy, stdio: 'pipe' });
  const made = readFileSync(join(copy, 'dist/standalone/credstash'));
  expect(made.includes(copy)).toBe(false);
  // Buffer.compare would print 100 MB.
  expect(made.equals(readFileSync(command))).toBe(true);
});
