import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import {
  type AttributeValue,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  type GetItemCommandInput,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  TransactWriteItemsCommand,
  type TransactWriteItemsCommandInput,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { Entry, EntryHeader } from '../../model/entry.ts';
import { checkItemSize, parseHeader, parseItem, encodeItem, type Item } from '../../model/item.ts';
import { CredstashError, hasCode } from '../../errors.ts';
import {
  conflict,
  type EntryStore,
  type Found,
  severalLabelled,
  versionExists,
  versionNotFound,
} from '../entry-store.ts';
import { merge } from '../../util/parallel.ts';
import { combineSignals } from '../../util/progress.ts';
import { sleep } from '../../util/sleep.ts';
import { nameOf, translate, unreadable, wrongAnswer } from './errors.ts';
import { ThrottleRetry, type SendOptions } from './throttle-retry.ts';

/** Every attribute of an entry but its keys, with a placeholder each: several are reserved words of DynamoDB. */
const ATTRIBUTES = ['cipher', 'digest', 'created', 'comment', 'key', 'contents', 'hmac'];
const HEADER = ['name', 'version', 'cipher', 'digest', 'created', 'comment', 'labels'];

/**
 * On the lowest version of a name: how often a label of that name was moved. Every move changes it, and so no two of them
 * can happen at once, whichever versions they are about.
 */
const MOVES = 'labelmoves';
const MOVES_AT_ONCE = 32;
const READS_OF_A_LABEL = 3;

/**
 * How long the pages of one scan or query may take together. Only DynamoDB's time counts: neither the wait while it
 * throttles, nor what the caller does between two pages. 10,000 pages of 1 MB, in 60 ms each, take ten minutes.
 */
const MAX_PAGES_MS = 3_600_000;

/**
 * In how many parts a table of more than a page is read at once. Each holds a page in memory, and costs a request of its own
 * also if it is empty; four pages on their way keep one processor busy with decoding.
 */
const SEGMENTS = 4;

type RawItem = Record<string, AttributeValue>;
type TransactUpdate = NonNullable<
  NonNullable<TransactWriteItemsCommandInput['TransactItems']>[number]['Update']
>;
interface Page {
  Items?: RawItem[] | undefined;
  LastEvaluatedKey?: RawItem | undefined;
}
type SendPage = (start: { ExclusiveStartKey?: RawItem }, options: SendOptions) => Promise<Page>;

/** What bounds a scan or a query, however many requests at once it takes. */
class PageLimits {
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
 * The segments of a scan send their requests side by side until the table throttles one of them, and from then on one at a
 * time. Otherwise they would take the table's read units from each other, and one could wait for longer than its patience.
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

/** Entries in a DynamoDB table. Every read is consistent and goes through all pages. */
export class AwsEntryStore implements EntryStore {
  readonly location: string;
  readonly #dynamodb: DynamoDBClient;
  readonly #table: string;
  readonly #region: string;
  readonly #patience: ThrottleRetry;
  readonly #signal: AbortSignal | undefined;

  constructor(
    dynamodb: DynamoDBClient,
    table: string,
    region: string,
    patience = new ThrottleRetry(),
    signal?: AbortSignal,
  ) {
    this.#dynamodb = dynamodb;
    this.#table = table;
    this.#region = region;
    this.#patience = patience;
    this.#signal = signal;
    this.location = `the table ${table} in ${region}`;
  }

  withSignal(signal: AbortSignal): EntryStore {
    return new AwsEntryStore(this.#dynamodb, this.#table, this.#region, this.#patience, signal);
  }

  async create(entry: Entry): Promise<void> {
    // Again, with the wrapped key's real length: DynamoDB's own refusal is told by its text only.
    checkItemSize(entry);
    const item = encodeItem(entry);
    const input = {
      TableName: this.#table,
      Item: item as RawItem,
      ConditionExpression: 'attribute_not_exists(#name)',
      ExpressionAttributeNames: { '#name': 'name' },
    };
    const stored = await this.#conditional('dynamodb:PutItem', item, (options) =>
      this.#dynamodb.send(new PutItemCommand(input), options),
    );
    if (!stored) throw versionExists(entry, this.location);
  }

  async replace(entry: Entry, was: Entry): Promise<void> {
    checkItemSize(entry);
    const item = encodeItem(entry);
    // As the table has them: a port of the original may have encoded them in its own way.
    const before = (was.stored ?? encodeItem(was)) as RawItem;
    const values: RawItem = {};
    const set: string[] = [];
    const remove: string[] = [];
    // Its keys alone would be met by an item that is not there.
    const conditions = ['attribute_exists(#name)'];
    // A `created` of an original entry is somebody else's attribute: nothing is known of it, and it stays.
    const isOriginal = was.cipher === entry.cipher && was.cipher === 'AES-256-CTR';
    const attributes = isOriginal ? ATTRIBUTES.filter((name) => name !== 'created') : ATTRIBUTES;
    for (const name of attributes) {
      const [to, from] = [item[name], before[name]];
      if (from) {
        conditions.push(`#${name} = :was_${name}`);
        values[`:was_${name}`] = from;
      } else if (name !== 'created') {
        // An original entry may have a `created` that is somebody else's; a current one always has its own.
        conditions.push(`attribute_not_exists(#${name})`);
      }
      if (to) {
        set.push(`#${name} = :${name}`);
        values[`:${name}`] = to;
      } else if (!(isOriginal && name === 'comment' && from)) {
        // A comment of an original entry that is no text counts as none, and stays.
        remove.push(`#${name}`);
      }
    }
    const input = {
      TableName: this.#table,
      Key: keyOf(was.name, was.version),
      // An update, not a put: attributes that the format does not name stay.
      UpdateExpression: `SET ${set.join(', ')}${remove.length > 0 ? ` REMOVE ${remove.join(', ')}` : ''}`,
      ConditionExpression: conditions.join(' AND '),
      ExpressionAttributeNames: placeholders(['name', ...attributes]),
      ExpressionAttributeValues: values,
    };
    const replaced = await this.#conditional('dynamodb:UpdateItem', item, (options) =>
      this.#dynamodb.send(new UpdateItemCommand(input), options),
    );
    if (!replaced) throw conflict(was, this.location);
  }

  async renumber(entry: Entry, was: Entry): Promise<void> {
    checkItemSize(entry);
    const found = await this.#item(was.name, was.version);
    const before = (was.stored ?? encodeItem(was)) as RawItem;
    const sealed = ['key', 'contents', 'hmac'];
    if (!found || !sealed.every((name) => same(before[name], found[name]))) {
      throw conflict(was, this.location);
    }
    // An original entry's attributes stay as its writer encoded them.
    const encoded = entry.cipher === 'AES-256-CTR' ? {} : (encodeItem(entry) as RawItem);
    const Item = { ...found, ...encoded, version: { S: entry.version } };
    // A label that is moved meanwhile must not be lost.
    const guarded = [...sealed, 'labels', MOVES];
    const isThere = guarded.filter((name) => found[name]);
    const Delete = {
      TableName: this.#table,
      Key: keyOf(was.name, was.version),
      ConditionExpression: guarded
        .map((name) => (found[name] ? `#${name} = :${name}` : `attribute_not_exists(#${name})`))
        .join(' AND '),
      ExpressionAttributeNames: placeholders(guarded),
      ExpressionAttributeValues: Object.fromEntries(
        isThere.map((name) => [`:${name}`, found[name] as AttributeValue]),
      ),
    };
    const Put = {
      TableName: this.#table,
      Item,
      ConditionExpression: 'attribute_not_exists(#name)',
      ExpressionAttributeNames: placeholders(['name']),
    };
    await this.#call('dynamodb:PutItem', async (options) => {
      try {
        const input = { TransactItems: [{ Put }, { Delete }] };
        await this.#dynamodb.send(new TransactWriteItemsCommand(input), options);
      } catch (error) {
        const [ofPut, ofDelete] = reasonsOf(error);
        if (ofPut === 'ConditionalCheckFailed') throw versionExists(entry, this.location);
        if (ofDelete === 'ConditionalCheckFailed') throw conflict(was, this.location);
        throw canceled(error, was.name, this.location);
      }
    });
  }

  async has(name: string, version: string): Promise<boolean> {
    const names = placeholders(['name', 'version']);
    const projection = {
      ProjectionExpression: Object.keys(names).join(),
      ExpressionAttributeNames: names,
    };
    return (await this.#item(name, version, projection)) !== undefined;
  }

  async latest(name: string): Promise<Entry | undefined> {
    for await (const item of this.#query(name, { ScanIndexForward: false, Limit: 1 })) {
      return parseItem(item);
    }
    return undefined;
  }

  async newestHeader(name: string): Promise<EntryHeader | undefined> {
    const names = placeholders(HEADER);
    const newest = {
      ScanIndexForward: false,
      Limit: 1,
      ProjectionExpression: Object.keys(names).join(),
      ExpressionAttributeNames: names,
    };
    for await (const item of this.#query(name, newest)) return parseHeader(item);
    return undefined;
  }

  async get(name: string, version: string): Promise<Entry | undefined> {
    const item = await this.#item(name, version);
    return item && parseItem(item);
  }

  async *versions(name: string): AsyncGenerator<Entry> {
    for await (const item of this.#query(name, { ScanIndexForward: false })) yield parseItem(item);
  }

  async *scan(prefixes: readonly string[] = ['']): AsyncGenerator<Found> {
    // It costs the same read units, and moves only what matches.
    const filter = {
      FilterExpression: prefixes.map((_, i) => `begins_with(#name, :prefix${i})`).join(' OR '),
      ExpressionAttributeNames: { '#name': 'name' },
      ExpressionAttributeValues: Object.fromEntries(
        prefixes.map((prefix, i) => [`:prefix${i}`, { S: prefix }]),
      ),
    };
    for await (const item of this.#scan(prefixes.includes('') ? {} : filter)) {
      yield { ...parseHeader(item), read: () => parseItem(item) };
    }
  }

  async *headers(name?: string): AsyncGenerator<EntryHeader> {
    const names = placeholders(HEADER);
    const ProjectionExpression = Object.keys(names).join();
    const items =
      name === undefined
        ? this.#scan({ ProjectionExpression, ExpressionAttributeNames: names })
        : this.#query(name, { ProjectionExpression, ExpressionAttributeNames: names });
    for await (const item of items) yield parseHeader(item);
  }

  async remove(
    name: string,
    version: string,
    options: { readonly unlabelled?: boolean } = {},
  ): Promise<boolean> {
    const { unlabelled = false } = options;
    const names = placeholders(unlabelled ? ['name', 'labels'] : ['name']);
    const input = {
      TableName: this.#table,
      Key: keyOf(name, version),
      ConditionExpression: `attribute_exists(#name)${unlabelled ? ' AND attribute_not_exists(#labels)' : ''}`,
      ExpressionAttributeNames: names,
      // So that one that has a label is told from one that is gone.
      ...(unlabelled ? { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const } : {}),
    };
    return this.#conditional('dynamodb:DeleteItem', undefined, (options) =>
      this.#dynamodb.send(new DeleteItemCommand(input), options),
    );
  }

  async getByLabel(name: string, label: string): Promise<Entry | undefined> {
    const query = {
      ScanIndexForward: false,
      FilterExpression: 'contains(#labels, :label)',
      ExpressionAttributeNames: placeholders(['labels']),
      ExpressionAttributeValues: { ':label': { S: label } },
    };
    for (let tries = 1; ; tries += 1) {
      const found: RawItem[] = [];
      for await (const item of this.#query(name, query)) {
        // Of an attribute that is a text, `contains` would say so too.
        if (parseHeader(item).labels?.includes(label)) found.push(item);
      }
      const [item, other] = found;
      if (item && !other) return parseItem(item);
      // A query is no snapshot: of a label that moves while it goes on, it may see both places, or none.
      if (tries < READS_OF_A_LABEL) await sleep(50 * tries, this.#signal);
      else if (item) throw severalLabelled(name, label, this.location);
      else return undefined;
    }
  }

  async moveLabel(name: string, label: string, version: string | undefined): Promise<string[]> {
    let first: string[] | undefined;
    let moved = false;
    for (let tries = 0; tries < MOVES_AT_ONCE; tries += 1) {
      const names = placeholders(['name', 'version', 'labels', MOVES]);
      const items: RawItem[] = [];
      for await (const item of this.#query(name, {
        ProjectionExpression: Object.keys(names).join(),
        ExpressionAttributeNames: names,
      })) {
        items.push(item);
      }
      const versionOf = (item: RawItem): string => item['version']?.S ?? '';
      if (version !== undefined && !items.some((item) => versionOf(item) === version)) {
        throw versionNotFound(name, version, this.location);
      }
      const had = items.filter((item) => parseHeader(item).labels?.includes(label));
      const before = had.map(versionOf);
      const isThere = before.join() === (version ?? '');
      // The look after the move: somebody may have moved it on, but while another version became the lowest, two moves may
      // have set it on two versions.
      if (isThere || (moved && before.length <= 1)) return first ?? before;
      // The lowest version comes first.
      const updates = items.flatMap((item, at) =>
        this.#labelUpdate(item, label, {
          add: versionOf(item) === version && !had.includes(item),
          remove: versionOf(item) !== version && had.includes(item),
          isFirst: at === 0,
        }),
      );
      const input = { TransactItems: updates.map((Update) => ({ Update })) };
      moved = await this.#call('dynamodb:UpdateItem', async (options) => {
        try {
          await this.#dynamodb.send(new TransactWriteItemsCommand(input), options);
          return true;
        } catch (error) {
          if (isOvertaken(error)) return false;
          throw canceled(error, name, this.location);
        }
      });
      // Of one whose answer was lost, the next look finds the label moved: it is the first one's.
      if (moved || first === undefined) first = before;
      if (!moved) await sleep(Math.random() * 50 * (tries + 1), this.#signal);
    }
    throw new CredstashError(
      'CONFLICT',
      `others keep moving the labels of ${name} in ${this.location}`,
      { hint: 'run the command again' },
    );
  }

  /** What a move does to one version; nothing for most. */
  #labelUpdate(
    item: RawItem,
    label: string,
    { add, remove, isFirst }: { add: boolean; remove: boolean; isFirst: boolean },
  ): TransactUpdate[] {
    if (!add && !remove && !isFirst) return [];
    const moves = item[MOVES];
    const adds = [...(add ? ['#labels :label'] : []), ...(isFirst ? [`#${MOVES} :one`] : [])];
    const unmoved = moves ? `#${MOVES} = :moves` : `attribute_not_exists(#${MOVES})`;
    return [
      {
        TableName: this.#table,
        Key: { name: item['name'] as AttributeValue, version: item['version'] as AttributeValue },
        UpdateExpression: [
          ...(adds.length > 0 ? [`ADD ${adds.join(', ')}`] : []),
          ...(remove ? ['DELETE #labels :label'] : []),
        ].join(' '),
        // An update of what is gone meanwhile would create it.
        ConditionExpression: `attribute_exists(#name)${isFirst ? ` AND ${unmoved}` : ''}`,
        ExpressionAttributeNames: placeholders([
          'name',
          ...(add || remove ? ['labels'] : []),
          ...(isFirst ? [MOVES] : []),
        ]),
        ExpressionAttributeValues: {
          ...(add || remove ? { ':label': { SS: [label] } } : {}),
          ...(isFirst ? { ':one': { N: '1' }, ...(moves ? { ':moves': moves } : {}) } : {}),
        },
      },
    ];
  }

  async #item(
    name: string,
    version: string,
    projection: Partial<GetItemCommandInput> = {},
  ): Promise<RawItem | undefined> {
    const Key = keyOf(name, version);
    const input = { TableName: this.#table, Key, ConsistentRead: true, ...projection };
    const { Item } = await this.#call('dynamodb:GetItem', (options) =>
      this.#dynamodb.send(new GetItemCommand(input), options),
    );
    return Item && this.#asked(Item, name, version);
  }

  /** What came for a name, and for a version: nothing else is ever opened, or deleted, in its place. */
  #asked(item: RawItem, name: string, version = item['version']?.S): RawItem {
    const found = isRecord(item) ? parseHeader(item) : undefined;
    if (found?.name === name && found.version === version) return item;
    throw new CredstashError(
      'INTEGRITY',
      `${this.location} answered with another entry than one of ${name}`,
    );
  }

  async *#query(
    name: string,
    query: Partial<ConstructorParameters<typeof QueryCommand>[0]>,
  ): AsyncGenerator<RawItem> {
    const pages = this.#pages('dynamodb:Query', (start, options) =>
      this.#dynamodb.send(
        new QueryCommand({
          TableName: this.#table,
          ConsistentRead: true,
          KeyConditionExpression: '#name = :name',
          ...query,
          ExpressionAttributeNames: { ...query.ExpressionAttributeNames, '#name': 'name' },
          ExpressionAttributeValues: { ...query.ExpressionAttributeValues, ':name': { S: name } },
          ...start,
        }),
        options,
      ),
    );
    for await (const { items } of pages) {
      for (const item of items) yield this.#asked(item, name);
    }
  }

  /**
   * Every item of the table, in no order. A table of one page is one request. Of a larger table that page is read again:
   * only with its segment is a key documented to be a place to go on from (API reference, Scan, ExclusiveStartKey), and
   * a secret that is missing is worse than the 256 read units of 1 MB. A table that throttles is read page by page.
   */
  async *#scan(
    scan: Partial<ConstructorParameters<typeof ScanCommand>[0]>,
  ): AsyncGenerator<RawItem> {
    const sendPart =
      (part: { Segment?: number; TotalSegments?: number }): SendPage =>
      (start, options) =>
        this.#dynamodb.send(
          new ScanCommand({
            TableName: this.#table,
            ConsistentRead: true,
            ...scan,
            ...part,
            ...start,
          }),
          options,
        );
    const turns = new Turns();
    const whole = this.#pages('dynamodb:Scan', sendPart({}), { turns });
    for await (const { items, isLast } of whole) {
      if (!isLast && !turns.isThrottled) break;
      yield* items;
      if (isLast) return;
    }
    const stop = new AbortController();
    const signal = combineSignals(stop.signal, this.#signal);
    const limits = new PageLimits();
    const segments = Array.from({ length: SEGMENTS }, (_, Segment) =>
      this.#pages('dynamodb:Scan', sendPart({ Segment, TotalSegments: SEGMENTS }), {
        turns,
        limits,
        signal,
      }),
    );
    try {
      for await (const { items } of merge(segments)) yield* items;
    } finally {
      // Once one has failed, or nobody asks for more, the others must not go on waiting for a table that throttles.
      stop.abort();
    }
  }

  async *#pages(
    action: string,
    send: SendPage,
    options: {
      readonly turns?: Turns;
      readonly limits?: PageLimits;
      readonly signal?: AbortSignal | undefined;
    } = {},
  ): AsyncGenerator<{ readonly items: readonly RawItem[]; readonly isLast: boolean }> {
    const { turns, limits = new PageLimits(), signal = this.#signal } = options;
    let start: { ExclusiveStartKey?: RawItem } = {};
    for (;;) {
      const timed: SendPage = async (...args) => {
        const sent = performance.now();
        const page = await send(...args);
        limits.milliseconds += performance.now() - sent;
        return page;
      };
      const page = await this.#inTurn(action, (options) => timed(start, options), turns, signal);
      const { Items, LastEvaluatedKey } = page;
      // A page without the list is no empty page: a reader must not take it for a table that has nothing.
      if (!Array.isArray(Items) || !Items.every(isRecord)) throw unreadable(this.#where);
      // A page may be empty and still not be the last (API reference, Query, LastEvaluatedKey).
      const isLast = LastEvaluatedKey === undefined;
      yield { items: Items, isLast };
      if (isLast) return;
      const key = startKey(LastEvaluatedKey);
      if (!key) throw unreadable(this.#where);
      if (limits.hasSeen(key))
        throw wrongAnswer('sends the same page again and again', this.#where);
      if (limits.milliseconds > MAX_PAGES_MS) {
        throw wrongAnswer(`has sent pages for ${MAX_PAGES_MS / 60_000} minutes`, this.#where);
      }
      start = { ExclusiveStartKey: key };
    }
  }

  /** A request of a scan, which waits for its turn once the table has throttled another one. */
  async #inTurn<T extends object>(
    action: string,
    send: (options: SendOptions) => Promise<T>,
    turns: Turns | undefined,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    let endTurn = turns?.isThrottled ? await turns.wait() : undefined;
    for (;;) {
      try {
        const answer = await this.#call(
          action,
          async (options) => {
            try {
              return await send(options);
            } catch (error) {
              const isThrottled = this.#told(error, action).code === 'THROTTLED';
              if (!turns || endTurn || !isThrottled || signal?.aborted) throw error;
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
      endTurn = await turns?.wait();
    }
  }

  /**
   * A conditional write: whether its condition held. When the SDK retried a write whose answer was lost, the
   * condition fails on this very write; `item`, what it leaves in the table, tells. A removal leaves nothing, and
   * is taken for done when it was sent more than once.
   */
  async #conditional(
    action: string,
    item: Item | undefined,
    send: (options: SendOptions) => Promise<unknown>,
  ): Promise<boolean> {
    let rounds = 0;
    const outcome = await this.#call(action, async (options) => {
      rounds += 1;
      try {
        await send(options);
        return undefined;
      } catch (error) {
        if (nameOf(error) === 'ConditionalCheckFailedException')
          return {
            attempts: attemptsOf(error),
            isThere: (error as { Item?: unknown }).Item !== undefined,
          };
        throw error;
      }
    });
    if (!outcome) return true;
    if (!item) return !outcome.isThere && (rounds > 1 || outcome.attempts > 1);
    const { name, version } = item;
    if (!name || !version || !('S' in name) || !('S' in version)) return false;
    const there = await this.#item(name.S, version.S).catch((denied: unknown) => {
      // A writer need not be allowed to read. Then it is taken for somebody else's.
      if (hasCode(denied, 'ACCESS_DENIED')) return undefined;
      throw denied;
    });
    return there !== undefined && ATTRIBUTES.every((each) => same(item[each], there[each]));
  }

  #call<T>(
    action: string,
    send: (options: SendOptions) => Promise<T>,
    signal = this.#signal,
  ): Promise<T> {
    return this.#patience.send(
      `the table ${this.#table}`,
      send,
      (error) => this.#told(error, action),
      signal,
    );
  }

  #told(error: unknown, action: string): CredstashError {
    return fromDynamo(error, action, this.#table, this.#region);
  }

  get #where(): { service: string; resource: string; region: string } {
    return { service: 'DynamoDB', resource: `the table ${this.#table}`, region: this.#region };
  }
}

