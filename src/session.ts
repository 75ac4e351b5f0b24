import {
  type AllowedFormats,
  checkFormats,
  checkTrustedKeys,
  describeTrust,
  type TrustNames,
} from './model/trust.ts';
import { checkChange, type Limit } from './operations/index.ts';
import { Deadline, withDeadline } from './calls/deadline.ts';
import { type FallbackOptions, FallbackReads } from './calls/fallback-reads.ts';
import { allowManyListeners, raceKeys, raceSignal, untilAborted } from './calls/race-signal.ts';
import { type CallOptions, combineSignals } from './util/progress.ts';
import { omitUndefined } from './util/omit-undefined.ts';
import type { LazyBackend, Backend, Needs } from './backend/backend.ts';
import type { FallbackAnswer } from './backend/aws/fallback.ts';
import type { AwsSettings } from './backend/aws/settings.ts';
import { type Opened, openTable } from './calls/open-backends.ts';
import { CredstashError } from './errors.ts';
import { copyContext } from './model/context.ts';
import type { Cipher } from './model/entry.ts';
import { checkFallbackRegions } from './model/region.ts';
import type { PutOptions } from './operations/options.ts';

/*
 * The session of a `Credstash`: it chooses the backend, which is AWS, a vault or the caller's own, and has the options of all
 * calls. A backend is loaded when it is opened. Over 250 lines: a third of them document options of the public API.
 */

/** The defaults and limits of every call of an instance. */
export interface CallDefaults extends Pick<PutOptions, 'cipher' | 'digest'> {
  /** Ends every call of the instance once it is aborted: they reject with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** The time limit, in milliseconds, of each call that has none of its own; default: none. After it a call rejects with TIMEOUT. */
  readonly timeoutMs?: number | undefined;
  /** How many secrets are worked on at once, at most; default: 32 that are read, 16 that are stored, 8 that are changed. */
  readonly maxConcurrency?: number | undefined;
  /**
   * The formats that may be opened and written; default: both. `['AES-256-GCM']` refuses original entries, which are not bound to
   * their name: reading one is ENTRY_NOT_TRUSTED, and storing one is USAGE.
   */
  readonly formats?: readonly Cipher[] | undefined;
  /** @internal How the settings of trust are called where they were made. */
  readonly trustNames?: TrustNames | undefined;
}

/** The table and key on AWS, and the defaults of calls. Every option has a default. */
export interface CredstashOptions extends Partial<AwsSettings>, CallDefaults, FallbackOptions {}

export interface LocalOptions extends CallDefaults {
  /** Whether the first use creates a missing vault; default: true. If false, a missing vault is VAULT_NOT_FOUND. */
  readonly create?: boolean | undefined;
  /** How long to wait for another process's lock, in milliseconds; default and maximum: 30,000. */
  readonly busyMs?: number | undefined;
}

type OpenBackend = (needs: Needs | undefined) => Promise<Pick<Backend, 'keys' | 'entries'>>;

/** The property of a `Credstash` that holds its session. Both forms of the library share it, because `copy` takes either. */
const SESSION = Symbol.for('credstash-cli.session');

/**
 * What the calls of one `Credstash` have in common: a backend that the first call opens, the defaults, the formats and the
 * signal. After `close` the next call opens the backend again.
 */
export class Session {
  /** Which entries are opened, for a person; undefined if all are. */
  readonly trust: string | undefined;
  readonly #open: (needs?: Needs) => Promise<Opened>;
  readonly #defaults: Pick<CallDefaults, 'cipher' | 'digest' | 'maxConcurrency'>;
  readonly #formats: AllowedFormats | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #timeoutMs: number | undefined;
  /** Undefined if there are no regions to fall back to. */
  readonly #fallback: FallbackReads | undefined;
  #opened: Promise<Opened> | undefined;
  #changes = 0;

