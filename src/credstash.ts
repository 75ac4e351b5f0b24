import type { EntryStore } from './backend/entry-store.ts';
import type { KeyService } from './backend/key-service.ts';
import { type Context, checkContext } from './context.ts';
import {
  checkItemSize,
  type Cipher,
  type Entry,
  type EntryHeader,
  tooLarge,
  MAX_ITEM_BYTES,
  WRITTEN_DIGESTS,
} from './entry.ts';
import { CredstashError, hasCode } from './errors.ts';
import { checkName, matches } from './name.ts';
import { FORMATS } from './seal/index.ts';
import { compareUtf8, isStorable } from './utf8.ts';
import { checkVersion, FIRST_VERSION, nextVersion, padVersion, spellings } from './version.ts';

/** Kept free in an item for the wrapped data key, whose length only the key service knows. KMS needs under 300 bytes. */
const WRAPPED_KEY_BYTES = 512;

export interface PutOptions {
  /** The version to store; default `1`. */
  readonly version?: string;
  /** Store the version after the newest, whatever `version` says. */
  readonly autoversion?: boolean;
  /** The user's pairs of the encryption context; whoever reads the secret must give the same. */
  readonly context?: Context;
  readonly comment?: string;
  /** `SHA256` (default), `SHA384` or `SHA512`. */
  readonly digest?: string;
  /** `AES-256-GCM` (default), or `AES-256-CTR`, which the original credstash can read. */
  readonly cipher?: string;
}

export interface GetOptions {
  /** Default: the newest version. */
  readonly version?: string;
  /** The same pairs that the secret was put with. */
  readonly context?: Context;
}

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
    checkName(name);
    const { digest = 'SHA256', cipher = 'AES-256-GCM', comment = '' } = options;
    checkSealing(cipher, digest, comment);
    const format = FORMATS[cipher];
    const context = format.context(checked(options.context), name);
    const { autoversion = false } = options;
    const template = {
      name,
      version: padVersion(checkVersion(options.version ?? FIRST_VERSION)),
      cipher,
      digest,
      // The original has no such attribute, and its format would not authenticate it.
      ...(cipher === 'AES-256-CTR' ? {} : { created: now() }),
      ...(comment === '' ? {} : { comment }),
    };
    checkSize(template, format.contentsLength(value.length));

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
    checkName(name);
    const context = checked(options.context);
    // Both formats' contexts, before the first request: an entry's cipher is known only after it.
    for (const format of Object.values(FORMATS)) format.context(context, name);
    return this.#open(await this.#find(name, options.version), context);
  }

  async #find(name: string, version: string | undefined): Promise<Entry> {
    if (version === undefined) {
      const entry = await this.#entries.latest(name);
      if (entry) return entry;
      throw this.#absent(name);
    }
    for (const spelling of spellings(checkVersion(version))) {
      const entry = await this.#entries.at(name, spelling);
      if (entry) return entry;
    }
    throw await this.#noVersion(name, version);
  }

  async #noVersion(name: string, version: string): Promise<CredstashError> {
    for await (const _ of this.#entries.headers(name)) {
      return new CredstashError(
        'VERSION_NOT_FOUND',
        `${name} has no version ${version} in ${this.#entries.location}`,
      );
    }
    return this.#absent(name);
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
      dataKey = await this.#keys.unwrap(entry.key, format.context(context, entry.name));
      return format.open(entry, dataKey);
    } catch (error) {
      throw about(entry, error);
    } finally {
      dataKey?.fill(0);
    }
  }

  /** The headers of every entry, or of those whose name matches `glob`, by name and then by version. */
  async list(glob = '*'): Promise<EntryHeader[]> {
    const headers: EntryHeader[] = [];
    for await (const header of this.#entries.headers()) {
      if (matches(glob, header.name)) headers.push(header);
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
    options: { readonly version?: string } = {},
  ): AsyncGenerator<{ name: string; version: string }> {
    checkName(name);
    const { version } = options;
    if (version !== undefined) {
      for (const spelling of spellings(checkVersion(version))) {
        if (await this.#entries.remove(name, spelling)) {
          yield { name, version: spelling };
          return;
        }
      }
      throw await this.#noVersion(name, version);
    }
    const versions: string[] = [];
    for await (const header of this.#entries.headers(name)) versions.push(header.version);
    if (versions.length === 0) {
      throw this.#absent(name);
    }
    for (const each of versions.sort(compareUtf8)) {
      // Whether it was still there or another delete was quicker: it is gone.
      await this.#entries.remove(name, each);
      yield { name, version: each };
    }
  }
}

/** An error of opening an entry, with the entry named. */
function about(entry: Entry, error: unknown): unknown {
  if (!(error instanceof CredstashError)) return error;
  const { code, message, hint, cause } = error;
  return new CredstashError(code, `version ${entry.version} of ${entry.name}: ${message}`, {
    ...(hint === undefined ? {} : { hint }),
    cause,
  });
}

/** The user's pairs, by whatever way they came: a plain object of an application has not been checked. */
function checked(context: Context | undefined): Context {
  return checkContext(Object.entries(context ?? {}));
}

function now(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, 'Z');
}

function checkSealing(cipher: string, digest: string, comment: string): asserts cipher is Cipher {
  // Neither is quoted: -d and --cipher are where a value lands that was meant for another place.
  if (!Object.hasOwn(FORMATS, cipher)) {
    throw new CredstashError('USAGE', 'unknown cipher', {
      hint: `known are ${Object.keys(FORMATS).join(' and ')}`,
    });
  }
  if (!WRITTEN_DIGESTS.some((known) => known === digest)) {
    throw new CredstashError('USAGE', 'secrets are not stored under that digest', {
      hint: `take one of ${WRITTEN_DIGESTS.join(', ')}`,
    });
  }
  if (!isStorable(comment)) {
    throw new CredstashError('USAGE', 'a comment must be valid Unicode text without NUL');
  }
}

function checkSize(header: EntryHeader & { cipher: Cipher }, contentsLength: number): void {
  // What is over the limit by itself is not made into an entry, to be counted, first.
  if (contentsLength > MAX_ITEM_BYTES) throw tooLarge(header.name, contentsLength);
  checkItemSize({
    ...header,
    key: new Uint8Array(WRAPPED_KEY_BYTES),
    contents: new Uint8Array(contentsLength),
    hmac: new Uint8Array(64),
  });
}
