import { CredstashError } from '../errors.ts';
import { decodeUtf8, hintAtMark, utf8 } from '../util/utf8.ts';
import { adviseCall } from './advice.ts';
import { parseField, parseIndex } from './field.ts';

/*
 * A JSON document with the places of its values, so that a number is printed as it was written, a repeated key is found, and a
 * change of one field leaves all other bytes alone. JSON.parse loses all three. It decides what is JSON; the scan after it only
 * needs to find the values, and takes no stack for nested ones.
 */

type JsonKind = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null';

/** A value of a document, and its place in the text. */
export interface JsonValue {
  readonly kind: JsonKind;
  readonly start: number;
  readonly end: number;
  /** The members of an object or the elements of an array, in their order. */
  readonly members: readonly JsonMember[];
}

/** A member of an object or an element of an array. */
export interface JsonMember {
  /** Empty in an array. */
  readonly key: string;
  /** The place of the key, or of the element. */
  readonly start: number;
  readonly value: JsonValue;
}

/** A secret whose value is JSON. */
export interface JsonDocument {
  /** The secret's name, for errors. */
  readonly name: string;
  readonly text: string;
  readonly root: JsonValue;
}

/**
 * Parses a secret as JSON.
 *
 * @throws CredstashError USAGE if it is not JSON. The error quotes nothing of the secret
 */
export function parseDocument(name: string, value: Uint8Array): JsonDocument {
  const text = decodeUtf8(value);
  if (text === undefined || !isJson(text)) {
    // JSON.parse's own error is not kept as the cause, because it quotes the text.
    throw new CredstashError('USAGE', `the secret ${name} is not JSON, and has no fields`, {
      hint: hintAtMark(text) ?? `get it whole: ${adviseCall('get', [name])}`,
    });
  }
  return { name, text, root: scan(text) };
}

/** Whether a text is JSON (RFC 8259). */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A value whose end and members are still to be found. */
interface OpenValue extends JsonValue {
  end: number;
  readonly members: JsonMember[];
}

/** Finds the values of a text that is valid JSON. */
function scan(text: string): JsonValue {
  const holder: OpenValue = { kind: 'array', start: 0, end: text.length, members: [] };
  const open = [holder];
  let key: { readonly text: string; readonly start: number } | undefined;
  const add = (kind: JsonKind, start: number, end: number): OpenValue => {
    const value: OpenValue = { kind, start, end, members: [] };
    open.at(-1)?.members.push({ key: key?.text ?? '', start: key?.start ?? start, value });
    key = undefined;
    return value;
  };
  let at = 0;
  while (at < text.length) {
    const char = text[at] ?? '';
    if (char === '{' || char === '[') {
      open.push(add(char === '{' ? 'object' : 'array', at, at));
      at += 1;
    } else if (char === '}' || char === ']') {
      at += 1;
      const closed = open.pop();
      if (closed) closed.end = at;
    } else if (char === '"') {
      const end = findStringEnd(text, at);
      const isKey = open.at(-1)?.kind === 'object' && !key;
      if (isKey) key = { text: JSON.parse(text.slice(at, end)) as string, start: at };
      else add('string', at, end);
      at = end;
    } else if (SEPARATORS.has(char)) {
      at += 1;
    } else {
      let end = at + 1;
      while (end < text.length && !ENDS_SCALAR.has(text[end] ?? '')) end += 1;
      add(char === 'n' ? 'null' : /[tf]/.test(char) ? 'boolean' : 'number', at, end);
      at = end;
    }
  }
  const [root] = holder.members;
  if (!root) throw new CredstashError('UNEXPECTED', 'JSON without a value');
  return root.value;
}

const WHITE_SPACE = [' ', '\t', '\r', '\n'];
const SEPARATORS = new Set([...WHITE_SPACE, ',', ':']);
const ENDS_SCALAR = new Set([...WHITE_SPACE, ',', ']', '}']);

