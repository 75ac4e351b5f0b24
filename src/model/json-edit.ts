import { CredstashError } from '../errors.ts';
import { parseField, parseIndex } from './field.ts';
import {
  fieldNotFound,
  findMember,
  type JsonDocument,
  type JsonMember,
  type JsonValue,
  repeatedKey,
} from './json-document.ts';

/*
 * Changes one field of a JSON document. Only the text of that field changes: the order of keys, white space and numbers stay.
 */

/**
 * Checks that every reader of the document reads the same: that no object has a key twice, and that JSON.parse keeps each number.
 *
 * @throws CredstashError USAGE
 */
export function checkChangeable({ name, text, root }: JsonDocument): void {
  const open: JsonValue[] = [root];
  for (let value = open.pop(); value; value = open.pop()) {
    const keys = new Set(value.members.map(({ key }) => key));
    if (value.kind === 'object' && keys.size < value.members.length) throw repeatedKey(name);
    if (value.kind === 'number' && !isExact(text.slice(value.start, value.end))) {
      throw new CredstashError(
        'USAGE',
        `the JSON of the secret ${name} has a number that is rounded by JSON.parse`,
        {
          hint: 'store the secret again with this number as a string',
        },
      );
    }
    for (const member of value.members) open.push(member.value);
  }
}

/** Whether a number of JSON has the same value after JSON.parse and JSON.stringify. */
function isExact(source: string): boolean {
  const parsed = Number(source);
  return Number.isFinite(parsed) && normalize(source) === normalize(String(parsed));
}

/** A decimal number as its digits, without zeros at either end, and the power of ten of the last one. */
function normalize(source: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const trimmed = digits.replace(/0+$/, '');
  if (trimmed === '') return '0';
  const power = Number(exponent) - fraction.length + digits.length - trimmed.length;
  return `${sign}${trimmed}e${power}`;
}

/**
 * Sets a field to a value in JSON. A missing key is added behind the last one, with the objects on the way to it; `-` or the next index
 * appends to an array.
 *
 * @returns the text of the new document
 * @throws CredstashError USAGE if a value on the way is no object or array; FIELD_NOT_FOUND for an index behind the end of an array
 */
export function setField(document: JsonDocument, field: string, json: string): string {
  const { name, text, root } = document;
  const { steps, isPointer } = parseField(field);
  if (!isPointer && root.kind !== 'object') throw notAnObject(name);
  let parent = root;
  for (const [i, step] of steps.entries()) {
    const found = findMember(name, parent, step)?.value;
    const rest = steps.slice(i + 1);
    if (found && rest.length > 0) {
      parent = found;
      continue;
    }
    if (found) return splice(text, found.start, found.end, json);
    const added = rest.reduceRight((inner, key) => `{${JSON.stringify(key)}:${inner}}`, json);
    if (parent.kind === 'object') return addMember(text, parent, added, step);
    if (parent.kind !== 'array') throw notAnObject(name);
    if (step !== '-' && parseIndex(step) !== parent.members.length)
      throw fieldNotFound(name, field);
    return addMember(text, parent, added);
  }
  throw notAnObject(name);
}

/** Removes a field. @returns the text of the new document @throws CredstashError FIELD_NOT_FOUND */
export function removeField(document: JsonDocument, field: string): string {
  const { name, text, root } = document;
  const { steps, isPointer } = parseField(field);
  if (!isPointer && root.kind !== 'object') throw fieldNotFound(name, field);
  let parent = root;
  let member: JsonMember | undefined;
  for (const [i, step] of steps.entries()) {
    member = findMember(name, parent, step);
    if (!member) throw fieldNotFound(name, field);
    if (i < steps.length - 1) parent = member.value;
  }
  if (!member) throw fieldNotFound(name, field);
  const { members } = parent;
  const at = members.indexOf(member);
  const [before, after] = [members[at - 1], members[at + 1]];
  if (after) return splice(text, member.start, after.start, '');
  if (before) return splice(text, before.value.end, member.value.end, '');
  return splice(text, parent.start + 1, parent.end - 1, '');
}

/** Adds a member with the white space of the last one. */
function addMember(text: string, parent: JsonValue, json: string, key?: string): string {
  const last = parent.members.at(-1);
  const own = key === undefined ? '' : JSON.stringify(key);
  if (!last) {
    return splice(text, parent.start + 1, parent.end - 1, `${own}${own && ':'}${json}`);
  }
  const before = parent.members.at(-2);
  const space = /[ \t\r\n]*$/.exec(text.slice(before?.value.end ?? parent.start + 1, last.start));
  const colon = /[ \t\r\n]*:[ \t\r\n]*$/.exec(text.slice(last.start, last.value.start));
  const added = `,${space?.[0] ?? ''}${own}${own && (colon?.[0] ?? ':')}${json}`;
  return splice(text, last.value.end, last.value.end, added);
}

function splice(text: string, start: number, end: number, inserted: string): string {
  return `${text.slice(0, start)}${inserted}${text.slice(end)}`;
}

function notAnObject(name: string): CredstashError {
  return new CredstashError('USAGE', `the secret ${name} has no JSON object for this field`, {
    hint: 'store the whole secret, as a JSON object',
  });
}
