import { Table } from '../../../src/backend/aws/table.ts';
import {
  CreateTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  DynamoDBServiceException,
} from '@aws-sdk/client-dynamodb';
import { KMSClient, KMSServiceException } from '@aws-sdk/client-kms';
import { mockClient } from 'aws-sdk-client-mock';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AwsEntryStore } from '../../../src/backend/aws/entry-store.ts';
import { AwsKeyService } from '../../../src/backend/aws/key-service.ts';
import { ThrottleRetry } from '../../../src/backend/aws/throttle-retry.ts';
import { createTable } from '../../../src/backend/aws/setup/table.ts';
import { checkContext } from '../../../src/model/context.ts';
import { CredstashError } from '../../../src/errors.ts';
import { tableKeys } from '../../support/dynamo.ts';

const dynamodb = mockClient(DynamoDBClient);
const kms = mockClient(KMSClient);
const region = 'eu-west-1';
const client = new DynamoDBClient({ region });
const store = new AwsEntryStore(new Table(client, 'secrets', region));
const keys = new AwsKeyService(new KMSClient({ region }), 'alias/mine', region);

/** How setup creates a table here. */
const retry = new ThrottleRetry();
const options = { tags: {}, creating: () => Promise.resolve() };

const CANARY = 'c2VjcmV0LWRhdGEta2V5';

beforeEach(() => {
  dynamodb.reset();
  kms.reset();
  // What is throttled is not waited for here.
  vi.stubEnv('AWS_MAX_ATTEMPTS', '1');
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/** An error of the service as the SDK throws it, whose text quotes what it should not. */
function service(name: string, status = 400, message = CANARY): DynamoDBServiceException {
  return new DynamoDBServiceException({
    name,
    $fault: status < 500 ? 'client' : 'server',
    $metadata: { httpStatusCode: status },
    message,
  });
}

function system(code: string): Error {
  return Object.assign(new Error(`${code} ${CANARY}`), { code, errno: -1, syscall: 'connect' });
}

async function failure(promise: Promise<unknown>): Promise<CredstashError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CredstashError);
  return error as CredstashError;
}

/** Everything that could ever be printed of an error. */
function everything(error: CredstashError): string {
  const parts = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    parts.push(at.message, at.stack, JSON.stringify(at));
  }
  return [...parts, error.hint].join('\n');
}

describe.each([
  [
    service('AccessDeniedException', 400, 'User: arn:aws:iam::1:user/x is not authorized'),
    'ACCESS_DENIED',
    6,
  ],
  [service('AccessDeniedException', 400, ''), 'ACCESS_DENIED', 6],
  [service('UnrecognizedClientException'), 'CREDENTIALS_REFUSED', 6],
  [service('InvalidSignatureException'), 'CREDENTIALS_REFUSED', 6],
  [service('IncompleteSignatureException'), 'CREDENTIALS_REFUSED', 6],
  [service('ExpiredTokenException'), 'CREDENTIALS_REFUSED', 6],
  [service('InvalidIdentityTokenException'), 'CREDENTIALS_REFUSED', 6],
  [service('IDPRejectedClaimException'), 'CREDENTIALS_REFUSED', 6],
  [service('IDPCommunicationErrorException'), 'UNREACHABLE', 7],
  [Object.assign(new Error(CANARY), { name: 'CredentialsProviderError' }), 'NO_CREDENTIALS', 6],
  [Object.assign(new Error(CANARY), { name: 'TokenProviderError' }), 'NO_CREDENTIALS', 6],
  [service('ThrottlingException'), 'THROTTLED', 7],
  [service('RequestLimitExceeded'), 'THROTTLED', 7],
  [service('Whatever', 429), 'THROTTLED', 7],
  [service('InternalServerError', 500), 'UNREACHABLE', 7],
  [service('ServiceUnavailable', 503), 'UNREACHABLE', 7],
  [system('ECONNREFUSED'), 'UNREACHABLE', 7],
  [system('ENOTFOUND'), 'UNREACHABLE', 7],
  [system('ECONNRESET'), 'UNREACHABLE', 7],
  [system('CERT_HAS_EXPIRED'), 'UNREACHABLE', 7],
  [Object.assign(new Error(CANARY), { name: 'TimeoutError' }), 'UNREACHABLE', 7],
  [new SyntaxError(`Unexpected token in JSON: {"Plaintext":"${CANARY}`), 'UNREACHABLE', 7],
  [service('ValidationException'), 'UNEXPECTED', 1],
  [new TypeError(CANARY), 'UNEXPECTED', 1],
  // As the SDK has it for AWS_DEFAULTS_MODE=x, and for AWS_USE_FIPS_ENDPOINT with an endpoint.
  [new Error(CANARY), 'USAGE', 2],
  [Object.assign(new Error(CANARY), { name: 'EndpointError' }), 'USAGE', 2],
  // A line break at the end of a session token.
  [system('ERR_INVALID_CHAR'), 'CREDENTIALS_REFUSED', 6],
])('%s', (thrown, code, exitStatus) => {
  it(`is ${code} from DynamoDB, with the table and the region, and quotes nothing`, async () => {
    dynamodb.onAnyCommand().rejects(thrown);
    const error = await failure(store.latest('n'));
    expect(error).toMatchObject({ code, exitStatus });
    if (code !== 'NO_CREDENTIALS' && code !== 'CREDENTIALS_REFUSED') {
      expect(error.message).toContain('the table secrets in eu-west-1');
    }
    expect(everything(error)).not.toContain(CANARY);
    expect(error.cause).toBeInstanceOf(Error);
  });

  it(`is ${code} from KMS, and quotes nothing`, async () => {
    kms.onAnyCommand().rejects(thrown);
    const error = await failure(keys.generate(checkContext([])));
    expect(error).toMatchObject({ code, exitStatus });
    expect(everything(error)).not.toContain(CANARY);
  });
});