/** What DynamoDB answered of a table, as an error of the project. @param action of IAM */
export function fromDynamo(
  error: unknown,
  action: string,
  table: string,
  region: string,
): CredstashError {
  const general = translate(error, {
    service: 'DynamoDB',
    action,
    resource: `the table ${table}`,
    region,
  });
  if (nameOf(error) === 'ResourceNotFoundException') {
    return new CredstashError('TABLE_NOT_FOUND', `there is no table ${table} in ${region}`, {
      hint: 'create it with credstash setup, or name its region with -r and the table with -t',
      cause: general.cause,
    });
  }
  return general;
}

/**
 * Why each part of a transaction was refused, `None` for one that was not; empty for any other error.
 * https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html#API_TransactWriteItems_Errors
 */
function reasonsOf(error: unknown): string[] {
  if (nameOf(error) !== 'TransactionCanceledException') return [];
  const { CancellationReasons: reasons = [] } = error as {
    CancellationReasons?: { Code?: string }[];
  };
  return reasons.map(({ Code = 'None' }) => Code);
}

/** Whether a transaction met another one, or what that left: it is tried again from the start. */
function isOvertaken(error: unknown): boolean {
  if (nameOf(error) === 'TransactionConflictException') return true;
  const codes = reasonsOf(error).filter((code) => code !== 'None');
  return (
    codes.length > 0 &&
    codes.every((code) => ['ConditionalCheckFailed', 'TransactionConflict'].includes(code))
  );
}

