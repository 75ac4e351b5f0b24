import type { Backend } from './backend/backend.ts';
import type { Step } from './backend/diagnosis.ts';
import type { SetupOptions } from './backend/setup.ts';
import { CredstashError, type Failure } from './errors.ts';
import type { Policy, PolicyOptions, Role } from './iam-policy.ts';
import type { Context } from './model/context.ts';
import type { EntryHeader, Secret } from './model/entry.ts';
import * as operations from './operations/index.ts';
import type {
  Change,
  CopyOptions,
  DeleteOptions,
  Deletion,
  DoctorOptions,
  GetAllOptions,
  GetOptions,
  Labelled,
  LabelOptions,
  MigrateOptions,
  PruneOptions,
  PutAllOptions,
  PutOptions,
  PutOutcome,
  RewriteOptions,
  RollbackOptions,
  RolledBack,
  SecretRequest,
  Stored,
} from './operations/index.ts';
import { type CacheOptions, SecretCache } from './secret-cache.ts';
import {
  type CallDefaults,
  type CredstashOptions,
  type LocalOptions,
  type Opened,
  openInMemory,
  openOwn,
  openVault,
  Session,
} from './session.ts';
import { recogniseOtherForm } from './util/form.ts';
import type { CallOptions, ProgressOptions } from './util/progress.ts';

// Over 250 lines: every operation has its method here, with the documentation of the public API.
/**
 * Secrets on AWS, in a vault (`Credstash.local`) or in memory (`Credstash.inMemory`). Nothing is loaded, read or requested
 * before the first call. Nothing is kept outside the instance: no global state, no file, no output. Every method rejects with
 * a CredstashError of a stable `code`, or with the reason of its `signal`.
 */
export class Credstash {
  readonly #session: Session;

  /**
   * @param options what AWS's own environment variables and files say, unless given here
   * @param openOther internal: opens another backend than AWS
   * @throws CredstashError USAGE for a `maxConcurrency`, `formats` or `trustedKeys` that cannot be
   */
  constructor(options: CredstashOptions = {}, openOther?: () => Promise<Opened>) {
    this.#session = new Session(options, openOther).attachTo(this);
  }

  /**
   * The local vault in `folder`, an absolute path.
   * @throws CredstashError USAGE for options that cannot be, also for `trustedKeys`: a vault has one key, and no other
   */
  static local(folder: string, options: LocalOptions = {}): Credstash {
    return new Credstash(options, () => openVault(folder, options));
  }

  /**
   * Secrets in memory, for the tests of an application: without AWS, a file or the network. They are sealed as elsewhere.
   * Every instance begins without secrets, and `close` forgets them.
   * @throws CredstashError USAGE for invalid options
   */
  static inMemory(options: CallDefaults = {}): Credstash {
    return new Credstash(options, openInMemory);
  }

  /** Secrets on a backend of your own, which `close` leaves open. @throws CredstashError USAGE for invalid options */
  static over(backend: Pick<Backend, 'keys' | 'entries'>, options: CallDefaults = {}): Credstash {
    return new Credstash(options, () => Promise.resolve(openOwn(backend)));
  }

  /**
   * Seals `value`, any bytes, and stores it as a new version. Everything is checked before the first request.
   *
   * @returns the header of the entry as it was stored; with `label` also the versions that had it before
   * @throws CredstashError USAGE or TOO_LARGE for bad input; VERSION_EXISTS; VERSION_NOT_NUMERIC with `autoversion`. With
   *   `stored`, the header of the new entry, if it is stored and the label could not be moved: then call `label`, and not
   *   `put` again
   */
  async put(name: string, value: Uint8Array, options: PutOptions = {}): Promise<Stored> {
    return operations.put(
      this.#session.backendFor(options),
      name,
      value,
      this.#session.withSealDefaults(options),
    );
  }

