import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Step } from '../../src/operations/doctor.ts';
import { Credstash } from '../../src/index.ts';
import { awsError, type Recorder, startRecorder } from '../support/recorder.ts';
import type { RunOptions } from '../support/run.ts';
import { testCredential } from '../support/sigv4.ts';
import { startKmsServer } from '../support/kms-server.ts';
import { startStsServer, type StsServer } from '../support/sts-server.ts';
import { CLOSED } from '../support/tls.ts';
import { execute, makeOlder } from '../support/vault-files.ts';
import {
  asText,
  awsEnv,
  backends,
  dynalite,
  type Ended,
  ok,
  runHere,
  type Running,
  vault,
  vaultPlace,
} from './backends.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
const pairs = ['app=web'];
let sts: StsServer;
beforeAll(async () => {
  sts = await startStsServer();
});
afterAll(async () => {
  await sts.close();
});

/** The lines, each without the space that is for the eye. */
function linesOf({ stdout }: Ended): string[] {
  return stdout
    .replace(/\n\n\d+ checks: [^\n]+\n$/, '')
    .split('\n')
    .map((line) => line.trim().replace(/ {2,}/g, ' | '));
}

/** How it ends when something failed. */
function failing(status: number, titles: string): unknown {
  const stdout: unknown = expect.any(String);
  const stderr: unknown = expect.stringMatching(
    `^credstash: error: \\d+ of \\d+ checks failed: ${titles}\n$`,
  );
  return { status, stdout, stderr };
}

describe.each(backends)('$name', ({ start }) => {
  let running: Running;
  beforeAll(async () => {
    running = await start();
  });
  afterAll(() => running.close());
  const AWS = (): RunOptions => ({ env: { AWS_ENDPOINT_URL_STS: sts.url } });

  test('everything works: exit 0, nothing is written, and with --write nothing stays', async () => {
    const place = await running.place();
    expect(await place.cs(['put', 'a', 'x'])).toMatchObject({ status: 0 });
    const before = await place.items();
    const looked = await place.cs(['doctor', ...pairs], AWS());
    expect(looked).toMatchObject({ status: 0, stderr: '' });
    const lines = linesOf(looked);
    expect(lines).toContain('ok | data key | generated');
    expect(lines).toContain(
      'ok | data key | unwrapped under the encryption context of app, credstash:name',
    );
    expect(looked.stdout).not.toContain('canary');
    expect(looked.stdout).not.toMatch(/^failed/m);
    const wrote = await place.cs(['doctor', '--write', '--name', 'of app.', ...pairs], AWS());
    expect(wrote).toMatchObject({ status: 0, stderr: '' });
    expect(linesOf(wrote).slice(-3)).toEqual([
      expect.stringMatching(
        /^ok \| canary \| of app\.credstash-doctor-[0-9a-f]{16} is sealed with AES-256-GCM and stored$/,
      ),
      'ok | canary | read, and it is what was stored',
      'ok | canary | removed',
    ]);
    expect(await place.items()).toEqual(before);
    const original = { env: { ...AWS().env, CREDSTASH_CIPHER: 'AES-256-CTR' } };
    const ctr = await place.cs(['doctor', '--write'], original);
    expect(ctr).toMatchObject({ status: 0, stderr: '' });
    expect(ctr.stdout).toContain('is sealed with AES-256-CTR and stored');
    expect(linesOf(ctr)).toContain('ok | configuration | cipher: AES-256-CTR (CREDSTASH_CIPHER)');
    expect(await place.items()).toEqual(before);
  });

  test('--json is an array of the same steps', async () => {
    const place = await running.place();
    const text = await place.cs(['doctor'], AWS());
    const json = await place.cs(['doctor', '--json'], AWS());
    expect(json).toMatchObject({ status: 0, stderr: '' });
    const steps = JSON.parse(json.stdout) as Step[];
    const lines = steps.flatMap(({ state, title, found, hint }) => [
      `${state} | ${title} | ${found}`,
      ...(hint === undefined ? [] : [hint]),
    ]);
    const timeless = (all: string[]): string[] => all.filter((line) => !line.includes('clock'));
    expect(timeless(lines)).toEqual(timeless(linesOf(text)));
  });

  test('nothing is there: exit 3, and setup is the hint', async () => {
    const place = running.absent();
    const ended = await place.cs(['doctor', '--write'], AWS());
    expect(ended).toEqual(failing(3, place.args[0] === '-t' ? 'table' : 'vault'));
    expect(ended.stdout).toMatch(/^ .*credstash .*setup/m);
    expect(ended.stdout).not.toContain('canary');
  });

  test('bad input is no step: exit 2, and nothing is looked at', async () => {
    const place = await running.place();
    for (const args of [['no pair'], ['credstash:name=x'], ['--unknown']]) {
      const ended = await place.cs(['doctor', ...args], AWS());
      expect(ended, args.join()).toMatchObject({ status: 2, stdout: '' });
    }
  });
});

