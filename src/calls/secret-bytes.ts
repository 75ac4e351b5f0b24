import { type Secret, wipeSecrets } from '../model/entry.ts';
import { utf8 } from '../util/utf8.ts';

/** A secret to store; a text is stored as its UTF-8 bytes. */
export interface SecretToPut {
  readonly name: string;
  readonly value: Uint8Array | string;
}

/**
 * The bytes to store, a copy: the caller may wipe its own as soon as the call returns. It is the call's to wipe.
 *
 * @param value a text must be valid Unicode
 */
export function toBytes(value: Uint8Array | string): Uint8Array {
  // Not `slice`, which for a Buffer is not a copy.
  return typeof value === 'string' ? utf8(value) : new Uint8Array(value);
}

export function toSecret({ name, value }: SecretToPut): Secret {
  return { name, value: toBytes(value) };
}

/**
 * The same outcomes. The secrets are wiped after the last one, and not if an error ends them before it: some may be under way, and
 * would be stored as zeros.
 */
export async function* wipeAtEnd<T>(
  secrets: readonly Secret[],
  outcomes: AsyncIterable<T>,
): AsyncGenerator<T> {
  yield* outcomes;
  wipeSecrets(secrets);
}