  /**
   * @param openOther opens another backend than AWS
   * @throws CredstashError USAGE for an invalid `maxConcurrency`, `formats`, `trustedKeys` or `fallbackRegions`
   */
  constructor(options: CredstashOptions, openOther?: () => Promise<Opened>) {
    const { cipher, digest, maxConcurrency, signal, timeoutMs, trustedKeys, trustNames } = options;
    const trusted = checkTrustedKeys(trustedKeys, trustNames?.trustedKeys);
    if (openOther && trusted) {
      throw new CredstashError('USAGE', 'trusted keys are keys of KMS, and a vault has its own');
    }
    checkChange({ maxConcurrency });
    this.#formats = checkFormats(options.formats, trustNames?.formats);
    this.trust = describeTrust(openOther ? null : trusted, this.#formats);
    // The list as it was checked: the caller may change its own array later.
    this.#open =
      openOther ?? ((needs) => openTable({ ...options, trustedKeys: trusted?.arns }, needs));
    const fallbackRegions = checkFallbackRegions(options.fallbackRegions);
    if (fallbackRegions.length > 0) {
      if (openOther) throw new CredstashError('USAGE', 'regions are of AWS, and a vault has none');
      this.#fallback = new FallbackReads(
        { ...options, trustedKeys: trusted?.arns },
        fallbackRegions,
      );
    }
    this.#defaults = { cipher, digest, maxConcurrency };
    this.#signal = signal;
    this.#timeoutMs = timeoutMs;
  }

  /** The session of a `Credstash` of either form. @throws CredstashError USAGE for another object */
  static of(credstash: object): Pick<Session, 'backendFor' | 'countChange'> {
    const { [SESSION]: session } = Object(credstash) as { [SESSION]?: Session };
    if (session) return session;
    throw new CredstashError('USAGE', 'to is not a Credstash, which secrets can be copied to');
  }

  /** Lets `Session.of` find this session. */
  attachTo(credstash: object): this {
    Object.defineProperty(credstash, SESSION, { value: this });
    return this;
  }

  /** How many calls of this session may have stored something. What was missing before such a call may exist after it. */
  get changes(): number {
    return this.#changes;
  }

  /** Says that a call that stores has ended, in whatever way. */
  countChange(): void {
    this.#changes += 1;
  }

