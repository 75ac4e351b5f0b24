import {
  DecryptCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  KMSClient,
  ReEncryptCommand,
} from '@aws-sdk/client-kms';
import { type Context } from '../../model/context.ts';
import { DATA_KEY_BYTES } from '../../model/data-key.ts';
import { CredstashError, ServiceAnswer } from '../../errors.ts';
import type { TrustedKeys } from '../../model/trust.ts';
import { type DataKey, type KeyService, wrongContext } from '../key-service.ts';
import { readErrorName, translate, unreadableAnswer } from './errors.ts';
import { isRecord } from './items.ts';
import { ThrottleRetry, type SendOptions } from './throttle-retry.ts';

/** Re-exported for modules that import this one lazily: a lazy import of the package would load all of it. */
export { KMSClient };

/**
 * Data keys of AWS KMS, under the master key `key` of one region.
 *
 * With `trusted` keys, every data key that leaves this class is under one of them. If only one key is trusted, the request
 * names it. The ARN in every answer is compared with the trusted keys, before a data key is copied or returned.
 */
export class AwsKeyService implements KeyService {
  readonly #kms: KMSClient;
  readonly #key: string;
  readonly #region: string;
  readonly #retry: ThrottleRetry;
  readonly #trusted: TrustedKeys | undefined;
  readonly #signal: AbortSignal | undefined;

  /** @param trusted undefined trusts every key that KMS lets the caller use */
  constructor(
    kms: KMSClient,
    key: string,
    region: string,
    retry = new ThrottleRetry(),
    trusted?: TrustedKeys,
    signal?: AbortSignal,
  ) {
    this.#kms = kms;
    this.#key = key;
    this.#region = region;
    this.#retry = retry;
    this.#trusted = trusted;
    this.#signal = signal;
  }

  withSignal(signal: AbortSignal): KeyService {
    return new AwsKeyService(
      this.#kms,
      this.#key,
      this.#region,
      this.#retry,
      this.#trusted,
      signal,
    );
  }

  checkKey(): void {
    this.#trusted?.checkName(this.#key);
  }

  warmUp(): void {
    // No-op: the caller that made the client connects it.
  }

  async generate(context: Context): Promise<DataKey> {
    this.checkKey();
    const input = { KeyId: this.#key, EncryptionContext: context, NumberOfBytes: DATA_KEY_BYTES };
    const answer = await this.#call(
      'kms:GenerateDataKey',
      `the key ${this.#key}`,
      context,
      (options) => this.#kms.send(new GenerateDataKeyCommand(input), options),
    );
    try {
      this.#trusted?.checkKey(answer.KeyId, this.#key);
      // In this order, so that a data key without its wrapped form is never copied.
      return {
        wrapped: requireBytes(answer.CiphertextBlob),
        plaintext: copyBytes(answer.Plaintext),
      };
    } finally {
      wipe(answer.Plaintext);
    }
  }

  async unwrap(wrapped: Uint8Array, context: Context): Promise<Uint8Array> {
    const only = this.#trusted?.only(this.#region);
    // Without a KeyId, KMS finds the key in the wrapped key: entries of one table may be under several keys.
    const input = { CiphertextBlob: wrapped, EncryptionContext: context, KeyId: only };
    const key = only === undefined ? "the entry's key" : `the trusted key ${only}`;
    const hint = (only === undefined ? undefined : this.#trusted?.hintIfMissing) ?? HINT_IF_DELETED;
    const answer = await this.#call(
      'kms:Decrypt',
      key,
      context,
      (options) => this.#kms.send(new DecryptCommand(input), options),
      hint,
    );
    try {
      this.#trusted?.checkEntry(answer.KeyId);
      return copyBytes(answer.Plaintext);
    } finally {
      wipe(answer.Plaintext);
    }
  }

  async wrap(plaintext: Uint8Array, context: Context): Promise<Uint8Array> {
    this.checkKey();
    const input = { KeyId: this.#key, Plaintext: plaintext, EncryptionContext: context };
    const answer = await this.#call('kms:Encrypt', `the key ${this.#key}`, context, (options) =>
      this.#kms.send(new EncryptCommand(input), options),
    );
    this.#trusted?.checkKey(answer.KeyId, this.#key);
    return requireBytes(answer.CiphertextBlob);
  }

