import {
  ConditionalCheckFailedException,
  CreateTableCommand,
  DeleteItemCommand,
  DescribeTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ResourceInUseException,
  ScanCommand,
  TableNotFoundException,
} from '@aws-sdk/client-dynamodb';
import {
  DecryptCommand,
  GenerateDataKeyCommand,
  InvalidCiphertextException,
  KMSClient,
  KMSInternalException,
  NotFoundException,
} from '@aws-sdk/client-kms';
import { mockClient } from 'aws-sdk-client-mock';
import { createCipheriv, createHmac } from 'node:crypto';
import { beforeEach, describe, expect, expectTypeOf, it } from 'vitest';
import { Credstash } from '../../src/credstash.ts';
import { CredstashError } from '../../src/errors.ts';
import { CredStash } from '../../src/nodecredstash/index.ts';
import { textOf } from '../support/documents.ts';
import { v } from '../support/version.ts';

/*
 * What the test suite of nodecredstash 3 expects (test/unit of its repository, 41 tests), asked of our class. The suite is
 * not on the npm registry, so each of its tests is written anew here. docs/reference/nodecredstash-tests.md has every test,
 * whether it passes, and why not: this file reads that table, and fails if a row says something else than what happens.
 */

const PAGE = 'docs/reference/nodecredstash-tests.md';

/** `suite`: a mock answers what the suite's mock answers. `DynamoDB`: it answers what DynamoDB would. */
type Answers = 'suite' | 'DynamoDB';
/** An item as the suite's mocks have it: often without its name or version. */
type Plain = Readonly<Record<string, string>>;

const dynamodb = mockClient(DynamoDBClient);
const kms = mockClient(KMSClient);
const NAME = 'name';
const dataKey = Buffer.alloc(64, 7);
const wrapped = Buffer.from('the wrapped data key');
const aws = {
  region: 'us-east-1',
  // No request gets here. Connections are opened to it ahead of the first request.
  endpoint: 'http://127.0.0.1:1',
  credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'x' },
};
const create = (table?: string): CredStash => new CredStash({ awsOpts: aws, table });

beforeEach(() => {
  dynamodb.reset();
  kms.reset();
});

/** The attributes of an original entry, sealed without any of our code. */
function seal(text: string): Plain {
  const nonce = Buffer.alloc(16);
  nonce[15] = 1;
  const contents = createCipheriv('aes-256-ctr', dataKey.subarray(0, 32), nonce).update(text);
  return {
    contents: contents.toString('base64'),
    key: wrapped.toString('base64'),
    hmac: createHmac('sha256', dataKey.subarray(32)).update(contents).digest('hex'),
  };
}

const typed = (item: Plain): Record<string, { S: string }> =>
  Object.fromEntries(Object.entries(item).map(([name, S]) => [name, { S }]));

/**
 * Mocks a read.
 *
 * @param items undefined answers without `Items`
 * @param version of an item that has none
 */
function answerRead(
  answers: Answers,
  command: typeof QueryCommand | typeof GetItemCommand | typeof ScanCommand,
  items: readonly Plain[] | undefined,
  version = v(1),
): void {
  if (answers === 'suite') {
    const found = (items ?? []).map(typed);
    const page = items ? { Items: found } : {};
    if (command === GetItemCommand) dynamodb.on(GetItemCommand).resolves({ Item: found[0] });
    if (command === QueryCommand) dynamodb.on(QueryCommand).resolves(page);
    if (command === ScanCommand) dynamodb.on(ScanCommand).resolves(page);
    return;
  }
  const table = (items ?? [])
    .map((item): Plain => ({ name: NAME, version, ...item }))
    .sort((a, b) => ((a['version'] ?? '') < (b['version'] ?? '') ? -1 : 1));
  dynamodb.on(QueryCommand).callsFake((input: QueryCommand['input']) => {
    const name = input.ExpressionAttributeValues?.[':name']?.S;
    const found = table.filter((item) => item['name'] === name).map(typed);
    if (input.ScanIndexForward === false) found.reverse();
    return { Items: found.slice(0, input.Limit) };
  });
  dynamodb.on(GetItemCommand).callsFake(({ Key }: GetItemCommand['input']) => {
    const found = table.find(
      ({ name, version }) => name === Key?.['name']?.S && version === Key?.['version']?.S,
    );
    return found ? { Item: typed(found) } : {};
  });
  dynamodb.on(ScanCommand).resolves({ Items: table.map(typed) });
}

