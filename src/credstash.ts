import type { Backend } from './backend/backend.ts';
import type { Step } from './backend/diagnosis.ts';
import type { SetupOptions } from './backend/setup.ts';
import { checkArguments } from './calls/arguments.ts';
import type { CacheOptions } from './calls/cache-options.ts';
import { Changes } from './calls/changes.ts';
import { toJson } from './calls/json.ts';
import {
  checkFolder,
  type Opened,
  openInMemory,
  openOwn,
  openVault,
} from './calls/open-backends.ts';
import { untilAborted } from './calls/race-signal.ts';
import { collectOutcomes, type OutcomeOptions } from './calls/outcomes.ts';
import { type SecretToPut, toBytes, toSecret, wipeAtEnd } from './calls/secret-bytes.ts';
import { SecretReader } from './calls/secret-reader.ts';
import { CredstashError, type Outcome } from './errors.ts';
import type { Policy, PolicyOptions, Role } from './iam-policy.ts';
import * as operations from './operations/index.ts';
import type {
  Change,
  CopyOptions,
  DeleteOptions,
  DeleteOutcome,
  DoctorOptions,
  GetOptions,
  Labelled,
  LabelOptions,
  MigrateOptions,
  PruneOptions,
  PutAllOptions,
  PutFieldOptions,
  PutOptions,
  PutOutcome,
  RewriteOptions,
  RollbackOptions,
  RolledBack,
  Stored,
} from './operations/index.ts';
import { SecretCache } from './secret-cache.ts';
import { type CallDefaults, type CredstashOptions, type LocalOptions, Session } from './session.ts';
import { recogniseOtherForm } from './util/form.ts';
import type { CallOptions } from './util/progress.ts';

/** @internal The operations on many secrets, step by step, for the command line. */
export let changesOf: (credstash: Credstash) => Changes;

// Over 250 lines: every operation has its method here, with the documentation of the public API.
/**
 * Secrets on AWS, in a vault (`Credstash.local`) or in memory (`Credstash.inMemory`). Nothing is loaded, read or requested
 * before the first call. Nothing is kept outside the instance: no global state, no file, no output. Every method rejects with
 * a CredstashError of a stable `code`, or with the reason of its `signal`; with USAGE before any request, if an argument is
 * wrong. The methods can be taken off their object: `const { get } = credstash`.
 */
export class Credstash extends SecretReader {
  readonly #session: Session;
  readonly #changes: Changes;

  static {
    changesOf = (credstash) => credstash.#changes;
  }

  /**
   * @param options what AWS's own environment variables and files say, unless given here
   * @param openOther internal: opens another backend than AWS
   * @throws CredstashError USAGE for invalid options
   */
  constructor(options: CredstashOptions = {}, openOther?: () => Promise<Opened>) {
    if (typeof openOther !== 'function') checkArguments('new Credstash', arguments);
    const session = new Session(options, openOther);
    super(session);
    session.attachTo(this);
    this.#session = session;
    this.#changes = new Changes(session);
  }

  /**
   * The local vault in `folder`, an absolute path.
   * @throws CredstashError USAGE for a relative path or invalid options, also for `trustedKeys`: a vault has one key, and no other
   */
  static local(folder: string, options: LocalOptions = {}): Credstash {
    checkArguments('Credstash.local', arguments);
    checkFolder(folder);
    return new Credstash(options, () => openVault(folder, options));
  }

  /**
   * Secrets in memory, for the tests of an application: without AWS, a file or the network. They are sealed as elsewhere.
   * Every instance begins without secrets, and `close` forgets them.
   * @throws CredstashError USAGE for invalid options
   */
  static inMemory(options: CallDefaults = {}): Credstash {
    checkArguments('Credstash.inMemory', arguments);
    return new Credstash(options, openInMemory);
  }

  /** Secrets on a backend of your own, which `close` leaves open. @throws CredstashError USAGE for invalid options */
  static over(backend: Pick<Backend, 'keys' | 'entries'>, options: CallDefaults = {}): Credstash {
    checkArguments('Credstash.over', arguments);
    return new Credstash(options, () => Promise.resolve(openOwn(backend)));
  }

