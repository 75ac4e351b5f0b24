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
import { nameOf, translate } from './errors.ts';
import { ThrottleRetry, type SendOptions } from './throttle-retry.ts';

/** For the modules that load this one: importing the package lazily would load all of it. */
export { DecryptCommand, KMSClient };

/**
 * Data keys by AWS KMS, under the master key `key` of one region.
 *
 * With `trusted` keys, no data key leaves this class that is not under one of them. Where there is one, KMS is told so with
 * the request. Every answer says by its ARN which key was used, and that is compared in any case, before the data key is
 * copied or what was wrapped is handed out.
 */
export class AwsKeyService implements KeyService {
  readonly #kms: KMSClient;
  readonly #key: string;
  readonly #region: string;
  readonly #retry: ThrottleRetry;
  readonly #trusted: TrustedKeys | undefined;
  readonly #signal: AbortSignal | undefined;

  /** @param trusted undefined where every key is that KMS lets the caller use */
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
      // In this order: a data key that nothing unwraps again is not even copied.
      return { wrapped: present(answer.CiphertextBlob), plaintext: copyOf(answer.Plaintext) };
    } finally {
      wipe(answer.Plaintext);
    }
  }

  async unwrap(wrapped: Uint8Array, context: Context): Promise<Uint8Array> {
    const only = this.#trusted?.only(this.#region);
    // Without a KeyId the wrapped key names its own: entries of one table may be under several.
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
      return copyOf(answer.Plaintext);
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
    return present(answer.CiphertextBlob);
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
    return before !== undefined && before === after ? undefined : present(answer.CiphertextBlob);
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
      send,
      (error) => {
        // KMS says so only of a key that the request names for what is wrapped.
        const isOther = nameOf(error) === 'IncorrectKeyException';
        const refused = isOther ? this.#trusted?.notUnder(this.#region) : undefined;
        return refused ?? fromKms(error, action, resource, this.#region, context, hintIfMissing);
      },
      this.#signal,
    );
  }
}

const HINT_IF_MISSING =
  'name a key with -k and its region with --kms-region, or create one with that alias';
/** Of an entry, which no option gives another key. */
const HINT_IF_DELETED =
  'the key is in another region, which --kms-region names, or it was deleted, and with it what is sealed under it';

/**
 * What KMS answered, as an error of the project.
 *
 * @param action of IAM
 * @param resource what it was asked about: `the key alias/credstash`
 * @param hintIfMissing what to do if there is no such key
 */
export function fromKms(
  error: unknown,
  action: string,
  resource: string,
  region: string,
  context: Context = {},
  hintIfMissing = HINT_IF_MISSING,
): CredstashError {
  const general = translate(error, { service: 'KMS', action, resource, region: region });
  switch (nameOf(error)) {
    case 'InvalidCiphertextException':
    case 'IncorrectKeyException':
      return wrongContext('KMS', context, general.cause);
    case 'ValidationException':
      // What these send is the entry's, which anybody may have written: it must not stop the others.
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
        `KMS cannot use ${resource} in ${region} (${nameOf(error)})`,
        {
          hint: 'the key must be a symmetric one that is enabled and not about to be deleted',
          cause: general.cause,
        },
      );
    default:
      return general;
  }
}

/** The caller's own copy of a data key. */
function copyOf(plaintext: unknown): Uint8Array {
  return new Uint8Array(present(plaintext));
}

/** Zeroes the SDK's buffer. */
function wipe(plaintext: unknown): void {
  if (plaintext instanceof Uint8Array) plaintext.fill(0);
}

function present(bytes: unknown): Uint8Array {
  if (bytes instanceof Uint8Array && bytes.length > 0) return bytes;
  throw new CredstashError('UNREACHABLE', 'KMS sent an answer without a data key', {
    cause: new ServiceAnswer('KMS: no data key'),
  });
}
