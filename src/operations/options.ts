import type { CredstashError } from '../errors.ts';
import type { CallOptions, ProgressOptions } from '../util/progress.ts';
import type { Context } from '../model/context.ts';

export interface GetOptions extends CallOptions {
  /**
   * Only this field of a secret whose value is JSON: a top-level key, or a JSON Pointer (RFC 6901) if it begins with `/`. A string
   * as it is; a number, a boolean, null, an object or an array as JSON.
   */
  readonly field?: string | undefined;
  /** Default: the newest version. */
  readonly version?: string | undefined;
  /** Take `version` exactly as in the table, not padded with zeros. */
  readonly exactVersion?: boolean | undefined;
  /** The version that has this label. */
  readonly label?: string | undefined;
  /** The same pairs that the secret was put with. */
  readonly context?: Context | undefined;
}

export interface PutOptions extends CallOptions {
  /** The version to store; default `1`. */
  readonly version?: string | undefined;
  /** Store `version` as it is, not padded with zeros, for readers that do not pad. */
  readonly exactVersion?: boolean | undefined;
  /** Store the version after the newest, whatever `version` says. */
  readonly autoversion?: boolean | undefined;
  /** Store version 1 only if the secret has no version at all. Not with `version`, `autoversion` or `label`. */
  readonly ifMissing?: boolean | undefined;
  /** A label to move to the new version once it is stored. Its readers get the old version or the new one, never none. */
  readonly label?: string | undefined;
  /** The user's pairs of the encryption context. A reader of the secret must give the same pairs. */
  readonly context?: Context | undefined;
  readonly comment?: string | undefined;
  /** `SHA256` (default), `SHA384` or `SHA512`. */
  readonly digest?: string | undefined;
  /** `AES-256-GCM` (default), or `AES-256-CTR`, which the original credstash can read. */
  readonly cipher?: string | undefined;
  /** Store the HMAC of an AES-256-CTR entry as text instead of bytes, which some ports of the original need. */
  readonly hmacAsText?: true | undefined;
  /** Called if the stored entry may not be what the caller wants. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** One version of a secret, spelled as in the table. */
export interface Target {
  readonly name: string;
  readonly version: string;
}

/** The outcome for one version of a secret. */
export type Change = Target &
  (
    | {
        /** `planned` in a dry run; `skipped` if there was nothing to do. */
        readonly done: 'changed' | 'skipped' | 'planned';
      }
    | {
        readonly done: 'failed';
        /** Versions that failed for one reason share one error object: those that were not tried, or the old versions of a secret that was skipped. */
        readonly error: CredstashError;
      }
  );
export interface ChangeOptions extends ProgressOptions {
  /** Do everything except writing, and yield as `planned` what would change. */
  readonly dryRun?: boolean | undefined;
  /** Called before the first change. Nothing is changed unless it resolves to true. */
  readonly confirm?: ((planned: readonly Target[]) => Promise<boolean>) | undefined;
  /** The most entries that are changed at once; default: 8. */
  readonly maxConcurrency?: number | undefined;
  /** The most changes per second; default: 100. Reads and dry runs are not limited. */
  readonly rate?: number | undefined;
}

/** The limit of an instance, which operations on many secrets observe. */
export interface Limit {
  /** The most secrets that are read or stored at once. */
  readonly maxConcurrency?: number | undefined;
}

export interface RewriteOptions extends ChangeOptions {
  /** A pattern of names, in which `*` matches any number of characters; default: all. */
  readonly glob?: string | undefined;
  /** The pairs that the secrets were put with. */
  readonly context?: Context | undefined;
}

/** Limits the number of secrets that an operation works on at once to that of the instance. */
export function limitTo(most: number, { maxConcurrency = most }: Limit): number {
  return Math.min(most, maxConcurrency);
}
