import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startDynamoLocal } from '../support/dynamo.ts';
import { awsError, type Recorder } from '../support/recorder.ts';
import { FALLBACK, FIRST, type Regions, startRegions } from '../support/regions.ts';
import { asText, awsEnv, type Ended, runHere, temporaryFolder } from './backends.ts';

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
  folder.remove();
  await regions.close();
});
beforeEach(() => {
  isDown = true;
  both.requests.length = 0;
});

async function cs(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const options = { env: { ...awsEnv(both.url, both.url), AWS_REGION: FIRST, ...env } };
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

test('render says it, too', async () => {
  const path = join(folder.path, 'template');
  writeFileSync(path, '{{ credstash://app.db }}');
  const ended = await cs(['render', path], VARIABLE);
  expect(ended).toEqual({
    status: 0,
    stdout: 'of db',
    stderr: expect.stringMatching(told) as unknown,
  });
});

test('an option wins over the variable, and that over ~/.credstash', async () => {
  const home = join(folder.path, 'home');
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