  /**
   * Seals `value`, any bytes or the UTF-8 bytes of a text, and stores it as a new version. Everything is checked before the first
   * request.
   *
   * @returns the header of the entry as it was stored; with `label` also the versions that had it before
   * @throws CredstashError USAGE or TOO_LARGE for bad input; VERSION_EXISTS; VERSION_NOT_NUMERIC with `autoversion`. With
   *   `stored`, the header of the new entry, if it is stored and the label could not be moved: then call `label`, and not
   *   `put` again
   */
  async put(name: string, value: Uint8Array | string, options: PutOptions = {}): Promise<Stored> {
    checkArguments('put', arguments);
    const bytes = toBytes(value);
    const sealing = this.#session.withSealDefaults(options);
    return this.#session
      .store(sealing, (backend, each) => operations.put(backend, name, bytes, each))
      .finally(() => bytes.fill(0));
  }

  /**
   * Stores the JSON text of `value`, as `put` does.
   * @throws CredstashError as `put` does; USAGE for a value that JSON cannot hold
   */
  async putJson(name: string, value: unknown, options: PutOptions = {}): Promise<Stored> {
    checkArguments('putJson', arguments);
    return this.put(name, toJson(value), options);
  }

  /**
   * Sets a field of a secret that is JSON, in its newest version, to a text, and stores the next version. All else of the document
   * stays. A missing secret is created. Two writers of different fields at once both win. It needs the rights to read, too.
   * @throws CredstashError as `get` and `put` do; USAGE if the document has a key twice, or a number that JSON.parse rounds
   */
  async putField(
    name: string,
    field: string,
    value: Uint8Array | string,
    options: PutFieldOptions = {},
  ): Promise<Stored> {
    checkArguments('putField', arguments);
    const bytes = toBytes(value);
    return this.#changes
      .putField(name, { set: { field, value: bytes } }, options)
      .finally(() => bytes.fill(0));
  }

  /** Removes a field, as `putField` sets it. @throws CredstashError as `putField` does; FIELD_NOT_FOUND */
  async removeField(name: string, field: string, options: PutFieldOptions = {}): Promise<Stored> {
    checkArguments('removeField', arguments);
    return this.#changes.putField(name, { unset: [field] }, options);
  }

  /**
   * Stores several secrets, each as `put` does. Everything is checked before the first request. One that fails stops none of the
   * others, unless they would all meet the same error.
   *
   * @returns what became of each, in their order
   * @throws CredstashError USAGE or TOO_LARGE for bad input, before anything is stored; with `outcomes`, if any failed
   */
  async putAll(
    secrets: readonly SecretToPut[],
    options: PutAllOptions & OutcomeOptions<PutOutcome> = {},
  ): Promise<PutOutcome[]> {
    checkArguments('putAll', arguments);
    const own = secrets.map(toSecret);
    const start = (each: PutAllOptions): AsyncIterable<PutOutcome> =>
      wipeAtEnd(own, this.#changes.putAll(own, each));
    try {
      return await this.#collect(start, options, 'secrets have not been stored');
    } finally {
      this.#session.countChange();
    }
  }

  /**
   * Stores the value of an older version as a new version, commented `rollback to V`. It is sealed as the older version is,
   * under the same pairs, unless the options say otherwise. Nothing is deleted.
   *
   * @throws CredstashError as `get` and `put` do; VERSION_NOT_FOUND if there is only one; VERSION_EXISTS when somebody
   *   else stored a version meanwhile. With `stored`, the header of the new entry, if it is stored and the label could not be
   *   moved: then call `label`, and not `rollback` again
   */
  async rollback(name: string, options: RollbackOptions = {}): Promise<RolledBack> {
    checkArguments('rollback', arguments);
    return this.#session.store(options, (backend) => operations.rollback(backend, name, options));
  }

  /**
   * Moves a label to a version of a secret, in one step: a reader finds it on the old version or on the new one.
   *
   * @throws CredstashError USAGE for an invalid label; SECRET_NOT_FOUND, VERSION_NOT_FOUND
   */
  async label(name: string, label: string, options: LabelOptions = {}): Promise<Labelled> {
    checkArguments('label', arguments);
    return this.#session.store(options, (backend) =>
      operations.moveLabel(backend, name, label, options),
    );
  }