function answerTable(answers: Answers): void {
  if (answers === 'suite') {
    dynamodb.on(DescribeTableCommand).resolves({});
    return;
  }
  dynamodb
    .on(CreateTableCommand)
    .rejects(new ResourceInUseException({ $metadata: {}, message: 'it exists' }));
  dynamodb.on(DescribeTableCommand).resolves({
    Table: {
      TableStatus: 'ACTIVE',
      KeySchema: [
        { AttributeName: 'name', KeyType: 'HASH' },
        { AttributeName: 'version', KeyType: 'RANGE' },
      ],
      AttributeDefinitions: [
        { AttributeName: 'name', AttributeType: 'S' },
        { AttributeName: 'version', AttributeType: 'S' },
      ],
    },
  });
}

// The class wipes the data keys that it is given.
const answerDecrypt = (): unknown =>
  kms.on(DecryptCommand).callsFake(() => ({ Plaintext: Buffer.from(dataKey) }));
const answerGenerate = (): unknown =>
  kms
    .on(GenerateDataKeyCommand)
    .callsFake(() => ({ Plaintext: Buffer.from(dataKey), CiphertextBlob: wrapped }));

/** The items that were put. */
const putItems = (): unknown[] =>
  dynamodb.commandCalls(PutItemCommand).map(({ args: [{ input }] }) => input.Item);

/** Stores a secret as the suite does. It must resolve to an object with nothing in it. */
async function put(options: Partial<Parameters<CredStash['putSecret']>[0]> = {}): Promise<void> {
  answerGenerate();
  dynamodb.on(PutItemCommand).resolves({});
  expect(await create().putSecret({ name: NAME, secret: 'text', ...options })).toEqual({});
}

/** Deletes a version as the suite does. */
async function remove(answers: Answers, version: string | number, stored: string): Promise<void> {
  if (answers === 'DynamoDB') answerRead(answers, QueryCommand, [{ version: stored }]);
  dynamodb.on(DeleteItemCommand).resolves({});
  expect(await create().deleteSecret({ name: NAME, version })).toEqual({});
  const [call, ...others] = dynamodb.commandCalls(DeleteItemCommand);
  expect(call?.args[0].input.Key).toEqual(typed({ name: NAME, version: stored }));
  expect(others).toEqual([]);
}

/** Gets a version whose data key KMS refuses to decrypt. */
async function getRefused(answers: Answers, error: Error, context?: object): Promise<void> {
  answerRead(answers, GetItemCommand, [seal('text')], 'version1');
  kms.on(DecryptCommand).rejects(error);
  await create().getSecret({ name: NAME, version: 'version1', ...context });
}

const invalidCiphertext = (): Error =>
  new InvalidCiphertextException({ $metadata: {}, message: '' });

/** Two secrets, as the suite has them. */
function answerTwo(answers: Answers, more: readonly Plain[] = []): void {
  const two = [
    { name: 'some.secret.key', version: v(1), ...seal('key') },
    { name: 'other', version: v(1), ...seal('quotation') },
  ];
  answerRead(answers, ScanCommand, [...two, ...more]);
  answerDecrypt();
}

