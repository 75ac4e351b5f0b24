import { randomBytes } from 'node:crypto';
import { type Context, KmsError, type KeyRing, type Unwrapped } from './kms-keys.ts';

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

function describeKey(keys: KeyRing, body: Body): Body {
  const key = keys.find(text(body, 'KeyId'));
  return {
    KeyMetadata: {
      AWSAccountId: key.arn.split(':')[4],
      KeyId: key.id,
      Arn: key.arn,
      CreationDate: key.created.getTime() / 1000,
      Enabled: key.enabled,
      KeyState: key.enabled ? 'Enabled' : 'Disabled',
      KeyUsage: 'ENCRYPT_DECRYPT',
      KeySpec: 'SYMMETRIC_DEFAULT',
      KeyManager: 'CUSTOMER',
      Origin: 'AWS_KMS',
      MultiRegion: false,
    },
  };
}

function getKeyRotationStatus(keys: KeyRing, body: Body): Body {
  const keyId = text(body, 'KeyId');
  if (keyId.includes('alias/')) throw new KmsError('InvalidArnException', 'an alias is not taken');
  return { KeyRotationEnabled: keys.find(keyId).rotates ?? false };
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
      return describeKey(keys, body);
    case 'GetKeyRotationStatus':
      return getKeyRotationStatus(keys, body);
    default:
      throw new KmsError('UnknownOperationException', '');
  }
}
