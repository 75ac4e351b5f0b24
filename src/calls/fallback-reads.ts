import type { FallbackAnswer, ReadOnce, ReadRegions } from '../backend/aws/fallback.ts';
import type { AwsSettings } from '../backend/aws/settings.ts';
import { type CredstashError, type Failure, hasCode } from '../errors.ts';
import { DEFAULT_KEY, DEFAULT_TABLE } from '../model/defaults.ts';

/** The options of an instance that has regions to fall back to. */
export interface FallbackOptions {
  /**
   * Called after each read that one of `fallbackRegions` answered, before the read resolves. If it throws, the read rejects with
   * that.
   */
  readonly onFallback?: ((answer: FallbackAnswer) => void) | undefined;
  /** @internal Whether reads stay in the fallback region until `close`, as those of one command do. */
  readonly staysInFallback?: boolean | undefined;
}

/** The reads of an instance that has regions to fall back to. The regions are loaded by the first read. */
export class FallbackReads {
  readonly #options: FallbackOptions & Partial<AwsSettings>;
  readonly #fallbackRegions: readonly string[];
  #opening: Promise<ReadRegions> | undefined;
  #opened: ReadRegions | undefined;

  constructor(options: FallbackOptions & Partial<AwsSettings>, fallbackRegions: readonly string[]) {
    this.#options = options;
    this.#fallbackRegions = fallbackRegions;
  }

  /** Where the next read begins: 0 in the first region. */
  get current(): number {
    return this.#opened?.current ?? 0;
  }

  /** As `ReadRegions.read`. */
  async read<T>(read: ReadOnce<T>, signal: AbortSignal | undefined): Promise<T> {
    this.#opened = await (this.#opening ??= this.#open().catch((error: unknown) => {
      // The next read tries again.
      this.#opening = undefined;
      throw error;
    }));
    return this.#opened.read(read, signal);
  }

  /** As `read`, for what yields. Once it has yielded something it stays in its region, and ends with an outage of that. */
  async *stream<T>(
    start: (...args: Parameters<ReadOnce<AsyncIterable<T>>>) => AsyncIterable<T>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<T> {
    const { items, first } = await this.read(async (...args) => {
      const iterator = start(...args)[Symbol.asyncIterator]();
      return { items: iterator, first: await iterator.next() };
    }, signal);
    try {
      for (let next = first; !next.done; next = await items.next()) yield next.value;
    } finally {
      await items.return?.();
    }
  }

  /** The error of a write, with how to write to another region on purpose. No write goes there by itself. */
  explainWrite(error: unknown): unknown {
    const [region] = this.#fallbackRegions;
    if (region === undefined || !hasCode(error, 'UNREACHABLE')) return error;
    return error.reworded(error.message, writeHint(error, region));
  }

  /** Closes all regions. The next read opens them again. */
  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    this.#opened = undefined;
    await (await opening?.catch(() => undefined))?.close();
  }

  async #open(): Promise<ReadRegions> {
    const [{ openAws }, { ReadRegions: Regions }] = await Promise.all([
      import('../backend/aws/index.ts'),
      import('../backend/aws/fallback.ts'),
    ]);
    const { onFallback, staysInFallback: stays, ...settings } = this.#options;
    return Regions.create(
      {
        table: DEFAULT_TABLE,
        key: DEFAULT_KEY,
        ...settings,
        fallbackRegions: this.#fallbackRegions,
      },
      { open: openAws, onFallback, stays },
    );
  }
}

/**
 * Adds which region answered to the entries that were left out.
 *
 * @param answer undefined if the first region answered
 */
export async function explainLeftOut(
  leftOut: readonly Failure[],
  answer: FallbackAnswer | undefined,
): Promise<{ leftOut: readonly Failure[]; fallback?: FallbackAnswer }> {
  if (!answer) return { leftOut };
  const { toUnknown } = await import('../backend/aws/fallback-errors.ts');
  const unknown = leftOut.map(({ name, error }) => ({ name, error: toUnknown(error) }));
  return { leftOut: unknown, fallback: answer };
}

function writeHint({ hint }: CredstashError, region: string): string {
  const before = hint === undefined ? '' : `${hint}; `;
  return `${before}writes never move to another region by themselves: \`region: "${region}"\` writes there on purpose, and if a writer stores the same version in the other region too, the last one wins`;
}

/**
 * Makes a call that only the first region may answer: what a replica has may be old.
 *
 * @param read makes a call in one region after the other, as `read` of a session does
 * @throws CredstashError the error of the first region, while that has an outage
 */
export async function readInFirst<Backend, T>(
  read: (
    work: (backend: Backend, _: unknown, answer: FallbackAnswer | undefined) => Promise<T>,
  ) => Promise<T>,
  work: (backend: Backend) => Promise<T>,
): Promise<T> {
  let outage: CredstashError | undefined;
  try {
    return await read(async (backend, _, answer) => {
      outage = answer?.unreachable[0]?.error;
      // Not an error of the family, after which the next region would be asked.
      if (outage) throw new Error('the first region has an outage');
      return work(backend);
    });
  } catch (error) {
    throw outage ?? error;
  }
}
