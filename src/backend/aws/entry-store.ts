import {
  type AttributeValue,
  DeleteItemCommand,
  PutItemCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { hasCode } from '../../errors.ts';
import type { Entry, EntryHeader } from '../../model/entry.ts';
import { checkItemSize, encodeItem, type Item, parseHeader, parseItem } from '../../model/item.ts';
import { conflict, type EntryStore, type Found, versionExists } from '../entry-store.ts';
import { readErrorName } from './errors.ts';
import {
  ATTRIBUTES,
  HEADER,
  isSameAttribute,
  createKey,
  createPlaceholders,
  createProjection,
  type RawItem,
} from './items.ts';
import {
  toTransactionError,
  getByLabel,
  moveLabel,
  MOVES,
  readCancellationReasons,
} from './labels.ts';
import { getItem, queryItems } from './query.ts';
import { scanItems } from './scan.ts';
import type { Table } from './table.ts';
import type { SendOptions } from './throttle-retry.ts';

// Over 250 lines: every method of EntryStore, each a request or two; what they share is in the files beside it.

/** Entries in a DynamoDB table. Every read is consistent and goes through all pages. */
export class AwsEntryStore implements EntryStore {
  readonly location: string;
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
    this.location = table.location;
  }

  withSignal(signal: AbortSignal): EntryStore {
    return new AwsEntryStore(this.#table.withSignal(signal));
  }

  async create(entry: Entry): Promise<void> {
    // Checked again, now with the wrapped key's real length. DynamoDB's own refusal can only be recognised by its text.
    checkItemSize(entry);
    const item = encodeItem(entry);
    const input = {
      TableName: this.#table.name,
      Item: item as RawItem,
      ConditionExpression: 'attribute_not_exists(#name)',
      ExpressionAttributeNames: { '#name': 'name' },
    };
    const stored = await this.#conditional('dynamodb:PutItem', item, (options) =>
      this.#table.dynamodb.send(new PutItemCommand(input), options),
    );
    if (!stored) throw versionExists(entry, this.location);
  }

  async replace(entry: Entry, was: Entry): Promise<void> {
    checkItemSize(entry);
    const item = encodeItem(entry);
    // The table's own encoding, because a port of the original may have encoded the attributes differently.
    const before = (was.stored ?? encodeItem(was)) as RawItem;
    const values: RawItem = {};
    const set: string[] = [];
    const remove: string[] = [];
    // Without this, conditions on missing attributes would hold for an item that does not exist.
    const conditions = ['attribute_exists(#name)'];
    // The original format has no `created`. If an original entry has one, another program wrote it, and it is kept.
    const isOriginal = was.cipher === entry.cipher && was.cipher === 'AES-256-CTR';
    const attributes = isOriginal ? ATTRIBUTES.filter((name) => name !== 'created') : ATTRIBUTES;
    for (const name of attributes) {
      const [to, from] = [item[name], before[name]];
      if (from) {
        conditions.push(`#${name} = :was_${name}`);
        values[`:was_${name}`] = from;
      } else if (name !== 'created') {
        // For the same reason an original entry may have a `created` here; a current entry always has its own.
        conditions.push(`attribute_not_exists(#${name})`);
      }
      if (to) {
        set.push(`#${name} = :${name}`);
        values[`:${name}`] = to;
      } else if (!(isOriginal && name === 'comment' && from)) {
        // If an original entry's comment is not text, it counts as missing, and stays.
        remove.push(`#${name}`);
      }
    }
    const input = {
      TableName: this.#table.name,
      Key: createKey(was.name, was.version),
      // An update, not a put: attributes that the format does not name stay.
      UpdateExpression: `SET ${set.join(', ')}${remove.length > 0 ? ` REMOVE ${remove.join(', ')}` : ''}`,
      ConditionExpression: conditions.join(' AND '),
      ExpressionAttributeNames: createPlaceholders(['name', ...attributes]),
      ExpressionAttributeValues: values,
    };
    const replaced = await this.#conditional('dynamodb:UpdateItem', item, (options) =>
      this.#table.dynamodb.send(new UpdateItemCommand(input), options),
    );
    if (!replaced) throw conflict(was, this.location);
  }

  async renumber(entry: Entry, was: Entry): Promise<void> {
    checkItemSize(entry);
    const found = await getItem(this.#table, was.name, was.version);
    const before = (was.stored ?? encodeItem(was)) as RawItem;
    const sealed = ['key', 'contents', 'hmac'];
    if (!found || !sealed.every((name) => isSameAttribute(before[name], found[name]))) {
      throw conflict(was, this.location);
    }
    // An original entry's attributes stay as its writer encoded them.
    const encoded = entry.cipher === 'AES-256-CTR' ? {} : (encodeItem(entry) as RawItem);
    const Item = { ...found, ...encoded, version: { S: entry.version } };
    // A label that is moved meanwhile must not be lost.
    const guarded = [...sealed, 'labels', MOVES];
    const existing = guarded.filter((name) => found[name]);
    const Delete = {
      TableName: this.#table.name,
      Key: createKey(was.name, was.version),
      ConditionExpression: guarded
        .map((name) => (found[name] ? `#${name} = :${name}` : `attribute_not_exists(#${name})`))
        .join(' AND '),
      ExpressionAttributeNames: createPlaceholders(guarded),
      ExpressionAttributeValues: Object.fromEntries(
        existing.map((name) => [`:${name}`, found[name] as AttributeValue]),
      ),
    };
    const Put = {
      TableName: this.#table.name,
      Item,
      ConditionExpression: 'attribute_not_exists(#name)',
      ExpressionAttributeNames: createPlaceholders(['name']),
    };
    await this.#table.send('dynamodb:PutItem', async (options) => {
      try {
        const input = { TransactItems: [{ Put }, { Delete }] };
        await this.#table.dynamodb.send(new TransactWriteItemsCommand(input), options);
      } catch (error) {
        const [ofPut, ofDelete] = readCancellationReasons(error);
        if (ofPut === 'ConditionalCheckFailed') throw versionExists(entry, this.location);
        if (ofDelete === 'ConditionalCheckFailed') throw conflict(was, this.location);
        throw await toTransactionError(this.#table, error, was.name);
      }
    });
  }

  async has(name: string, version: string): Promise<boolean> {
    const projection = createProjection(['name', 'version']);
    return (await getItem(this.#table, name, version, projection)) !== undefined;
  }

  async latest(name: string): Promise<Entry | undefined> {
    for await (const item of queryItems(this.#table, name, { ScanIndexForward: false, Limit: 1 })) {
      return parseItem(item);
    }
    return undefined;
  }

  async newestHeader(name: string): Promise<EntryHeader | undefined> {
    const newest = { ScanIndexForward: false, Limit: 1, ...createProjection(HEADER) };
    for await (const item of queryItems(this.#table, name, newest)) return parseHeader(item);
    return undefined;
  }

  async get(name: string, version: string): Promise<Entry | undefined> {
    const item = await getItem(this.#table, name, version);
    return item && parseItem(item);
  }

  async *scan(prefixes: readonly string[] = ['']): AsyncGenerator<Found> {
    // A filter saves no read units, but only matching items are transferred.
    const filter = {
      FilterExpression: prefixes.map((_, i) => `begins_with(#name, :prefix${i})`).join(' OR '),
      ExpressionAttributeNames: { '#name': 'name' },
      ExpressionAttributeValues: Object.fromEntries(
        prefixes.map((prefix, i) => [`:prefix${i}`, { S: prefix }]),
      ),
    };
    for await (const item of scanItems(this.#table, prefixes.includes('') ? {} : filter)) {
      yield { ...parseHeader(item), read: () => parseItem(item) };
    }
  }

  async *headers(name?: string, onRequest?: () => void): AsyncGenerator<EntryHeader> {
    const projection = createProjection(HEADER);
    const items =
      name === undefined
        ? scanItems(this.#table, projection, onRequest)
        : queryItems(this.#table, name, projection, onRequest);
    for await (const item of items) yield parseHeader(item);
  }

  async remove(
    name: string,
    version: string,
    options: { readonly unlabelled?: boolean } = {},
  ): Promise<boolean> {
    const { unlabelled = false } = options;
    const names = createPlaceholders(unlabelled ? ['name', 'labels'] : ['name']);
    const input = {
      TableName: this.#table.name,
      Key: createKey(name, version),
      ConditionExpression: `attribute_exists(#name)${unlabelled ? ' AND attribute_not_exists(#labels)' : ''}`,
      ExpressionAttributeNames: names,
      // Tells a version that has a label from a version that was deleted.
      ...(unlabelled ? { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const } : {}),
    };
    return this.#conditional('dynamodb:DeleteItem', undefined, (options) =>
      this.#table.dynamodb.send(new DeleteItemCommand(input), options),
    );
  }

  getByLabel(name: string, label: string): Promise<Entry | undefined> {
    return getByLabel(this.#table, name, label);
  }

  moveLabel(name: string, label: string, version: string | undefined): Promise<string[]> {
    return moveLabel(this.#table, name, label, version);
  }

  /**
   * Sends a conditional write. If the SDK repeats a write whose answer was lost, its condition fails because of the write
   * itself. Comparing the stored item with `item` tells. A removal leaves nothing to compare, so it counts as done if it was
   * sent more than once.
   *
   * @param item the item that the write leaves in the table; undefined for a removal
   * @returns whether the write was done; false if its condition did not hold
   */
  async #conditional(
    action: string,
    item: Item | undefined,
    send: (options: SendOptions) => Promise<unknown>,
  ): Promise<boolean> {
    let rounds = 0;
    const outcome = await this.#table.send(action, async (options) => {
      rounds += 1;
      try {
        await send(options);
        return undefined;
      } catch (error) {
        if (readErrorName(error) === 'ConditionalCheckFailedException')
          return {
            attempts: countAttempts(error),
            isThere: (error as { Item?: unknown }).Item !== undefined,
          };
        throw error;
      }
    });
    if (!outcome) return true;
    const isRepeated = rounds > 1 || outcome.attempts > 1;
    if (!item) return !outcome.isThere && isRepeated;
    const { name, version } = item;
    if (!name || !version || !('S' in name) || !('S' in version)) return false;
    const stored = await getItem(this.#table, name.S, version.S).catch((error: unknown) => {
      // A writer may not be allowed to read. The item then counts as somebody else's, as after a write that was sent once.
      if (hasCode(error, 'ACCESS_DENIED')) return undefined;
      if (!isRepeated && hasCode(error, 'UNREACHABLE', 'THROTTLED')) return undefined;
      throw error;
    });
    return (
      stored !== undefined && ATTRIBUTES.every((each) => isSameAttribute(item[each], stored[each]))
    );
  }
}

function countAttempts(error: unknown): number {
  return (error as { $metadata?: { attempts?: number } }).$metadata?.attempts ?? 1;
}
