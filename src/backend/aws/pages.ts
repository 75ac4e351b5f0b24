/** Reads the pages of a scan or a query, and bounds them. */
import { createHash } from 'node:crypto';
import { unreadable, wrongAnswer } from './errors.ts';
import { isRecord, keyOf, type RawItem } from './items.ts';
import type { Table } from './table.ts';
import type { SendOptions } from './throttle-retry.ts';

/**
 * How long the pages of one scan or query may take together. Only DynamoDB's time counts: neither the wait while it
 * throttles, nor what the caller does between two pages. 10,000 pages of 1 MB, in 60 ms each, take ten minutes.
 */
const MAX_PAGES_MS = 3_600_000;

interface Page {
  Items?: RawItem[] | undefined;
  LastEvaluatedKey?: RawItem | undefined;
}

/** Sends the request of one page, which begins behind `start`. */
export type SendPage = (
  start: { ExclusiveStartKey?: RawItem },
  options: SendOptions,
) => Promise<Page>;

/** What bounds a scan or a query, however many requests at once it takes. */
export class PageLimits {
  /** How long DynamoDB has taken for all pages together. */
  milliseconds = 0;
  /** Digests, because a hostile service can make each key as large as an answer. */
  readonly #seen = new Set<string>();

  /** @returns whether a page began behind this key before */
  hasSeen(key: RawItem): boolean {
    const digest = createHash('sha256').update(JSON.stringify(key)).digest('base64');
    if (this.#seen.has(digest)) return true;
    this.#seen.add(digest);
    return false;
  }
}

/**
 * Reads a scan or a query page by page.
 *
 * @param request sends one request and tries it again; default: `table.send`
 * @param limits shared with the other segments of one scan; default: its own
 * @throws CredstashError UNREACHABLE for an answer that is not a page, and for pages without end
 */
export async function* readPages(
  table: Table,
  action: string,
  sendPage: SendPage,
  options: {
    readonly request?: (send: (options: SendOptions) => Promise<Page>) => Promise<Page>;
    readonly limits?: PageLimits;
  } = {},
): AsyncGenerator<{ readonly items: readonly RawItem[]; readonly isLast: boolean }> {
  const {
    request = (send: (options: SendOptions) => Promise<Page>) => table.send(action, send),
    limits = new PageLimits(),
  } = options;
  let start: { ExclusiveStartKey?: RawItem } = {};
  for (;;) {
    const timed = async (options: SendOptions): Promise<Page> => {
      const sent = performance.now();
      const page = await sendPage(start, options);
      limits.milliseconds += performance.now() - sent;
      return page;
    };
    const { Items, LastEvaluatedKey } = await request(timed);
    // An answer without a list is not an empty page: a reader must not take it for an empty table.
    if (!Array.isArray(Items) || !Items.every(isRecord)) throw unreadable(table.where);
    // A page may be empty and still not be the last (API reference, Query, LastEvaluatedKey).
    const isLast = LastEvaluatedKey === undefined;
    yield { items: Items, isLast };
    if (isLast) return;
    const key = startKey(LastEvaluatedKey);
    if (!key) throw unreadable(table.where);
    if (limits.hasSeen(key)) throw wrongAnswer('sends the same page again and again', table.where);
    if (limits.milliseconds > MAX_PAGES_MS) {
      throw wrongAnswer(`has sent pages for ${MAX_PAGES_MS / 60_000} minutes`, table.where);
    }
    start = { ExclusiveStartKey: key };
  }
}

/** Where the next page begins: the key of an item without anything else. Undefined if it is not such a key. */
function startKey(key: RawItem): RawItem | undefined {
  if (!isRecord(key) || Object.keys(key).length !== 2) return undefined;
  const [name, version] = [key['name']?.S, key['version']?.S];
  const isKey = typeof name === 'string' && typeof version === 'string';
  return isKey ? keyOf(name, version) : undefined;
}
