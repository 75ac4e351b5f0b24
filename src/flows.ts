import type { Backend } from './backend/backend.ts';
import { type Found, versionExists } from './backend/entry-store.ts';
import { checkChange, stopOnSharedError } from './operations/batch.ts';
import { versionsOf, matching } from './operations/list.ts';
import type {
  RewriteOptions,
  ChangeOptions,
  Change,
  Target,
  PutOptions,
  GetOptions,
} from './operations/options.ts';
import { type Context, validateContext } from './model/context.ts';
import type { CopyOptions, Overtaken } from './operations/copy.ts';
import {
  type Cipher,
  type Entry,
  type EntryHeader,
  type Secret,
  writtenDigest,
} from './model/entry.ts';
import {
  CredstashError,
  type ErrorCode,
  type Failure,
  hasCode,
  concernsOneSecret,
  combineFailures,
} from './errors.ts';
import { checkLabel } from './model/label.ts';
import { checkName } from './model/name.ts';
import { literalPrefixes, matches, checkGlob } from './model/glob.ts';
import { inParallel } from './util/parallel.ts';
import { checkSealing, type Plan, plan } from './operations/put.ts';
import {
  cacheKey,
  checkGet,
  type Request,
  requireEntry,
  findEntry,
  openEntry,
  textFrom,
} from './operations/get.ts';
import {
  combineSignals,
  type CallOptions,
  withProgress,
  type Progress,
  type ProgressOptions,
} from './util/progress.ts';
import type { PruneOptions } from './operations/prune.ts';
import { versionNotFound } from './operations/errors.ts';
import { checkWhich, type Which } from './model/selector.ts';
import { isReference, parseReferences } from './model/reference.ts';
import type { MigrateOptions } from './operations/migrate.ts';
import { FORMATS } from './seal/formats.ts';
import { fill, parseTemplate } from './operations/render.ts';
import { type AllowedFormats, checkCipher, checkFormats, type TrustNames } from './model/trust.ts';
import { compareUtf8 } from './util/utf8.ts';
import {
  checkVersion,
  FIRST_VERSION,
  nextVersion,
  padVersion,
  shortVersion,
  spellings,
} from './model/version.ts';

/** How many data keys are unwrapped at once; the SDK has a connection for each. */
const UNWRAPS_AT_ONCE = 32;

/** How many secrets are stored at once. Each is two requests, and writes cost a table more than reads. */
const PUTS_AT_ONCE = 16;

export type {
  CallOptions,
  Change,
  ChangeOptions,
  CopyOptions,
  GetOptions,
  MigrateOptions,
  Overtaken,
  Progress,
  ProgressOptions,
  PruneOptions,
  PutOptions,
  RewriteOptions,
  Target,
};

/** What a put stored. */
export interface Stored extends EntryHeader {
  /** With `label`, the versions that had it before. */
  readonly before?: readonly string[];
}

export interface RollbackOptions
  extends CallOptions, Pick<PutOptions, 'cipher' | 'digest' | 'onWarning'> {
  /** The version to go back to; default: the one before the newest. */
  readonly version?: string | undefined;
  /** The same pairs that the secret was put with. */
  readonly context?: Context | undefined;
  /** Moved to the new version: whoever reads by it gets the old value or the restored one, and never none. */
  readonly label?: string | undefined;
}

/** What a rollback did. */
export interface RolledBack {
  /** Of the new entry. */
  readonly header: EntryHeader;
  /** The version that it has the value of. */
  readonly from: string;
  /** The versions that had `label` before; empty without it. */
  readonly before: readonly string[];
  /** The other labels of the secret, of its newest version first: each stays on its version. */
  readonly others: readonly { readonly label: string; readonly version: string }[];
}

export interface DeleteOptions
  extends ProgressOptions, Pick<GetOptions, 'version' | 'exactVersion'> {
  /** Delete nothing, and yield what would be deleted. */
  readonly dryRun?: boolean | undefined;
  /** Asked before the first version is deleted; nothing is deleted unless it says true. */
  readonly confirm?: ((doomed: readonly Deletion[]) => Promise<boolean>) | undefined;
}

/** One version that is deleted, with the labels that it had when the deletion began. */
export interface Deletion extends Target, Pick<EntryHeader, 'labels'> {}

