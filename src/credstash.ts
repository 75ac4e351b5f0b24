import type { EntryStore, Found } from './backend/entry-store.ts';
import type { KeyService } from './backend/key-service.ts';
import type { Context } from './context.ts';
import type { Entry, EntryHeader, Secret } from './entry.ts';
import {
  CredstashError,
  type ErrorCode,
  type Failure,
  hasCode,
  isOfOneSecret,
  together,
} from './errors.ts';
import { checkGlob, checkName, literalPrefix, matches } from './name.ts';
import { inParallel } from './parallel.ts';
import {
  checked,
  checkGet,
  type GetOptions,
  type Plan,
  plan,
  type PutOptions,
  type Request,
} from './plan.ts';
import { counted, type Progress, type ProgressOptions } from './progress.ts';
import { isReference, parseReferences } from './reference.ts';
import { equal } from './seal/data-key.ts';
import { FORMATS } from './seal/index.ts';
import { fill, parseTemplate } from './template.ts';
import { compareUtf8 } from './utf8.ts';
import { checkVersion, FIRST_VERSION, nextVersion, spellings } from './version.ts';

/** How many data keys are unwrapped at once; the SDK has a connection for each. */
const UNWRAPS_AT_ONCE = 32;
/** How many secrets are stored at once. Each is two requests, and writes cost a table more than reads. */
const PUTS_AT_ONCE = 16;

export type { GetOptions, Progress, ProgressOptions, PutOptions };

/** One secret of several that are got at once. */
export interface Wanted extends GetOptions {
  readonly name: string;
  /** What asks for it, a variable or a place in a file, by which a failure is then told; default: its name. */
  readonly place?: string | undefined;
}

export interface GetAllOptions extends GetOptions, ProgressOptions {
  /** Which names, with `*` for any run of characters; default: all. */
  readonly glob?: string | undefined;
  /** Give what opens, and the rest as `leftOut`; default: anything that does not open is an error. */
  readonly skipUndecryptable?: boolean | undefined;
}

export interface PutAllOptions extends PutOptions, ProgressOptions {
  /** Leave a secret alone whose newest version, or the one that `version` says, has the same bytes already. */
  readonly skipUnchanged?: boolean | undefined;
}

/** What became of one secret of several that were put. */
export type PutOutcome =
  | { readonly name: string; readonly done: 'stored' | 'unchanged' }
  | ({ readonly done: 'failed' } & Failure);

/** The entry to open of a name; undefined where the name lacks the version. */
type Choice = readonly [name: string, found: Found | undefined];

/**
 * Every flow, over a key service and an entry store. Errors are CredstashError, of the codes that each method
 * names and of those of the two interfaces.
 *
 *     put   value -> next version -> keys.generate(context) -> seal -> Entry -> entries.create
 *     get   entries.latest | at -> keys.unwrap(wrapped, context) -> open -> value
 */
export class Credstash {
  readonly #keys: KeyService;
  readonly #entries: EntryStore;

  constructor(keys: KeyService, entries: EntryStore) {
    this.#keys = keys;
    this.#entries = entries;
  }

  /**
   * Seals `value`, any bytes, and stores it as a new version. Everything is checked before the first request.
   *
   * @returns the header of the entry as it was stored
   * @throws CredstashError USAGE or TOO_LARGE for bad input; VERSION_EXISTS; VERSION_NOT_NUMERIC with `autoversion`
   */
  async put(name: string, value: Uint8Array, options: PutOptions = {}): Promise<EntryHeader> {
    return this.#store(plan(name, value.length, options), value, options);
  }

