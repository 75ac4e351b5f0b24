import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { dynamoEngines } from '../support/aws.ts';
import { createTable, type Dynamo } from '../support/dynamo.ts';
import type { KmsServer } from '../support/kms-server.ts';
import { startKmsServer } from '../support/kms-server.ts';
import { awsError, type Recorder, startRecorder } from '../support/recorder.ts';
import { testCredential } from '../support/sigv4.ts';
import { tableExtras } from '../support/table-extras.ts';
import { awsPlace, failed, ok, type Place, runHere, vaultPlace } from './backends.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const EXISTS = 'Credential Store table already exists\n';
const CREATED =
  'Creating table...\nWaiting for table to be created...\nAdding tags...\n' +
  'Table has been created. Go read the README about how to create your KMS key\n';
/** Nobody has to read how to create the key. */
const CREATED_WITH_KEY = CREATED.replace(/ Go read.*/, '');

describe.each(dynamoEngines())('setup on $name', ({ start }) => {
  let dynamo: Dynamo;
  let kms: KmsServer;
  let recorder: Recorder;
  let place: Place;
  let cs: Place['cs'];
  let table = '';
  let alias = '';
  let count = 0;
  const extras = tableExtras();

  beforeAll(async () => {
    [dynamo, kms] = await Promise.all([start(), startKmsServer()]);
    recorder = await startRecorder({ DynamoDB: dynamo.url, KMS: kms.url });
  });
  afterAll(() => Promise.all([dynamo.close(), kms.close(), recorder.close()]));
  beforeEach(async () => {
    recorder.meddle = extras.meddle;
    recorder.requests.length = 0;
    count += 1;
    table = `setup-${count}`;
    alias = `alias/setup-${count}`;
    await createTable(dynamo.url, table);
    place = awsPlace(recorder.url, recorder.url, table, runHere);
    cs = place.cs;
  });

  const sent = (action: string): unknown[] =>
    recorder.requests
      .filter((each) => each.action === action)
      .map((each) => JSON.parse(each.sent) as unknown);
  const actions = (service: string): string[] =>
    recorder.requests.map(({ action }) => action).filter((each) => each.startsWith(service));
  const keyLine = (line: string): string => `${EXISTS}The ${line}\n`;

  describe('--create-key', () => {
    test('makes a symmetric key that rotates, with its tags and alias, once', async () => {
      const before = kms.keys().length;
      const create = ['setup', '--create-key', '-k', alias];
      expect(await cs([...create, '--tags', 'Team=ops'])).toEqual({
        ...ok(keyLine(`key ${alias} in us-east-1 has been created, with rotation`)),
        stderr: `credstash: warning: the tags of ${place.where} are left as they are\n`,
      });
      const [key, ...more] = kms.keys().slice(before);
      expect(more).toEqual([]);
      expect(key).toMatchObject({ rotates: true, multiRegion: false, doomed: false });
      expect(kms.aliasesOf(key?.id ?? '')).toEqual([alias]);
      expect(sent('KMS.CreateKey')).toEqual([
        {
          Description: 'Wraps the data keys of credstash',
          KeyUsage: 'ENCRYPT_DECRYPT',
          KeySpec: 'SYMMETRIC_DEFAULT',
          Tags: [
            { TagKey: 'Name', TagValue: 'credstash' },
            { TagKey: 'Team', TagValue: 'ops' },
          ],
        },
      ]);
      recorder.requests.length = 0;
      expect(await cs(create)).toEqual(
        ok(keyLine(`key ${alias} in us-east-1 already exists, with rotation`)),
      );
      expect(actions('KMS')).toEqual(['KMS.DescribeKey', 'KMS.GetKeyRotationStatus']);
      // It is what a put takes.
      expect(await cs(['put', 'a', 'x', '-k', alias])).toMatchObject({ status: 0 });
      expect(await cs(['get', 'a'])).toEqual(ok('x\n'));
    });

    test('with the new table, and the region that is saved', async () => {
      const fresh = awsPlace(recorder.url, recorder.url, `${table}-new`, runHere);
      const home = temporaryFolder();
      const args = ['setup', '--create-key', '-k', alias, '--save-kms-region', 'eu-west-3'];
      expect(await fresh.cs(args, { env: { HOME: home } })).toEqual(
        ok(
          `KMS region set to eu-west-3\n${CREATED_WITH_KEY}The key ${alias} in eu-west-3 has been created, with rotation\n`,
        ),
      );
      const regions = new Set(
        recorder.requests
          .filter(({ action }) => action.startsWith('KMS'))
          .map(({ region }) => region),
      );
      expect([...regions]).toEqual(['eu-west-3']);
    });

    test('turns on the rotation of a key that is there', async () => {
      kms.addKey(alias);
      const key = kms.keys().at(-1);
      expect(await cs(['setup', '--create-key', '-k', alias])).toEqual(
        ok(
          keyLine(`key ${alias} in us-east-1 already exists, and its rotation has been turned on`),
        ),
      );
      expect(key?.rotates).toBe(true);
    });

    test('is alias/credstash without -k', async () => {
      const { stdout } = await cs(['setup', '--create-key']);
      expect(stdout).toMatch(/The key alias\/credstash in us-east-1 already exists/);
    });

    test('--multi-region: a new key is one, one that is there has to be', async () => {
      const many = ['setup', '--create-key', '--multi-region', '-k', alias];
      expect(await cs(many)).toEqual(
        ok(keyLine(`multi-Region key ${alias} in us-east-1 has been created, with rotation`)),
      );
      expect(kms.keys().at(-1)).toMatchObject({ multiRegion: true, rotates: true });
      expect(await cs(many)).toEqual(
        ok(keyLine(`multi-Region key ${alias} in us-east-1 already exists, with rotation`)),
      );
      const single = `${alias}-single`;
      kms.addKey(single);
      expect(await cs([...many.slice(0, -1), single])).toEqual({
        ...(failed(2, `the key ${single} in us-east-1 is a single-region key`, ' -k') as object),
        stdout: EXISTS,
      });
      expect(kms.keys().at(-1)?.rotates).toBe(false);
    });

    test.each([
      ['another kind', { spec: 'HMAC_256', usage: 'GENERATE_VERIFY_MAC' }, 'HMAC_256'],
      ['a disabled one', { enabled: false }, 'Disabled'],
      ['one that is about to be deleted', { doomed: true }, 'PendingDeletion'],
      ['imported material', { origin: 'EXTERNAL' }, 'EXTERNAL'],
    ])('refuses a key that is there and is %s', async (_, what, says) => {
      kms.addKey(alias);
      const key = kms.keys().at(-1);
      if (key) Object.assign(key, what);
      const answer = failed(6, `the key ${alias} in us-east-1 cannot be used`, says) as object;
      expect(await cs(['setup', '--create-key', '-k', alias])).toEqual({
        ...answer,
        stdout: EXISTS,
      });
      expect(key?.rotates).toBe(false);
      expect(actions('KMS')).not.toContain('KMS.EnableKeyRotation');
    });

    test("somebody else's alias came first: their key is taken, the own one deleted", async () => {
      let theirs = '';
      recorder.meddle = (action, ...rest) => {
        if (action === 'KMS.CreateAlias') theirs = kms.addKey(alias);
        return extras.meddle(action, ...rest);
      };
      expect(await cs(['setup', '--create-key', '-k', alias])).toEqual(
        ok(
          keyLine(`key ${alias} in us-east-1 already exists, and its rotation has been turned on`),
        ),
      );
      const [own, other] = kms.keys().slice(-2);
      expect(own).toMatchObject({ doomed: true });
      expect(other).toMatchObject({ arn: theirs, doomed: false, rotates: true });
      expect(sent('KMS.ScheduleKeyDeletion')).toEqual([{ KeyId: own?.id, PendingWindowInDays: 7 }]);
    });

    test('where the own one cannot be deleted, that is told', async () => {
      recorder.meddle = (action, ...rest) => {
        if (action === 'KMS.CreateAlias') kms.addKey(alias);
        return action === 'KMS.ScheduleKeyDeletion'
          ? Promise.resolve(awsError('AccessDeniedException'))
          : extras.meddle(action, ...rest);
      };
      const { status, stderr } = await cs(['setup', '--create-key', '-k', alias]);
      const own = kms.keys().at(-2);
      expect({ status, stderr }).toEqual({
        status: 0,
        stderr: `credstash: warning: somebody else was quicker: the key ${own?.id ?? ''} in us-east-1 is left over, delete it\n`,
      });
      expect(own?.doomed).toBe(false);
    });

    test('a lost answer to CreateAlias: the key that has the alias is never deleted', async () => {
      let lost = false;
      recorder.meddle = async (action, answer, ...rest) => {
        const answered = await ((await extras.meddle(action, answer, ...rest)) ?? answer());
        if (action !== 'KMS.CreateAlias' || lost) return answered;
        lost = true;
        return { ...answered, delivery: 'reset' };
      };
      expect(await cs(['setup', '--create-key', '-k', alias])).toEqual(
        ok(keyLine(`key ${alias} in us-east-1 has been created, with rotation`)),
      );
      expect(sent('KMS.CreateAlias')).toHaveLength(2);
      expect(kms.keys().at(-1)).toMatchObject({ doomed: false, rotates: true });
      expect(sent('KMS.ScheduleKeyDeletion')).toEqual([]);
    });

    test.each(['EnableKeyRotation', 'CreateAlias'])(
      'no %s allowed: no key is left behind; if it must be, it is named',
      async (denied) => {
        const refuse = (...all: string[]): void => {
          recorder.meddle = (action, ...rest) =>
            all.includes(action)
              ? Promise.resolve(awsError('AccessDeniedException'))
              : extras.meddle(action, ...rest);
        };
        refuse(`KMS.${denied}`);
        expect(await cs(['setup', '--create-key', '-k', alias])).toEqual({
          ...(failed(6, `access denied: kms:${denied}`) as object),
          stdout: EXISTS,
        });
        expect(kms.keys().at(-1)).toMatchObject({ doomed: true });
        refuse(`KMS.${denied}`, 'KMS.ScheduleKeyDeletion');
        const { status, stderr } = await cs(['setup', '--create-key', '-k', alias]);
        expect(status).toBe(6);
        expect(stderr).toContain(`hint: the new key ${kms.keys().at(-1)?.id ?? ''} is left behind`);
      },
    );

    test('KMS does not know the new key everywhere yet: it is waited for', async () => {
      let times = 2;
      recorder.meddle = (action, ...rest) =>
        action === 'KMS.EnableKeyRotation' && times-- > 0
          ? Promise.resolve(awsError('NotFoundException'))
          : extras.meddle(action, ...rest);
      expect(await cs(['setup', '--create-key', '-k', alias])).toMatchObject({ status: 0 });
      expect(kms.keys().at(-1)).toMatchObject({ rotates: true, doomed: false });
    });

    test('a used up quota is no throttling', async () => {
      recorder.meddle = (action, ...rest) =>
        action === 'KMS.CreateKey'
          ? Promise.resolve(awsError('LimitExceededException'))
          : extras.meddle(action, ...rest);
      expect(await cs(['setup', '--create-key', '-k', alias])).toEqual({
        ...(failed(6, 'quota') as object),
        stdout: EXISTS,
      });
    });
  });

  test('--point-in-time-recovery turns it on, once, and waits for a table that is too new', async () => {
    extras.tooEarly = 1;
    const args = ['setup', '--point-in-time-recovery'];
    const line = `${EXISTS}Point-in-time recovery of ${place.where} `;
    expect(await cs(args)).toEqual(ok(`${line}has been turned on\n`));
    expect(sent('DynamoDB.UpdateContinuousBackups')).toHaveLength(2);
    expect(extras.recoverable).toContain(table);
    recorder.requests.length = 0;
    expect(await cs(args)).toEqual(ok(`${line}is on already\n`));
    expect(sent('DynamoDB.UpdateContinuousBackups')).toEqual([]);
  });

  test('--deletion-protection turns it on, once', async () => {
    extras.busy = 1;
    const args = ['setup', '--deletion-protection'];
    const line = `${EXISTS}Deletion protection of ${place.where} `;
    expect(await cs(args)).toEqual(ok(`${line}has been turned on\n`));
    expect(sent('DynamoDB.UpdateTable')).toHaveLength(2);
    expect(extras.protected).toContain(table);
    recorder.requests.length = 0;
    expect(await cs(args)).toEqual(ok(`${line}is on already\n`));
    expect(sent('DynamoDB.UpdateTable')).toEqual([]);
  });

  test('everything at once, of a table that is not there: it is protected from the start', async () => {
    const fresh = awsPlace(recorder.url, recorder.url, `${table}-all`, runHere);
    const args = ['--create-key', '-k', alias, '--point-in-time-recovery', '--deletion-protection'];
    expect(await fresh.cs(['setup', ...args])).toEqual(
      ok(
        `${CREATED_WITH_KEY}The key ${alias} in us-east-1 has been created, with rotation\n` +
          `Point-in-time recovery of ${fresh.where} has been turned on\n` +
          `Deletion protection of ${fresh.where} has been turned on\n`,
      ),
    );
    expect(sent('DynamoDB.CreateTable')).toMatchObject([{ DeletionProtectionEnabled: true }]);
    expect(sent('DynamoDB.UpdateTable')).toEqual([]);
  });

  test.each<[string, Partial<CreateTableCommandInput>, string]>([
    [
      'other names',
      {
        KeySchema: [
          { AttributeName: 'id', KeyType: 'HASH' },
          { AttributeName: 'version', KeyType: 'RANGE' },
        ],
        AttributeDefinitions: [
          { AttributeName: 'id', AttributeType: 'S' },
          { AttributeName: 'version', AttributeType: 'S' },
        ],
      },
      'its partition key is id (S) and its sort key version (S)',
    ],
    [
      'no sort key',
      {
        KeySchema: [{ AttributeName: 'name', KeyType: 'HASH' }],
        AttributeDefinitions: [{ AttributeName: 'name', AttributeType: 'S' }],
      },
      'its partition key is name (S) and its sort key missing',
    ],
    [
      'a number for the version',
      {
        KeySchema: [
          { AttributeName: 'name', KeyType: 'HASH' },
          { AttributeName: 'version', KeyType: 'RANGE' },
        ],
        AttributeDefinitions: [
          { AttributeName: 'name', AttributeType: 'S' },
          { AttributeName: 'version', AttributeType: 'N' },
        ],
      },
      'its sort key version (N)',
    ],
  ])('a table that is there with %s is refused, and nothing is done', async (_, keys, says) => {
    const name = `${table}-keys`;
    const client = new DynamoDBClient({
      endpoint: dynamo.url,
      region: 'us-east-1',
      credentials: testCredential,
    });
    await client.send(
      new CreateTableCommand({
        TableName: name,
        BillingMode: 'PAY_PER_REQUEST',
        ...(keys as Required<Pick<CreateTableCommandInput, 'KeySchema' | 'AttributeDefinitions'>>),
      }),
    );
    client.destroy();
    const other = awsPlace(recorder.url, recorder.url, name, runHere);
    const refused = failed(
      2,
      `the table ${name} in us-east-1`,
      says,
      'name (S) and version (S)',
      ' -t',
    );
    expect(await other.cs(['setup'])).toEqual(refused);
    const all = ['--create-key', '--point-in-time-recovery', '--deletion-protection'];
    expect(await other.cs(['setup', ...all])).toEqual(refused);
    expect(actions('KMS')).toEqual([]);
    expect(extras.protected).not.toContain(name);
  });

  test('what cannot be is told before anything is asked or written', async () => {
    const home = temporaryFolder();
    for (const [args, says] of [
      [['--create-key', '-k', '12345678-1234-1234-1234-123456789abc'], 'by its alias'],
      [['--create-key', '-k', 'arn:aws:kms:us-east-1:123456789012:alias/x'], 'by its alias'],
      [['--create-key', '-k', 'alias/aws/s3'], 'by its alias'],
      [['--create-key', '-k', 'alias/a b'], 'by its alias'],
      [['--create-key', '-k', ''], '-k is empty'],
      [['--multi-region'], '--multi-region is for --create-key'],
      [['-k', 'alias/x'], '-k is for --create-key'],
    ] as const) {
      const words = ['setup', ...args, '--save-kms-region', 'eu-west-1'];
      expect(await cs(words, { env: { HOME: home } }), words.join(' ')).toEqual(failed(2, says));
    }
    expect(recorder.requests).toEqual([]);
  });
});

test('in a vault there is none of it', async () => {
  const folder = temporaryFolder();
  const { cs } = vaultPlace(folder, runHere);
  for (const option of [
    '--create-key',
    '--multi-region',
    '--point-in-time-recovery',
    '--deletion-protection',
  ]) {
    expect(await cs(['setup', option])).toEqual(failed(2, `${option} is for AWS, and --local`));
  }
  expect(await cs(['policy', 'reader'])).toEqual(failed(2, 'a policy is for AWS'));
});
