/** Reads a whole table, in four segments if it has more than a page. */
import { ScanCommand, type ScanCommandInput } from '@aws-sdk/client-dynamodb';
import { merge } from '../../util/parallel.ts';
import { combineSignals } from '../../util/progress.ts';
import type { RawItem } from './items.ts';
import { PageLimits, readPages, type SendPage } from './pages.ts';
import type { Table } from './table.ts';
import type { SendOptions } from './throttle-retry.ts';

/**
 * How many segments of a table of more than a page are read at once. Each holds a page in memory, and costs a request even
 * if it is empty. Four pages in flight keep one processor busy with decoding.
 */
const SEGMENTS = 4;

/**
 * Schedules the requests of a scan's segments: concurrently until the table throttles one of them, then one at a time.
 * Otherwise the segments would compete for the table's read units, and one could wait longer than ThrottleRetry does.
 */
class Turns {
  #isThrottled = false;
  #last: Promise<unknown> = Promise.resolve();

  get isThrottled(): boolean {
    return this.#isThrottled;
  }

  /** Takes the first turn, for the request that was throttled first. @returns a function that ends the turn; undefined for any later request */
  takeFirst(): (() => void) | undefined {
    if (this.#isThrottled) return undefined;
    this.#isThrottled = true;
    return this.#take();
  }

  /** Waits for all earlier turns. @returns a function that ends this turn */
  async wait(): Promise<() => void> {
    const before = this.#last;
    const end = this.#take();
    await before;
    return end;
  }

  #take(): () => void {
    let end: () => void = () => undefined;
    const taken = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#last = this.#last.then(() => taken);
    return end;
  }
}

/**
 * Yields every item of the table, in no order. A table of one page takes one request. For a larger table the first page is
 * read again within its segment: only then is its last key documented as a valid start (API reference, Scan,
 * ExclusiveStartKey), and a missing secret is worse than the 256 read units of 1 MB. A table that throttles is read page by
 * page.
 *
 * @param onRequest called for each page that is read
 */
export async function* scanItems(
  table: Table,
  input: Partial<ScanCommandInput>,
  onRequest?: () => void,
): AsyncGenerator<RawItem> {
  const sendPart =
    (part: { Segment?: number; TotalSegments?: number }): SendPage =>
    (start, options) =>
      table.dynamodb.send(
        new ScanCommand({
          TableName: table.name,
          ConsistentRead: true,
          ...input,
          ...part,
          ...start,
        }),
        options,
      );
  const turns = new Turns();
  const whole = readPages(table, 'dynamodb:Scan', sendPart({}), {
    request: (send) => sendInTurn(table, send, turns, table.signal),
  });
  for await (const { items, isLast } of whole) {
    onRequest?.();
    if (!isLast && !turns.isThrottled) break;
    yield* items;
    if (isLast) return;
  }
  const stop = new AbortController();
  const signal = combineSignals(stop.signal, table.signal);
  const limits = new PageLimits();
  const segments = Array.from({ length: SEGMENTS }, (_, Segment) =>
    readPages(table, 'dynamodb:Scan', sendPart({ Segment, TotalSegments: SEGMENTS }), {
      request: (send) => sendInTurn(table, send, turns, signal),
      limits,
    }),
  );
  try {
    for await (const { items } of merge(segments)) {
      onRequest?.();
      yield* items;
    }
  } finally {
    // If one segment fails, or the caller stops, the others must not go on waiting for a throttled table.
    stop.abort();
  }
}

/** Sends a request of a scan. Once the table has throttled a request, each one waits for its turn first. */
async function sendInTurn<T extends object>(
  table: Table,
  send: (options: SendOptions) => Promise<T>,
  turns: Turns,
  signal: AbortSignal | undefined,
): Promise<T> {
  const action = 'dynamodb:Scan';
  let endTurn = turns.isThrottled ? await turns.wait() : undefined;
  for (;;) {
    try {
      const answer = await table.send(
        action,
        async (options) => {
          try {
            return await send(options);
          } catch (error) {
            const isThrottled = table.toError(error, action).code === 'THROTTLED';
            if (endTurn || !isThrottled || signal?.aborted) throw error;
            endTurn = turns.takeFirst();
            // The owner of the turn keeps retrying. The others leave the read units to it.
            if (endTurn) throw error;
            return undefined;
          }
        },
        signal,
      );
      if (answer) return answer;
    } finally {
      endTurn?.();
      endTurn = undefined;
    }
    endTurn = await turns.wait();
  }
}