/** The error of a transaction about the labels of `name`: one that was throttled is waited for. */
function canceled(error: unknown, name: string, where: string): unknown {
  const codes = reasonsOf(error);
  const throttled = codes.find((code) => /Throttling|ThroughputExceeded/.test(code));
  if (throttled !== undefined) {
    return new CredstashError(
      'THROTTLED',
      `DynamoDB throttled the request on ${where} (${throttled}), after retries`,
    );
  }
  // Nothing else in it comes from outside: it is the size that is not valid.
  if (codes.includes('ValidationError')) {
    return new CredstashError(
      'TOO_LARGE',
      `with this label, ${name} would be larger than DynamoDB takes (400 KB)`,
      { hint: 'labels count as a part of the entry: take one away first' },
    );
  }
  return error;
}

function attemptsOf(error: unknown): number {
  return (error as { $metadata?: { attempts?: number } }).$metadata?.attempts ?? 1;
}

/** Where the next page begins: the key of an item, and nothing else. Undefined for what is no such key. */
function startKey(key: RawItem): RawItem | undefined {
  if (!isRecord(key) || Object.keys(key).length !== 2) return undefined;
  const [name, version] = [key['name']?.S, key['version']?.S];
  const isKey = typeof name === 'string' && typeof version === 'string';
  return isKey ? keyOf(name, version) : undefined;
}

function isRecord(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function keyOf(name: string, version: string): RawItem {
  return { name: { S: name }, version: { S: version } };
}

function placeholders(names: string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [`#${name}`, name]));
}

function same(a: AttributeValue | undefined, b: AttributeValue | undefined): boolean {
  if (!a || !b) return a === b;
  if (a.B) return b.B !== undefined && Buffer.compare(a.B, b.B) === 0;
  return isDeepStrictEqual(a, b);
}