/** What each test of the suite expects, by its file and its name. A behaviour that differs makes it throw. */
const SUITE: Readonly<Record<string, (answers: Answers) => Promise<void>>> = {
  'constructor: has methods to match credStash': () => {
    for (const method of [
      'paddedInt',
      'getHighestVersion',
      'listSecrets',
      'putSecret',
      'getAllSecrets',
      'getAllVersions',
      'getSecret',
      'deleteSecrets',
      'createDdbTable',
    ]) {
      expect(create()).toHaveProperty(method);
    }
    return Promise.resolve();
  },
  'constructor: should use a callback if provided': async (answers) => {
    answerTable(answers);
    const told = await create().createDdbTable({}, (error: unknown) => ({ error }));
    expect(told).toEqual({ error: undefined });
  },
  'constructor: should use a callback for errors, and not throw an exception': async () => {
    dynamodb.on(DescribeTableCommand).rejects(new Error('Error'));
    const told = await create().createDdbTable((error: Error) => error.message);
    expect(told).toBe('Error');
  },
  'createDdbTable: should call createTable': async (answers) => {
    answerTable(answers);
    await create('another-table').createDdbTable({});
    const [call] = dynamodb.commandCalls(DescribeTableCommand);
    expect(call?.args[0].input.TableName).toBe('credential-store');
  },
  'deleteSecret: should throw error if bad version provided': async () => {
    await expect(create().deleteSecret({ name: NAME, version: '' })).rejects.toThrow(
      'version is a required parameter',
    );
  },
  'deleteSecret: should delete the correct item': (answers) =>
    remove(answers, 'version', 'version'),
  'deleteSecret: should convert numerical versions into strings': (answers) =>
    remove(answers, 42, v(42)),
  'deleteSecrets: will not fail if no secrets found': async (answers) => {
    for (const items of [[], undefined]) {
      answerRead(answers, QueryCommand, items);
      expect(await create().deleteSecrets({ name: NAME })).toEqual([]);
    }
  },
  'deleteSecrets: should delete all versions of a given name': async (answers) => {
    const versions = Array.from({ length: 10 }, (_, i) => `${i}`);
    answerRead(
      answers,
      QueryCommand,
      versions.map((version) => ({ name: NAME, version })),
    );
    dynamodb.on(DeleteItemCommand).resolves({});
    expect(await create().deleteSecrets({ name: NAME })).toEqual(versions.map(() => ({})));
    const deleted = dynamodb
      .commandCalls(DeleteItemCommand)
      .map(({ args: [{ input }] }) => input.Key?.['version']?.S);
    expect(deleted.sort()).toEqual(versions);
    expect(dynamodb.commandCalls(QueryCommand)).toHaveLength(1);
  },
  'getAllSecrets: should return all secrets': async (answers) => {
    answerTwo(answers);
    const secrets = await create().getAllSecrets();
    expect(Object.entries(secrets)).toEqual([
      ['other', 'quotation'],
      ['some.secret.key', 'key'],
    ]);
  },
  'getAllSecrets: should return all secrets starts with "some.secret"': async (answers) => {
    answerTwo(answers);
    const secrets = await create().getAllSecrets({ startsWith: 'some.secret' });
    expect(secrets).toEqual({ 'some.secret.key': 'key' });
  },
  'getAllSecrets: should ignore bad secrets': async (answers) => {
    const sealed = seal('text');
    const contents = `${sealed['contents']}AAAA`;
    answerTwo(answers, [{ name: 'changed', version: v(1), ...sealed, contents }]);
    expect(Object.keys(await create().getAllSecrets())).toEqual(['other', 'some.secret.key']);
  },
  'getAllSecrets: should return all secrets, but only latest version': async (answers) => {
    answerTwo(answers, [{ name: 'other', version: v(2), ...seal('newer') }]);
    expect(await create().getAllSecrets()).toMatchObject({ other: 'newer' });
  },
  'getAllVersions: will handle no results': async (answers) => {
    for (const items of [[], undefined]) {
      answerRead(answers, QueryCommand, items);
      expect(await create().getAllVersions({ name: NAME })).toEqual([]);
    }
  },
  'getAllVersions: should fetch and decode the secrets': async (answers) => {
    answerRead(answers, QueryCommand, [{ version: v(6), ...seal('text') }]);
    answerDecrypt();
    const all = await create().getAllVersions({ name: NAME, limit: 5 });
    expect(all).toEqual([{ version: v(6), secret: 'text' }]);
    expect(kms.commandCalls(DecryptCommand)).toHaveLength(1);
    const queries = dynamodb.commandCalls(QueryCommand);
    expect(queries.map(({ args: [{ input }] }) => input.Limit)).toEqual([5]);
  },
  'getAllVersions: should default to all versions': async (answers) => {
    answerRead(answers, QueryCommand, [{ version: v(6), ...seal('text') }]);
    answerDecrypt();
    const all = await create().getAllVersions({ name: NAME });
    expect(all).toEqual([{ version: v(6), secret: 'text' }]);
    expect(kms.commandCalls(DecryptCommand)).toHaveLength(1);
    const queries = dynamodb.commandCalls(QueryCommand);
    expect(queries.map(({ args: [{ input }] }) => input.Limit)).toEqual([undefined]);
  },
  'getHighestVersion: should return the highest version': async (answers) => {
    // The suite's mock has the versions in an order that DynamoDB does not answer in, and expects the first.
    const versions = ['version1', 'version2'];
    const items = versions.map((version) => ({ name: NAME, version }));
    answerRead(answers, QueryCommand, items);
    const first = answers === 'suite' ? 'version1' : 'version2';
    expect(await create().getHighestVersion({ name: NAME })).toBe(first);
  },
  'getHighestVersion: should default to version 0000000000000000000': async (answers) => {
    for (const items of [[], undefined]) {
      answerRead(answers, QueryCommand, items);
      expect(await create().getHighestVersion({ name: NAME })).toBe(v(0));
    }
  },
  'getHighestVersion: should request by name': async (answers) => {
    answerRead(answers, QueryCommand, []);
    const highest = await create().getHighestVersion({ name: NAME });
    const [call] = dynamodb.commandCalls(QueryCommand);
    expect(call?.args[0].input.ExpressionAttributeValues).toEqual({ ':name': { S: NAME } });
    expect(highest).toBe(v(0));
  },
  'getSecret: should fetch and decode a secret': async (answers) => {
    answerRead(answers, GetItemCommand, [seal('text')], 'version1');
    answerDecrypt();
    expect(await create().getSecret({ name: NAME, version: 'version1' })).toBe('text');
    const [call] = dynamodb.commandCalls(GetItemCommand);
    expect(call?.args[0].input.Key).toEqual(typed({ name: NAME, version: 'version1' }));
    const [decrypt] = kms.commandCalls(DecryptCommand);
    expect(Buffer.from(decrypt?.args[0].input.CiphertextBlob ?? [])).toEqual(wrapped);
  },
  'getSecret: should not reject a missing version': async (answers) => {
    answerRead(answers, QueryCommand, [{ version: 'version1', ...seal('text') }]);
    answerDecrypt();
    expect(await create().getSecret({ name: NAME })).toBe('text');
  },
  'getSecret: should default version to the latest': async (answers) => {
    answerRead(answers, QueryCommand, [seal('text')]);
    dynamodb.on(GetItemCommand).rejects(new Error('Error'));
    answerDecrypt();
    expect(await create().getSecret({ name: NAME })).toBe('text');
    expect(dynamodb.commandCalls(QueryCommand)).toHaveLength(1);
    expect(kms.commandCalls(DecryptCommand)).toHaveLength(1);
  },
  'getSecret: should throw an exception for a missing key': async (answers) => {
    const { key: _, ...keyless } = seal('text');
    answerRead(answers, GetItemCommand, [keyless], 'version1');
    await expect(create().getSecret({ name: NAME, version: 'version1' })).rejects.toThrow(
      'could not be found',
    );
  },
  'getSecret: should throw an exception for invalid cipherText, no context': async (answers) => {
    await expect(getRefused(answers, invalidCiphertext())).rejects.toThrow(
      'The credential may require that an encryption',
    );
  },
  'getSecret: should throw an exception for invalid cipherText, with context': async (answers) => {
    const context = { key: 'value' };
    await expect(getRefused(answers, invalidCiphertext(), { context })).rejects.toThrow(
      'The encryption context provided may not match',
    );
  },
  'getSecret: should throw other errors': async (answers) => {
    const context = { key: 'value' };
    await expect(getRefused(answers, new Error('other'), { context })).rejects.toThrow(
      'Decryption error',
    );
  },
  'incrementVersion: should reject non integer versions': async (answers) => {
    answerRead(answers, QueryCommand, [{ version: 'hello world' }]);
    await expect(create().incrementVersion({ name: NAME })).rejects.toThrow(
      'Can not autoincrement version. The current version: hello world is not an int',
    );
  },
  'incrementVersion: should return a padded version integer': async (answers) => {
    answerRead(answers, QueryCommand, [{ version: '1' }]);
    expect(await create().incrementVersion({ name: NAME })).toBe(v(2));
  },
  'incrementVersion: should accept name as a param': async (answers) => {
    answerRead(answers, QueryCommand, [{ version: '1' }]);
    expect(await create().incrementVersion({ name: NAME })).toBe(v(2));
  },
  'listSecrets: should return all secret names and versions': async (answers) => {
    const items = ['version1', 'version2'].map((version) => ({ name: NAME, version }));
    answerRead(answers, ScanCommand, items);
    // The suite compares the mock's array with itself, after nodecredstash has sorted it.
    expect(await create().listSecrets()).toEqual(items.reverse());
  },
  'listSecrets: can handle empty results': async (answers) => {
    for (const items of [[], undefined]) {
      answerRead(answers, ScanCommand, items);
      expect(await create().listSecrets()).toEqual([]);
    }
  },
  'putSecret: should create a new stash': async () => {
    await put({ version: v(1) });
    const item = { name: NAME, version: v(1), digest: 'SHA256', ...seal('text') };
    expect(putItems()).toEqual([typed(item)]);
  },
  'putSecret: should default the version to a zero padded 1': async () => {
    await put();
    expect(putItems()).toMatchObject([{ version: { S: v(1) } }]);
  },
  'putSecret: should convert numerical versions to padded strings': async () => {
    await put({ version: 42 });
    expect(putItems()).toMatchObject([{ version: { S: v(42) } }]);
  },
  'putSecret: should default the digest to SHA256': async () => {
    await put();
    expect(putItems()).toMatchObject([{ digest: { S: 'SHA256' } }]);
  },
  'putSecret: should use the correct context': async () => {
    const context = { key: 'value' };
    await put({ context });
    const [call] = kms.commandCalls(GenerateDataKeyCommand);
    expect(call?.args[0].input.EncryptionContext).toEqual(context);
  },
  'putSecret: should use the provided digest': async () => {
    await put({ digest: 'MD5' });
    expect(putItems()).toMatchObject([{ digest: { S: 'MD5' } }]);
  },
  'putSecret: should rethrow a NotFoundException from KMS': async () => {
    const error = new NotFoundException({ $metadata: {}, message: 'no key' });
    kms.on(GenerateDataKeyCommand).rejects(error);
    await expect(create().putSecret({ name: NAME, secret: 'text' })).rejects.toBe(error);
  },
  'putSecret: should throw an error for a bad KMS key': async () => {
    const error = new KMSInternalException({ $metadata: {}, message: 'Failure' });
    kms.on(GenerateDataKeyCommand).rejects(error);
    const stored = create().putSecret({ kmsKey: 'test', name: NAME, secret: 'text' });
    await expect(stored).rejects.toThrow('Could not generate key using KMS key test');
  },
  'putSecret: should notify of duplicate name/version pairs': async () => {
    answerGenerate();
    const error = new ConditionalCheckFailedException({ $metadata: {}, message: '' });
    dynamodb.on(PutItemCommand).rejects(error);
    await expect(create().putSecret({ name: NAME, secret: 'text' })).rejects.toThrow(
      'is already in the credential store.',
    );
  },
  'putSecret: should throw other DDB errors': async () => {
    answerGenerate();
    const error = new TableNotFoundException({ $metadata: {}, message: 'no table' });
    dynamodb.on(PutItemCommand).rejects(error);
    await expect(create().putSecret({ name: NAME, secret: 'text' })).rejects.toBe(error);
  },
};

