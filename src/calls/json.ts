import { CredstashError } from '../errors.ts';
import { hintAtMark } from '../util/utf8.ts';
import { isRecord } from './kinds.ts';

/**
 * The JSON text of a value.
 *
 * @throws CredstashError USAGE for a value that JSON cannot hold. Neither its words nor its cause quote the value
 */
export function toJson(value: unknown): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(value, refuseLoss);
  } catch {
    // Told below, without the error: it names properties of the value.
  }
  if (json !== undefined) return json;
  throw new CredstashError('USAGE', 'putJson: JSON cannot hold value', {
    hint: 'JSON has null, booleans, finite numbers, strings, lists and plain objects; put stores bytes',
  });
}

/** Refuses what JSON.stringify leaves out or writes as something else: NaN, a promise, a Map, bytes. An unset property is none. */
function refuseLoss(this: unknown, key: string, value: unknown): unknown {
  // Before its `toJSON`, which a Buffer has.
  const given = (this as Readonly<Record<string, unknown>>)[key];
  const isUnset = value === undefined && key !== '' && !Array.isArray(this);
  const isHeld =
    value === null ||
    ['string', 'boolean'].includes(typeof value) ||
    Number.isFinite(value) ||
    (Array.isArray(value) && value.length === Object.keys(value).length) ||
    isRecord(value);
  if (ArrayBuffer.isView(given) || !(isHeld || isUnset)) throw new TypeError('lost in JSON');
  return value;
}

/**
 * Parses a field of a secret, and wipes the secret.
 *
 * @throws CredstashError FIELD_NOT_FOUND; USAGE if the secret is not JSON
 */
export async function fromJsonField(
  name: string,
  value: Uint8Array,
  field: string,
): Promise<unknown> {
  try {
    const { parseDocument, parseFieldValue } = await import('../model/json-document.ts');
    return parseFieldValue(parseDocument(name, value), field);
  } finally {
    value.fill(0);
  }
}

/** Parses a secret. @throws CredstashError USAGE if it is not JSON. Neither message nor cause quotes the secret */
export function fromJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Not kept as the cause, because it quotes the text.
    throw new CredstashError('USAGE', `the secret ${name} is not JSON`, {
      hint: hintAtMark(text) ?? 'getText gives it as text',
    });
  }
}
