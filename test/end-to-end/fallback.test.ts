import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Step } from '../../src/backend/diagnosis.ts';
import { startDynamoLocal } from '../support/dynamo.ts';
import { awsError, type Recorder } from '../support/recorder.ts';
import { FALLBACK, FIRST, type Regions, startRegions } from '../support/regions.ts';
import { asText, awsEnv, type Ended, runHere } from './backends.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * The command with regions to fall back to: its settings, what it prints, and its exit status. test/backend/aws/fallback.test.ts
 * has the faults of a network.
 */

const TABLE = 'credential-store';
const folder = temporaryFolder();
let regions: Regions;
let both: Recorder;
let isDown: boolean;

beforeAll(async () => {
  regions = await startRegions(startDynamoLocal);
  both = await regions.connectBoth();
  await regions.createTable(TABLE);
  isDown = false;
  both.meddle = (_, __, ___, headers) =>
    Promise.resolve(
      isDown && headers.authorization?.includes(`/${FIRST}/`)
        ? awsError('InternalServerError', '', 500)
        : undefined,
    );
  await expectOk(['put', 'app.db', 'of db']);
  await expectOk(['put', 'app.rotated', 'old', '--label', 'live']);
  await regions.replicate(TABLE);
  await expectOk(['put', '-a', 'app.rotated', 'new', '--label', 'live']);
  await expectOk(['put', 'app.new', 'of new']);
});
afterAll(async () => {
  await regions.close();
});
beforeEach(() => {
  isDown = true;
  both.requests.length = 0;
});

async function cs(
  args: readonly string[],
  env: Record<string, string> = {},
  input = '',
): Promise<Ended> {
  const options = { input, env: { ...awsEnv(both.url, both.url), AWS_REGION: FIRST, ...env } };
  return asText(await runHere(args, options));
}

