import type { FallbackAnswer } from '../backend/aws/fallback.ts';
import type { Failure } from '../errors.ts';
import type { Context } from '../model/context.ts';
import type { EntryHeader, Secret } from '../model/entry.ts';
import * as operations from '../operations/index.ts';
import type {
  FindOptions,
  Findings,
  GetAllOptions,
  GetOptions,
  KnownSecrets,
  PutOptions,
  SecretRequest,
  WatchedSecret,
  WatchOptions,
  WatchRequest,
} from '../operations/index.ts';
import { parseField } from '../model/field.ts';
import { WATCH_INTERVAL_MS } from '../model/defaults.ts';
import type { Seen } from '../operations/look.ts';
import type { Watched } from '../operations/follow.ts';
import type { Session } from '../session.ts';
import type { CallOptions, ProgressOptions } from '../util/progress.ts';
import { checkArguments } from './arguments.ts';
import type { BackendSource } from '../backend/backend.ts';
import { explainLeftOut, readInFirst } from './fallback-reads.ts';
import { bindMethods } from './bind-methods.ts';
import { fromJson, fromJsonField } from './json.ts';
import { toBytes } from './secret-bytes.ts';
import { allowMissing } from './missing.ts';

// Over 250 lines: the reading methods, with the documentation of the public API.
/** The methods of `Credstash` that only read. */
export class SecretReader {
  readonly #session: Session;

  /** @internal */
  constructor(session: Session) {
    this.#session = session;
    bindMethods(this);
  }

  /**
   * The secret's bytes: of the newest version, or of the one asked for, padded or not. With `field` the bytes of a field.
   *
   * @throws CredstashError SECRET_NOT_FOUND, VERSION_NOT_FOUND, FIELD_NOT_FOUND; INTEGRITY when the entry does not verify;
   *   WRONG_CONTEXT when the pairs are not those of the put
   */
  async get(name: string, options: GetOptions = {}): Promise<Uint8Array> {
    checkArguments('get', arguments);
    return this.#session.read(options, (backend) => operations.get(backend, name, options));
  }

  /**
   * The secret as text, exactly as it was stored: nothing is trimmed, and a byte order mark stays.
   * @throws CredstashError as `get` does; USAGE if the secret's bytes are not UTF-8
   */
  async getText(name: string, options: GetOptions = {}): Promise<string> {
    checkArguments('getText', arguments);
    return operations.textFrom(name, await this.get(name, options));
  }

  /**
   * The value of a secret that is JSON, or of one of its fields. Its type is the caller's word: nothing checks it.
   * @throws CredstashError as `getText` does; USAGE if the secret is not JSON
   */
  async getJson<T = unknown>(name: string, options: GetOptions = {}): Promise<T> {
    checkArguments('getJson', arguments);
    const { field, ...whole } = options;
    if (field !== undefined) {
      parseField(field);
      return (await fromJsonField(name, await this.get(name, whole), field)) as T;
    }
    return fromJson(name, await this.getText(name, options)) as T;
  }

  /**
   * The secret's bytes; undefined if the secret, version, label or field is missing.
   * @throws CredstashError as `get` does for everything else, such as a missing table
   */
  async getOptional(name: string, options: GetOptions = {}): Promise<Uint8Array | undefined> {
    checkArguments('getOptional', arguments);
    return allowMissing(this.get(name, options));
  }