/** One secret of several that are got at once. */
export interface SecretRequest extends GetOptions {
  readonly name: string;
  /** What asks for it, a variable or a place in a file, by which a failure is then told; default: its name. */
  readonly place?: string | undefined;
}

export interface GetAllOptions extends GetOptions, ProgressOptions {
  /** Which names, with `*` for any run of characters: those that match one of several; default: all. */
  readonly glob?: string | readonly string[] | undefined;
  /** Give what opens, and the rest as `leftOut`; default: anything that does not open is an error. */
  readonly skipUndecryptable?: boolean | undefined;
}

export interface PutAllOptions extends Omit<PutOptions, 'label'>, ProgressOptions {
  /** Leave a secret alone whose newest version, or the one that `version` says, has the same bytes already. */
  readonly skipUnchanged?: boolean | undefined;
}

/** What holds for every call of an instance. */
export interface FlowDefaults extends Pick<PutOptions, 'cipher' | 'digest'> {
  /** Ends every call of the instance once it is aborted: they reject with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** How many secrets are worked on at once, at most; default: 32 that are read, 16 that are stored, 8 that are changed. */
  readonly maxConcurrency?: number | undefined;
  /**
   * Which formats are opened and written; default: both. With `AES-256-GCM` alone an original entry, which is bound to no
   * name, is refused (ENTRY_NOT_TRUSTED), and to put one is an error of USAGE.
   */
  readonly formats?: readonly Cipher[] | undefined;
  /** @internal How the settings of trust are called where they were made. */
  readonly trustNames?: TrustNames | undefined;
}

/** What became of one secret of several that were put. */
export type PutOutcome =
  | { readonly name: string; readonly done: 'stored' | 'unchanged' }
  | ({ readonly done: 'failed' } & Failure);

/** The entry to open of a name; undefined where the name lacks the version, or a label was seen on several. */
type Choice = readonly [name: string, found: Found | undefined];

/**
 * Every flow, over a key service and an entry store. Errors are CredstashError, of the codes that each method
 * names and of those of the two interfaces.
 *
 *     put   value -> next version -> keys.generate(context) -> seal -> Entry -> entries.create
 *     get   entries.latest | at -> keys.unwrap(wrapped, context) -> open -> value
 */
export class Flows {
  readonly #backend: () => Promise<Backend>;
  readonly #defaults: Pick<FlowDefaults, 'cipher' | 'digest' | 'maxConcurrency'>;
  readonly #signal: AbortSignal | undefined;
  readonly #formats: AllowedFormats | undefined;

  /**
   * @param backend opened by the first flow
   * @throws CredstashError USAGE for a `maxConcurrency` or `formats` that cannot be
   */
  constructor(backend: () => Promise<Backend>, defaults: FlowDefaults = {}) {
    const { cipher, digest, maxConcurrency, formats, trustNames, signal } = defaults;
    checkChange({ maxConcurrency });
    this.#formats = checkFormats(formats, trustNames?.formats);
    this.#backend = backend;
    this.#defaults = { cipher, digest, maxConcurrency };
    this.#signal = signal;
  }

  #signalOf(options: CallOptions): AbortSignal | undefined {
    return combineSignals(options.signal, this.#signal);
  }

  /** How many secrets are worked on at once. */
  #atOnce(limit: number): number {
    return Math.min(limit, this.#defaults.maxConcurrency ?? limit);
  }

  #bounded<T extends ChangeOptions>(options: T): T {
    return { maxConcurrency: this.#defaults.maxConcurrency, ...omitUndefined(options) };
  }

