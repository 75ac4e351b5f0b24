import type { CallOptions } from '../util/progress.ts';

/** What `setup` does besides creating the table or the vault. All of it is about AWS. */
export interface SetupOptions extends CallOptions {
  /** Tags of a table or a key that is created. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** Create the KMS key and its alias if missing, and turn on rotation. */
  readonly createKey?: boolean | undefined;
  /** With `createKey`: as a key of several regions. */
  readonly multiRegion?: boolean | undefined;
  /** Turn on point-in-time recovery of the table. */
  readonly pointInTimeRecovery?: boolean | undefined;
  /** Protect the table from being deleted. */
  readonly deletionProtection?: boolean | undefined;
  /** Called once the table is being created, before the wait until it is active. */
  readonly creating?: (() => Promise<void>) | undefined;
  /** Told of each thing once it is as it was asked for. */
  readonly done?: ((step: SetupStep) => Promise<void>) | undefined;
}

/** A thing that is as it was asked for. `changed` says whether this setup made it so. */
export type SetupStep =
  | { readonly what: 'table' | 'vault'; readonly changed: boolean }
  | { readonly what: 'pointInTimeRecovery' | 'deletionProtection'; readonly changed: boolean }
  | {
      readonly what: 'key';
      readonly alias: string;
      readonly region: string;
      /** Whether it was created. */
      readonly changed: boolean;
      /** Whether its rotation was turned on. */
      readonly rotated: boolean;
      readonly multiRegion: boolean;
      /** A key that was made for nothing, because somebody else was quicker, and that could not be scheduled for deletion. */
      readonly leftBehind?: string;
    };