describe('the vault', () => {
  let running: Running;
  beforeAll(async () => {
    running = await vault.start();
  });
  afterAll(() => running.close());

  test('what is there', async () => {
    const place = await running.place();
    await place.cs(['put', 'a', 'x']);
    await place.cs(['put', 'a', 'y', '-a']);
    const path = place.where.replace('the vault ', '');
    const { stdout } = await place.cs(['doctor']);
    expect(linesOf({ status: 0, stdout, stderr: '' })).toEqual([
      expect.stringMatching(/^ok \| runtime \| credstash \d+\.\d+\.\d+ on /),
      `ok | configuration | vault: ${path} (--local)`,
      `ok | vault | ${path}, yours (user ${process.geteuid?.() ?? ''}), of mode 700: no other user but root can open it`,
      'ok | master key | 32 bytes, of mode 600',
      expect.stringMatching(/^ok \| database \| whole, by SQLite 3\.\d+\.\d+, schema 3$/),
      'ok | database | 2 entries of 1 names',
      'ok | versions | no unpadded numbers among all entries',
      'ok | master key | it is the one that this vault was made with',
      'ok | stored entry | version 1 of a opens',
      'ok | writer | the vault can be written to',
      'ok | data key | generated',
      'ok | data key | unwrapped under the encryption context of credstash:name',
    ]);
  });

  test('modes, drafts, and a key that is short or gone', async () => {
    const place = await running.place();
    const path = place.where.replace('the vault ', '');
    const [key, database] = [join(path, 'master.key'), join(path, 'vault.db')];
    writeFileSync(join(path, 'vault.db.0123456789abcdef.tmp'), '');
    chmodSync(database, 0o644);
    const warned = await place.cs(['doctor']);
    expect(warned).toMatchObject({ status: 0, stderr: '' });
    expect(warned.stdout).toMatch(/^warning .*vault\.db is of mode 644.*\n +chmod 600 /m);
    expect(warned.stdout).toMatch(/^warning .*1 files of first puts.*\n +the next put removes/m);
    chmodSync(database, 0o600);

    chmodSync(key, 0o640);
    const open = await place.cs(['doctor', '--write']);
    expect(open).toEqual(failing(6, 'master key'));
    expect(open.stdout).toMatch(/^failed +master key .*\n +chmod 600 /m);
    expect(open.stdout).not.toContain('data key');
    chmodSync(key, 0o600);

    const whole = readFileSync(key);
    writeFileSync(key, whole.subarray(1));
    const short = await place.cs(['doctor']);
    expect(short).toEqual(failing(6, 'master key'));
    expect(short.stdout).toContain('31 bytes instead of 32');
    writeFileSync(key, whole);

    chmodSync(path, 0o755);
    expect(await place.cs(['doctor'])).toEqual(failing(6, 'vault'));
    chmodSync(path, 0o700);
    expect(await place.cs(['doctor'])).toMatchObject({ status: 0 });
  });

  test('a stored entry: which opens, what it takes, and one that was changed', async () => {
    const place = await running.place();
    const path = place.where.replace('the vault ', '');
    expect((await place.cs(['doctor'])).stdout).not.toContain('stored entry');
    await place.cs(['put', 'with.pairs', 'x', 'k=v']);
    const unknown = await place.cs(['doctor']);
    expect(unknown).toMatchObject({ status: 0, stderr: '' });
    const hint = `credstash --local=${path} doctor KEY=VALUE… with the encryption context of one of them`;
    expect(unknown.stdout).toContain(
      `unknown  stored entry   none opens without its encryption context\n                        ${hint}\n`,
    );
    const given = await place.cs(['doctor', 'k=v']);
    expect(given.stdout).toContain('ok       stored entry   version 1 of with.pairs opens\n');

    makeOlder(path, 2);
    const older = await place.cs(['doctor']);
    expect(older).toMatchObject({ status: 0, stderr: '' });
    expect(older.stdout).toMatch(
      /^warning +stored entry .* whether the master key is this vault's is not known$/m,
    );
    expect(older.stdout).not.toContain('the one that this vault was made with');

    await place.cs(['put', 'b', 'x', '-c', 'comment']);
    execute(path, "UPDATE entries SET comment = 'changed' WHERE name = 'b'");
    const changed = await place.cs(['doctor']);
    expect(changed).toEqual(failing(5, 'stored entry'));
    expect(changed.stdout).toMatch(/^failed +stored entry +version 1 of b: it does not verify/m);
  });

  test('a second name of the database is told, and what the hint says takes it away', async () => {
    const place = await running.place();
    const path = place.where.replace('the vault ', '');
    await place.cs(['put', 'a', 'x']);
    linkSync(join(path, 'vault.db'), join(path, 'backup.db'));
    const { stdout } = await place.cs(['doctor']);
    const command = /^warning +vault .*vault\.db has 2 names.*\n +(.*)$/m.exec(stdout)?.[1] ?? '';
    execFileSync('sh', ['-c', command]);
    const after = await place.cs(['doctor']);
    expect(after).toMatchObject({ status: 0, stderr: '' });
    expect(after.stdout).not.toMatch(/^warning/m);
    expect(await place.cs(['get', 'a'])).toEqual(ok('x\n'));
  });

  test('a database that is damaged: exit 5, whatever failed before', async () => {
    const place = await running.place();
    const names = Array.from({ length: 40 }, (_, n) => `name-${n}`);
    const input = JSON.stringify(Object.fromEntries(names.map((name) => [name, 'x'.repeat(3000)])));
    expect(await place.cs(['putall', '-'], { input })).toMatchObject({ status: 0 });
    const path = place.where.replace('the vault ', '');
    const database = join(path, 'vault.db');
    const bytes = readFileSync(database);
    // Pages behind the first, which has the schema.
    bytes.fill(0xff, 4096 * 2, 4096 * 4);
    writeFileSync(database, bytes);
    chmodSync(join(path, 'master.key'), 0o644);
    const ended = await place.cs(['doctor']);
    expect(ended).toEqual(failing(5, 'master key, database'));
    expect(ended.stdout).toMatch(/^failed +database .*damaged.*\n +restore its files/m);
  });

  test('an unknown folder is not created, and control characters are made visible', async () => {
    const path = join(folder, 'a\x1bb');
    const place = vaultPlace(path, runHere);
    const ended = await place.cs(['doctor', '--write']);
    expect(ended).toEqual(failing(3, 'vault'));
    expect(ended.stdout).toContain('a\\u001bb');
    expect(ended.stdout).not.toContain('\x1b');
    expect(readdirSync(folder)).not.toContain('a\x1bb');
    // Of the library, which creates a vault where it is used.
    const credstash = Credstash.local(path);
    const states: string[] = [];
    for await (const { title, state } of credstash.doctor()) states.push(`${title} ${state}`);
    expect(states).toEqual(['vault failed']);
    expect(readdirSync(folder)).not.toContain('a\x1bb');
  });

  test('a ~/.credstash that is none: a step that failed, exit 2', async () => {
    const HOME = join(folder, 'home');
    mkdirSync(HOME);
    writeFileSync(join(HOME, '.credstash'), '[]');
    const ended = asText(await runHere(['doctor'], { env: { HOME } }));
    expect(ended).toEqual(failing(2, 'configuration'));
    expect(linesOf(ended)[1]).toBe(
      `failed | configuration | ${HOME}/.credstash is not a JSON object`,
    );
    expect(statSync(join(HOME, '.credstash')).size).toBe(2);
  });
});