  async #store(
    { header: template, context }: Plan,
    value: Uint8Array,
    options: PutOptions,
  ): Promise<EntryHeader> {
    const { autoversion = false } = options;
    const { name } = template;
    const format = FORMATS[template.cipher];
    this.#keys.prepare();
    let version = autoversion ? await this.#next(name) : template.version;
    const dataKey = await this.#keys.generate(context);
    try {
      for (;;) {
        const header = { ...template, version };
        const sealed = format.seal(header, dataKey.plaintext, value);
        try {
          await this.#entries.create({ ...header, key: dataKey.wrapped, ...sealed });
          return header;
        } catch (error) {
          // Somebody else stored this version first. Each round means that one writer got through, so this ends.
          if (!autoversion || !hasCode(error, 'VERSION_EXISTS')) throw error;
          const after = await this.#next(name);
          if (after === version) throw error;
          version = after;
        }
      }
    } finally {
      dataKey.plaintext.fill(0);
    }
  }

  async #next(name: string): Promise<string> {
    const newest = await this.#entries.latest(name);
    return newest ? nextVersion(name, newest.version) : FIRST_VERSION;
  }

  /**
   * The secret's bytes: of the newest version, or of the one asked for, padded or not.
   *
   * @throws CredstashError SECRET_NOT_FOUND, VERSION_NOT_FOUND; INTEGRITY when the entry does not verify;
   *   WRONG_CONTEXT when the pairs are not those of the put
   */
  async get(name: string, options: GetOptions = {}): Promise<Uint8Array> {
    return this.#get(checkGet(name, options));
  }

  async #get({ name, version, context }: Request): Promise<Uint8Array> {
    this.#keys.prepare();
    return this.#open(await this.#find(name, version), context);
  }

  /**
   * Several secrets, in the order in which they are wanted. Everything is checked before the first request; what is
   * wanted more than once is read and unwrapped once, and is then the same array. It is all of them or none.
   *
   * @returns each of `wanted`, with the secret's bytes as its `value`
   * @throws CredstashError USAGE for bad input; with `failures`, one for each that cannot be got: its code is one of
   *   theirs. Also what is not about one secret: THROTTLED, UNREACHABLE, NO_CREDENTIALS and the like
   */
  async getMany<W extends Wanted>(
    wanted: readonly W[],
    { progress }: ProgressOptions = {},
  ): Promise<(W & { readonly value: Uint8Array })[]> {
    const requests = new Map<string, Request>();
    const identified = wanted.map((each) => {
      const request = checkGet(each.name, each);
      const id = identity(request);
      requests.set(id, request);
      return { each, id };
    });
    const got = new Map<string, Uint8Array | CredstashError>();
    const attempt = async ([id, request]: [string, Request]): Promise<void> => {
      try {
        got.set(id, await this.#get(request));
      } catch (error) {
        if (!isOfOneSecret(error)) throw error;
        got.set(id, error);
      }
    };
    const attempts = inParallel(UNWRAPS_AT_ONCE, requests, attempt);
    for await (const _ of counted(attempts, progress, requests.size));
    const values: (W & { readonly value: Uint8Array })[] = [];
    const failures: Failure[] = [];
    for (const { each, id } of identified) {
      const value = got.get(id);
      if (value instanceof Uint8Array) values.push({ ...each, value });
      else if (value) failures.push({ name: each.place ?? each.name, error: value });
    }
    if (failures.length === 0) return values;
    throw together(
      `${failures.length} of ${wanted.length} secrets cannot be got from ${this.#entries.location}, so none is given`,
      failures,
      hintOf(failures, 'give each the encryption context that it was put with'),
    );
  }

  /**
   * The secrets of those of `variables` whose whole value is a reference, by variable. It is all of them or none.
   *
   * @param variables such as `process.env`
   * @param options.context pairs that hold for every reference; a reference's own win
   * @throws CredstashError USAGE with `failures` where references are malformed, before the first request; and as
   *   `getMany` does. Each failure has the name of its variable
   */
  async resolveReferences(
    variables: Readonly<Record<string, string | undefined>>,
    options: { readonly context?: Context | undefined } = {},
  ): Promise<Map<string, Uint8Array>> {
    const texts: [variable: string, text: string][] = [];
    for (const [variable, text] of Object.entries(variables)) {
      if (text !== undefined && isReference(text)) texts.push([variable, text]);
    }
    const got = await this.getMany(parseReferences(texts, checked(options.context)));
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
    const { texts, slots } = parseTemplate(template, checked(options.context));
    return fill(texts, await this.getMany(slots, options));
  }

  async #find(name: string, version: string | undefined): Promise<Entry> {
    const entry = await this.#lookUp(name, version);
    if (entry) return entry;
    throw version === undefined ? this.#absent(name) : await this.#noVersion(name, version);
  }

  async #lookUp(name: string, version: string | undefined): Promise<Entry | undefined> {
    if (version === undefined) return this.#entries.latest(name);
    for (const spelling of spellings(version)) {
      const entry = await this.#entries.at(name, spelling);
      if (entry) return entry;
    }
    return undefined;
  }

  async #noVersion(name: string, version: string): Promise<CredstashError> {
    for await (const _ of this.#entries.headers(name)) {
      return this.#lacks(name, version);
    }
    return this.#absent(name);
  }

  #lacks(name: string, version: string): CredstashError {
    return new CredstashError(
      'VERSION_NOT_FOUND',
      `${name} has no version ${version} in ${this.#entries.location}`,
    );
  }

  #absent(name: string): CredstashError {
    return new CredstashError(
      'SECRET_NOT_FOUND',
      `there is no secret ${name} in ${this.#entries.location}`,
    );
  }

  async #open(entry: Entry, context: Context): Promise<Uint8Array> {
    const format = FORMATS[entry.cipher];
    let dataKey: Uint8Array | undefined;
    try {
      dataKey = await this.#keys.unwrap(entry.key, contextOf(entry, context));
      return format.open(entry, dataKey);
    } catch (error) {
      throw about(entry, error);
    } finally {
      dataKey?.fill(0);
    }
  }

  /**
   * The secrets whose name matches, by name: the newest version of each, or the one asked for. The entries are read
   * once, and each data key is unwrapped once. It is all of them or none, unless `skipUndecryptable` is set.
   *
   * @returns the secrets, and with `skipUndecryptable` what was left out, and why
   * @throws CredstashError USAGE for a glob that no name can match; with `failures`, one for each secret that does not
   *   open or lacks that version: its code is one of theirs. Also what is not about one secret: THROTTLED, UNREACHABLE, NO_CREDENTIALS and the like
   */
  async getAll(
    options: GetAllOptions = {},
  ): Promise<{ secrets: Secret[]; leftOut: readonly Failure[] }> {
    const { version, skipUndecryptable = false, progress } = options;
    const glob = checkGlob(options.glob ?? '*');
    const context = checked(options.context);
    if (version !== undefined) checkVersion(version);
    this.#keys.prepare();
    const chosen = await this.#choose(glob, version, progress);
    const secrets: Secret[] = [];
    const leftOut: Failure[] = [];
    const open = async ([name, found]: Choice): Promise<Secret | Failure> => {
      try {
        if (!found) throw this.#lacks(name, String(version));
        return { name, value: await this.#open(found.read(), context) };
      } catch (error) {
        if (isOfOneSecret(error)) return { name, error };
        throw error;
      }
    };
    const opened = inParallel(UNWRAPS_AT_ONCE, chosen, open);
    for await (const each of counted(opened, progress, chosen.length)) {
      if ('error' in each) leftOut.push(each);
      else secrets.push(each);
    }
    if (leftOut.length === 0 || skipUndecryptable) return { secrets, leftOut };
    throw together(
      `${leftOut.length} of ${chosen.length} secrets in ${this.#entries.location} cannot be opened, so none is given`,
      leftOut,
      hintOf(
        leftOut,
        'give the encryption context that they share',
        'leave out what does not open with --skip-undecryptable',
      ),
    );
  }

  /** What to open, by name. */
  async #choose(
    glob: string,
    version: string | undefined,
    progress: Progress | undefined,
  ): Promise<Choice[]> {
    const spelled = version === undefined ? [] : spellings(version);
    const chosen = new Map<string, Found | undefined>();
    for await (const found of counted(this.#entries.all(literalPrefix(glob)), progress)) {
      if (!matches(glob, found.name)) continue;
      const before = chosen.get(found.name);
      if (version === undefined) {
        if (!before || compareUtf8(before.version, found.version) < 0)
          chosen.set(found.name, found);
      } else {
        // Padded comes first, as in a get.
        const wanted = spelled.includes(found.version) && before?.version !== spelled[0];
        chosen.set(found.name, wanted ? found : before);
      }
    }
    return [...chosen].sort(([a], [b]) => compareUtf8(a, b));
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
    const planned = secrets.map((secret) => {
      if (names.has(secret.name)) {
        throw new CredstashError('USAGE', `the secret ${secret.name} is given twice`);
      }
      names.add(secret.name);
      return { ...secret, plan: plan(secret.name, secret.value.length, options) };
    });
    let stopped: CredstashError | undefined;
    const put = async ({ name, value, plan }: (typeof planned)[number]): Promise<PutOutcome> => {
      if (stopped) {
        return { name, done: 'failed', error: new CredstashError(stopped.code, 'was not tried') };
      }
      let reading = options.skipUnchanged ?? false;
      try {
        if (reading && (await this.#holds(name, value, options))) {
          return { name, done: 'unchanged' };
        }
        reading = false;
        await this.#store(plan, value, options);
        return { name, done: 'stored' };
      } catch (error) {
        if (!(error instanceof CredstashError)) throw error;
        // An entry that is read has a master key of its own; what is stored has the same for all.
        const ofTheKey = !reading && hasCode(error, 'KEY_NOT_FOUND', 'KEY_UNUSABLE');
        if (ofTheKey || !isOfOneSecret(error)) stopped = error;
        return { name, done: 'failed', error };
      }
    };
    yield* counted(inParallel(PUTS_AT_ONCE, planned, put), options.progress, planned.length);
  }

  /** Whether the version that a put would follow, or the very one that it names, has these bytes. */
  async #holds(name: string, value: Uint8Array, options: PutOptions): Promise<boolean> {
    const entry = await this.#lookUp(name, options.autoversion ? undefined : options.version);
    if (!entry) return false;
    const stored = await this.#open(entry, checked(options.context));
    try {
      return equal(stored, value);
    } finally {
      stored.fill(0);
    }
  }

  /** The name of every secret, once, in order. */
  async names({ progress }: ProgressOptions = {}): Promise<string[]> {
    const names = new Set<string>();
    for await (const { name } of counted(this.#entries.headers(), progress)) names.add(name);
    return [...names].sort(compareUtf8);
  }

  /**
   * The headers of every entry, or of those whose name matches `glob`, by name and then by version.
   *
   * @throws CredstashError USAGE for a glob that no name can match
   */
  async list(glob = '*', { progress }: ProgressOptions = {}): Promise<EntryHeader[]> {
    const wanted = checkGlob(glob);
    const headers: EntryHeader[] = [];
    for await (const header of counted(this.#entries.headers(), progress)) {
      if (matches(wanted, header.name)) headers.push(header);
    }
    return headers.sort((a, b) => compareUtf8(a.name, b.name) || compareUtf8(a.version, b.version));
  }

  /**
   * Removes every version of a secret, or the one asked for, and yields each once it is gone. The oldest goes
   * first: a run that is cut short leaves the newest, and never brings an old value back to life.
   *
   * @throws CredstashError SECRET_NOT_FOUND, VERSION_NOT_FOUND
   */
  async *delete(
    name: string,
    options: ProgressOptions & { readonly version?: string } = {},
  ): AsyncGenerator<{ name: string; version: string }> {
    checkName(name);
    const { version, progress } = options;
    const wanted = version === undefined ? undefined : spellings(checkVersion(version));
    const versions: string[] = [];
    for await (const header of counted(this.#entries.headers(name), progress))
      versions.push(header.version);
    if (versions.length === 0) throw this.#absent(name);
    const padded = wanted?.find((each) => versions.includes(each));
    if (wanted && padded === undefined) throw this.#lacks(name, String(version));
    const doomed = padded === undefined ? versions.sort(compareUtf8) : [padded];
    yield* counted(this.#removed(name, doomed), progress, doomed.length);
  }

  async *#removed(
    name: string,
    versions: readonly string[],
  ): AsyncGenerator<{ name: string; version: string }> {
    for (const version of versions) {
      // Whether it was still there or another delete was quicker: it is gone.
      await this.#entries.remove(name, version);
      yield { name, version };
    }
  }
}

/** The context of an entry that was found. One that could not have been put with these pairs is no error of usage. */
function contextOf(entry: Entry, pairs: Context): Context {
  try {
    return FORMATS[entry.cipher].context(pairs, entry.name);
  } catch (error) {
    if (!(error instanceof CredstashError)) throw error;
    throw new CredstashError('WRONG_CONTEXT', error.message, { hint: error.hint });
  }
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
    ...more,
  ];
  return hints.length === 0 ? undefined : hints.join(', or ');
}

/** What two gets have in common only if they give the same bytes. */
function identity({ name, version, context }: Request): string {
  return JSON.stringify([name, version ?? null, Object.entries(context).sort()]);
}

/** An error of opening an entry, with the entry named. */
function about(entry: Entry, error: unknown): unknown {
  if (!(error instanceof CredstashError)) return error;
  const { code, message, hint, cause } = error;
  return new CredstashError(code, `version ${entry.version} of ${entry.name}: ${message}`, {
    hint,
    cause,
  });
}