interface Row {
  readonly test: string;
  readonly passes: string;
  readonly why: string;
}

/** The rows of the page's table. */
const rows = textOf(PAGE)
  .split('\n')
  .flatMap((line): Row[] => {
    const [, file, name, passes, why] =
      /^\| `(\w+)` +\| (.+?) +\| (yes|as DynamoDB|no) +\| (.*?) *\|$/.exec(line) ?? [];
    return file ? [{ test: `${file}: ${name}`, passes: passes ?? '', why: why ?? '' }] : [];
  });

/** Runs what a test expects with the answers of its mocks; on failure, with DynamoDB's. */
async function judge(expectation: (answers: Answers) => Promise<void>): Promise<string> {
  for (const [answers, verdict] of [
    ['suite', 'yes'],
    ['DynamoDB', 'as DynamoDB'],
  ] as const) {
    dynamodb.reset();
    kms.reset();
    try {
      await expectation(answers);
      return verdict;
    } catch {
      // It is tried with the next answers.
    }
  }
  return 'no';
}

describe(`the test suite of nodecredstash 3, in ${PAGE}`, () => {
  it('every test has one row, in the order of the suite', () => {
    expect(rows.map(({ test }) => test)).toEqual(Object.keys(SUITE));
    expect(rows).toHaveLength(41);
  });

  it.each(rows)('$test: $passes', async ({ test, passes, why }) => {
    const expectation = SUITE[test];
    if (!expectation) throw new Error(`no test of the suite: ${test}`);
    expect(await judge(expectation)).toBe(passes);
    expect(why === '').toBe(passes === 'yes' && !test.startsWith('listSecrets'));
  });

  it('the page counts them', () => {
    const count = (verdict: string): number =>
      rows.filter(({ passes }) => passes === verdict).length;
    expect(textOf(PAGE).replaceAll('\n', ' ')).toContain(
      `Of its 41 tests, ${count('yes')} pass unchanged, ${count('as DynamoDB')} pass if their mocks answer as DynamoDB does, and ${count('no')} do not pass.`,
    );
  });
});

