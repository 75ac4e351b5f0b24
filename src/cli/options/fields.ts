import { CredstashError, combineFailures, type Failure } from '../../errors.ts';
import type { Secret } from '../../model/entry.ts';
import {
  isJson,
  type JsonDocument,
  parseDocument,
  readValue,
  repeatedKey,
} from '../../model/json-document.ts';
import { decodeUtf8 } from '../../util/utf8.ts';

/** One field of a secret. */
export interface Field {
  readonly key: string;
  readonly value: Uint8Array;
}

/** Whether a secret is a JSON object, so that it has fields. */
export function hasFields(value: Uint8Array): boolean {
  const text = decodeUtf8(value);
  return text !== undefined && /^[ \t\r\n]*\{/.test(text) && isJson(text);
}

/**
 * Lists the top-level keys of a secret that is a JSON object, with their values. They are to become variables, so a key must occur
 * once.
 *
 * @param jsonValues whether objects, arrays and null are given too, as JSON
 * @throws CredstashError USAGE if the secret is not a JSON object, or if fields are refused; FIELD_NOT_FOUND for an empty object: a
 *   program must not run without its configuration
 */
export function listFields({ name, value }: Secret, jsonValues = false): Field[] {
  const document = parseDocument(name, value);
  const { root } = document;
  if (root.kind !== 'object') {
    throw new CredstashError('USAGE', `the secret ${name} is not a JSON object, and has no fields`);
  }
  if (root.members.length === 0) {
    throw new CredstashError('FIELD_NOT_FOUND', `the secret ${name} is an empty JSON object`);
  }
  const fields: Field[] = [];
  const failures: Failure[] = [];
  const keys = new Set<string>();
  for (const { key, value } of root.members) {
    try {
      if (keys.has(key)) throw repeatedKey(name);
      keys.add(key);
      if (!jsonValues) checkPlain(value.kind);
      fields.push({ key, value: readValue(document, value) });
    } catch (error) {
      if (!(error instanceof CredstashError)) throw error;
      failures.push({ name: nameField(name, key), error });
    }
  }
  if (failures.length === 0) return fields;
  throw combineFailures(
    `${failures.length} of the fields of ${name} cannot be variables`,
    failures,
    hintAt(failures),
  );
}

const NESTED_HINT =
  '--json-values gives objects, arrays and null as JSON; --env NAME=SECRET#FIELD of exec takes one field';

/** The hint of a failure that has its own, such as a repeated key: --json-values does not help there. */
function hintAt(failures: readonly Failure[]): string {
  return failures.map(({ error }) => error.hint).find((hint) => hint !== undefined) ?? NESTED_HINT;
}

function checkPlain(kind: JsonDocument['root']['kind']): void {
  if (kind === 'null') throw new CredstashError('USAGE', 'its value is null');
  if (kind !== 'object' && kind !== 'array') return;
  throw new CredstashError('USAGE', `its value is an ${kind}`);
}

/** How messages name a field. */
export function nameField(name: string, key: string): string {
  return `${name}#${key}`;
}
