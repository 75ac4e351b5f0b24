/**
 * Reads that move to another region while one has an outage.
 *
 * A whole operation runs in one region. If that region has an outage, the operation starts anew in the next one, table and KMS
 * both, so that no answer mixes two regions. Writes never come here: two regions would both accept one version, and the last
 * writer would win.
 */
import { setMaxListeners } from 'node:events';
import { CredstashError, hasCode } from '../../errors.ts';
import { checkRegion } from '../../model/region.ts';
import { combineSignals } from '../../util/progress.ts';
import type { Backend } from '../backend.ts';
import { findEndpoints } from './client-settings.ts';
import { explainFallbackError, type FallbackAnswer, noRegionAnswers } from './fallback-errors.ts';
import { settingsIn } from './fallback-settings.ts';
import { OUTAGE_LIMITS, type OutageLimits } from './outage-limits.ts';
import { findRegions } from './regions.ts';
import type { AwsSettings, CredentialProvider } from './settings.ts';

/** After an outage, how long reads begin in the fallback region until one of them tries the first region again. */
const RETURN_MS = 60_000;

/** Credentials that are valid for less than this are got anew, as by the SDK. */
const FRESH_MS = 300_000;

export type { FallbackAnswer };

type Region = Pick<Backend, 'keys' | 'entries'> & {
  readonly place: { readonly region: string };
  readonly close: () => void;
};

/**
 * Runs an operation in one region.
 *
 * @param signal ends its requests
 * @param answer what to say of the region if it answers; undefined for the first region
 */
export type ReadOnce<T> = (
  open: () => Promise<Pick<Backend, 'keys' | 'entries'>>,
  signal: AbortSignal | undefined,
  answer: FallbackAnswer | undefined,
) => Promise<T>;

export interface ReadRegionsOptions {
  /** Opens the backend of one region. Sends no request. */
  readonly open: (settings: AwsSettings) => Promise<Region>;
  readonly limits?: OutageLimits | undefined;
  /** Called after each read that a fallback region answered. */
  readonly onFallback?: ((answer: FallbackAnswer) => void) | undefined;
  /** Whether all later reads stay in the fallback region, as those of one command do. */
  readonly stays?: boolean | undefined;
}

/** The regions that the reads of one instance are asked of. Each is opened when it is first needed. */
export class ReadRegions {
  readonly #settings: readonly AwsSettings[];
  readonly #options: ReadRegionsOptions;
  readonly #opened: (Promise<Region> | undefined)[] = [];
  /** Where the next read begins. */
  #current = 0;
  /** When that was decided, as `performance.now()` has it. */
  #movedAt = -Infinity;
  /** Why the next read does not begin before that. */
  #unreachable: FallbackAnswer['unreachable'] = [];

  private constructor(settings: readonly AwsSettings[], options: ReadRegionsOptions) {
    this.#settings = settings;
    this.#options = options;
  }

  /**
   * @param settings of the first region, with `fallbackRegions` in it
   * @throws CredstashError USAGE for clients and endpoints that belong to one region
   */
  static async create(settings: AwsSettings, options: ReadRegionsOptions): Promise<ReadRegions> {
    const first = checkRegion((await findRegions(settings)).dynamodb.value);
    const fallbacks = (settings.fallbackRegions ?? []).filter((region) => region !== first);
    if (fallbacks.length === 0) return new ReadRegions([settings], options);
    checkForSeveralRegions(settings, first, fallbacks);
    const { limits = OUTAGE_LIMITS } = options;
    const throttlingMs = Math.min(limits.throttlingMs, settings.throttlingTimeoutMs ?? Infinity);
    const shareCredentials = createCredentialsShare();
    const all = [settings, ...fallbacks.map((region) => settingsIn(settings, region))];
    return new ReadRegions(
      all.map((each, i) => ({
        ...each,
        shareCredentials,
        // After the last region no other is asked, so that it has the time that a region usually has.
        ...(i < all.length - 1 ? { outage: { ...limits, throttlingMs } } : {}),
      })),
      options,
    );
  }