describe('the guide', () => {
  it('errors of a service keep its name for them, in their cause', async () => {
    const none = new NotFoundException({ $metadata: {}, message: 'no key' });
    kms.on(GenerateDataKeyCommand).rejects(none);
    const error: unknown = await create()
      .putSecret({ name: NAME, secret: 'text' })
      .catch((each: unknown) => each);
    expect(error).toMatchObject({ code: 'KEY_NOT_FOUND', cause: { name: 'NotFoundException' } });
  });

  /** The code and the message of a call's error. */
  const failure = async (call: () => Promise<unknown>): Promise<string> => {
    try {
      await call();
    } catch (error) {
      if (error instanceof CredstashError) return `${error.code}: ${error.message}`;
      throw error;
    }
    throw new Error('the call did not fail');
  };

  it('says nothing about an HMAC if the table answers with another entry', async () => {
    answerRead('suite', QueryCommand, [{ name: 'other', version: v(1), ...seal('text') }]);
    expect(await failure(() => create().getSecret({ name: NAME }))).toMatch(
      /^INTEGRITY: the table .* answered with another entry/,
    );
  });

  it('names no secret `undefined` if some secrets do not open', async () => {
    answerRead('DynamoDB', ScanCommand, [{ ...seal('text'), contents: 'AAAA' }]);
    answerDecrypt();
    expect(await failure(() => create().getAllSecrets())).toBe(
      'INTEGRITY: 1 of 1 secrets cannot be opened, so none is given',
    );
  });

  it('a mock that does not answer is told as an answer that cannot be read', async () => {
    for (const call of [
      () => create().getSecret({ name: NAME }),
      () => create().getSecret({ name: NAME, version: 1 }),
      () => create().listSecrets(),
      () => create().putSecret({ name: NAME, secret: 'text' }),
    ]) {
      expect(await failure(call)).toMatch(/^UNREACHABLE: .*sent an answer that cannot be read/);
    }
  });

  it('an object with the methods that the code calls replaces the class', async () => {
    const readPassword = (stash: Pick<CredStash, 'getSecret'>): Promise<string> =>
      stash.getSecret({ name: 'db' });
    const standIn = { getSecret: () => Promise.resolve('of a test') };
    expectTypeOf(standIn).toExtend<Pick<CredStash, 'getSecret'>>();
    expect(await readPassword(standIn)).toBe('of a test');
  });

  it('Credstash.inMemory() replaces the store of code that uses the new API', async () => {
    const readPassword = (credstash: Pick<Credstash, 'getText'>): Promise<string> =>
      credstash.getText('db');
    const credstash = Credstash.inMemory();
    await credstash.put('db', 'of a test');
    expect(await readPassword(credstash)).toBe('of a test');
  });
});
