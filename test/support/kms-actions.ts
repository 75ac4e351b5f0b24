import { randomBytes } from 'node:crypto';
import {
  type Context,
  KmsError,
  type KeyRing,
  type MasterKey,
  type Unwrapped,
} from './kms-keys.ts';

/** The parsed body of a request, or of an answer. */
export type Body = Readonly<Record<string, unknown>>;

/** Changes the plaintext of a data key on its way out, to hand out one of the wrong length. */
export type Falsify = (plaintext: Buffer) => Buffer;

function text(body: Body, name: string): string {
  const value = body[name];
  if (typeof value === 'string') return value;
  throw new KmsError(
    'ValidationException',
    `1 validation error detected: Value null at '${name}' failed to satisfy constraint: Member must not be null`,
  );
}

function context(body: Body, name: string): Context {
  const value = body[name] ?? {};
  const entries =
    typeof value === 'object' && !Array.isArray(value) ? Object.entries(value) : [['', 0]];
  if (entries.every((entry): entry is [string, string] => typeof entry[1] === 'string')) {
    return Object.fromEntries(entries);
  }
  throw new KmsError('SerializationException', `${name} is not a map of strings`);
}

/** NumberOfBytes or KeySpec: KMS wants exactly one of them. */
function dataKeyLength(body: Body): number {
  const { NumberOfBytes: bytes, KeySpec: spec } = body;
  if ((bytes === undefined) === (spec === undefined)) {
    throw new KmsError('ValidationException', 'Please specify either number of bytes or key spec.');
  }
  if (spec === 'AES_256') return 32;
  if (spec === 'AES_128') return 16;
  if (typeof bytes === 'number' && Number.isInteger(bytes) && bytes >= 1 && bytes <= 1024) {
    return bytes;
  }
  throw new KmsError('ValidationException', '1 validation error detected: no such data key length');
}

function generateDataKey(keys: KeyRing, body: Body, falsify: Falsify): Body {
  const key = keys.usable(text(body, 'KeyId'));
  const plaintext = falsify(randomBytes(dataKeyLength(body)));
  const blob = keys.wrap(key, plaintext, context(body, 'EncryptionContext'));
  return {
    CiphertextBlob: blob.toString('base64'),
    Plaintext: plaintext.toString('base64'),
    KeyId: key.arn,
  };
}

function encrypt(keys: KeyRing, body: Body): Body {
  const key = keys.usable(text(body, 'KeyId'));
  const plaintext = Buffer.from(text(body, 'Plaintext'), 'base64');
  if (plaintext.length === 0 || plaintext.length > 4096) {
    throw new KmsError('ValidationException', '1 validation error detected: 1 to 4096 bytes');
  }
  const blob = keys.wrap(key, plaintext, context(body, 'EncryptionContext'));
  return {
    CiphertextBlob: blob.toString('base64'),
    KeyId: key.arn,
    EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
  };
}

/** Opens the CiphertextBlob of Decrypt and ReEncrypt; a key that is named must be the right one. */
function unwrap(keys: KeyRing, body: Body, keyName: string, contextName: string): Unwrapped {
  const expected = body[keyName] === undefined ? undefined : keys.usable(text(body, keyName));
  const blob = Buffer.from(text(body, 'CiphertextBlob'), 'base64');
  const opened = keys.unwrap(blob, context(body, contextName));
  if (expected && expected !== opened.key) {
    throw new KmsError(
      'IncorrectKeyException',
      'The key ID in the request does not identify a CMK that can perform this operation.',
    );
  }
  return opened;
}

function decrypt(keys: KeyRing, body: Body, falsify: Falsify): Body {
  const { key, plaintext } = unwrap(keys, body, 'KeyId', 'EncryptionContext');
  return {
    KeyId: key.arn,
    Plaintext: falsify(plaintext).toString('base64'),
    EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
  };
}

function reEncrypt(keys: KeyRing, body: Body): Body {
  const destination = keys.usable(text(body, 'DestinationKeyId'));
  const source = unwrap(keys, body, 'SourceKeyId', 'SourceEncryptionContext');
  const blob = keys.wrap(
    destination,
    source.plaintext,
    context(body, 'DestinationEncryptionContext'),
  );
  return {
    CiphertextBlob: blob.toString('base64'),
    KeyId: destination.arn,
    SourceKeyId: source.key.arn,
    SourceEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    DestinationEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
  };
}