  open(needs?: Needs): Promise<Opened> {
    return (this.#opened ??= this.#open(needs).catch((error: unknown) => {
      // The next call tries again.
      this.#opened = undefined;
      throw error;
    }));
  }

  async close(): Promise<void> {
    const last = this.#opened;
    this.#opened = undefined;
    // A backend that failed to open has nothing to close.
    const backend = await last?.catch(() => undefined);
    backend?.close();
    await this.#fallback?.close();
  }

  /** Where the next read begins: 0 in `region`, 1 in the first of `fallbackRegions`. */
  get readRegionIndex(): number {
    return this.#fallback?.current ?? 0;
  }

  /**
   * Makes one call, in the first region: within its time limit, under its signal and the instance's.
   *
   * @param work gets a backend whose requests end with that signal, and the options with that signal and the instance's limit
   * @throws CredstashError TIMEOUT, and what `work` throws
   */
  run<T, O extends CallOptions>(
    options: O,
    work: (backend: LazyBackend, options: O & Limit) => Promise<T>,
  ): Promise<T> {
    const signal = this.signalFor(options);
    return withDeadline(options.timeoutMs ?? this.#timeoutMs, signal, async (ending) => {
      try {
        return await work(...this.#prepare(options, ending));
      } catch (error) {
        throw this.#fallback?.explainWrite(error) ?? error;
      }
    });
  }

  /**
   * As `run`, for a call that only reads: while the first region has an outage, it is made in one of the others.
   *
   * @param work called again, from the start, for each region. `answer` is undefined in the first one
   */
  read<T, O extends CallOptions>(
    options: O,
    work: (
      backend: LazyBackend,
      options: O & Limit,
      answer: FallbackAnswer | undefined,
    ) => Promise<T>,
  ): Promise<T> {
    const fallback = this.#fallback;
    if (!fallback) {
      return this.run(options, (backend, limited) => work(backend, limited, undefined));
    }
    const signal = this.signalFor(options);
    return withDeadline(options.timeoutMs ?? this.#timeoutMs, signal, (ending) =>
      fallback.read(
        (open, ended, answer) => work(...this.#prepare(options, ended, open), answer),
        ending,
      ),
    );
  }

  /** The signal that ends a call: its own, or that of the instance. */
  signalFor(options: CallOptions): AbortSignal | undefined {
    return combineSignals(options.signal, this.#signal);
  }

  /** As `stream`, for a call that only reads. Once it has yielded something it stays in its region. */
  async *readStream<T, O extends CallOptions>(
    options: O,
    work: (backend: LazyBackend, options: O & Limit) => AsyncIterable<T>,
  ): AsyncGenerator<T> {
    const fallback = this.#fallback;
    if (!fallback) {
      yield* this.stream(options, work);
      return;
    }
    const start = (open: OpenBackend, signal: AbortSignal | undefined): AsyncIterable<T> =>
      work(...this.#prepare(options, signal, open));
    yield* this.#limit(options, (signal) => fallback.stream(start, signal));
  }

  /** As `run`, for a call that may store something. */
  async store<T, O extends CallOptions>(
    options: O,
    work: (backend: LazyBackend, options: O & Limit) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.run(options, work);
    } finally {
      this.countChange();
    }
  }

  /**
   * As `run`, for a call that yields: its time limit holds for all that it yields.
   *
   * @param endsAsFailure whether the instance's signal ends requests only, so that a change which it ends is a failure like others:
   *   the command tells at its `--timeout` which entry was under way
   */
  async *stream<T, O extends CallOptions>(
    options: O,
    work: (backend: LazyBackend, options: O & Limit) => AsyncIterable<T>,
    { endsAsFailure = false }: { readonly endsAsFailure?: boolean } = {},
  ): AsyncGenerator<T> {
    try {
      yield* this.#limit(options, (ending, deadline) => {
        const [backend, limited] = this.#prepare(options, ending);
        allowManyListeners(options.signal);
        const told = endsAsFailure ? (deadline?.signal ?? options.signal) : ending;
        return work(backend, { ...limited, signal: told });
      });
    } catch (error) {
      throw this.#fallback?.explainWrite(error) ?? error;
    }
  }

  /** Yields what `start` does, within the time limit of a call. */
  async *#limit<T>(
    options: CallOptions,
    start: (signal: AbortSignal | undefined, deadline: Deadline | undefined) => AsyncIterable<T>,
  ): AsyncGenerator<T> {
    const signal = this.signalFor(options);
    const milliseconds = options.timeoutMs ?? this.#timeoutMs;
    const deadline = milliseconds === undefined ? undefined : new Deadline(milliseconds, signal);
    try {
      yield* start(deadline?.signal ?? signal, deadline);
    } finally {
      deadline?.clear();
    }
  }

  #prepare<O extends CallOptions>(
    options: O,
    signal: AbortSignal | undefined,
    open?: OpenBackend,
  ): [backend: LazyBackend, options: O & Limit] {
    const { maxConcurrency } = this.#defaults;
    const limited = { maxConcurrency, ...omitUndefined(copyContext(options)), signal };
    return [this.#backendUnder(signal, open), limited];
  }

  /** The backend of a call on another instance. Its requests end with that call's signal and with this instance's. */
  backendFor(options: CallOptions): LazyBackend {
    return this.#backendUnder(this.signalFor(options));
  }

  #backendUnder(
    signal: AbortSignal | undefined,
    open: OpenBackend = (needs) => this.#openBackend(needs),
  ): LazyBackend {
    const formats = this.#formats;
    allowManyListeners(signal);
    return {
      formats,
      open: async (needs) => {
        signal?.throwIfAborted();
        if (!signal) return { ...(await open(needs)), formats };
        const { keys, entries } = await untilAborted(open(needs), signal);
        return {
          keys: raceKeys(keys.withSignal(signal), signal),
          entries: raceSignal(entries.withSignal(signal), signal),
          formats,
        };
      },
    };
  }

  async #openBackend(needs: Needs | undefined): Promise<Pick<Backend, 'keys' | 'entries'>> {
    const { keys, entries } = await this.open(needs);
    return { keys, entries };
  }

  /** The options of a call that seals, with the defaults of the instance. */
  withSealDefaults<T extends Pick<PutOptions, 'cipher' | 'digest'>>(options: T): T {
    const { cipher, digest } = this.#defaults;
    return { cipher, digest, ...omitUndefined(options) };
  }
}
