import type { Context } from '../model/context.ts';
import type { SdkOptions } from './sdk2-options.ts';

/* What the methods of class CredStash take and return (docs/how-to/migrate-from-nodecredstash.md). */

export interface CredStashOptions {
  /** Default: `credential-store`. */
  readonly table?: string | undefined;
  /** The master key of new secrets; default: `alias/credstash`. */
  readonly kmsKey?: string | undefined;
  /** Options of the AWS SDK for both services. A `profile` holds for both, wherever it is given. */
  readonly awsOpts?: SdkOptions | undefined;
  /** Options of the AWS SDK for DynamoDB, before those of `awsOpts`. */
  readonly dynamoOpts?: SdkOptions | undefined;
  /** Options of the AWS SDK for KMS, before those of `awsOpts`. */
  readonly kmsOpts?: SdkOptions | undefined;
  /** The format of new secrets: `AES-256-CTR` (default), which nodecredstash reads, or `AES-256-GCM`, which it does not. */
  readonly cipher?: 'AES-256-CTR' | 'AES-256-GCM' | undefined;
  /** The ARNs of the KMS keys that secrets may be under; default: every key that KMS lets the caller use. */
  readonly trustedKeys?: readonly string[] | undefined;
  /** Which formats are opened and written; default: both. With `AES-256-GCM` alone that is the format of new secrets. */
  readonly formats?: readonly ('AES-256-CTR' | 'AES-256-GCM')[] | undefined;
}

/** What each call of nodecredstash 3 can say. */
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
  /** A number is padded with zeros, a text is taken as it is. Default: the newest; of a put, 1. */
  readonly version?: string | number | undefined;
  readonly context?: Context | undefined;
}

export interface PutSecretOptions extends SecretOptions {
  /** A text, or the bytes of one. */
  readonly secret: string | Uint8Array;
  /** `SHA256` (default), `SHA384` or `SHA512`. */
  readonly digest?: string | undefined;
}

export interface GetAllVersionsOptions extends NameOptions {
  readonly context?: Context | undefined;
  /** How many versions at most, of the newest; default: all. */
  readonly limit?: number | undefined;
}

export interface GetAllSecretsOptions extends WhereOptions {
  /** Those that have this version; default: the newest of each. */
  readonly version?: string | number | undefined;
  readonly context?: Context | undefined;
  /** Those whose name begins so. */
  readonly startsWith?: string | undefined;
  /** Leave out what does not open, as nodecredstash does; default: that is an error. */
  readonly skipUndecryptable?: boolean | undefined;
}

export interface ListSecretsOptions extends WhereOptions {
  /** Has no effect: all are listed, as in nodecredstash, where it is the size of a page. */
  readonly limit?: number | undefined;
}

export interface DeleteSecretOptions extends NameOptions {
  readonly version: string | number;
}

/** What a write gives back: nothing. */
export type Done = Record<string, never>;

/**
 * Called once: with an error alone, or with undefined and the result. Errors are CredstashError, of a stable `code`.
 */
// What an application says of the error is its own matter, as in nodecredstash's types.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Callback<T> = (error: any, result: T) => unknown;

/** Gives a promise; with a callback one of what the callback gives. */
export interface Method<O, T> {
  (options: O): Promise<T>;
  (options: O, callback: Callback<T>): Promise<unknown>;
}

/** A method whose options can be left out. */
export interface BareMethod<O, T> extends Method<O, T> {
  (): Promise<T>;
  (callback: Callback<T>): Promise<unknown>;
}