describe('AWS', () => {
  let running: Running;
  let recorder: Recorder;
  let table: string;
  beforeAll(async () => {
    running = await dynalite.start();
    if (!running.kms || running.dynamo === undefined) throw new Error('not AWS');
    recorder = await startRecorder({ DynamoDB: running.dynamo, KMS: running.kms.url });
    const place = await running.place();
    table = place.args[1] ?? '';
  });
  afterAll(async () => {
    await Promise.all([running.close(), recorder.close()]);
  });
  beforeEach(() => {
    recorder.requests.length = 0;
    sts.requests.length = 0;
  });
  afterEach(() => {
    vi.useRealTimers();
    recorder.meddle = undefined;
    sts.deny(false);
  });

  /** Runs the doctor with all that it sends passing the recorder; no run may print a credential. */
  async function doctor(args: string[] = [], env: Record<string, string> = {}): Promise<Ended> {
    const ended = asText(
      await runHere(['doctor', '-t', table, ...args], {
        env: { ...awsEnv(recorder.url, recorder.url), AWS_ENDPOINT_URL_STS: sts.url, ...env },
      }),
    );
    const printed = ended.stdout + ended.stderr;
    expect(printed).not.toContain(testCredential.secretAccessKey);
    expect(printed).not.toContain(testCredential.accessKeyId);
    return ended;
  }

  function deny(...actions: string[]): void {
    recorder.meddle = (action) =>
      Promise.resolve(
        actions.includes(action) ? awsError('AccessDeniedException', 'because') : undefined,
      );
  }

  test('nothing is written but the canary: each write is under a condition that cannot hold', async () => {
    const sentBy = async (...args: string[]): Promise<string[]> => {
      recorder.requests.length = 0;
      expect(await doctor(args)).toMatchObject({ status: 0, stderr: '' });
      for (const { action, sent } of recorder.requests) {
        if (/DynamoDB\.(Put|Update|Delete)Item/.test(action)) expect(sent).toMatch(/attribute_/);
      }
      return recorder.requests.map(({ action }) => action);
    };
    const looks = [
      'DynamoDB.DescribeTable',
      'DynamoDB.DescribeContinuousBackups',
      'DynamoDB.Query',
      'DynamoDB.GetItem',
      'DynamoDB.Scan',
      'DynamoDB.Scan',
      'DynamoDB.PutItem',
      'DynamoDB.DeleteItem',
      'DynamoDB.UpdateItem',
      'KMS.DescribeKey',
      'KMS.GetKeyRotationStatus',
      'KMS.GenerateDataKey',
      'KMS.Decrypt',
    ];
    expect(await sentBy()).toEqual(looks);
    const written = recorder.requests.filter(({ action }) => /Item$/.test(action));
    expect(written.filter(({ answer }) => answer.includes('ConditionalCheckFailed'))).toHaveLength(
      3,
    );
    expect(await sentBy('--write')).toEqual([
      ...looks,
      'KMS.GenerateDataKey',
      'DynamoDB.PutItem',
      'DynamoDB.Query',
      'KMS.Decrypt',
      'DynamoDB.DeleteItem',
    ]);
  });

  test('where each value came from, without what may be a password', async () => {
    const HOME = join(folder, 'home2');
    mkdirSync(HOME);
    writeFileSync(join(HOME, '.credstash'), '{"kms-region": "eu-west-2"}');
    const proxied = await doctor([], {
      HOME,
      AWS_REGION: 'eu-west-1',
      AWS_PROFILE: 'nobody',
      HTTP_PROXY: 'http://me:pass%77ord@127.0.0.1:1',
      NO_PROXY: '127.0.0.1',
      no_proxy: '127.0.0.1',
    });
    expect(proxied).toMatchObject({ status: 0, stderr: '' });
    expect(proxied.stdout).not.toContain('pass');
    const lines = linesOf(proxied);
    for (const line of [
      `ok | configuration | table: ${table} (-t)`,
      'ok | configuration | key: alias/credstash (default)',
      'ok | configuration | region of the key: eu-west-2 (~/.credstash)',
      'ok | configuration | profile: nobody (AWS_PROFILE)',
      `ok | endpoint | KMS: ${recorder.url} (AWS_ENDPOINT_URL_KMS)`,
      'ok | region | eu-west-1 (AWS_REGION); of the key eu-west-2 (as given)',
      'ok | credentials | found (env vars)',
    ]) {
      expect(lines).toContain(line);
    }
    expect(proxied.stdout).toMatch(/configuration {2}proxy: 127\.0\.0\.1:1 \(HTTP_PROXY\)$/m);
    const env = { ...awsEnv(recorder.url, recorder.url), AWS_ENDPOINT_URL_STS: sts.url };
    const byDefault = await runHere(['doctor', '-k', 'alias/credstash', '-r', 'sa-east-1'], {
      env: { ...env, CREDSTASH_DEFAULT_TABLE: table },
    });
    const own = linesOf(asText(byDefault));
    expect(own).toContain(`ok | configuration | table: ${table} (CREDSTASH_DEFAULT_TABLE)`);
    expect(own).toContain('ok | configuration | key: alias/credstash (-k)');
    expect(own).toContain('ok | configuration | region: sa-east-1 (-r)');
  });

  describe('the endpoint that is used', () => {
    let decoy: Recorder;
    beforeAll(async () => {
      decoy = await startRecorder();
    });
    afterAll(() => decoy.close());
    beforeEach(() => {
      decoy.requests.length = 0;
    });

    /** The lines about endpoints, and whether each request went to the recorder and none to the decoy. */
    async function endpointsOf(
      config: string,
      env: Record<string, string>,
      args: string[] = [],
    ): Promise<string[]> {
      const path = join(folder, 'config-of-endpoints');
      writeFileSync(path, config);
      const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = awsEnv('', '');
      const keys = { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY };
      const options = { env: { ...keys, AWS_CONFIG_FILE: path, ...env } };
      const ended = asText(await runHere([...args, 'doctor', '-t', table], options));
      expect(recorder.requests.map(({ action }) => action)).toEqual(
        expect.arrayContaining(['DynamoDB.Query', 'KMS.DescribeKey']),
      );
      expect(decoy.requests).toEqual([]);
      expect(ended).toMatchObject({ status: 0, stderr: '' });
      return linesOf(ended).filter((line) => line.includes('| endpoint |'));
    }

    const said = (from: string, services = ['DynamoDB', 'KMS']): string[] =>
      services.map((service) => `ok | endpoint | ${service}: ${recorder.url} (${from})`);

    test('AWS_ENDPOINT_URL, and before it that of the service', async () => {
      const all = await endpointsOf('', { AWS_ENDPOINT_URL: recorder.url });
      expect(all).toEqual(said('AWS_ENDPOINT_URL', ['DynamoDB', 'KMS', 'STS']));
      recorder.requests.length = 0;
      const each = await endpointsOf('', {
        AWS_ENDPOINT_URL: decoy.url,
        AWS_ENDPOINT_URL_DYNAMODB: recorder.url,
        AWS_ENDPOINT_URL_KMS: recorder.url,
        AWS_ENDPOINT_URL_STS: sts.url,
      });
      expect(each).toEqual([
        ...said('AWS_ENDPOINT_URL_DYNAMODB', ['DynamoDB']),
        ...said('AWS_ENDPOINT_URL_KMS', ['KMS']),
        `ok | endpoint | STS: ${sts.url} (AWS_ENDPOINT_URL_STS)`,
      ]);
    });

    const keysOf = `aws_access_key_id = ${testCredential.accessKeyId}
aws_secret_access_key = ${testCredential.secretAccessKey}
`;
    const profiles = (): string => `[default]
endpoint_url = ${decoy.url}
[profile plain]
${keysOf}endpoint_url = ${recorder.url}
[profile sections]
${keysOf}endpoint_url = ${decoy.url}
services = mine
[services mine]
dynamodb =
  endpoint_url = ${recorder.url}
kms =
  endpoint_url = ${recorder.url}
sts =
  endpoint_url = ${sts.url}
`;

    test.each(['AWS_PROFILE', 'AWS_DEFAULT_PROFILE', '-p'])(
      'of the profile that %s names, and not of the default one',
      async (how) => {
        const named = (name: string): [Record<string, string>, string[]] => {
          const env = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' };
          return how === '-p' ? [env, ['-p', name]] : [{ ...env, [how]: name }, []];
        };
        const plain = await endpointsOf(profiles(), ...named('plain'));
        expect(plain.slice(0, 2)).toEqual(said('endpoint_url of the profile plain'));
        recorder.requests.length = 0;
        const sections = await endpointsOf(profiles(), ...named('sections'));
        expect(sections).toEqual(
          [recorder.url, recorder.url, sts.url].map((url, at) => {
            const service = ['DynamoDB', 'KMS', 'STS'][at] ?? '';
            const key = `${service.toLowerCase()}.endpoint_url`;
            const from = `${key} of the services section of the profile sections`;
            return `ok | endpoint | ${service}: ${url} (${from})`;
          }),
        );
      },
    );

    test('the default one, if none is configured or none counts', async () => {
      const path = join(folder, 'config-that-is-ignored');
      writeFileSync(path, profiles());
      /** What the library tells, up to where it would ask AWS. */
      const ask = async (
        env: Record<string, string>,
        credentials?: typeof testCredential,
      ): Promise<string[]> => {
        const clean = { AWS_ENDPOINT_URL_STS: sts.url, AWS_CONFIG_FILE: '/dev/null' };
        const none = { AWS_ACCESS_KEY_ID: '', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' };
        for (const [name, value] of Object.entries({ ...clean, ...none, ...env })) {
          vi.stubEnv(name, value);
        }
        const credstash = new Credstash({
          region: 'eu-west-1',
          ...(credentials && { credentials }),
        });
        const found: string[] = [];
        for await (const { title, found: one } of credstash.doctor()) {
          if (title === 'endpoint' && found.push(one) === 2) break;
        }
        await credstash.close();
        vi.unstubAllEnvs();
        return found;
      };
      const standard = [
        'DynamoDB: https://dynamodb.eu-west-1.amazonaws.com (default)',
        'KMS: https://kms.eu-west-1.amazonaws.com (default)',
      ];
      expect(await ask({}, testCredential)).toEqual(standard);
      expect(await ask({})).toEqual(standard);
      const ignored = { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true', AWS_CONFIG_FILE: path };
      expect(await ask({ ...ignored, AWS_ENDPOINT_URL: decoy.url }, testCredential)).toEqual(
        standard,
      );
      // The account of the credentials is a part of it, if they tell.
      const ofAccount = { ...testCredential, accountId: '123456789012' };
      expect(await ask({}, ofAccount)).toEqual([
        'DynamoDB: https://123456789012.ddb.eu-west-1.amazonaws.com (default)',
        standard[1],
      ]);
      expect(decoy.requests).toEqual([]);
    });

    test('one without TLS is warned of, but not on this machine', async () => {
      const warned = await doctor([], {
        AWS_ENDPOINT_URL_DYNAMODB: 'http://192.0.2.1:8000',
        AWS_ENDPOINT_URL_STS: 'http://localhost.example:1',
        AWS_MAX_ATTEMPTS: '1',
      });
      expect(warned.stdout).toMatch(
        /^warning +endpoint +DynamoDB: http:\/\/192\.0\.2\.1:8000 \(AWS_ENDPOINT_URL_DYNAMODB\), without TLS\n +.*https:/m,
      );
      expect(warned.stdout).toMatch(/^warning +endpoint +STS: http:\/\/localhost\.example:1/m);
      expect(warned.stdout).toMatch(/^ok +endpoint +KMS: http:\/\/127\.0\.0\.1:/m);
      const local = await doctor([], {
        AWS_ENDPOINT_URL_DYNAMODB: recorder.url.replace('127.0.0.1', 'localhost'),
        AWS_ENDPOINT_URL_KMS: recorder.url.replace('//', '//me:p4ss@'),
      });
      expect(local.stdout).toMatch(/^ok +endpoint +DynamoDB: http:\/\/localhost:/m);
      expect(local.stdout).toMatch(/^ok +endpoint +KMS: http:\/\/127\.0\.0\.1:/m);
      expect(local.stdout).not.toContain('p4ss');
    });

    test('one that is none: a step that failed, exit 2', async () => {
      for (const service of ['DYNAMODB', 'KMS']) {
        const ended = await doctor([], { [`AWS_ENDPOINT_URL_${service}`]: 'ftp://me:p4ss@host' });
        expect(ended).toEqual(failing(2, 'configuration'));
        expect(ended.stdout).toContain(`AWS_ENDPOINT_URL_${service} is not an http or https URL`);
        expect(ended.stdout).not.toContain('p4ss');
      }
      expect(recorder.requests).toEqual([]);
    });

    test('of the library: as given, by the options of a client, and by a client', async () => {
      const { DynamoDBClient } = await import('@aws-sdk/client-dynamodb');
      const common = { table, region: 'us-east-1', credentials: testCredential };
      const endpoint = recorder.url;
      const dynamodb = new DynamoDBClient({ ...common, endpoint });
      const from = async (options: object): Promise<string | undefined> => {
        const credstash = new Credstash({ ...common, ...options });
        const found: string[] = [];
        for await (const step of credstash.doctor()) {
          if (step.title === 'endpoint') found.push(step.found);
        }
        await credstash.close();
        expect(found[0]).toMatch(`DynamoDB: ${endpoint} (`);
        return /\((.*)\)/.exec(found[0] ?? '')?.[1];
      };
      expect(await from({ endpoint })).toBe('as given');
      const other = { endpoint: decoy.url, clientOptions: { dynamodb: { endpoint } } };
      expect(await from(other)).toBe("the application's options");
      expect(await from({ endpoint: decoy.url, clients: { dynamodb } })).toBe(
        "the application's client",
      );
      dynamodb.destroy();
    });
  });

  test('who the credentials are, a role too; STS that denies, or is not there, is no failure', async () => {
    expect(linesOf(await doctor())).toContain(
      'ok | identity | arn:aws:iam::123456789012:user/tester',
    );
    const role = 'arn:aws:iam::123456789012:role/reader';
    const kms = await startKmsServer({ credentials: sts.credentials });
    const ended = await doctor(['-n', role], { AWS_ENDPOINT_URL_KMS: kms.url });
    await kms.close();
    expect(ended.status).toBe(0);
    expect(linesOf(ended)).toContain(
      'ok | identity | arn:aws:sts::123456789012:assumed-role/reader/AssumeRoleCredstashSession1',
    );
    expect(ended.stdout).toMatch(/^ok +credentials +found \(of the role\), until \d{4}-/m);
    sts.deny(true);
    const denied = await doctor();
    expect(denied).toMatchObject({ status: 0, stderr: '' });
    expect(denied.stdout).toMatch(/^unknown +identity +the caller: access denied: sts:GetCaller/m);
    const absent = await doctor([], { AWS_ENDPOINT_URL_STS: CLOSED });
    expect(absent).toMatchObject({ status: 0, stderr: '' });
    expect(absent.stdout).toMatch(/^unknown +identity +the caller: STS cannot be reached/m);
    // A role that is refused gives no credentials.
    expect(await doctor(['-n', role])).toEqual(failing(6, 'credentials'));
  });

  test('no credentials: exit 6, and nothing is asked', async () => {
    const env = { AWS_ENDPOINT_URL: recorder.url };
    const ended = asText(await runHere(['doctor', '--write'], { env }));
    expect(ended).toEqual(failing(6, 'credentials'));
    expect(ended.stdout).toMatch(/^failed +credentials +no AWS credentials.*\n +set AWS_ACCESS/m);
    expect(recorder.requests).toEqual([]);
  });

  test('settings that cannot be: a step that failed, exit 2', async () => {
    const ended = await doctor(['-r', 'no region']);
    expect(ended).toEqual(failing(2, 'configuration'));
    expect(await doctor(['-n', 'reader'])).toEqual(failing(2, 'configuration'));
    expect(recorder.requests).toEqual([]);
  });

  test('what only an administrator may look at is unknown when it is denied', async () => {
    deny(
      'DynamoDB.DescribeTable',
      'DynamoDB.DescribeContinuousBackups',
      'KMS.DescribeKey',
      'DynamoDB.PutItem',
      'DynamoDB.UpdateItem',
      'DynamoDB.DeleteItem',
      'KMS.GenerateDataKey',
    );
    const reader = await doctor();
    expect(reader).toMatchObject({ status: 0, stderr: '' });
    expect(reader.stdout).toMatch(
      /^unknown +table +what it is like: access denied: dynamodb:Desc/m,
    );
    expect(reader.stdout).toMatch(/^unknown +table +whether point-in-time recovery is on: access/m);
    expect(reader.stdout).toMatch(
      /^unknown +key +what it is like: access denied: kms:DescribeKey/m,
    );
    expect(reader.stdout).toMatch(/^unknown +data key .*\n +.*kms:Decrypt is allowed is unknown/m);
    expect(linesOf(reader)).toContain(
      'ok | writer | dynamodb:PutItem is not allowed, which a writer would need',
    );
    const writer = await doctor(['--write']);
    expect(writer).toEqual(failing(6, 'writer, data key'));
    expect(writer.stdout).toMatch(
      RegExp(`^failed +writer .*dynamodb:PutItem.*\n +credstash -t ${table} policy writer`, 'm'),
    );
    expect(writer.stdout).toMatch(
      RegExp(`^failed +data key .*kms:Generate.*\n +credstash -t ${table} policy writer`, 'm'),
    );
    expect(writer.stdout).not.toContain('canary');
    deny('KMS.GetKeyRotationStatus');
    const rotation = await doctor();
    expect(rotation.status).toBe(0);
    expect(rotation.stdout).toMatch(/^unknown +key +whether its automatic rotation is on: access/m);
  });

  test('of a large table, the versions of one small page are read, and no names', async () => {
    recorder.meddle = (action, _, sent) => {
      if (action !== 'DynamoDB.Scan' || !sent.includes('Projection'))
        return Promise.resolve(undefined);
      const Items = Array.from({ length: 100 }, (_, i) => ({ version: { S: String(i) } }));
      const key = { name: { S: 'x' }, version: { S: '1' } };
      const body = JSON.stringify({ Items, Count: 100, LastEvaluatedKey: key });
      return Promise.resolve({ status: 200, body });
    };
    const { stdout } = await doctor();
    expect(stdout).toMatch(
      /^warning +versions +unpadded numbers among the first 100 entries: 100; they sort as text/m,
    );
    expect(stdout).toContain(`pad them: credstash -t ${table} migrate --pad-versions`);
    const scans = recorder.requests.filter(({ action }) => action === 'DynamoDB.Scan');
    expect(scans.map(({ sent }) => JSON.parse(sent) as unknown)).toEqual([
      { TableName: table, Limit: 1, Select: 'COUNT' },
      {
        TableName: table,
        Limit: 100,
        ProjectionExpression: '#version',
        ExpressionAttributeNames: { '#version': 'version' },
      },
    ]);
  });

  test.each([
    ['DynamoDB.Query', 'reader'],
    ['DynamoDB.GetItem', 'reader'],
    ['DynamoDB.Scan', 'reader'],
    ['KMS.Decrypt', 'data key'],
  ])('%s denied: exit 6', async (action, title) => {
    deny(action);
    const ended = await doctor();
    expect(ended).toEqual(failing(6, title));
    const named = action.replace('DynamoDB.', 'dynamodb:').replace('KMS.', 'kms:');
    expect(ended.stdout).toMatch(
      RegExp(
        `^failed +${title} +access denied: ${named} .*\n +credstash -t ${table} policy reader`,
        'm',
      ),
    );
    if (!action.endsWith('Scan')) return;
    const byName = await doctor(['--name', 'app.']);
    expect(byName.status).toBe(0);
    expect(byName.stdout).toContain('dynamodb:Scan is not allowed, which listings');
    expect(byName.stdout).toMatch(/^unknown +versions +whether versions sort as numbers: access/m);
    const keys = recorder.requests.filter((each) => each.action === 'DynamoDB.GetItem');
    expect(keys.at(-1)?.sent).toContain('app.credstash-doctor-');
  });

  test('recovery, protection and rotation that are off are warnings, and on they are fine', async () => {
    let isOn = false;
    recorder.meddle = async (action, answer) => {
      if (action === 'DynamoDB.DescribeContinuousBackups') {
        const PointInTimeRecoveryStatus = isOn ? 'ENABLED' : 'DISABLED';
        const description = { PointInTimeRecoveryDescription: { PointInTimeRecoveryStatus } };
        return { status: 200, body: JSON.stringify({ ContinuousBackupsDescription: description }) };
      }
      if (action !== 'DynamoDB.DescribeTable') return undefined;
      const { Table } = JSON.parse((await answer()).body) as { Table: object };
      const body = { Table: { ...Table, DeletionProtectionEnabled: isOn } };
      return { status: 200, body: JSON.stringify(body) };
    };
    running.kms?.addKey('alias/rotated');
    const off = await doctor(['-k', 'alias/rotated']);
    expect(off).toMatchObject({ status: 0, stderr: '' });
    expect(off.stdout).toMatch(/^warning +table .*recovery is off\n .*--point-in-time-recovery$/m);
    expect(off.stdout).toMatch(/^warning +table .*protection is off\n .*--deletion-protection$/m);
    expect(off.stdout).toMatch(/^warning +key .*rotation is off\n .*--create-key/m);
    isOn = true;
    running.kms?.rotateKey('alias/rotated');
    const on = await doctor(['-k', 'alias/rotated']);
    expect(on).toMatchObject({ status: 0, stderr: '' });
    expect(on.stdout).not.toMatch(/^warning +(table|key)/m);
    expect(on.stdout).toMatch(/^ok +key .*rotation is on$/m);
  });

  test('a table with other keys, or not ready: failed, and nothing more is asked of it', async () => {
    let change: object = { KeySchema: [{ AttributeName: 'name', KeyType: 'HASH' }] };
    recorder.meddle = async (action, answer) => {
      if (action !== 'DynamoDB.DescribeTable') return undefined;
      const { Table } = JSON.parse((await answer()).body) as { Table: object };
      return { status: 200, body: JSON.stringify({ Table: { ...Table, ...change } }) };
    };
    const other = await doctor();
    expect(other).toEqual(failing(2, 'table'));
    expect(other.stdout).toMatch(/^failed +table .*not a table for secrets.*\n .*version \(S\)/m);
    expect(other.stdout).not.toMatch(/^\w+ +reader/m);
    change = { TableStatus: 'CREATING' };
    expect(await doctor()).toEqual(failing(7, 'table'));
    change = {
      BillingModeSummary: undefined,
      ProvisionedThroughput: { ReadCapacityUnits: 1, WriteCapacityUnits: 2 },
    };
    expect((await doctor()).stdout).toContain('1 read and 2 write units provisioned');
  });

  test('says how large the table is and what a pattern reads, and names prune above a page', async () => {
    let size: object = {};
    recorder.meddle = async (action, answer) => {
      if (action !== 'DynamoDB.DescribeTable') return undefined;
      const { Table } = JSON.parse((await answer()).body) as { Table: object };
      return { status: 200, body: JSON.stringify({ Table: { ...Table, ...size } }) };
    };
    const linesAbout = async (what: string): Promise<string[]> => {
      const lines = linesOf(await doctor());
      const at = lines.findIndex((line) => line.includes(what));
      return lines.slice(at, at + 2);
    };
    size = { ItemCount: 2000, TableSizeBytes: 8_800_000 };
    expect(await linesAbout(' versions, ')).toEqual([
      'ok | table | about 2,000 versions, 8.8 MB (DynamoDB counts them about every six hours): a pattern reads all of them, 2,405 read units',
      'old versions cost as much as new ones: credstash prune --keep N deletes them',
    ]);
    size = { ItemCount: 12, TableSizeBytes: 9000 };
    expect(await linesAbout(' versions, ')).toEqual([
      'ok | table | about 12 versions, 9.0 kB (DynamoDB counts them about every six hours): a pattern reads all of them, 3 read units',
      expect.stringContaining('deletion protection'),
    ]);
    size = { ItemCount: undefined };
    expect(await linesAbout('how large')).toContain(
      'unknown | table | how large it is: DynamoDB does not tell',
    );
  });

  test('no such key, and one that is disabled: exit 6, with how to mend it', async () => {
    const missing = await doctor(['-k', 'alias/none']);
    expect(missing).toEqual(failing(6, 'key'));
    expect(missing.stdout).toMatch(/^failed +key +KMS cannot find the key alias\/none.*\n .*-k/m);
    running.kms?.addKey('alias/doomed');
    running.kms?.disableKey('alias/doomed');
    const disabled = await doctor(['-k', 'alias/doomed', '--write']);
    expect(disabled).toEqual(failing(6, 'key'));
    expect(disabled.stdout).toMatch(
      /^failed +key .* is Disabled\n .*aws kms enable-key --key-id /m,
    );
    expect(disabled.stdout).not.toContain('data key');
    recorder.meddle = async (action, answer) => {
      if (action !== 'KMS.DescribeKey') return undefined;
      const { KeyMetadata } = JSON.parse((await answer()).body) as { KeyMetadata: object };
      const body = { KeyMetadata: { ...KeyMetadata, KeySpec: 'RSA_2048' } };
      return { status: 200, body: JSON.stringify(body) };
    };
    expect(await doctor()).toEqual(failing(6, 'key'));
  });

  test.each([
    ['DynamoDB', 'table'],
    ['KMS', 'key'],
  ])('%s is not there: exit 7, and the other is looked at', async (service, title) => {
    const ended = await doctor([], {
      [`AWS_ENDPOINT_URL_${service.toUpperCase()}`]: CLOSED,
    });
    expect(ended).toEqual(failing(7, title));
    expect(ended.stdout).toMatch(RegExp(`^failed +${title} +${service} cannot be reached`, 'm'));
    expect(ended.stdout).toMatch(title === 'key' ? /^ok +reader/m : /^ok +data key/m);
    if (title === 'table')
      expect(linesOf(ended)).toContain('unknown | clock | DynamoDB told no time');
  });

  test('credentials that AWS refuses: exit 6', async () => {
    const ended = await doctor([], { AWS_SECRET_ACCESS_KEY: 'wrong' });
    // dynalite takes any.
    expect(ended).toEqual(failing(6, 'key'));
    expect(ended.stdout).toMatch(/^unknown +identity +the caller: STS refused the AWS credent/m);
    expect(ended.stdout).toMatch(/^failed +key +KMS refused the AWS credentials.*\n +renew/m);
  });

  test.each([
    [-7200, 'ahead of'],
    [7200, 'behind'],
    [20, undefined],
  ])('a clock that is wrong is told, here by %i seconds', async (seconds, said) => {
    // This machine's clock stands still at a whole second, so that no time passes between an answer and a look at the clock.
    vi.useFakeTimers({ toFake: ['Date'], now: Math.floor(Date.now() / 1000) * 1000 });
    recorder.meddle = async (_, answer) => ({
      ...(await answer()),
      date: new Date(Date.now() + seconds * 1000),
    });
    const ended = await doctor();
    expect(ended).toMatchObject({ status: 0, stderr: '' });
    const clock = linesOf(ended).find((line) => line.includes('| clock |')) ?? '';
    if (said === undefined) expect(clock).toBe('ok | clock | right to 21 s');
    else expect(clock).toBe(`warning | clock | 7200 s ${said} that of DynamoDB`);
  });

  test('the canary goes also when it cannot be read, and what cannot be removed is named', async () => {
    const items = async (): Promise<unknown[]> => {
      const listed = await runHere(['list', '-t', table, '--json'], {
        env: awsEnv(recorder.url, recorder.url),
      });
      return JSON.parse(listed.stdout.toString()) as unknown[];
    };
    let queries = 0;
    recorder.meddle = (action) =>
      // The second is that of the canary.
      Promise.resolve(
        action === 'DynamoDB.Query' && ++queries === 2
          ? awsError('AccessDeniedException', 'because')
          : undefined,
      );
    const unread = await doctor(['--write']);
    expect(unread).toEqual(failing(6, 'canary'));
    expect(linesOf(unread).at(-1)).toBe('ok | canary | removed');
    expect(await items()).toEqual([]);

    let deletes = 0;
    recorder.meddle = (action) =>
      Promise.resolve(
        action === 'DynamoDB.DeleteItem' && ++deletes === 2
          ? awsError('AccessDeniedException', 'because')
          : undefined,
      );
    const left = await doctor(['--write']);
    expect(left).toEqual(failing(6, 'canary'));
    const [, name = ''] = /(credstash-doctor-[0-9a-f]+) is sealed/.exec(left.stdout) ?? [];
    expect(linesOf(left).slice(-2)).toEqual([
      `${name} may still be there: credstash -t ${table} delete ${name}`,
      'service says: because',
    ]);
    recorder.meddle = undefined;
    const removed = await runHere(['delete', '-t', table, name], {
      env: awsEnv(recorder.url, recorder.url),
    });
    expect(removed.status).toBe(0);
    expect(await items()).toEqual([]);

    // A put that was done and whose answer is lost for good leaves nothing either.
    let puts = 0;
    recorder.meddle = async (action, answer) => {
      if (action !== 'DynamoDB.PutItem' || ++puts < 2) return undefined;
      await answer();
      return awsError('InternalServerError', '', 500);
    };
    expect(await doctor(['--write'])).toEqual(failing(7, 'canary'));
    recorder.meddle = undefined;
    expect(await items()).toEqual([]);
  });

  test('of the library: a signal ends it, with its reason', async () => {
    const credstash = new Credstash({
      table,
      region: 'us-east-1',
      endpoint: recorder.url,
      credentials: testCredential,
    });
    const controller = new AbortController();
    recorder.meddle = async (action) => {
      if (action !== 'DynamoDB.Query') return undefined;
      controller.abort(new Error('enough'));
      await sleep(50);
      return undefined;
    };
    const seen: string[] = [];
    const all = (async () => {
      for await (const { title } of credstash.doctor({ signal: controller.signal }))
        seen.push(title);
    })();
    await expect(all).rejects.toThrow('enough');
    expect(seen.at(-1)).toBe('clock');
    await credstash.close();
  });
});
