import type { CredstashError } from '../errors.ts';
import type { CallOptions, ProgressOptions } from '../util/progress.ts';
import type { Context } from '../model/context.ts';

export interface GetOptions extends CallOptions {
  /** Default: the newest version. */
  readonly version?: string | undefined;
  /** `version` as it stands in the table, and not padded with zeros. */
  readonly exactVersion?: boolean | undefined;
  /** The version that has this label. */
  readonly label?: string | undefined;
  /** The same pairs that the secret was put with. */
  readonly context?: Context | undefined;
}

export interface PutOptions extends CallOptions {
  /** The version to store; default `1`. */
  readonly version?: string | undefined;
  /** Store `version` as it is, not padded with zeros: a reader that does not pad finds it. */
  readonly exactVersion?: boolean | undefined;
  /** Store the version after the newest, whatever `version` says. */
  readonly autoversion?: boolean | undefined;
  /** Moved to the version once that is stored: whoever reads by it gets the old version or this one, and never none. */
  readonly label?: string | undefined;
  /** The user's pairs of the encryption context; whoever reads the secret must give the same. */
  readonly context?: Context | undefined;
  readonly comment?: string | undefined;
  /** `SHA256` (default), `SHA384` or `SHA512`. */
  readonly digest?: string | undefined;
  /** `AES-256-GCM` (default), or `AES-256-CTR`, which the original credstash can read. */
  readonly cipher?: string | undefined;
  /** In an entry of AES-256-CTR the HMAC as text and not as bytes: some ports of the original read nothing else. */
  readonly hmacAsText?: true | undefined;
  /** Told of what was stored as it was asked for, and may not be meant. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** One version of a secret, spelled as it stands in the table. */
export interface Target {
  readonly name: string;
  readonly version: string;
}

/** What became of one version of a secret. */
export type Change = Target &
  (
    | {
        /** `planned` where it is a dry run; `skipped` where there was nothing to do. */
        readonly done: 'changed' | 'skipped' | 'planned';
      }
    | {
        readonly done: 'failed';
        /** The same one for all that failed together: what was not tried, the old versions of a secret that was left alone. */
        readonly error: CredstashError;
      }
  );
export interface ChangeOptions extends ProgressOptions {
  /** Change nothing, and yield as `planned` what would be changed: all is done but for what is written. */
  readonly dryRun?: boolean | undefined;
  /** Asked before the first change; nothing is changed unless it says true. */
  readonly confirm?: ((planned: readonly Target[]) => Promise<boolean>) | undefined;
  /** How many entries are changed at once, at most; default 8. */
  readonly maxConcurrency?: number | undefined;
  /** At most so many changes a second; default 100. What is only read is not slowed down, and neither is a dry run. */
  readonly rate?: number | undefined;
}

/** The limit of a whole instance, which an operation on many secrets keeps to. */
export interface Limit {
  /** How many secrets are read or stored at once, at most. */
  readonly maxConcurrency?: number | undefined;
}

export interface RewriteOptions extends ChangeOptions {
  /** Which names, with `*` for any run of characters; default: all. */
  readonly glob?: string | undefined;
  /** The pairs that the secrets were put with. */
  readonly context?: Context | undefined;
}

/** How many secrets an operation works on at once: `most`, or fewer if the instance has a lower limit. */
export function limitTo(most: number, { maxConcurrency = most }: Limit): number {
  return Math.min(most, maxConcurrency);
}
