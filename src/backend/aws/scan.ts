/** Reads a whole table, in four segments if it has more than a page. */
import { ScanCommand, type ScanCommandInput } from '@aws-sdk/client-dynamodb';
import { merge } from '../../util/parallel.ts';
import { combineSignals } from '../../util/progress.ts';
import type { RawItem } from './items.ts';
import { PageLimits, readPages, type SendPage } from './pages.ts';
import type { Table } from './table.ts';
import type { SendOptions } from './throttle-retry.ts';

/**
 * In how many parts a table of more than a page is read at once. Each holds a page in memory, and costs a request of its own
 * also if it is empty; four pages on their way keep one processor busy with decoding.
 */
const SEGMENTS = 4;

/**
 * The segments of a scan send their requests side by side until the table throttles one of them, and from then on one at a
 * time. Otherwise they would take the table's read units from each other, and one could wait for longer than ThrottleRetry does.
 */
class Turns {
  #isThrottled = false;
  #last: Promise<unknown> = Promise.resolve();

  get isThrottled(): boolean {
    return this.#isThrottled;
  }

  /** The turn of the request that was throttled first. @returns what ends it; undefined for any later request */
  takeFirst(): (() => void) | undefined {
    if (this.#isThrottled) return undefined;
    this.#isThrottled = true;
    return this.#take();
  }

  /** Waits for those that came before. @returns what ends the turn */
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
 * Every item of the table, in no order. A table of one page is one request. Of a larger table that page is read again:
 * only with its segment is a key documented to be a place to go on from (API reference, Scan, ExclusiveStartKey), and
 * a secret that is missing is worse than the 256 read units of 1 MB. A table that throttles is read page by page.
 */
export async function* scanItems(
  table: Table,
  input: Partial<ScanCommandInput>,
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
    for await (const { items } of merge(segments)) yield* items;
  } finally {
    // Once one has failed, or nobody asks for more, the others must not go on waiting for a table that throttles.
    stop.abort();
  }
}

/** Sends a request of a scan. Once the table has throttled another one, it waits for its turn first. */
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
            // With the turn it goes on trying; without, it leaves the read units to the one that has it.
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