  async rewrap(wrapped: Uint8Array, context: Context): Promise<Uint8Array | undefined> {
    this.checkKey();
    const only = this.#trusted?.only(this.#region);
    const input = {
      CiphertextBlob: wrapped,
      SourceEncryptionContext: context,
      SourceKeyId: only,
      DestinationEncryptionContext: context,
      DestinationKeyId: this.#key,
    };
    const source = only === undefined ? "the entry's key" : `the trusted key ${only}`;
    const keys = `${source} or the key ${this.#key}`;
    const answer = await this.#call('kms:ReEncrypt*', keys, context, (options) =>
      this.#kms.send(new ReEncryptCommand(input), options),
    );
    const { SourceKeyId: before, KeyId: after } = answer;
    this.#trusted?.checkEntry(before);
    this.#trusted?.checkKey(after, this.#key);
    return before !== undefined && before === after
      ? undefined
      : requireBytes(answer.CiphertextBlob);
  }

  #call<T>(
    action: string,
    resource: string,
    context: Context,
    send: (options: SendOptions) => Promise<T>,
    hintIfMissing?: string,
  ): Promise<T> {
    return this.#retry.send(
      `KMS in ${this.#region}`,
      async (options) => {
        const answer = await send(options);
        // A mocked client resolves to undefined for a command that it was not told of.
        if (isRecord(answer)) return answer;
        throw unreadableAnswer({ service: 'KMS', resource, region: this.#region });
      },
      (error) => {
        // Only if the request names the key, and the data key is under another.
        const isOther = readErrorName(error) === 'IncorrectKeyException';
        const refused = isOther ? this.#trusted?.notUnder(this.#region) : undefined;
        return (
          refused ??
          translateKmsError(error, action, resource, this.#region, context, hintIfMissing)
        );
      },
      this.#signal,
    );
  }
}

const HINT_IF_MISSING =
  'name a key with `key` and its region with `kmsRegion`, or create one with that alias';
/** For an entry, whose key no option can change. */
const HINT_IF_DELETED =
  'the key is in another region, which `kmsRegion` names, or it was deleted, and with it what is sealed under it';

/**
 * Translates an error of KMS into the project's.
 *
 * @param action the IAM action
 * @param resource the subject of the request: `the key alias/credstash`
 * @param hintIfMissing what to do if the key does not exist
 */
export function translateKmsError(
  error: unknown,
  action: string,
  resource: string,
  region: string,
  context: Context = {},
  hintIfMissing = HINT_IF_MISSING,
): CredstashError {
  const general = translate(error, { service: 'KMS', action, resource, region: region });
  switch (readErrorName(error)) {
    case 'InvalidCiphertextException':
    case 'IncorrectKeyException':
      return wrongContext('KMS', context, general.cause);
    case 'ValidationException':
      // These send a part of an entry, which anybody may have written: it must not stop the work on other entries.
      return ['kms:Decrypt', 'kms:ReEncrypt*'].includes(action)
        ? wrongContext('KMS', context, general.cause)
        : general;
    case 'NotFoundException':
      return new CredstashError('KEY_NOT_FOUND', `KMS cannot find ${resource} in ${region}`, {
        hint: hintIfMissing,
        cause: general.cause,
      });
    case 'DisabledException':
    case 'KMSInvalidStateException':
    case 'KeyUnavailableException':
    case 'InvalidKeyUsageException':
    case 'InvalidGrantTokenException':
    case 'InvalidArnException':
      return new CredstashError(
        'KEY_UNUSABLE',
        `KMS cannot use ${resource} in ${region} (${readErrorName(error)})`,
        {
          hint: 'name a symmetric key with `key` that is enabled and not about to be deleted',
          cause: general.cause,
        },
      );
    default:
      return general;
  }
}

/** Copies a data key for the caller, so that the SDK's buffer can be wiped. */
function copyBytes(plaintext: unknown): Uint8Array {
  return new Uint8Array(requireBytes(plaintext));
}

/** Zeroes the SDK's buffer. */
function wipe(plaintext: unknown): void {
  if (plaintext instanceof Uint8Array) plaintext.fill(0);
}

function requireBytes(bytes: unknown): Uint8Array {
  if (bytes instanceof Uint8Array && bytes.length > 0) return bytes;
  throw new CredstashError('UNREACHABLE', 'KMS sent an answer without a data key', {
    cause: new ServiceAnswer('KMS: no data key'),
  });
}