  /**
   * Several secrets, in the order in which they are wanted. Everything is checked before the first request; what is
   * wanted more than once is read and unwrapped once, also for several fields, and is then the same array. It is all of them or
   * none.
   *
   * @param wanted what else of yours an object has goes along to the result
   * @returns each of `wanted`, with the secret's bytes as its `value`
   * @throws CredstashError USAGE for bad input; with `failures`, one for each secret that cannot be read; and errors that concern
   *   all secrets, such as THROTTLED, UNREACHABLE and NO_CREDENTIALS
   */
  async getMany<W extends SecretRequest>(
    wanted: readonly W[],
    options: ProgressOptions & {
      /** @internal Secrets that need not be read again. */
      readonly known?: KnownSecrets | undefined;
    } = {},
  ): Promise<(W & { readonly value: Uint8Array })[]> {
    checkArguments('getMany', arguments);
    return this.#session.read(options, (backend, limited) =>
      operations.getMany(backend, wanted, limited),
    );
  }

  /**
   * The secrets of those of `variables` whose whole value is a reference, by variable. It is all of them or none.
   *
   * @param variables those that you trust: others may have written to `process.env`, as a CI service does with the title
   *   of a commit
   * @param options.context pairs that hold for every reference; a reference's own win
   * @throws CredstashError USAGE with `failures` if references are malformed, before the first request; and as
   *   `getMany` does. Each failure has the name of its variable
   */
  async resolveReferences(
    variables: Readonly<Record<string, string | undefined>>,
    options: CallOptions & { readonly context?: Context | undefined } = {},
  ): Promise<Map<string, Uint8Array>> {
    checkArguments('resolveReferences', arguments);
    return this.#session.read(options, (backend, limited) =>
      operations.resolveReferences(backend, variables, limited),
    );
  }

  /**
   * A template with the secrets in the place of its references (`parseTemplate`). Each secret is got once.
   *
   * @param template any bytes, which stay as they are outside of the references
   * @param options.context pairs that hold for every reference; a reference's own win
   * @throws CredstashError with `failures` named by line and column: USAGE if references are malformed, before the
   *   first request; as `getMany` does; USAGE if a filter cannot hold a secret. TOO_LARGE for the result
   */
  async render(
    template: Uint8Array,
    options: ProgressOptions & { readonly context?: Context | undefined } = {},
  ): Promise<Uint8Array> {
    checkArguments('render', arguments);
    // The caller may change its bytes while the call is under way.
    const own = new Uint8Array(template);
    return this.#session.read(options, (backend, limited) =>
      operations.render(backend, own, limited),
    );
  }

  /**
   * The secrets whose name matches, by name: the newest version of each, or the version asked for. The table is read once,
   * and each data key is unwrapped once. It is all of them or none, unless `skipUndecryptable` is set.
   *
   * @returns the secrets; with `skipUndecryptable` what was left out, and why; and if another region answered, which one
   * @throws CredstashError USAGE for a glob that no name can match; with `failures`, one for each secret that does not open or
   *   lacks that version; and errors that concern all secrets, such as THROTTLED, UNREACHABLE and NO_CREDENTIALS
   */
  async getAll(
    options: GetAllOptions = {},
  ): Promise<{ secrets: Secret[]; leftOut: readonly Failure[]; fallback?: FallbackAnswer }> {
    checkArguments('getAll', arguments);
    return this.#session.read(options, async (backend, limited, answer) => {
      const { secrets, leftOut } = await operations.getAll(backend, limited);
      return { secrets, ...(await explainLeftOut(leftOut, answer)) };
    });
  }

  /**
   * The entries that hold exactly `value`, by name and then by version: those of the newest version of each secret, or of every
   * version. A secret that is JSON holds it in a `field`, too: a string, number or boolean at any depth. Values are compared in
   * constant time, and wiped once they are compared. A glob without `*` queries that one name.
   *
   * @returns the headers of the entries, once for each field that holds it; with `skipUndecryptable` what was left out, and why; how many entries were looked at; and if
   *   another region answered, which one
   * @throws CredstashError SECRET_NOT_FOUND for a name that does not exist; as `getAll` does
   */
  async find(
    value: Uint8Array | string,
    options: FindOptions = {},
  ): Promise<Findings & { fallback?: FallbackAnswer }> {
    checkArguments('find', arguments);
    const bytes = toBytes(value);
    return this.#session
      .read(options, async (backend, limited, answer) => {
        const { find } = await import('../operations/find.ts');
        const findings = await find(backend, bytes, limited);
        return { ...findings, ...(await explainLeftOut(findings.leftOut, answer)) };
      })
      .finally(() => bytes.fill(0));
  }

  /**
   * Follows secrets: yields all of them at once, and all of them again after each change of a value. It looks at their versions
   * and labels every `interval`, without a request to KMS, and gets them only if something has changed. A set is all of them or
   * none, and mixes no old secret with a new one. A burst of changes is one set.
   *
   * While a look or a get fails, the last set stays in use: `onError` is told, and the next interval tries again. It is told of a
   * deleted secret too, which yields no set.
   *
   * ```ts
   * for await (const [db] of credstash.watch([{ name: 'app.db-password', label: 'live' }], { signal })) {
   *   await pool.reconnect(Buffer.from(db.value).toString());
   * }
   * ```
   *
   * @param wanted secrets by name as for `getMany`, or by `glob`: all whose name matches. What else of yours an object has goes along
   * @returns each of `wanted` with `name` and `value`, for a glob as many as match. The values are the caller's own
   * @throws CredstashError USAGE for bad input; as `getMany` and `getAll` do, if the first set cannot be got; the signal's reason
   */
  async *watch<W extends WatchRequest>(
    wanted: readonly W[],
    options: WatchOptions = {},
  ): AsyncGenerator<WatchedSecret<W>[]> {
    checkArguments('watch', arguments);
    // The list as it was checked: the caller may change its own later.
    const list = [...wanted];
    const { fetchWatched } = await import('../operations/watch.ts');
    const { signal, timeoutMs } = options;
    yield* this.follow(list, options, {
      fetch: () =>
        this.#session.read({ signal, timeoutMs }, (backend, limited) =>
          fetchWatched(backend, list, limited),
        ),
      secretsOf: (secrets) => secrets,
    });
  }

  /** @internal As `watch`, for a caller that gets the secrets by other calls, and makes something else of them. */
  async *follow<Sets>(
    wanted: readonly WatchRequest[],
    options: WatchOptions,
    { fetch, secretsOf }: Pick<Watched<Sets>, 'fetch' | 'secretsOf'>,
  ): AsyncGenerator<Sets> {
    const [{ createLooker }, { followChanges, planTimes }] = await Promise.all([
      import('../operations/watch.ts'),
      import('../operations/follow.ts'),
    ]);
    const { interval = WATCH_INTERVAL_MS, timeoutMs, onError = () => undefined } = options;
    const signal = this.#session.signalFor(options);
    const looker = createLooker(wanted);
    const look = (): Promise<Seen> =>
      readInFirst<BackendSource, Seen>(
        (work) => this.#session.read({ signal, timeoutMs }, work),
        (backend) => looker.look(backend),
      );
    const watched = { look, fetch, secretsOf, location: () => looker.location };
    yield* followChanges(watched, planTimes(interval, signal), onError);
  }

  /** The name of every secret, once, in order. */
  async names(options: ProgressOptions = {}): Promise<string[]> {
    checkArguments('names', arguments);
    return this.#session.read(options, operations.listNames);
  }

  /**
   * The headers of every entry, or of those whose name matches `glob`, by name and then by version.
   * @throws CredstashError USAGE for a glob that no name can match
   */
  async list(glob = '*', options: ProgressOptions = {}): Promise<EntryHeader[]> {
    checkArguments('list', arguments);
    return this.#session.read(options, (backend, limited) =>
      operations.list(backend, glob, limited),
    );
  }

  /**
   * The headers that `list` gives, in no order, each as soon as its page is read: a table of any size takes no more
   * memory than a page. Nothing is read before the first one is asked for.
   * @throws CredstashError USAGE for a glob that no name can match
   */
  async *headers(glob = '*', options: ProgressOptions = {}): AsyncGenerator<EntryHeader> {
    checkArguments('headers', arguments);
    yield* this.#session.readStream(options, (backend, limited) =>
      operations.streamHeaders(backend, glob, limited),
    );
  }

  /** The headers of every version of a secret, the newest first. @throws CredstashError SECRET_NOT_FOUND */
  async history(name: string, options: ProgressOptions = {}): Promise<EntryHeader[]> {
    checkArguments('history', arguments);
    return this.#session.read(options, (backend, limited) =>
      operations.listHistory(backend, name, limited),
    );
  }

  /** How a person calls it: `the table credential-store in eu-west-1`. */
  async location(): Promise<string> {
    return (await this.#session.open()).entries.location;
  }

  /** @internal Where the next read begins: 0 in `region`, 1 in the first of `fallbackRegions`. */
  get readRegionIndex(): number {
    return this.#session.readRegionIndex;
  }

  /** @internal The newest version of a secret, spelled as in the table; undefined if the secret is missing. */
  async newestVersion(name: string, options: CallOptions = {}): Promise<string | undefined> {
    return this.#session.run(options, (backend) => operations.findNewestVersion(backend, name));
  }

  /** @internal Throws VERSION_EXISTS if this version exists, also if its entry is broken. It may be stored afterwards. */
  async expectNoVersion(name: string, options: PutOptions = {}): Promise<void> {
    return this.#session.run(options, (backend) =>
      operations.expectNoVersion(backend, name, options),
    );
  }
}