  /** The backend, for as long as one flow takes. */
  async #open(options: CallOptions): Promise<Backend> {
    const signal = this.#signalOf(options);
    signal?.throwIfAborted();
    const { keys, entries } = await this.#backend();
    const formats = this.#formats;
    return signal
      ? { keys: keys.withSignal(signal), entries: entries.withSignal(signal), formats }
      : { keys, entries, formats };
  }

  /** The same, for a flow that seals or wraps. @throws CredstashError KEY_NOT_TRUSTED, before any request */
  async #openToWrite(options: CallOptions): Promise<Backend> {
    const backend = await this.#open(options);
    backend.keys.checkKey?.();
    return backend;
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
    const { label } = options;
    if (label !== undefined) checkLabel(label);
    const sealing = { ...this.#defaults, ...omitUndefined(options) };
    const planned = plan(name, value.length, sealing, this.#formats);
    const backend = await this.#openToWrite(options);
    const header = await sealAndCreate(backend, planned, value, options);
    if (label === undefined) return header;
    return { ...header, before: await moveLabelToStored(backend, header, label) };
  }

  /**
   * The secret's bytes: of the newest version, or of the one asked for, padded or not.
   *
   * @throws CredstashError SECRET_NOT_FOUND, VERSION_NOT_FOUND; INTEGRITY when the entry does not verify;
   *   WRONG_CONTEXT when the pairs are not those of the put
   */
  async get(name: string, options: GetOptions = {}): Promise<Uint8Array> {
    const request = checkGet(name, options);
    return get(await this.#open(options), request);
  }

  /**
   * The secret as text, exactly as it was stored: nothing is trimmed, and a byte order mark stays.
   *
   * @throws CredstashError as `get` does; USAGE where the secret's bytes are no UTF-8
   */
  async getText(name: string, options: GetOptions = {}): Promise<string> {
    return textFrom(name, await this.get(name, options));
  }

  /**
   * Several secrets, in the order in which they are wanted. Everything is checked before the first request; what is
   * wanted more than once is read and unwrapped once, and is then the same array. It is all of them or none.
   *
   * @returns each of `wanted`, with the secret's bytes as its `value`
   * @throws CredstashError USAGE for bad input; with `failures`, one for each that cannot be got: its code is one of
   *   theirs. Also what is not about one secret: THROTTLED, UNREACHABLE, NO_CREDENTIALS and the like
   */
  async getMany<W extends SecretRequest>(
    wanted: readonly W[],
    options: ProgressOptions = {},
  ): Promise<(W & { readonly value: Uint8Array })[]> {
    const requests = new Map<string, Request>();
    const identified = wanted.map((each) => {
      const request = checkGet(each.name, each);
      const id = cacheKey(request);
      requests.set(id, request);
      return { each, id };
    });
    const backend = await this.#open(options);
    const got = new Map<string, Uint8Array | CredstashError>();
    const attempt = async ([id, request]: [string, Request]): Promise<void> => {
      try {
        got.set(id, await get(backend, request));
      } catch (error) {
        this.#signalOf(options)?.throwIfAborted();
        if (!concernsOneSecret(error)) throw error;
        got.set(id, error);
      }
    };
    const attempts = inParallel(this.#atOnce(UNWRAPS_AT_ONCE), requests, attempt);
    for await (const _ of withProgress(attempts, options.progress, requests.size));
    const values: (W & { readonly value: Uint8Array })[] = [];
    const failures: Failure[] = [];
    for (const { each, id } of identified) {
      const value = got.get(id);
      if (value instanceof Uint8Array) values.push({ ...each, value });
      else if (value) failures.push({ name: each.place ?? each.name, error: value });
    }
    if (failures.length === 0) return values;
    throw combineFailures(
      `${failures.length} of ${wanted.length} secrets cannot be got from ${backend.entries.location}, so none is given`,
      failures,
      hintOf(failures, 'give each the encryption context that it was put with'),
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
    const texts: [variable: string, text: string][] = [];
    for (const [variable, text] of Object.entries(variables)) {
      if (text !== undefined && isReference(text)) texts.push([variable, text]);
    }
    const got = await this.getMany(
      parseReferences(texts, validateContext(options.context, 'open')),
      {
        signal: options.signal,
      },
    );
    return new Map(got.map(({ place, value }) => [place, value]));
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
    const { texts, slots } = parseTemplate(template, validateContext(options.context, 'open'));
    return fill(texts, await this.getMany(slots, options));
  }

  /**
   * The secrets whose name matches, by name: the newest version of each, or the one asked for. The entries are read
   * once, however many globs there are, and each data key is unwrapped once. It is all of them or none, unless `skipUndecryptable` is set.
   *
   * @returns the secrets, and with `skipUndecryptable` what was left out, and why
   * @throws CredstashError USAGE for a glob that no name can match; with `failures`, one for each secret that does not
   *   open or lacks that version: its code is one of theirs. Also what is not about one secret: THROTTLED, UNREACHABLE, NO_CREDENTIALS and the like
   */
  async getAll(
    options: GetAllOptions = {},
  ): Promise<{ secrets: Secret[]; leftOut: readonly Failure[] }> {
    const { skipUndecryptable = false, progress } = options;
    const { glob = '*' } = options;
    const globs = (typeof glob === 'string' ? [glob] : glob).map(checkGlob);
    const context = validateContext(options.context, 'open');
    const which = checkWhich(options);
    const backend = await this.#open(options);
    backend.keys.warmUp();
    const chosen = await selectEntries(backend, globs, which, progress);
    const secrets: Secret[] = [];
    const leftOut: Failure[] = [];
    const open = async ([name, found]: Choice): Promise<Secret | Failure> => {
      try {
        return {
          name,
          value: await openEntry(backend, await readSelected(backend, name, found, which), context),
        };
      } catch (error) {
        this.#signalOf(options)?.throwIfAborted();
        if (concernsOneSecret(error)) return { name, error };
        throw error;
      }
    };
    const opened = inParallel(this.#atOnce(UNWRAPS_AT_ONCE), chosen, open);
    for await (const each of withProgress(opened, progress, chosen.length)) {
      if ('error' in each) leftOut.push(each);
      else secrets.push(each);
    }
    if (leftOut.length === 0 || skipUndecryptable) return { secrets, leftOut };
    throw combineFailures(
      `${leftOut.length} of ${chosen.length} secrets in ${backend.entries.location} cannot be opened, so none is given`,
      leftOut,
      hintOf(
        leftOut,
        'give the encryption context that they share',
        'leave out what does not open with --skip-undecryptable',
      ),
    );
  }

  /**
   * Stores several secrets, each as `put` does, and yields what became of each, in their order. Everything is checked
   * before the first request. One that fails stops none of the others, unless they would all meet the same error.
   *
   * @throws CredstashError USAGE or TOO_LARGE for bad input, before anything is stored
   */
  async *putAll(
    secrets: readonly Secret[],
    options: PutAllOptions = {},
  ): AsyncGenerator<PutOutcome> {
    const names = new Set<string>();
    const sealing = { ...this.#defaults, ...omitUndefined(options) };
    const planned = secrets.map((secret) => {
      if (names.has(secret.name)) {
        throw new CredstashError('USAGE', `the secret ${secret.name} is given twice`);
      }
      names.add(secret.name);
      const planned = plan(secret.name, secret.value.length, sealing, this.#formats);
      return { ...secret, plan: planned };
    });
    const backend = await this.#openToWrite(options);
    const put = async ({ name, value, plan }: (typeof planned)[number]): Promise<PutOutcome> => {
      if (options.skipUnchanged) {
        try {
          if (await hasSameValue(backend, name, value, options)) return { name, done: 'unchanged' };
        } catch (error) {
          // An entry that is read has a master key of its own; what is stored has the same for all.
          if (hasCode(error, 'KEY_NOT_FOUND', 'KEY_UNUSABLE'))
            return { name, done: 'failed', error };
          throw error;
        }
      }
      await sealAndCreate(backend, plan, value, options);
      return { name, done: 'stored' };
    };
    const attempt = stopOnSharedError(
      put,
      ({ name }, error): PutOutcome => ({ name, done: 'failed', error }),
      {
        isOfAll: (error) =>
          hasCode(error, 'KEY_NOT_FOUND', 'KEY_UNUSABLE') || !concernsOneSecret(error),
        signal: this.#signalOf(options),
      },
    );
    yield* withProgress(
      inParallel(this.#atOnce(PUTS_AT_ONCE), planned, attempt),
      options.progress,
      planned.length,
    );
  }

  /** The name of every secret, once, in order. */
  async names(options: ProgressOptions = {}): Promise<string[]> {
    const { entries } = await this.#open(options);
    const names = new Set<string>();
    for await (const { name } of withProgress(entries.headers(), options.progress)) names.add(name);
    return [...names].sort(compareUtf8);
  }

  /**
   * The headers of every entry, or of those whose name matches `glob`, by name and then by version.
   *
   * @throws CredstashError USAGE for a glob that no name can match
   */
  async list(glob = '*', options: ProgressOptions = {}): Promise<EntryHeader[]> {
    const wanted = checkGlob(glob);
    return matching(await this.#open(options), wanted, options.progress);
  }

  /**
   * The headers that `list` gives, in no order, each as soon as its page is read: a table of any size takes no more
   * memory than a page.
   *
   * @throws CredstashError USAGE for a glob that no name can match
   */
  async *headers(glob = '*', options: ProgressOptions = {}): AsyncGenerator<EntryHeader> {
    const wanted = checkGlob(glob);
    const { entries } = await this.#open(options);
    for await (const header of withProgress(entries.headers(), options.progress)) {
      if (matches(wanted, header.name)) yield header;
    }
  }

  /**
   * The headers of every version of a secret, the newest first.
   *
   * @throws CredstashError SECRET_NOT_FOUND
   */
  async history(name: string, options: ProgressOptions = {}): Promise<EntryHeader[]> {
    checkName(name);
    return versionsOf(await this.#open(options), name, options.progress);
  }

  /**
   * Stores the value of an older version as a new one, commented `rollback to V`. It is sealed as that version is, under the
   * same pairs, unless the options say otherwise. Nothing is deleted.
   *
   * @param options.version the one to go back to; default: the one before the newest
   * @param options.label moved to the new version once that is stored
   * @throws CredstashError as `get` and `put` do; VERSION_NOT_FOUND where there is only one; VERSION_EXISTS when somebody
   *   else stored a version meanwhile. With `stored`, the header of the new entry, if it is stored and the label could not be
   *   moved: then call `label`, and not `rollback` again
   */
  async rollback(name: string, options: RollbackOptions = {}): Promise<RolledBack> {
    const { label, ...wantedVersion } = options;
    if (label !== undefined) checkLabel(label);
    const { which, context } = checkGet(name, wantedVersion);
    validateContext(options.context, 'seal');
    const { cipher } = checkSealing(options);
    checkCipher(this.#formats, cipher);
    const backend = await this.#openToWrite(options);
    backend.keys.warmUp();
    const versions = await versionsOf(backend, name);
    const wanted = which.version === undefined ? undefined : spellings(which.version);
    const from = wanted
      ? wanted.find((each) => versions.some(({ version }) => version === each))
      : versions.at(1)?.version;
    if (from === undefined) {
      if (wanted) throw versionNotFound(backend, name, which);
      throw new CredstashError(
        'VERSION_NOT_FOUND',
        `${name} has one version alone in ${backend.entries.location}, and nothing to go back to`,
      );
    }
    const entry = await requireEntry(backend, name, { version: from, exactVersion: true });
    const value = await openEntry(backend, entry, context);
    try {
      const sealing = {
        version: nextVersion(name, versions[0]?.version ?? ''),
        context,
        comment: `rollback to ${shortVersion(from)}`,
        cipher: options.cipher ?? entry.cipher,
        digest: options.digest ?? writtenDigest(entry.digest),
      };
      const planned = plan(name, value.length, sealing, this.#formats);
      const hmacAsText = planned.header.cipher === 'AES-256-CTR' ? entry.hmacAsText : undefined;
      const stored = { hmacAsText, newest: versions[0], onWarning: options.onWarning };
      const header = await sealAndCreate(backend, planned, value, stored);
      const others = versions.flatMap(({ version, labels = [] }) =>
        labels.filter((each) => each !== label).map((each) => ({ label: each, version })),
      );
      const before = label === undefined ? [] : await moveLabelToStored(backend, header, label);
      return { header, from, before, others };
    } finally {
      value.fill(0);
    }
  }

  /**
   * Moves a label to a version of a secret: it stands on one of them at most, and whoever reads sees it on the old one or
   * the new one.
   *
   * @param options.version default: the newest
   * @returns the version that has it now, and those that had it before
   * @throws CredstashError USAGE for what can be no label; SECRET_NOT_FOUND, VERSION_NOT_FOUND
   */
  async label(
    name: string,
    label: string,
    options: CallOptions & { readonly version?: string | undefined } = {},
  ): Promise<{ version: string; before: string[] }> {
    checkName(name);
    checkLabel(label);
    const { version } = options;
    if (version !== undefined) checkVersion(version);
    const backend = await this.#open(options);
    const versions = (await versionsOf(backend, name)).map((header) => header.version);
    const found =
      version === undefined
        ? versions[0]
        : spellings(version).find((each) => versions.includes(each));
    if (found === undefined) throw versionNotFound(backend, name, { version });
    return { version: found, before: await backend.entries.moveLabel(name, label, found) };
  }

  /**
   * Takes a label away.
   *
   * @returns the versions that had it
   * @throws CredstashError USAGE for what can be no label; SECRET_NOT_FOUND; VERSION_NOT_FOUND when none has it
   */
  async unlabel(name: string, label: string, options: CallOptions = {}): Promise<string[]> {
    checkName(name);
    checkLabel(label);
    const backend = await this.#open(options);
    const before = await backend.entries.moveLabel(name, label, undefined);
    if (before.length > 0) return before;
    await versionsOf(backend, name);
    throw versionNotFound(backend, name, { label });
  }

  /**
   * Deletes old versions: of each secret whose name matches, those beyond the newest `keep`, but none that has a label. All
   * versions of a secret that stay are opened before the first one is deleted. If one does not open, each old version of that
   * secret is a failure, with the same error. Yields what became of each.
   *
   * @throws CredstashError USAGE for bad input
   */
  async *prune(options: PruneOptions): AsyncGenerator<Change> {
    const { prune } = await import('./operations/prune.ts');
    yield* prune(() => this.#open(options), this.#bounded(options));
  }

  /**
   * Wraps the data key of every entry whose name matches under this backend's present master key (KMS ReEncrypt): nobody
   * sees a secret or a data key. An entry is replaced only where it is unchanged. Yields what became of each; one that is
   * under that key already is `skipped`.
   *
   * @throws CredstashError USAGE for bad input
   */
  async *rekey(options: RewriteOptions = {}): AsyncGenerator<Change> {
    const { rekey } = await import('./operations/rekey.ts');
    yield* rekey(() => this.#openToWrite(options), this.#bounded(options));
  }

  /**
   * Seals every entry whose name matches, and that is in another format, in the format of `cipher`, in its place: version and
   * comment stay, a digest that is not written any more becomes SHA256. Each is read back and compared before the next one. An
   * original entry whose `key` or `contents` stand elsewhere in the table too is a failure of the code INTEGRITY, and stays: one of
   * the two is a copy, which would become genuine. The `cipher` of this instance does not count. Yields what became of each.
   *
   * @throws CredstashError USAGE for bad input
   */
  async *migrate(options: MigrateOptions = {}): AsyncGenerator<Change> {
    const { migrate } = await import('./operations/migrate.ts');
    yield* migrate(() => this.#openToWrite(options), this.#bounded(options));
  }

  /**
   * Pads versions that are numbers of fewer than 19 digits, which sort as text: `1`, `2` and `10` of tables of before 2015 and of
   * nodecredstash. Labels, comment and digest stay, and a reader never gets an older value meanwhile. Yields what became of each.
   *
   * @throws CredstashError USAGE for bad input
   */
  async *padVersions(options: RewriteOptions = {}): AsyncGenerator<Change> {
    const { padVersions } = await import('./operations/pad-versions.ts');
    yield* padVersions(() => this.#open(options), this.#bounded(options));
  }

  /**
   * Copies entries to another table or vault, under the same versions: the sealed bytes stay as they are, and their data key is
   * wrapped there. What does not verify is not copied. What is there already is opened: with the same value it is `skipped`, with
   * another it is a failure of the code CONFLICT, and what does not verify there is one of INTEGRITY; both stay. Labels come along, unless another version has them there.
   *
   * @throws CredstashError USAGE for bad input; TABLE_NOT_FOUND when the other table does not exist
   */
  async *copy(to: Flows, options: CopyOptions = {}): AsyncGenerator<Change> {
    const { copy } = await import('./operations/copy.ts');
    const open = async (): Promise<{ from: Backend; to: Backend }> => ({
      from: await this.#open(options),
      to: await to.#openToWrite(options),
    });
    yield* copy(open, this.#bounded(options));
  }

  /**
   * The newest version of a secret, as it stands in the table, also of an entry that does not open.
   *
   * @returns undefined where there is no such secret
   * @internal
   */
  async newestVersion(name: string, options: CallOptions = {}): Promise<string | undefined> {
    checkName(name);
    const { entries } = await this.#open(options);
    return (await entries.newestHeader(name))?.version;
  }

  /**
   * Looks whether a put of this version would find one that exists already, also a broken one. Somebody may store it after
   * the look.
   *
   * @throws CredstashError VERSION_EXISTS
   * @internal
   */
  async expectNoVersion(
    name: string,
    options: Pick<PutOptions, 'version' | 'exactVersion' | 'signal'> = {},
  ): Promise<void> {
    checkName(name);
    const asked = checkVersion(options.version ?? FIRST_VERSION);
    const version = options.exactVersion ? asked : padVersion(asked);
    const { entries } = await this.#open(options);
    try {
      if ((await entries.get(name, version)) === undefined) return;
    } catch (error) {
      if (!hasCode(error, 'INTEGRITY')) throw error;
    }
    throw versionExists({ name, version, cipher: '' }, entries.location);
  }

  /**
   * Removes every version of a secret, or the one asked for, and yields each once it is gone. The oldest goes
   * first: a run that is cut short leaves the newest, and never brings an old value back to life.
   *
   * @throws CredstashError SECRET_NOT_FOUND, VERSION_NOT_FOUND
   */
  async *delete(name: string, options: DeleteOptions = {}): AsyncGenerator<Deletion> {
    checkName(name);
    const { version, exactVersion, dryRun = false, confirm, progress } = options;
    const wanted =
      version === undefined ? undefined : spellings(checkVersion(version), exactVersion);
    const backend = await this.#open(options);
    const versions = (await versionsOf(backend, name, progress)).map(
      ({ version, labels }): Deletion => ({ name, version, ...(labels ? { labels } : {}) }),
    );
    const [found] = (wanted ?? []).flatMap((each) =>
      versions.filter((header) => header.version === each),
    );
    if (wanted && !found) throw versionNotFound(backend, name, { version });
    const doomed = found ? [found] : versions.reverse();
    if (dryRun) yield* doomed;
    else if (!confirm || (await confirm(doomed))) {
      yield* withProgress(deleteVersions(backend, doomed), progress, doomed.length);
    }
  }
}

/** Without what is undefined, which would hide a default. */
function omitUndefined<T extends object>(options: T): T {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as T;
}

async function* deleteVersions(
  { entries }: Backend,
  doomed: readonly Deletion[],
): AsyncGenerator<Deletion> {
  for (const deletion of doomed) {
    // Whether it was still there or another delete was quicker: it is gone.
    await entries.remove(deletion.name, deletion.version);
    yield deletion;
  }
}

/**
 * Moves a label to an entry that has just been stored.
 *
 * @returns the versions that had it before
 * @throws CredstashError with `stored`
 */
async function moveLabelToStored(
  { entries }: Backend,
  header: EntryHeader,
  label: string,
): Promise<string[]> {
  const { name, version } = header;
  try {
    return await entries.moveLabel(name, label, version);
  } catch (error) {
    if (!(error instanceof CredstashError)) throw error;
    throw new CredstashError(
      error.code,
      `version ${shortVersion(version)} of ${name} is stored in ${entries.location}, but the label ${label} has not been moved to it: ${error.message}`,
      { hint: error.hint, cause: error, serviceMessage: error.serviceMessage, stored: header },
    );
  }
}

async function sealAndCreate(
  backend: Backend,
  { header: template, context }: Plan,
  value: Uint8Array,
  options: Pick<PutOptions, 'autoversion' | 'hmacAsText' | 'onWarning'> & {
    /** The newest version, which the new one comes after, where it is known already. */
    readonly newest?: EntryHeader | undefined;
  },
): Promise<EntryHeader> {
  const { autoversion = false, hmacAsText, onWarning } = options;
  const { name } = template;
  backend.keys.warmUp();
  // Only its header is read: the next version is stored also after an entry that is broken.
  let newest = autoversion ? await backend.entries.newestHeader(name) : options.newest;
  let version = autoversion ? versionAfter(name, newest) : template.version;
  // Meanwhile what seals it is loaded.
  const loading = FORMATS[template.cipher].load();
  const dataKey = await backend.keys.generate(context);
  try {
    const { seal } = await loading;
    for (;;) {
      const header = { ...template, version };
      const sealed = seal(header, dataKey.plaintext, value);
      try {
        await backend.entries.create({
          ...header,
          key: dataKey.wrapped,
          ...sealed,
          ...(hmacAsText ? { hmacAsText } : {}),
        });
        if (isDowngrade(newest, header)) onWarning?.(describeDowngrade(newest, header));
        return header;
      } catch (error) {
        // Somebody else stored this version first. Each round means that one writer got through, so this ends.
        if (!autoversion || !hasCode(error, 'VERSION_EXISTS')) throw error;
        newest = await backend.entries.newestHeader(name);
        const after = versionAfter(name, newest);
        if (after === version) throw error;
        version = after;
      }
    }
  } finally {
    dataKey.plaintext.fill(0);
  }
}

function versionAfter(name: string, newest: EntryHeader | undefined): string {
  return newest === undefined ? FIRST_VERSION : nextVersion(name, newest.version);
}

/** Whether an original entry follows a current one: then the newest value is bound to no name any more. */
function isDowngrade(before: EntryHeader | undefined, after: EntryHeader): before is EntryHeader {
  return before?.cipher === 'AES-256-GCM' && after.cipher === 'AES-256-CTR';
}

function describeDowngrade(before: EntryHeader, { name, version }: EntryHeader): string {
  return `version ${shortVersion(version)} of ${name} is an original entry (AES-256-CTR) after a current one, version ${shortVersion(before.version)}: nothing binds it to its name`;
}

async function get(backend: Backend, { name, which, context }: Request): Promise<Uint8Array> {
  backend.keys.warmUp();
  return openEntry(backend, await requireEntry(backend, name, which), context);
}

/** Whether the version that a put would follow, or the very one that it names, has these bytes. */
async function hasSameValue(
  backend: Backend,
  name: string,
  value: Uint8Array,
  options: PutOptions,
): Promise<boolean> {
  const { exactVersion } = options;
  const version = options.autoversion ? undefined : options.version;
  const entry = await findEntry(backend, name, { version, exactVersion });
  if (!entry) return false;
  const { equal } = await import('./seal/data-key.ts');
  const stored = await openEntry(backend, entry, validateContext(options.context, 'open'));
  try {
    return equal(stored, value);
  } finally {
    stored.fill(0);
  }
}

/**
 * The entry of a choice. A read of a whole table takes long: where it saw a label on no version or on several, that is
 * looked up again, because it may have moved meanwhile.
 */
async function readSelected(
  backend: Backend,
  name: string,
  found: Choice[1],
  which: Which,
): Promise<Entry> {
  if (found) return found.read();
  const entry = which.label === undefined ? undefined : await findEntry(backend, name, which);
  if (entry) return entry;
  throw versionNotFound(backend, name, which);
}

/** What to open of a getall, by name. */
async function selectEntries(
  { entries }: Backend,
  globs: readonly string[],
  { version, exactVersion, label }: Which,
  progress: Progress | undefined,
): Promise<Choice[]> {
  if (globs.length === 0) return [];
  const spelled = version === undefined ? [] : spellings(version, exactVersion);
  const chosen = new Map<string, Choice[1]>();
  const several = new Set<string>();
  for await (const found of withProgress(entries.scan(literalPrefixes(globs)), progress)) {
    if (!globs.some((glob) => matches(glob, found.name))) continue;
    const before = chosen.get(found.name);
    if (label !== undefined) {
      const isIt = found.labels?.includes(label) ?? false;
      if (isIt && before) several.add(found.name);
      chosen.set(found.name, isIt ? found : before);
    } else if (version !== undefined) {
      // Padded comes first, as in a get.
      const isIt = spelled.includes(found.version) && before?.version !== spelled[0];
      chosen.set(found.name, isIt ? found : before);
    } else if (!before || compareUtf8(before.version, found.version) < 0) {
      chosen.set(found.name, found);
    }
  }
  for (const name of several) chosen.set(name, undefined);
  return [...chosen].sort(([a], [b]) => compareUtf8(a, b));
}

/** The hint of several secrets that were not got. @param more what helps whatever failed */
function hintOf(
  failures: readonly Failure[],
  context: string,
  ...more: string[]
): string | undefined {
  const has = (code: ErrorCode): boolean => failures.some(({ error }) => error.code === code);
  const hints = [
    ...(has('WRONG_CONTEXT') ? [context] : []),
    ...(has('INTEGRITY') ? ['find out who wrote what does not verify'] : []),
    ...distrust(failures),
    ...more,
  ];
  return hints.length === 0 ? undefined : hints.join(', or ');
}

/** What to do about entries that are not trusted: as the first of them says. */
function distrust(failures: readonly Failure[]): string[] {
  const first = failures.find(({ error }) => error.code === 'ENTRY_NOT_TRUSTED');
  return first?.error.hint === undefined ? [] : [first.error.hint];
}