  /**
   * Runs an operation in one region after the other, until one of them answers.
   *
   * @param read called for one region, and again for the next one
   * @throws CredstashError UNREACHABLE if no region answers, with `failures` named by region; UNREACHABLE for a secret that does
   *   not exist in a fallback region, because nobody knows whether it exists in the first; and what `read` throws
   */
  async read<T>(read: ReadOnce<T>, signal?: AbortSignal): Promise<T> {
    const start = performance.now();
    let index = this.#begin(start);
    let unreachable = index === 0 ? [] : [...this.#unreachable];
    for (;;) {
      const region = await this.#open(index);
      const answer = index === 0 ? undefined : { region: region.place.region, unreachable };
      const stop = new AbortController();
      const ending = combineSignals(stop.signal, signal);
      // Dozens of requests at once listen to it, of which Node.js would warn on stderr.
      if (ending) setMaxListeners(0, ending);
      try {
        const result = await read(
          () => Promise.resolve(region),
          this.#settings.length === 1 ? signal : ending,
          answer,
        );
        // A read that began before another one moved says nothing of the region now.
        if (index === 0 && start >= this.#movedAt) this.#current = 0;
        if (answer) this.#options.onFallback?.(answer);
        return result;
      } catch (error) {
        signal?.throwIfAborted();
        if (this.#settings.length === 1 || !(error instanceof CredstashError)) throw error;
        if (!hasCode(error, 'UNREACHABLE', 'THROTTLED'))
          throw answer ? explainFallbackError(error, answer) : error;
        // Requests that are still under way there must not keep connections, or the process.
        stop.abort();
        unreachable = [...unreachable, { region: region.place.region, error }];
        index += 1;
        if (index === this.#settings.length) throw noRegionAnswers(unreachable);
        this.#current = index;
        this.#movedAt = performance.now();
        this.#unreachable = unreachable;
      }
    }
  }

  /** Where the next read begins: 0 in the first region. */
  get current(): number {
    return this.#current;
  }

  /** Closes all regions that were opened. */
  async close(): Promise<void> {
    const opened = this.#opened.splice(0);
    for (const each of opened) (await each?.catch(() => undefined))?.close();
  }

  #begin(now: number): number {
    const isOver = !this.#options.stays && now - this.#movedAt > RETURN_MS;
    if (this.#current === 0 || !isOver) return this.#current;
    // Only this read tries the first region. The others stay where they are until it has answered.
    this.#movedAt = now;
    return 0;
  }

  #open(index: number): Promise<Region> {
    const settings = this.#settings[index] as AwsSettings;
    return (this.#opened[index] ??= this.#options.open(settings).catch((error: unknown) => {
      // The next read tries again.
      this.#opened[index] = undefined;
      throw error;
    }));
  }
}

/** @throws CredstashError USAGE for clients and endpoints that belong to one region */
function checkForSeveralRegions(
  settings: AwsSettings,
  first: string,
  fallbacks: readonly string[],
): void {
  if (settings.clients) {
    throw new CredstashError(
      'USAGE',
      'clients are of one region, and fallbackRegions names others',
      {
        hint: 'leave out clients, and give what they are made with as clientOptions',
      },
    );
  }
  const { clientOptions } = settings;
  const own = [clientOptions?.dynamodb?.endpoint, clientOptions?.kms?.endpoint].map((endpoint) => ({
    value: endpoint,
    from: 'the endpoint of clientOptions',
  }));
  for (const { value, from } of [...Object.values(findEndpoints(settings)), ...own]) {
    // Any other endpoint serves every region: each request says which one it is for, in its signature.
    if (typeof value !== 'string' || !URL.canParse(value)) continue;
    if (!new URL(value).hostname.split('.').includes(first)) continue;
    throw new CredstashError(
      'USAGE',
      `${from} is an endpoint of ${first}, which cannot serve the fallback region ${fallbacks[0] ?? ''}`,
      { hint: 'unset it, so that each region is asked at its own endpoint' },
    );
  }
}

/**
 * Lets one region take the credentials that another one got, so that nobody is asked twice for the code of an MFA device, and
 * STS of a region that has an outage is not needed. Credentials that a region asks for again are got anew.
 */
function createCredentialsShare(): (provider: CredentialProvider) => CredentialProvider {
  let last: Awaited<ReturnType<CredentialProvider>> | undefined;
  return (provider) => {
    let isFirst = true;
    return async (...args) => {
      const mayShare = isFirst;
      isFirst = false;
      const end = last?.expiration?.getTime() ?? Infinity;
      if (mayShare && last && end - Date.now() > FRESH_MS) return last;
      last = await provider(...args);
      return last;
    };
  };
}
