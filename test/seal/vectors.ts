import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkContext } from '../../src/model/context.ts';
import type { Cipher } from '../../src/model/entry.ts';
import { parseItem } from '../../src/model/item.ts';
import { FORMATS, type Seal } from '../../src/seal/formats.ts';

/** An item in DynamoDB JSON, with B in base64. */
export type JsonItem = Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;

export interface Vector {
  readonly title: string;
  readonly item: JsonItem;
  readonly dataKey: string;
  readonly secret?: string;
  readonly error?: string;
}

export interface OriginalVector {
  readonly item: JsonItem;
  readonly context: Record<string, string>;
  readonly dataKey: string;
  /** A text. */
  readonly secret: string;
  readonly note?: string;
}

function load(file: string): unknown {
  return JSON.parse(readFileSync(join(import.meta.dirname, '..', 'vectors', file), 'utf8'));
}

/** Our own, positive and negative. */
export const vectors = (load('gcm-hmac.json') as { vectors: Vector[] }).vectors;

/** What the original credstash 1.17.1 wrote. */
export const originals = (load('credstash-1.17.1.json') as { items: OriginalVector[] }).items;

/** What ports of the original wrote. */
export const ports = (load('ports.json') as { items: OriginalVector[] }).items;

/** How each format seals and opens. */
export const SEALS: Readonly<Record<Cipher, Seal>> = {
  'AES-256-GCM': await FORMATS['AES-256-GCM'].load(),
  'AES-256-CTR': await FORMATS['AES-256-CTR'].load(),
};

/** The item as a table gives it, with B as bytes. */
export function fromJson(item: JsonItem): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(item).map(([name, value]) => [
      name,
      typeof value?.['B'] === 'string'
        ? { B: new Uint8Array(Buffer.from(value['B'], 'base64')) }
        : value,
    ]),
  );
}

/** Parses and opens an item, as a get does once it has the data key. */
export async function openItem(
  item: Record<string, unknown>,
  dataKey: Uint8Array,
): Promise<Uint8Array> {
  const entry = parseItem(item);
  return SEALS[entry.cipher].open(entry, dataKey);
}

export const noContext = checkContext([]);