  /**
   * The secret's bytes: of the newest version, or of the one asked for, padded or not.
   *
   * @throws CredstashError SECRET_NOT_FOUND, VERSION_NOT_FOUND; INTEGRITY when the entry does not verify;
   *   WRONG_CONTEXT when the pairs are not those of the put
   */
  async get(name: string, options: GetOptions = {}): Promise<Uint8Array> {
    return operations.get(this.#session.backendFor(options), name, options);
  }

  /**
   * The secret as text, exactly as it was stored: nothing is trimmed, and a byte order mark stays.
   * @throws CredstashError as `get` does; USAGE where the secret's bytes are no UTF-8
   */
  async getText(name: string, options: GetOptions = {}): Promise<string> {
    return operations.textFrom(name, await this.get(name, options));
  }

  /**
   * Several secrets, in the order in which they are wanted. Everything is checked before the first request; what is
   * wanted more than once is read and unwrapped once, and is then the same array. It is all of them or none.
   *
   * @returns each of `wanted`, with the secret's bytes as its `value`
   * @throws CredstashError USAGE for bad input; with `failures`, one for each secret that cannot be read; and errors that concern
   *   all secrets, such as THROTTLED, UNREACHABLE and NO_CREDENTIALS
   */
  async getMany<W extends SecretRequest>(
    wanted: readonly W[],
    options: ProgressOptions = {},
  ): Promise<(W & { readonly value: Uint8Array })[]> {
    return operations.getMany(
      this.#session.backendFor(options),
      wanted,
      this.#session.withLimit(options),
    );
  }

  /**
   * The secrets of those of `variables` whose whole value is a reference, by variable. It is all of them or none.
   *
   * @param variables those that you trust: others may have written to `process.env`, as a CI service does with the title
   *   of a commit
   * @param options.context pairs that hold for every reference; a reference's own win
   * @throws CredstashError USAGE with `failures` where references are malformed, before the first request; and as
   *   `getMany` does. Each failure has the name of its variable
   */
  async resolveReferences(
    variables: Readonly<Record<string, string | undefined>>,
    options: CallOptions & { readonly context?: Context | undefined } = {},
  ): Promise<Map<string, Uint8Array>> {
    return operations.resolveReferences(
      this.#session.backendFor(options),
      variables,
      this.#session.withLimit(options),
    );
  }

  /**
   * A template with the secrets in the place of its references (`parseTemplate`). Each secret is got once.
   *
   * @param template any bytes, which stay as they are outside of the references
   * @param options.context pairs that hold for every reference; a reference's own win
   * @throws CredstashError with `failures` named by line and column: USAGE where references are malformed, before the
   *   first request; as `getMany` does; USAGE where a filter cannot hold a secret. TOO_LARGE for the result
   */
  async render(
    template: Uint8Array,
    options: ProgressOptions & { readonly context?: Context | undefined } = {},
  ): Promise<Uint8Array> {
    return operations.render(
      this.#session.backendFor(options),
      template,
      this.#session.withLimit(options),
    );
  }

  /**
   * The secrets whose name matches, by name: the newest version of each, or the version asked for. The table is read once,
   * and each data key is unwrapped once. It is all of them or none, unless `skipUndecryptable` is set.
   *
   * @returns the secrets, and with `skipUndecryptable` what was left out, and why
   * @throws CredstashError USAGE for a glob that no name can match; with `failures`, one for each secret that does not open or
   *   lacks that version; and errors that concern all secrets, such as THROTTLED, UNREACHABLE and NO_CREDENTIALS
   */
  async getAll(
    options: GetAllOptions = {},
  ): Promise<{ secrets: Secret[]; leftOut: readonly Failure[] }> {
    return operations.getAll(this.#session.backendFor(options), this.#session.withLimit(options));
  }

  /**
   * Stores several secrets, each as `put` does, and yields what became of each, in their order. Everything is checked
   * before the first request. One that fails stops none of the others, unless they would all meet the same error.
   * @throws CredstashError USAGE or TOO_LARGE for bad input, before anything is stored
   */
  async *putAll(
    secrets: readonly Secret[],
    options: PutAllOptions = {},
  ): AsyncGenerator<PutOutcome> {
    yield* operations.putAll(
      this.#session.backendFor(options),
      secrets,
      this.#session.withLimit(this.#session.withSealDefaults(options)),
    );
  }

  /** The name of every secret, once, in order. */
  async names(options: ProgressOptions = {}): Promise<string[]> {
    return operations.listNames(this.#session.backendFor(options), options);
  }

  /**
   * The headers of every entry, or of those whose name matches `glob`, by name and then by version.
   * @throws CredstashError USAGE for a glob that no name can match
   */
  async list(glob = '*', options: ProgressOptions = {}): Promise<EntryHeader[]> {
    return operations.list(this.#session.backendFor(options), glob, options);
  }

  /**
   * The headers that `list` gives, in no order, each as soon as its page is read: a table of any size takes no more
   * memory than a page.
   * @throws CredstashError USAGE for a glob that no name can match
   */
  async *headers(glob = '*', options: ProgressOptions = {}): AsyncGenerator<EntryHeader> {
    yield* operations.streamHeaders(this.#session.backendFor(options), glob, options);
  }

  /** The headers of every version of a secret, the newest first. @throws CredstashError SECRET_NOT_FOUND */
  async history(name: string, options: ProgressOptions = {}): Promise<EntryHeader[]> {
    return operations.listHistory(this.#session.backendFor(options), name, options);
  }

  /**
   * Stores the value of an older version as a new version, commented `rollback to V`. It is sealed as the older version is,
   * under the same pairs, unless the options say otherwise. Nothing is deleted.
   *
   * @throws CredstashError as `get` and `put` do; VERSION_NOT_FOUND where there is only one; VERSION_EXISTS when somebody
   *   else stored a version meanwhile. With `stored`, the header of the new entry, if it is stored and the label could not be
   *   moved: then call `label`, and not `rollback` again
   */
  async rollback(name: string, options: RollbackOptions = {}): Promise<RolledBack> {
    return operations.rollback(this.#session.backendFor(options), name, options);
  }

  /**
   * Moves a label to a version of a secret, in one step: a reader finds it on the old version or on the new one.
   *
   * @throws CredstashError USAGE for an invalid label; SECRET_NOT_FOUND, VERSION_NOT_FOUND
   */
  async label(name: string, label: string, options: LabelOptions = {}): Promise<Labelled> {
    return operations.moveLabel(this.#session.backendFor(options), name, label, options);
  }

  /**
   * Takes a label away.
   *
   * @returns the versions that had it
   * @throws CredstashError USAGE for what can be no label; SECRET_NOT_FOUND; VERSION_NOT_FOUND when none has it
   */
  async unlabel(name: string, label: string, options: CallOptions = {}): Promise<string[]> {
    return operations.removeLabel(this.#session.backendFor(options), name, label);
  }

  /**
   * Removes every version of a secret, or the one asked for, and yields each once it is gone. The oldest goes
   * first: a run that is cut short leaves the newest, and never brings an old value back to life.
   * @throws CredstashError SECRET_NOT_FOUND, VERSION_NOT_FOUND
   */
  async *delete(name: string, options: DeleteOptions = {}): AsyncGenerator<Deletion> {
    yield* operations.deleteVersions(this.#session.backendFor(options), name, options);
  }

  /**
   * Deletes old versions: of each secret whose name matches, those beyond the newest `keep`, but none that has a label. All
   * versions of a secret that stay are opened before the first one is deleted. If one does not open, each old version of that
   * secret is a failure, with the same error. Yields what became of each.
   * @throws CredstashError USAGE for bad input
   */
  async *prune(options: PruneOptions): AsyncGenerator<Change> {
    const { prune } = await import('./operations/prune.ts');
    yield* prune(this.#session.backendFor(options), this.#session.withChangeLimit(options));
  }

  /**
   * Wraps the data key of every entry whose name matches under this backend's present master key (KMS ReEncrypt): nobody
   * sees a secret or a data key. An entry is replaced only where it is unchanged. Yields what became of each; one that is
   * under that key already is `skipped`.
   * @throws CredstashError USAGE for bad input
   */
  async *rekey(options: RewriteOptions = {}): AsyncGenerator<Change> {
    const { rekey } = await import('./operations/rekey.ts');
    yield* rekey(this.#session.backendFor(options), this.#session.withChangeLimit(options));
  }

  /**
   * Seals every entry whose name matches again in the format of `cipher`, unless it has that format. Version and comment stay; a
   * digest that is only read becomes SHA256. Each entry is read back and compared before the next one. An original entry stays,
   * and is an INTEGRITY failure, if another entry has its `key` or `contents`: one of the two is a copy, which would become
   * genuine. The `cipher` of this instance does not count. Yields what became of each.
   * @throws CredstashError USAGE for bad input
   */
  async *migrate(options: MigrateOptions = {}): AsyncGenerator<Change> {
    const { migrate } = await import('./operations/migrate.ts');
    yield* migrate(this.#session.backendFor(options), this.#session.withChangeLimit(options));
  }

  /**
   * Pads versions that are numbers of fewer than 19 digits, which sort as text: `1`, `2` and `10` of tables of before 2015 and of
   * nodecredstash. Labels, comment and digest stay, and a reader never gets an older value meanwhile. Yields what became of each.
   * @throws CredstashError USAGE for bad input
   */
  async *padVersions(options: RewriteOptions = {}): AsyncGenerator<Change> {
    const { padVersions } = await import('./operations/pad-versions.ts');
    yield* padVersions(this.#session.backendFor(options), this.#session.withChangeLimit(options));
  }

  /**
   * Copies entries, with their labels, to another table or vault under the same versions. The sealed bytes stay as they are, and
   * their data key is wrapped there. An entry that does not verify is not copied. An entry that exists there is opened: with the
   * same value it is `skipped`, with another value it is a CONFLICT, and if it does not verify it is an INTEGRITY failure.
   * @throws CredstashError USAGE for bad input; TABLE_NOT_FOUND when the other table does not exist
   */
  async *copy(to: Credstash, options: CopyOptions = {}): AsyncGenerator<Change> {
    const { copy } = await import('./operations/copy.ts');
    yield* copy(
      this.#session.backendFor(options),
      Session.of(to).backendFor(options),
      this.#session.withChangeLimit(options),
    );
  }

  /** @internal The newest version of a secret, spelled as in the table; undefined if there is no such secret. */
  async newestVersion(name: string, options: CallOptions = {}): Promise<string | undefined> {
    return operations.findNewestVersion(this.#session.backendFor(options), name);
  }

  /** @internal Throws VERSION_EXISTS if this version exists, also if its entry is broken. It may be stored afterwards. */
  async expectNoVersion(name: string, options: PutOptions = {}): Promise<void> {
    return operations.expectNoVersion(this.#session.backendFor(options), name, options);
  }

  /**
   * Creates the table, with on-demand billing, or the vault, and what else is asked for. What is there is left alone.
   *
   * @returns whether this call created the table or the vault
   * @throws CredstashError USAGE when there is a table with other keys, a key is to be created that is named by no alias, or
   *   one of several regions is asked for and the key has one; KEY_UNUSABLE for a key that cannot be used
   */
  async setup(options: SetupOptions = {}): Promise<boolean> {
    const signal = this.#session.signalFor(options);
    signal?.throwIfAborted();
    return (await this.#session.open()).setup({ ...options, signal });
  }

  /**
   * Looks at all that it takes to work, step by step: credentials, table, key, what is allowed, a data key; on a vault its
   * files. What is wrong is a step of the state `failed`, and nothing is thrown. With `write` an entry of a random name is
   * stored, read and removed; else nothing is written.
   * @throws CredstashError USAGE for options that cannot be
   */
  async *doctor(options: DoctorOptions = {}): AsyncGenerator<Step> {
    const { runDoctor: diagnose } = await import('./operations/doctor.ts');
    const [put, get] = [this.put.bind(this), this.get.bind(this)];
    const patient = { open: () => this.#session.open(), put, get, trust: this.#session.trust };
    yield* diagnose(patient, { ...options, signal: this.#session.signalFor(options) });
  }

  /**
   * The least-privilege IAM policy of a role. No request is made.
   * @throws CredstashError USAGE for a vault, and for what no policy can hold (`policyOf`)
   */
  async policy(role: Role, options: PolicyOptions = {}): Promise<Policy> {
    const { place } = await this.#session.open();
    if (!place) throw new CredstashError('USAGE', 'a policy is for AWS, not for a vault');
    const { policyOf } = await import('./iam-policy.ts');
    return policyOf(role, place, options);
  }

  /**
   * Secrets kept in memory, in front of `get`, for a server that asks for them often. It is the application's to close.
   * @throws CredstashError USAGE for times or a number of entries that can be none
   */
  createCache(options: CacheOptions = {}): SecretCache {
    return new SecretCache((name, wanted) => this.get(name, wanted), options);
  }

  /** How a person calls it: `the table credential-store in eu-west-1`. */
  async location(): Promise<string> {
    return (await this.#session.open()).entries.location;
  }

  /** Closes connections and files, and wipes a vault's master key. The next call would open them again. */
  async close(): Promise<void> {
    await this.#session.close();
  }
}

recogniseOtherForm(Credstash, 'Credstash');
