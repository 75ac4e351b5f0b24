import type { Context } from '../model/context.ts';
import type { SdkOptions } from './sdk2-options.ts';

/* The options and results of the methods of class CredStash (docs/how-to/migrate-from-nodecredstash.md). */

export interface CredStashOptions {
  /** Default: `credential-store`. */
  readonly table?: string | undefined;
  /** The master key of new secrets; default: `alias/credstash`. */
  readonly kmsKey?: string | undefined;
  /** Options of the AWS SDK for both services. A `profile` in any of the three applies to both services. */
  readonly awsOpts?: SdkOptions | undefined;
  /** Options of the AWS SDK for DynamoDB. They override `awsOpts`. */
  readonly dynamoOpts?: SdkOptions | undefined;
  /** Options of the AWS SDK for KMS. They override `awsOpts`. */
  readonly kmsOpts?: SdkOptions | undefined;
  /** The format of new secrets: `AES-256-CTR` (default), which nodecredstash reads, or `AES-256-GCM`, which it does not. */
  readonly cipher?: 'AES-256-CTR' | 'AES-256-GCM' | undefined;
  /** The ARNs of the trusted KMS keys; default: every key that KMS lets the caller use. */
  readonly trustedKeys?: readonly string[] | undefined;
  /** The formats that may be opened and written; default: both. `['AES-256-GCM']` also makes it the format of new secrets. */
  readonly formats?: readonly ('AES-256-CTR' | 'AES-256-GCM')[] | undefined;
}

/** The options of every call of nodecredstash 3. */
export interface WhereOptions {
  /** Default: the constructor's `table`. */
  readonly tableName?: string | undefined;
  /** Default: the constructor's. */
  readonly kmsKey?: string | undefined;
}

export interface NameOptions extends WhereOptions {
  readonly name: string;
}

export interface SecretOptions extends NameOptions {
  /** A number is padded with zeros, a text is used unchanged. Default: the newest version; for `putSecret`, 1. */
  readonly version?: string | number | undefined;
  readonly context?: Context | undefined;
}

export interface PutSecretOptions extends SecretOptions {
  /** A text, or its bytes. */
  readonly secret: string | Uint8Array;
  /** `SHA256` (default), `SHA384` or `SHA512`. */
  readonly digest?: string | undefined;
}

export interface GetAllVersionsOptions extends NameOptions {
  readonly context?: Context | undefined;
  /** The most versions to return, the newest first; default: all. */
  readonly limit?: number | undefined;
}

export interface GetAllSecretsOptions extends WhereOptions {
  /** Gets the secrets that have this version; default: the newest version of each. */
  readonly version?: string | number | undefined;
  readonly context?: Context | undefined;
  /** Gets the secrets whose name begins with this text. */
  readonly startsWith?: string | undefined;
  /** Whether to leave out secrets that do not open, as nodecredstash does; default: false, they are an error. */
  readonly skipUndecryptable?: boolean | undefined;
}

export interface ListSecretsOptions extends WhereOptions {
  /** Has no effect on the result, as in nodecredstash, where it is the size of a page. */
  readonly limit?: number | undefined;
}

export interface DeleteSecretOptions extends NameOptions {
  readonly version: string | number;
}

/** The empty result of a write. */
export type Done = Record<string, never>;

/**
 * Called once: with only an error, or with undefined and the result. An error is a CredstashError with a stable `code`.
 */
// The application chooses the type of the error, as in nodecredstash's types.
// oxlint-disable-next-line typescript/no-explicit-any
export type Callback<T> = (error: any, result: T) => unknown;

/** Returns a promise of the result, or of the callback's own result. */
export interface Method<O, T> {
  (options: O): Promise<T>;
  (options: O, callback: Callback<T>): Promise<unknown>;
}

/** A method whose options can be left out. */
export interface BareMethod<O, T> extends Method<O, T> {
  (): Promise<T>;
  (callback: Callback<T>): Promise<unknown>;
}
