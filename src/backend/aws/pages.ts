/** Reads the pages of a scan or a query, and bounds them. */
import { createHash } from 'node:crypto';
import { unreadableAnswer, wrongAnswer } from './errors.ts';
import { isRecord, createKey, type RawItem } from './items.ts';
import type { Table } from './table.ts';
import type { SendOptions } from './throttle-retry.ts';

/**
 * The limit for all pages of one scan or query together. It counts only DynamoDB's time to answer, not waits for a throttled
 * table and not the caller's work between pages. 10,000 pages of 1 MB, at 60 ms each, take ten minutes.
 */
const MAX_PAGES_MS = 3_600_000;

interface Page {
  Items?: RawItem[] | undefined;
  LastEvaluatedKey?: RawItem | undefined;
}

/** Sends the request for the page that follows `start`. */
export type SendPage = (
  start: { ExclusiveStartKey?: RawItem },
  options: SendOptions,
) => Promise<Page>;

/** The limits of one scan or query, shared by its concurrent requests. */
export class PageLimits {
  /** DynamoDB's time for all pages so far. */
  milliseconds = 0;
  /** Digests, because a hostile service can make each key as large as an answer. */
  readonly #seen = new Set<string>();

  /** Whether an earlier page started after this key. Remembers the key. */
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
 * @param options.request sends one request, with retries; default: `table.send`
 * @param options.limits shared with the other segments of one scan; default: its own
 * @throws CredstashError UNREACHABLE for an answer that is not a page, and for endless pages
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
      // A mocked client resolves to undefined for a command that it was not told of. A scan would send the request for ever.
      if (!isRecord(page)) throw unreadableAnswer(table.where);
      return page;
    };
    const { Items, LastEvaluatedKey } = await request(timed);
    // An answer without a list must not pass for an empty table.
    if (!Array.isArray(Items) || !Items.every(isRecord)) throw unreadableAnswer(table.where);
    // A page may be empty and still not be the last (API reference, Query, LastEvaluatedKey).
    const isLast = LastEvaluatedKey === undefined;
    yield { items: Items, isLast };
    if (isLast) return;
    const key = parseStartKey(LastEvaluatedKey);
    if (!key) throw unreadableAnswer(table.where);
    if (limits.hasSeen(key)) throw wrongAnswer('sends the same page again and again', table.where);
    if (limits.milliseconds > MAX_PAGES_MS) {
      throw wrongAnswer(`has sent pages for ${MAX_PAGES_MS / 60_000} minutes`, table.where);
    }
    start = { ExclusiveStartKey: key };
  }
}

/** Checks where the next page starts: exactly the key of an item. Undefined for anything else. */
function parseStartKey(key: RawItem): RawItem | undefined {
  if (!isRecord(key) || Object.keys(key).length !== 2) return undefined;
  const [name, version] = [key['name']?.S, key['version']?.S];
  const isKey = typeof name === 'string' && typeof version === 'string';
  return isKey ? createKey(name, version) : undefined;
}
