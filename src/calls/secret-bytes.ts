import type { Secret } from '../model/entry.ts';
import { utf8 } from '../util/utf8.ts';

/** A secret to store; a text is stored as its UTF-8 bytes. */
export interface SecretToPut {
  readonly name: string;
  readonly value: Uint8Array | string;
}

/**
 * The bytes to store. Those of a text are not wiped later: the text itself, which the caller has, cannot be wiped either.
 *
 * @param value a text must be valid Unicode
 */
export function toBytes(value: Uint8Array | string): Uint8Array {
  return typeof value === 'string' ? utf8(value) : value;
}

export function toSecret({ name, value }: SecretToPut): Secret {
  return { name, value: toBytes(value) };
}