  /**
   * Takes a label away.
   *
   * @returns the versions that had it
   * @throws CredstashError USAGE for an invalid label; SECRET_NOT_FOUND; VERSION_NOT_FOUND when none has it
   */
  async unlabel(name: string, label: string, options: CallOptions = {}): Promise<string[]> {
    checkArguments('unlabel', arguments);
    return this.#session.run(options, (backend) => operations.removeLabel(backend, name, label));
  }

  /**
   * Deletes every version of a secret, or the one asked for. The oldest goes first, and the first failure ends it: a run that is
   * cut short leaves the newest, and never brings an old value back to life.
   *
   * @returns what was deleted, or would be in a dry run
   * @throws CredstashError SECRET_NOT_FOUND, VERSION_NOT_FOUND; with `outcomes`, if a version could not be deleted
   */
  async delete(
    name: string,
    options: DeleteOptions & OutcomeOptions<DeleteOutcome> = {},
  ): Promise<DeleteOutcome[]> {
    checkArguments('delete', arguments);
    const start = (each: DeleteOptions): AsyncIterable<DeleteOutcome> =>
      this.#changes.delete(name, each);
    return this.#collect(start, options, `versions of ${name} have not been deleted`);
  }

  /**
   * Deletes old versions: of each secret whose name matches, those beyond the newest `keep`, but none that has a label. All
   * versions of a secret that stay are opened before the first one is deleted. If one does not open, each old version of that
   * secret is a failure, with the same error.
   * @returns what became of each
   * @throws CredstashError USAGE for bad input; with `outcomes`, if any failed
   */
  async prune(options: PruneOptions & OutcomeOptions<Change>): Promise<Change[]> {
    checkArguments('prune', arguments);
    return this.#collect(
      (each) => this.#changes.prune(each),
      options,
      'versions have not been deleted',
    );
  }

  /**
   * Wraps the data key of every entry whose name matches under this backend's present master key (KMS ReEncrypt): nobody
   * sees a secret or a data key. An entry is replaced only if it is unchanged.
   * @returns what became of each; an entry that is under that key already is `skipped`
   * @throws CredstashError USAGE for bad input; with `outcomes`, if any failed
   */
  async rekey(options: RewriteOptions & OutcomeOptions<Change> = {}): Promise<Change[]> {
    checkArguments('rekey', arguments);
    return this.#collect(
      (each) => this.#changes.rekey(each),
      options,
      'entries have not been rekeyed',
    );
  }

  /**
   * Seals every entry whose name matches again in the format of `cipher`, unless it has that format. Version and comment stay; a
   * digest that is only read becomes SHA256. Each entry is read back and compared before the next one. An original entry stays,
   * and is an INTEGRITY failure, if another entry has its `key` or `contents`: one of the two is a copy, which would become
   * genuine. The `cipher` of this instance does not count.
   * @returns what became of each
   * @throws CredstashError USAGE for bad input; with `outcomes`, if any failed
   */
  async migrate(options: MigrateOptions & OutcomeOptions<Change> = {}): Promise<Change[]> {
    checkArguments('migrate', arguments);
    return this.#collect(
      (each) => this.#changes.migrate(each),
      options,
      'entries have not been migrated',
    );
  }

  /**
   * Pads versions that are numbers of fewer than 19 digits, which sort as text: `1`, `2` and `10` of tables of before 2015 and of
   * nodecredstash. Labels, comment and digest stay, and a reader never gets an older value meanwhile.
   * @returns what became of each
   * @throws CredstashError USAGE for bad input; with `outcomes`, if any failed
   */
  async padVersions(options: RewriteOptions & OutcomeOptions<Change> = {}): Promise<Change[]> {
    checkArguments('padVersions', arguments);
    const start = (each: RewriteOptions): AsyncIterable<Change> => this.#changes.padVersions(each);
    return this.#collect(start, options, 'versions have not been padded');
  }

  /**
   * Copies entries, with their labels, to another table or vault under the same versions. The sealed bytes stay as they are, and
   * their data key is wrapped there. An entry that does not verify is not copied. An entry that exists there is opened: with the
   * same value it is `skipped`, with another value it is a CONFLICT, and if it does not verify it is an INTEGRITY failure.
   * @returns what became of each
   * @throws CredstashError USAGE for bad input; TABLE_NOT_FOUND when the other table does not exist; with `outcomes`, if any failed
   */
  async copy(to: Credstash, options: CopyOptions & OutcomeOptions<Change> = {}): Promise<Change[]> {
    checkArguments('copy', arguments);
    const target = Session.of(to);
    const start = (each: CopyOptions): AsyncIterable<Change> => this.#changes.copy(target, each);
    try {
      return await this.#collect(start, options, 'entries have not been copied', to);
    } finally {
      target.countChange();
    }
  }

  /**
   * Creates the table, with on-demand billing, or the vault, and what else is asked for. An existing table is left as it is.
   *
   * @returns whether this call created the table or the vault
   * @throws CredstashError USAGE when there is a table with other keys, a key is to be created that is named by no alias, or
   *   one of several regions is asked for and the key has one; KEY_UNUSABLE for a key that cannot be used
   */
  async setup(options: SetupOptions = {}): Promise<boolean> {
    checkArguments('setup', arguments);
    return this.#session.run(options, async (_, limited) => {
      const { signal } = limited;
      signal?.throwIfAborted();
      const setUp = async (): Promise<boolean> => (await this.#session.open()).setup(limited);
      return signal ? untilAborted(setUp(), signal) : setUp();
    });
  }

  /**
   * Looks at all that it takes to work, step by step: credentials, table, key, what is allowed, a data key; on a vault its
   * files. What is wrong is a step of the state `failed`, and nothing is thrown. With `write` an entry of a random name is
   * stored, read and removed; else nothing is written. Nothing happens before the first step is asked for.
   * @throws CredstashError USAGE for invalid options
   */
  async *doctor(options: DoctorOptions = {}): AsyncGenerator<Step> {
    checkArguments('doctor', arguments);
    const { runDoctor } = await import('./operations/doctor.ts');
    const patient = {
      open: () => this.#session.open(),
      put: this.put.bind(this),
      // In the first region, where the entry was stored.
      get: (name: string, wanted: GetOptions) =>
        this.#session.run(wanted, (backend) => operations.get(backend, name, wanted)),
      trust: this.#session.trust,
    };
    yield* this.#session.stream(options, ({ formats }, limited) =>
      runDoctor({ ...patient, formats }, limited),
    );
  }

  /**
   * The least-privilege IAM policy of a role. No request is made.
   * @throws CredstashError USAGE for a vault, and for what no policy can hold (`policyOf`)
   */
  async policy(role: Role, options: PolicyOptions = {}): Promise<Policy> {
    checkArguments('policy', arguments);
    const { place } = await this.#session.open();
    if (!place) throw new CredstashError('USAGE', 'a policy is for AWS, not for a vault');
    const { policyOf } = await import('./iam-policy.ts');
    return policyOf(role, place, options);
  }

  /**
   * Secrets kept in memory, in front of `get`, for a server that asks for them often. It is the application's to close.
   * @throws CredstashError USAGE for invalid times or an invalid number of entries
   */
  createCache(options: CacheOptions = {}): SecretCache {
    checkArguments('createCache', arguments);
    const source = (name: string, wanted: GetOptions): Promise<Uint8Array> =>
      this.get(name, wanted);
    return new SecretCache(source, options, () => this.#session.changes);
  }

  /** Closes connections and files, and wipes a vault's master key. The next call would open them again. */
  async close(): Promise<void> {
    await this.#session.close();
  }

  /** Closes it at the end of a block: `await using credstash = new Credstash()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** As `close`, and does not wait for it: `using credstash = new Credstash()`. */
  [Symbol.dispose](): void {
    void this.close();
  }

  #collect<T extends Outcome, O extends CallOptions>(
    start: (options: O) => AsyncIterable<T>,
    options: O & OutcomeOptions<T>,
    words: string,
    where: Credstash = this,
  ): Promise<T[]> {
    return collectOutcomes({ start, words, location: () => where.location() }, options);
  }
}

recogniseOtherForm(Credstash, 'Credstash');