describe('an error', () => {
  it('of missing credentials has a hint that names the local vault', async () => {
    dynamodb
      .onAnyCommand()
      .rejects(Object.assign(new Error(), { name: 'CredentialsProviderError' }));
    expect((await failure(store.latest('n'))).hint).toContain('`Credstash.local()`');
  });

  it('of a denial names the action, and keeps what AWS says apart from it', async () => {
    dynamodb
      .onAnyCommand()
      .rejects(service('AccessDeniedException', 400, 'User: x is not authorized'));
    expect(await failure(store.get('n', '1'))).toMatchObject({
      message: 'access denied: dynamodb:GetItem on the table secrets in eu-west-1',
      serviceMessage: 'User: x is not authorized',
    });
    dynamodb.onAnyCommand().rejects(service('AccessDeniedException', 400, ''));
    expect((await failure(store.get('n', '1'))).serviceMessage).toBeUndefined();
  });

  it('of a denial leaves out what is neither a word, an action nor an ARN', async () => {
    const key = Buffer.alloc(64, 'k').toString('base64');
    const said = [
      'User: arn:aws:sts::123456789012:assumed-role/app/i-0abc is not authorized to perform: kms:Decrypt on resource:',
      'arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab with an explicit deny in a service control policy',
    ].join(' ');
    kms
      .onAnyCommand()
      .rejects(
        service('AccessDeniedException', 400, `${said} {"Plaintext":"${key}"} ${key} (x:${key})`),
      );
    expect((await failure(keys.unwrap(Uint8Array.of(1), checkContext([])))).serviceMessage).toBe(
      `${said} … … …`,
    );
    kms
      .onAnyCommand()
      .rejects(service('AccessDeniedException', 400, 'arn:aws:\x1b[2J arn:aws:é x\x07'));
    expect((await failure(keys.unwrap(Uint8Array.of(1), checkContext([])))).serviceMessage).toBe(
      '… … …',
    );
  });

  it('repeats no name that is none of an error', async () => {
    for (const name of ['x'.repeat(61), 'K9k4mQ2', 'a.b', 'a_b', 'a b']) {
      for (const status of [400, 429, 500]) {
        kms.onAnyCommand().rejects(service(name, status));
        const error = await failure(keys.generate(checkContext([])));
        expect(everything(error)).not.toContain(name);
      }
    }
  });

  it('of an absent table says where it looked and how to create it', async () => {
    dynamodb.onAnyCommand().rejects(service('ResourceNotFoundException'));
    expect(await failure(store.latest('n'))).toMatchObject({
      code: 'TABLE_NOT_FOUND',
      exitStatus: 3,
      message: 'there is no table secrets in eu-west-1',
      hint: expect.stringContaining('`setup()`') as string,
    });
  });

  it('of a table that has used up its capacity is throttling', async () => {
    dynamodb.onAnyCommand().rejects(service('ProvisionedThroughputExceededException'));
    expect(await failure(store.latest('n'))).toMatchObject({ code: 'THROTTLED', exitStatus: 7 });
  });

  it.each([
    ['NotFoundException', 'KEY_NOT_FOUND'],
    ['DisabledException', 'KEY_UNUSABLE'],
    ['KMSInvalidStateException', 'KEY_UNUSABLE'],
    ['InvalidKeyUsageException', 'KEY_UNUSABLE'],
    ['InvalidCiphertextException', 'WRONG_CONTEXT'],
    ['IncorrectKeyException', 'WRONG_CONTEXT'],
    // What of a Decrypt can be invalid is the entry's.
    ['ValidationException', 'WRONG_CONTEXT'],
  ])('%s of KMS is %s', async (name, code) => {
    kms.onAnyCommand().rejects(
      new KMSServiceException({
        name,
        $fault: 'client',
        $metadata: { httpStatusCode: 400 },
        message: CANARY,
      }),
    );
    const error = await failure(keys.unwrap(Uint8Array.of(1), checkContext([['env', 'x']])));
    expect(error).toMatchObject({ code, exitStatus: 6 });
    // No option gives an entry another key.
    expect(error.hint ?? '').not.toContain('-k ');
    expect(everything(error)).not.toContain(CANARY);
  });

  it.each<[what: string, answer: object]>([
    ['nothing', {}],
    ['a number', { Plaintext: 5 }],
    ['a data key that is not wrapped', { Plaintext: new Uint8Array(64) }],
    [
      'a wrapped key of no bytes',
      { Plaintext: new Uint8Array(64), CiphertextBlob: new Uint8Array(0) },
    ],
  ])('of an answer without a data key, but %s, says so', async (_, answer) => {
    kms.onAnyCommand().resolves(answer);
    expect(await failure(keys.generate(checkContext([])))).toMatchObject({ code: 'UNREACHABLE' });
  });

  it('of an answer that the SDK cannot take apart is none of the request', async () => {
    // As the SDK has it for one that is nested too deep, or whose base64 is none.
    const error = Object.assign(new RangeError(CANARY), { $metadata: { httpStatusCode: 200 } });
    dynamodb.onAnyCommand().rejects(error);
    const said = await failure(store.latest('n'));
    expect(said).toMatchObject({ code: 'UNREACHABLE', exitStatus: 7 });
    expect(said.message).toContain('an answer that cannot be read');
    expect(everything(said)).not.toContain(CANARY);
  });

  it('of an entry that is too large, with its real wrapped key, comes before the request', async () => {
    const entry = {
      name: 'n',
      version: '1',
      cipher: 'AES-256-GCM' as const,
      key: new Uint8Array(9),
      contents: new Uint8Array(409_600),
      hmac: new Uint8Array(32),
    };
    expect(await failure(store.create(entry))).toMatchObject({ code: 'TOO_LARGE', exitStatus: 2 });
    expect(dynamodb.calls()).toHaveLength(0);
  });

  it('of a setup by ARN says which name to give', async () => {
    const arn = 'arn:aws:dynamodb:eu-west-1:123456789012:table/secrets';
    expect(
      await failure(createTable({ dynamodb: client, table: arn, region, retry }, options)),
    ).toMatchObject({
      code: 'USAGE',
      hint: '`table: "secrets", region: "eu-west-1"`',
    });
    expect(dynamodb.calls()).toHaveLength(0);
  });

  it('of a setup that may create no table does not come where it is there', async () => {
    const setup = async (): Promise<boolean> =>
      (await createTable({ dynamodb: client, table: 'secrets', region, retry }, options)).created;
    dynamodb.on(CreateTableCommand).rejects(service('AccessDeniedException'));
    dynamodb.on(DescribeTableCommand).resolves({
      Table: {
        TableStatus: 'ACTIVE',
        ...tableKeys,
      },
    });
    expect(await setup()).toBe(false);
    for (const other of ['AccessDeniedException', 'ResourceNotFoundException']) {
      dynamodb.on(DescribeTableCommand).rejects(service(other));
      expect(await failure(setup())).toMatchObject({
        code: 'ACCESS_DENIED',
        message: expect.stringContaining('dynamodb:CreateTable') as unknown,
      });
    }
  });

  it('of a setup that may not look at the table comes at once, not after a wait', async () => {
    dynamodb.on(CreateTableCommand).resolves({});
    dynamodb.on(DescribeTableCommand).rejects(service('AccessDeniedException'));
    const table = 'secrets';
    const setup = createTable({ dynamodb: client, table, region, retry }, options);
    expect(await failure(setup)).toMatchObject({
      code: 'ACCESS_DENIED',
      message: expect.stringContaining('dynamodb:DescribeTable') as unknown,
    });
    expect(dynamodb.commandCalls(DescribeTableCommand)).toHaveLength(1);
  });

  it('of an answer without a table comes at once, too', async () => {
    dynamodb.on(CreateTableCommand).resolves({});
    dynamodb.on(DescribeTableCommand).resolves({});
    const setup = createTable({ dynamodb: client, table: 'secrets', region, retry }, options);
    expect(await failure(setup)).toMatchObject({ code: 'UNREACHABLE' });
    expect(dynamodb.commandCalls(DescribeTableCommand)).toHaveLength(1);
  });
});
