import type { Entry, EntryHeader } from '../model/entry.ts';
import { CredstashError } from '../errors.ts';
import { adviseCall } from '../model/advice.ts';

/** An entry as it was found. It is read when it is wanted, so that a broken one hides no other. */
export interface Found extends EntryHeader {
  /** @throws CredstashError INTEGRITY when it is broken */
  readonly read: () => Entry;
}

/**
 * Holds entries by name and version, as a DynamoDB table does: versions order by their UTF-8 bytes, a write is
 * conditional and durable when its promise resolves, a read sees every write that finished before it.
 *
 * Every method throws only CredstashError: TABLE_NOT_FOUND or VAULT_NOT_FOUND, INTEGRITY for an entry that is
 * broken, ACCESS_DENIED, NO_CREDENTIALS, CREDENTIALS_REFUSED, THROTTLED, UNREACHABLE.
 */
export interface EntryStore {
  /** How a person calls it, for messages: `the table credential-store in eu-west-1`. */
  readonly location: string;
  /**
   * Stores a new entry; never overwrites. If an entry with the same sealed bytes exists, it is this
   * very write, whose answer was lost: that is success.
   *
   * @throws CredstashError VERSION_EXISTS, TOO_LARGE
   */
  create(entry: Entry): Promise<void>;
  /** Replaces `was` by `entry`, which has its name and version. @throws CredstashError CONFLICT if `was` was changed or removed */
  replace(entry: Entry, was: Entry): Promise<void>;
  /**
   * Replaces `was` by `entry`, which has its name and another version, in one step. Labels, and attributes that the format does
   * not name, go along.
   *
   * @throws CredstashError CONFLICT if `was` was changed or removed; VERSION_EXISTS if the other version exists
   */
  renumber(entry: Entry, was: Entry): Promise<void>;
  /** Whether a version exists, spelled as in the table, broken or not. */
  has(name: string, version: string): Promise<boolean>;
  /** The newest version; undefined if the name has none. A broken entry throws. */
  latest(name: string): Promise<Entry | undefined>;
  /** What a listing needs of the newest version, also of a broken entry; undefined for a name without any. */
  newestHeader(name: string): Promise<EntryHeader | undefined>;
  /** One version, spelled as in the table; undefined if it does not exist. A broken entry throws. */
  get(name: string, version: string): Promise<Entry | undefined>;
  /**
   * Every entry, whole, in no order; broken ones too. One read of the table, however many prefixes there are.
   *
   * @param prefixes what the names begin with, up to 100 of them; default: all entries
   */
  scan(prefixes?: readonly string[]): AsyncIterable<Found>;
  /**
   * What a listing needs of every entry, or of those of one name, in no order; broken ones too.
   *
   * @param onRequest called for each request that it takes; never by a store that makes no requests
   */
  headers(name?: string, onRequest?: () => void): AsyncIterable<EntryHeader>;
  /**
   * Removes one version, spelled as in the table.
   *
   * @param options.unlabelled remove it only while it has no label
   * @returns whether it was removed
   */
  remove(
    name: string,
    version: string,
    options?: { readonly unlabelled?: boolean },
  ): Promise<boolean>;
  /** The version that has `label`; undefined if none has it. A broken entry throws. @throws CredstashError CONFLICT if several have it */
  getByLabel(name: string, label: string): Promise<Entry | undefined>;
  /**
   * Moves `label` to `version`, spelled as in the table, from the version that has it, in one step: nobody sees it on two
   * versions, and if two writers move it at once, the second moves it from the first's version. Undefined takes it away.
   *
   * @returns the versions that had it before
   * @throws CredstashError VERSION_NOT_FOUND if the version does not exist; CONFLICT if others keep moving it
   */
  moveLabel(name: string, label: string, version: string | undefined): Promise<string[]>;
  /** The same store, whose requests end once `signal` is aborted: they reject with its reason. */
  withSignal(signal: AbortSignal): EntryStore;
}

/** The error of a version that was asked for and does not exist, in the same words on every backend. */
export function versionNotFound(name: string, version: string, where: string): CredstashError {
  return new CredstashError('VERSION_NOT_FOUND', `${name} has no version ${version} in ${where}`, {
    hint: `list its versions: ${adviseCall('history', [name])}`,
  });
}

/** The error of a label that somebody put on several versions, past this project. */
export function severalLabelled(name: string, label: string, where: string): CredstashError {
  return new CredstashError(
    'CONFLICT',
    `several versions of ${name} in ${where} have the label ${label}`,
    {
      hint: 'say which: `label("NAME", "LABEL", { version: "VERSION" })` takes it from all others',
    },
  );
}

/** The error of a version that exists, in the same words on every backend. */
export function versionExists(entry: EntryHeader, where: string): CredstashError {
  return new CredstashError(
    'VERSION_EXISTS',
    `version ${entry.version} of ${entry.name} is already in ${where}`,
    { hint: 'use `autoversion` to store it as the next version, or `version` to name another' },
  );
}

/** The error of an entry that somebody else changed or removed meanwhile, in the same words on every backend. */
export function conflict(was: EntryHeader, where: string): CredstashError {
  return new CredstashError(
    'CONFLICT',
    `version ${was.version} of ${was.name} in ${where} was changed meanwhile`,
    { hint: 'try again' },
  );
}
