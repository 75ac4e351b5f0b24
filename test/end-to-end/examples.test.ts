import { execFileSync, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { Credstash } from '../../src/index.ts';
import { type Aws, startAws } from '../support/aws.ts';
import { dynamoLocalMissing, startDynamoLocal } from '../support/dynamo.ts';
import { describeUnless } from '../support/needed.ts';
import { pack } from '../support/packed.ts';
import { link, makeProject } from '../support/project.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * What stands in examples/, compiled and run in a project made from scratch, on the package as npm publishes it.
 */

// Labels are moved in transactions, which dynalite has not.
describeUnless(dynamoLocalMissing(), 'the examples', () => {
  const root = join(import.meta.dirname, '../..');
  const folder = temporaryFolder();
  const project = join(folder, 'project');
  let aws: Aws;
  let credstash: Credstash;

  beforeAll(async () => {
    makeProject(project, pack());
    link(project, '@types/node');
    mkdirSync(join(project, 'src'));
    cpSync(join(root, 'examples'), join(project, 'src'), { recursive: true });
    writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }\n');
    const compilerOptions = {
      ...{ module: 'nodenext', target: 'es2023', lib: ['es2023'], types: ['node'] },
      ...{ strict: true, skipLibCheck: true, rootDir: 'src', outDir: 'dist' },
    };
    writeFileSync(
      join(project, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, include: ['src'] }),
    );
    execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', project], { stdio: 'inherit' });
    aws = await startAws(startDynamoLocal);
    for (const [name, value] of Object.entries(aws.env)) vi.stubEnv(name, value);
    credstash = new Credstash();
  });
  afterAll(async () => {
    await credstash.close();
    vi.unstubAllEnvs();
    await aws.close();
  });

  interface Ended {
    readonly status: number | null;
    readonly stdout: string;
    readonly stderr: string;
  }

  interface Started {
    readonly ended: Promise<Ended>;
    /** Resolves with what was printed once it matches. */
    readonly says: (pattern: RegExp) => Promise<RegExpExecArray>;
    readonly kill: (signal: NodeJS.Signals) => void;
  }

  function start(args: readonly string[], more: Readonly<Record<string, string>> = {}): Started {
    const child = spawn(process.execPath, args, {
      cwd: join(project, 'dist'),
      env: {
        PATH: process.env['PATH'],
        HOME: folder,
        AWS_EC2_METADATA_DISABLED: 'true',
        AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
        ...aws.env,
        ...more,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 120_000,
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const ended = new Promise<Ended>((resolve) => {
      child.on('close', (status) => {
        resolve({ status, stdout, stderr });
      });
    });
    return {
      ended,
      says: (pattern) =>
        eventually(() => {
          const match = pattern.exec(stdout);
          if (match) return match;
          throw new Error(`it says ${stdout}${stderr}`);
        }),
      kill: (signal) => child.kill(signal),
    };
  }

  const put = async (name: string, value: string, label?: string): Promise<void> => {
    const { version } = await credstash.put(name, Buffer.from(value), { autoversion: true });
    if (label !== undefined) await credstash.label(name, label, { version });
  };

  describe('server', () => {
    it('does not start without all of its secrets, and names each that is missing', async () => {
      expect(await start(['server.js']).ended).toEqual({
        status: 1,
        stdout: '',
        stderr: `cannot start: 2 of 2 secrets cannot be got from the table credential-store in us-east-1, so none is given
  app.session-key: there is no secret app.session-key in the table credential-store in us-east-1
  app.db-password: there is no secret app.db-password in the table credential-store in us-east-1
`,
      });
    });

    it('serves, asks once for many requests, and ends in good order', async () => {
      await put('app.session-key', 'k');
      await put('app.db-password', 'p');
      const server = start(['server.js'], { PORT: '0' });
      const [, port] = await server.says(/"port":(\d+)/);
      const get = async (token: string): Promise<number> =>
        (await fetch(`http://127.0.0.1:${port}`, { headers: { authorization: `Bearer ${token}` } }))
          .status;
      expect(await get('t0ken')).toBe(503);
      await put('app.api-token', 't0ken', 'current');
      const before = aws.kms.requests.length;
      expect(await Promise.all(Array.from({ length: 20 }, () => get('t0ken')))).toEqual(
        Array(20).fill(200),
      );
      expect(await get('other')).toBe(401);
      expect(aws.kms.requests.length - before).toBe(1);
      server.kill('SIGTERM');
      const { status, stderr, stdout } = await server.ended;
      expect(status).toBe(0);
      expect(stdout + stderr).not.toContain('t0ken');
    });
  });

  it('lambda: one request for many events', async () => {
    await put('orders.signing-key', 'key');
    writeFileSync(
      join(project, 'dist/invoke.js'),
      `import { handler } from './lambda.js';
const context = { getRemainingTimeInMillis: () => 10_000 };
const events = ['1', '2', '3'].map((order) => ({ order }));
console.log(JSON.stringify(await Promise.all(events.map((event) => handler(event, context)))));
console.log(JSON.stringify(await handler({ order: '1' }, context)));
`,
    );
    const before = aws.kms.requests.length;
    const { status, stdout, stderr } = await start(['invoke.js']).ended;
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const signed = ['1', '2', '3'].map((order) => ({
      signature: createHmac('sha256', 'key').update(order).digest('hex'),
    }));
    expect(stdout).toBe(`${JSON.stringify(signed)}\n${JSON.stringify(signed[0])}\n`);
    expect(aws.kms.requests.length - before).toBe(1);
  });

  describe('ci', () => {
    const print = ['-e', 'console.log(process.env.PASSWORD, process.env.OTHER); process.exit(3)'];

    it('runs a command with the secrets, masks them for GitHub, and ends as it does', async () => {
      await put('ci.password', 's3cret', 'stable');
      const variables = { PASSWORD: 'credstash://ci.password?label=stable', OTHER: 'x' };
      expect(await start(['ci.js', process.execPath, ...print], variables).ended).toEqual({
        status: 3,
        stdout: 's3cret x\n',
        stderr: '',
      });
      const inGithub = { ...variables, GITHUB_ACTIONS: 'true' };
      expect(await start(['ci.js', process.execPath, ...print], inGithub).ended).toMatchObject({
        stdout: '::add-mask::s3cret\ns3cret x\n',
      });
    });

    it('passes on a reference that an outsider wrote', async () => {
      const before = aws.kms.requests.length;
      const variables = { OTHER: 'credstash://ci.password?label=stable' };
      expect(await start(['ci.js', process.execPath, ...print], variables).ended).toEqual({
        status: 3,
        stdout: `undefined ${variables.OTHER}\n`,
        stderr: '',
      });
      expect(aws.kms.requests.length).toBe(before);
    });

    it('names the variable of what is missing, and runs nothing', async () => {
      const ended = await start(['ci.js', process.execPath, ...print], {
        PASSWORD: 'credstash://ci.nothing',
      }).ended;
      expect(ended).toMatchObject({ status: 3, stdout: '' });
      expect(ended.stderr).toContain('  PASSWORD: there is no secret ci.nothing in ');
      expect(await start(['ci.js']).ended).toMatchObject({ status: 2, stdout: '' });
    });
  });

  describe('rotate', () => {
    it('moves the label to what works, and takes back what does not', async () => {
      const state = { password: 'first', broken: false };
      const service = createServer((request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => {
          const allowed = request.headers.authorization === `Bearer ${state.password}`;
          if (!allowed || (request.method === 'PUT' && state.broken)) response.writeHead(401).end();
          else {
            if (request.method === 'PUT') state.password = Buffer.concat(chunks).toString();
            response.writeHead(204).end();
          }
        });
      });
      await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
      const SERVICE = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
      const rotate = (): Promise<Ended> => start(['rotate.js'], { SERVICE }).ended;
      const current = (): Promise<string> =>
        credstash.getText('service.password', { label: 'current' });
      const versions = async (): Promise<number[]> =>
        (await credstash.history('service.password')).map(({ version }) => Number(version));
      try {
        expect(await rotate()).toMatchObject({
          status: 1,
          stderr:
            'service.password has no version with the label current: store the first one by hand\n',
        });
        await put('service.password', 'first', 'current');
        expect(await rotate()).toMatchObject({
          status: 0,
          stdout: expect.stringMatching(/^current moved from 0*1 to 0*2\n$/) as string,
          stderr: '',
        });
        expect(state.password).toMatch(/^[\w-]{43}$/);
        expect(await current()).toBe(state.password);
        const second = await current();

        state.broken = true;
        const failed = await rotate();
        expect(failed.status).toBe(1);
        expect(failed.stderr).toMatch(
          /^version 0*3 was taken back\nError: the service refused the new password: HTTP 401\n$/,
        );
        expect(await current()).toBe(second);
        expect(await versions()).toEqual([2, 1]);

        state.broken = false;
        expect(await rotate()).toMatchObject({ status: 0, stderr: '' });
        expect(await current()).toBe(state.password);
        expect(await versions()).toEqual([3, 2]);
      } finally {
        service.close();
      }
    });
  });

  it('each example is in the table of their README', () => {
    const table = readFileSync(join(root, 'examples/README.md'), 'utf8');
    const files = readdirSync(join(root, 'examples')).filter((each) => each.endsWith('.ts'));
    expect(files.length).toBeGreaterThan(3);
    for (const name of files) expect(table).toContain(`(${name})`);
  });
});