async function expectOk(args: readonly string[]): Promise<void> {
  const { status, stderr } = await cs(args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
}

const VARIABLE = { CREDSTASH_FALLBACK_REGIONS: FALLBACK };
const answered = `credstash: warning: ${FALLBACK} answered, whose replica may be behind\n`;
const told = new RegExp(
  `^credstash: warning: (?:DynamoDB|KMS) failed on .* ${FIRST} \\(InternalServerError, HTTP 500.*\\n${answered}$`,
);

test.each([
  ['get', ['get', 'app.rotated'], 'old\n'],
  ['get of several', ['get', '-f', 'json', 'app.db'], '"app.db": "of db"'],
  ['get of a label', ['get', 'app.rotated', '--label', 'live'], 'old\n'],
  ['getall', ['getall'], '"app.rotated": "old"'],
  ['list', ['list'], 'app.rotated'],
  ['keys', ['keys'], 'app.db\napp.rotated\n'],
  ['history', ['history', 'app.rotated'], 'VERSION'],
  [
    'exec',
    ['exec', 'app.*', '--env', 'DB=app.db', '--', 'sh', '-c', 'echo "$ROTATED $DB"'],
    'old of db\n',
  ],
])('%s says on stderr which region answered', async (_, args, printed) => {
  const ended = await cs(args, VARIABLE);
  expect(ended).toMatchObject({ status: 0, stderr: expect.stringMatching(told) as unknown });
  expect(ended.stdout).toContain(printed);
});

test('find says it, too, and nobody knows of a value that it does not find', async () => {
  expect(await cs(['find'], VARIABLE, 'of db')).toEqual({
    status: 0,
    stdout: 'app.db\n',
    stderr: expect.stringMatching(told) as unknown,
  });
  const ended = await cs(['find'], VARIABLE, 'of new');
  expect(ended).toMatchObject({ status: 7, stdout: '' });
  expect(ended.stderr).toContain(
    `no secret in ${FALLBACK} holds the value; ${FIRST} could not be reached, so that nobody knows whether one does there`,
  );
});

test('render says it, too', async () => {
  const path = join(folder, 'template');
  writeFileSync(path, '{{ credstash://app.db }}');
  const ended = await cs(['render', path], VARIABLE);
  expect(ended).toEqual({
    status: 0,
    stdout: 'of db',
    stderr: expect.stringMatching(told) as unknown,
  });
});

test('an option wins over the variable, and that over ~/.credstash', async () => {
  const home = join(folder, 'home');
  mkdirSync(home);
  const withFile = (list: unknown): Record<string, string> => {
    writeFileSync(join(home, '.credstash'), JSON.stringify({ 'fallback-regions': list }));
    return { HOME: home };
  };
  const get = ['get', 'app.rotated'];
  expect((await cs(get, withFile([FALLBACK]))).stdout).toBe('old\n');
  expect((await cs(get, withFile(`${FIRST}, ${FALLBACK}`))).stdout).toBe('old\n');
  const variable = { ...withFile(['us-west-2']), ...VARIABLE };
  expect((await cs(get, variable)).stdout).toBe('old\n');
  const option = { ...withFile(['us-west-2']), CREDSTASH_FALLBACK_REGIONS: 'us-west-1' };
  expect((await cs(['--fallback-region', FALLBACK, ...get], option)).stdout).toBe('old\n');
  const doctor = await cs(['doctor', '--fallback-region', FALLBACK], option);
  expect(doctor.stdout).toContain(`fallback regions: ${FALLBACK} (--fallback-region)`);
});

test.each([
  [['--fallback-region', ''], {}, 'the value of --fallback-region is empty'],
  [['--fallback-region', 'EU'], {}, '--fallback-region has something that is not a region'],
  [
    ['--fallback-region', FALLBACK, '--fallback-region', FALLBACK],
    {},
    `--fallback-region has the region ${FALLBACK} twice`,
  ],
  [[], { CREDSTASH_FALLBACK_REGIONS: 'a,a' }, 'CREDSTASH_FALLBACK_REGIONS has the region a twice'],
  [
    ['--local', '--fallback-region', FALLBACK],
    {},
    '--fallback-region is for AWS, and --local chooses the local vault',
  ],
])('%j %j is a usage error', async (args, env, message) => {
  const ended = await cs([...args, 'get', 'app.db'], env);
  expect(ended).toMatchObject({ status: 2, stdout: '' });
  expect(ended.stderr).toContain(`credstash: error: ${message}`);
  expect(both.requests).toEqual([]);
});

test('not found in the fallback region: exit 7, and --default does not help', async () => {
  const nobody = `${FIRST} could not be reached, so that nobody knows whether`;
  for (const args of [
    ['get', 'app.new'],
    ['get', 'app.new', '--default', 'x'],
    ['history', 'app.new'],
    ['get', 'app.rotated', '-v', '2'],
    ['get', '-f', 'shell', 'none.*'],
    ['exec', 'none.*', '--', 'true'],
    ['exec', 'app.new', '--', 'true'],
  ]) {
    const ended = await cs(args, VARIABLE);
    expect(ended).toMatchObject({ status: 7, stdout: '' });
    expect(ended.stderr).toContain(nobody);
  }
});

test('without a fallback region an outage is an error, as ever', async () => {
  const ended = await cs(['get', 'app.db']);
  expect(ended).toMatchObject({ status: 7, stdout: '' });
  expect(ended.stderr).not.toContain(FALLBACK);
});

test('a write stays in its region, and the advice to write elsewhere works', async () => {
  const ended = await cs(['put', 'app.late', 'x'], VARIABLE);
  expect(ended).toMatchObject({ status: 7, stdout: '' });
  const [, advice = ''] =
    /hint: .*themselves: (.*) writes there on purpose/.exec(ended.stderr) ?? [];
  expect(advice).toBe(`-r ${FALLBACK}`);
  expect(both.requests.filter(({ region }) => region === FALLBACK)).toEqual([]);
  for (const args of [
    ['rollback', 'app.rotated'],
    ['label', 'app.rotated', 'live'],
    ['delete', 'app.db'],
  ]) {
    expect((await cs(args, VARIABLE)).status).toBe(7);
  }
  expect(both.requests.filter(({ region }) => region === FALLBACK)).toEqual([]);
  // With the same settings, of which the fallback region is now the region itself.
  expect(await cs([...advice.split(' '), 'put', 'app.late', 'x'], VARIABLE)).toEqual({
    status: 0,
    stdout: 'app.late has been stored\n',
    stderr: '',
  });
});

test('an outage between the reads of one exec: no secret of the first region is given', async () => {
  isDown = false;
  const before = both.meddle;
  // Names are read first, and then patterns.
  both.meddle = async (action, answer, sent, headers) => {
    if (action === 'DynamoDB.Scan') isDown = true;
    return before?.(action, answer, sent, headers);
  };
  try {
    const ended = await cs(
      ['exec', 'app.*', '--env', 'NAMED=app.rotated', '--', 'sh', '-c', 'echo "$NAMED $ROTATED"'],
      VARIABLE,
    );
    expect(ended).toEqual({
      status: 0,
      stdout: 'old old\n',
      stderr: expect.stringMatching(told) as unknown,
    });
  } finally {
    both.meddle = before;
  }
});

describe('doctor', () => {
  /** What DescribeTable says of replicas, by region: DynamoDB Local has none. */
  let described: Record<string, object>;
  let before: Recorder['meddle'];
  beforeEach(() => {
    isDown = false;
    before = both.meddle;
    described = {
      [FIRST]: { Replicas: [{ RegionName: FALLBACK, ReplicaStatus: 'ACTIVE' }] },
      [FALLBACK]: { Replicas: [{ RegionName: FIRST, ReplicaStatus: 'ACTIVE' }] },
    };
    both.meddle = async (action, answer, sent, headers) => {
      const struck = await before?.(action, answer, sent, headers);
      if (struck || action !== 'DynamoDB.DescribeTable') return struck;
      const { status, body } = await answer();
      const region = headers.authorization?.includes(`/${FIRST}/`) ? FIRST : FALLBACK;
      const { Table } = JSON.parse(body) as { Table?: object };
      return Table
        ? { status, body: JSON.stringify({ Table: { ...Table, ...described[region] } }) }
        : { status, body };
    };
  });
  afterEach(() => {
    both.meddle = before;
  });

  async function look(...args: string[]): Promise<readonly Step[]> {
    const { stdout } = await cs([...args, 'doctor', '--json'], {
      ...VARIABLE,
      AWS_ENDPOINT_URL_STS: both.url,
    });
    return (JSON.parse(stdout) as Step[]).filter(({ title }) => title === 'fallback');
  }

  test('looks at the replica, at the key and at a stored entry there', async () => {
    const steps = await look();
    expect(steps.map(({ state }) => state)).toEqual(['ok', 'ok', 'ok']);
    const [replica, key, entry] = steps.map(({ found }) => found);
    expect(replica).toBe(`${TABLE} in ${FALLBACK}: a replica of ${FIRST}, active`);
    expect(key).toMatch(RegExp(`^the key mrk-\\w+ in ${FALLBACK}: enabled, multi-region`));
    expect(entry).toMatch(RegExp(`^version \\d+ of app\\.\\w+ opens in ${FALLBACK}$`));
  });

  test('looks there during an outage, too', async () => {
    isDown = true;
    const steps = await look();
    expect(steps.map(({ state }) => state)).toEqual(['ok', 'unknown', 'ok']);
  });

  test('tells a table that is no replica, one that is not there, and one that is not ready', async () => {
    described = {};
    expect((await look())[0]).toMatchObject({
      state: 'failed',
      found: `${TABLE} in ${FALLBACK} is another table, not a replica of the one in ${FIRST}`,
      hint: expect.stringContaining('aws dynamodb update-table') as unknown,
    });
    await cs(['-t', 'single', 'setup']);
    expect((await look('-t', 'single'))[0]).toMatchObject({
      state: 'failed',
      code: 'TABLE_NOT_FOUND',
      hint: `turn on its stream, and once the table is active again make a replica: aws dynamodb update-table --region ${FIRST} --table-name single --replica-updates 'Create={RegionName=${FALLBACK}}'; the stream: aws dynamodb update-table --region ${FIRST} --table-name single --stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES`,
    });
    described = { [FIRST]: { Replicas: [{ RegionName: FALLBACK, ReplicaStatus: 'CREATING' }] } };
    expect((await look())[0]).toMatchObject({ state: 'failed', code: 'UNREACHABLE' });
  });

  test('tells a key of one region, a disabled replica, and an alias that is missing', async () => {
    const [first, there] = [regions.kms[FIRST], regions.kms[FALLBACK]];
    if (!first || !there) throw new Error('a region has no KMS');
    const [, key] = first.keys();
    const id = key?.id ?? '';
    there.disableKey(id);
    expect((await look())[1]).toMatchObject({ state: 'failed', code: 'KEY_UNUSABLE' });
    expect((await look())[2]).toMatchObject({ state: 'failed', code: 'KEY_UNUSABLE' });
    const replica = there.keys().find((each) => each.id === id);
    if (replica) replica.enabled = true;
    there.removeAlias('alias/credstash');
    expect((await look())[2]).toMatchObject({
      state: 'warning',
      hint: `name it: aws kms create-alias --region ${FALLBACK} --alias-name alias/credstash --target-key-id ${id}`,
    });
    there.nameKey('alias/credstash', id);
    first.nameKey('alias/credstash', first.addKey('alias/other'));
    expect((await look())[1]).toMatchObject({
      state: 'failed',
      found: `the key in ${FIRST} is of one region, so that no entry opens in ${FALLBACK}`,
      hint: expect.stringContaining('rekey') as unknown,
    });
    const unreplicated = first.addMultiRegionKey();
    first.nameKey('alias/credstash', unreplicated.id);
    expect((await look())[1]).toMatchObject({
      code: 'KEY_NOT_FOUND',
      hint: `replicate it: aws kms replicate-key --region ${FIRST} --key-id ${unreplicated.id} --replica-region ${FALLBACK}`,
    });
    first.nameKey('alias/credstash', id);
  });

  test('a table with strong consistency takes no labels: in doctor, and when one is moved', async () => {
    described = { [FIRST]: { MultiRegionConsistency: 'STRONG' } };
    const { stdout } = await cs(['doctor'], { AWS_ENDPOINT_URL_STS: both.url });
    expect(stdout).toContain('DynamoDB refuses to move labels on such a table');
    const inner = both.meddle;
    both.meddle = async (action, ...rest) =>
      action === 'DynamoDB.TransactWriteItems'
        ? awsError('ValidationException', 'quoted')
        : inner?.(action, ...rest);
    const moved = await cs(['label', 'app.rotated', 'live', '-v', '1']);
    expect(moved).toMatchObject({ status: 2, stdout: '' });
    expect(moved.stderr).toContain(
      'has multi-Region strong consistency, and DynamoDB refuses transactions on it, which labels need',
    );
    described = {};
    expect((await cs(['label', 'app.rotated', 'live', '-v', '1'])).status).toBe(1);
  });
});

test('the policy of a reader covers the fallback regions, and that of a writer does not', async () => {
  const args = ['--account', '123456789012', '--fallback-region', FALLBACK];
  const { stdout } = await cs(['policy', 'reader', ...args]);
  const { Statement } = JSON.parse(stdout) as { Statement: { Sid: string }[] };
  expect(Statement.slice(2)).toEqual([
    {
      Sid: 'FallbackEntries',
      Effect: 'Allow',
      Action: ['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:Scan'],
      Resource: [`arn:aws:dynamodb:${FALLBACK}:123456789012:table/${TABLE}`],
    },
    {
      Sid: 'FallbackDataKeys',
      Effect: 'Allow',
      Action: ['kms:Decrypt'],
      Resource: [`arn:aws:kms:${FALLBACK}:123456789012:key/*`],
      Condition: { 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': 'alias/credstash' } },
    },
  ]);
  const writer = await cs(['policy', 'writer', ...args]);
  expect(writer.stdout).not.toContain(FALLBACK);
  const key = (id: string): string[] => [
    ...['policy', 'admin', ...args, '-k', `arn:aws:kms:${FIRST}:123456789012:key/${id}`],
  ];
  const admin = await cs(key('mrk-0123456789abcdef0123456789abcdef'));
  expect(admin.stdout).toContain(
    `arn:aws:kms:${FALLBACK}:123456789012:key/mrk-0123456789abcdef0123456789abcdef`,
  );
  const single = await cs(key('12345678-1234-1234-1234-123456789abc'));
  expect(single).toMatchObject({ status: 2, stdout: '' });
  expect(single.stderr).toContain('is of one region, so that nothing opens in another');
});