function metadata(key: MasterKey): Body {
  const [, , , region, account] = key.arn.split(':');
  const primary = { Arn: key.arn, Region: region };
  return {
    KeyMetadata: {
      AWSAccountId: account,
      KeyId: key.id,
      Arn: key.arn,
      CreationDate: key.created.getTime() / 1000,
      Enabled: key.enabled && !key.doomed,
      KeyState: key.doomed ? 'PendingDeletion' : key.enabled ? 'Enabled' : 'Disabled',
      KeyUsage: key.usage,
      KeySpec: key.spec,
      KeyManager: 'CUSTOMER',
      Origin: key.origin,
      MultiRegion: key.multiRegion,
      ...(key.multiRegion
        ? {
            MultiRegionConfiguration: {
              MultiRegionKeyType: 'PRIMARY',
              PrimaryKey: primary,
              ReplicaKeys: [],
            },
          }
        : {}),
    },
  };
}

/** What manages a key takes its id or its ARN, and no alias (API reference, KeyId). */
function managed(keys: KeyRing, body: Body): MasterKey {
  const named = text(body, 'KeyId');
  if (!named.includes('alias/')) return keys.find(named);
  throw new KmsError('NotFoundException', `Invalid keyId '${named}'`);
}

function createKey(keys: KeyRing, body: Body): Body {
  return metadata(keys.create(body['MultiRegion'] === true));
}

function createAlias(keys: KeyRing, body: Body): Body {
  const alias = text(body, 'AliasName');
  if (!/^alias\/[A-Za-z0-9/_-]+$/.test(alias) || alias.startsWith('alias/aws/')) {
    throw new KmsError('ValidationException', '1 validation error detected: no such alias');
  }
  keys.name(alias, keys.find(text(body, 'TargetKeyId')));
  return {};
}

function assertRotatable(key: MasterKey): void {
  if (key.spec === 'SYMMETRIC_DEFAULT' && key.origin === 'AWS_KMS') return;
  throw new KmsError('UnsupportedOperationException', `${key.arn} origin is ${key.origin}`);
}

function enableKeyRotation(keys: KeyRing, body: Body): Body {
  const key = keys.usable(managed(keys, body).id);
  assertRotatable(key);
  key.rotates = true;
  return {};
}

function getKeyRotationStatus(keys: KeyRing, body: Body): Body {
  const key = managed(keys, body);
  assertRotatable(key);
  return {
    KeyId: key.arn,
    KeyRotationEnabled: key.rotates,
    ...(key.rotates ? { RotationPeriodInDays: 365 } : {}),
  };
}

function scheduleKeyDeletion(keys: KeyRing, body: Body): Body {
  const key = managed(keys, body);
  const days = body['PendingWindowInDays'] ?? 30;
  if (typeof days !== 'number' || days < 7 || days > 30) {
    throw new KmsError('ValidationException', '1 validation error detected: 7 to 30 days');
  }
  key.doomed = true;
  return {
    KeyId: key.arn,
    DeletionDate: Date.now() / 1000 + days * 86_400,
    KeyState: 'PendingDeletion',
    PendingWindowInDays: days,
  };
}

/** Does one action of KMS. */
export function act(action: string, keys: KeyRing, body: Body, falsify: Falsify): Body {
  switch (action) {
    case 'GenerateDataKey':
      return generateDataKey(keys, body, falsify);
    case 'Encrypt':
      return encrypt(keys, body);
    case 'Decrypt':
      return decrypt(keys, body, falsify);
    case 'ReEncrypt':
      return reEncrypt(keys, body);
    case 'DescribeKey':
      return metadata(keys.find(text(body, 'KeyId')));
    case 'CreateKey':
      return createKey(keys, body);
    case 'CreateAlias':
      return createAlias(keys, body);
    case 'EnableKeyRotation':
      return enableKeyRotation(keys, body);
    case 'GetKeyRotationStatus':
      return getKeyRotationStatus(keys, body);
    case 'ScheduleKeyDeletion':
      return scheduleKeyDeletion(keys, body);
    default:
      throw new KmsError('UnknownOperationException', '');
  }
}