/** The end of the string that begins at `start`. */
function findStringEnd(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

/**
 * Finds the value of a field.
 *
 * @param field a top-level key or a JSON Pointer (`parseField`)
 * @returns undefined if the document has no such field
 * @throws CredstashError USAGE if a key on the way to it is repeated: parsers disagree which of the values counts
 */
export function findValue({ name, root }: JsonDocument, field: string): JsonValue | undefined {
  const { steps, isPointer } = parseField(field);
  if (!isPointer && root.kind !== 'object') return undefined;
  let value: JsonValue | undefined = root;
  for (const step of steps) {
    if (value === undefined) return undefined;
    value = findMember(name, value, step)?.value;
  }
  return value;
}

/** Finds the member or the element that a step of a path leads to. @throws CredstashError USAGE if a key is repeated */
export function findMember(
  name: string,
  { kind, members }: JsonValue,
  step: string,
): JsonMember | undefined {
  if (kind === 'array') {
    const index = parseIndex(step);
    return index === undefined ? undefined : members[index];
  }
  const found = members.filter(({ key }) => key === step);
  if (found.length > 1) throw repeatedKey(name);
  return found[0];
}

/** The error of a key that an object has twice. It does not quote the key, which is a part of the secret. */
export function repeatedKey(name: string): CredstashError {
  return new CredstashError(
    'USAGE',
    `an object in the JSON of the secret ${name} has a key twice`,
    {
      hint: 'store the secret again with each key once',
    },
  );
}

/** As `findValue`. @throws CredstashError FIELD_NOT_FOUND */
export function requireValue(document: JsonDocument, field: string): JsonValue {
  const value = findValue(document, field);
  if (value !== undefined) return value;
  throw fieldNotFound(document.name, field);
}

export function fieldNotFound(name: string, field: string): CredstashError {
  return new CredstashError('FIELD_NOT_FOUND', `the secret ${name} has no field ${field}`, {
    hint: `get it whole: ${adviseCall('get', [name])}`,
  });
}

/**
 * The bytes of a value: a string as it is, anything else as JSON, without the white space between its parts. A number has the
 * digits of the document.
 *
 * @throws CredstashError USAGE for a string that UTF-8 cannot hold: half of a surrogate pair
 */
export function readValue(
  { name, text }: JsonDocument,
  { kind, start, end }: JsonValue,
): Uint8Array {
  const source = text.slice(start, end);
  if (kind !== 'string') return utf8(compact(source));
  const value = JSON.parse(source) as string;
  if (value.isWellFormed()) return utf8(value);
  throw new CredstashError(
    'USAGE',
    `a field of the secret ${name} is not valid Unicode: it has half of a surrogate pair`,
  );
}

/** Reads the bytes of a field (`readValue`). @throws CredstashError as `requireValue` and `readValue` do */
export function readField(document: JsonDocument, field: string): Uint8Array {
  return readValue(document, requireValue(document, field));
}

/** Reads the JSON of a field as the document has it; null if it has no such field. @throws CredstashError as `findValue` does */
export function readJson(document: JsonDocument, field: string): string | null {
  const value = findValue(document, field);
  return value === undefined ? null : document.text.slice(value.start, value.end);
}

/** Parses the value of a field, as JSON.parse does. @throws CredstashError as `requireValue` does */
export function parseFieldValue(document: JsonDocument, field: string): unknown {
  const { start, end } = requireValue(document, field);
  return JSON.parse(document.text.slice(start, end));
}

/** Leaves out the white space outside of strings. */
function compact(json: string): string {
  const parts: string[] = [];
  let from = 0;
  let at = 0;
  while (at < json.length) {
    const char = json[at] ?? '';
    if (char === '"') {
      at = findStringEnd(json, at);
    } else if (WHITE_SPACE.includes(char)) {
      parts.push(json.slice(from, at));
      at += 1;
      from = at;
    } else at += 1;
  }
  parts.push(json.slice(from));
  return parts.join('');
}
