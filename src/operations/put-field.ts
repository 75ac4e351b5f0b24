import { type BackendSource, openToWrite } from '../backend/backend.ts';
import { CredstashError, hasCode } from '../errors.ts';
import { checkLabel } from '../model/label.ts';
import { adviseCall } from '../model/advice.ts';
import { validateContext } from '../model/context.ts';
import { parseField } from '../model/field.ts';
import { isJson as isJsonText, parseDocument, readJson } from '../model/json-document.ts';
import { checkChangeable, removeField, setField } from '../model/json-edit.ts';
import { FIRST_VERSION, nextVersion } from '../model/version.ts';
import { decodeUtf8, utf8 } from '../util/utf8.ts';
import { secretNotFound } from './errors.ts';
import { openEntry } from './get.ts';
import type { PutOptions } from './options.ts';
import { moveLabelToStored, planPut, sealAndCreate, type Stored } from './put.ts';

export type PutFieldOptions = Omit<
  PutOptions,
  'version' | 'exactVersion' | 'autoversion' | 'ifMissing'
>;

/** A field to set. */
export interface NewField {
  readonly field: string;
  /** Its new value, in UTF-8. */
  readonly value: Uint8Array;
  /** Whether `value` is JSON. Otherwise it becomes a JSON string. */
  readonly isJson?: boolean;
  /** The JSON of the field that is replaced; null for a missing field. If it has another value by now, the change fails. */
  readonly expected?: string | null | undefined;
}

/** A change of the fields of one secret. */
export interface FieldChange {
  readonly set?: NewField | undefined;
  /** The fields to remove, in this order. */
  readonly unset?: readonly string[] | undefined;
}

/**
 * Changes fields of the newest version of a secret, and stores the result as the next version: `Credstash.putField`. If another
 * writer stores that version first, reads again, so that writers of different fields both win. A missing secret becomes an object
 * with the field.
 *
 * @throws CredstashError USAGE, TOO_LARGE; FIELD_NOT_FOUND for a missing field to remove; CONFLICT if the field has not the
 *   expected value
 */
export async function putField(
  source: BackendSource,
  name: string,
  change: FieldChange,
  options: PutFieldOptions = {},
): Promise<Stored> {
  const { label, hmacAsText, onWarning } = options;
  if (label !== undefined) checkLabel(label);
  const set = change.set && {
    field: change.set.field,
    json: toJson(name, change.set),
    expected: change.set.expected,
  };
  for (const field of [...(change.set ? [change.set.field] : []), ...(change.unset ?? [])]) {
    parseField(field);
  }
  // Checks name, context and sealing before the first request.
  planPut(name, change.set?.value.length ?? 0, options, source.formats);
  const context = validateContext(options.context, 'open');
  const backend = await openToWrite(source);
  for (;;) {
    const newest = await backend.entries.latest(name);
    if (!newest && !change.set) throw secretNotFound(backend, name);
    const before = newest
      ? await openEntry(backend, newest, context).catch((error: unknown) => {
          throw hintAtPolicy(error);
        })
      : utf8('{}');
    let after: Uint8Array | undefined;
    try {
      after = applyChange(name, before, set, change.unset);
      const version = newest ? nextVersion(name, newest.version) : FIRST_VERSION;
      const plan = planPut(name, after.length, { ...options, version }, source.formats);
      const header = await sealAndCreate(backend, plan, after, { hmacAsText, onWarning, newest });
      if (label === undefined) return header;
      return { ...header, before: await moveLabelToStored(backend, header, label) };
    } catch (error) {
      // In each round some writer succeeds, so this loop ends.
      if (!hasCode(error, 'VERSION_EXISTS')) throw error;
      const now = await backend.entries.newestHeader(name);
      if (!now || now.version === newest?.version) throw error;
    } finally {
      before.fill(0);
      after?.fill(0);
    }
  }
}

/** The JSON of a new field. @throws CredstashError USAGE */
function toJson(name: string, { value, isJson }: NewField): string {
  const text = decodeUtf8(value);
  if (text === undefined) {
    throw new CredstashError('USAGE', 'the value of a field must be UTF-8 text', {
      hint: 'encode other bytes, for example in base64',
    });
  }
  if (!isJson) return JSON.stringify(text);
  if (!isJsonText(text)) {
    throw new CredstashError('USAGE', 'the value is not JSON, as that of the field was', {
      hint: 'a text in JSON is in double quotes',
    });
  }
  checkChangeable(parseDocument(name, value));
  return text.trim();
}

function applyChange(
  name: string,
  before: Uint8Array,
  set:
    | {
        readonly field: string;
        readonly json: string;
        readonly expected?: string | null | undefined;
      }
    | undefined,
  unset: readonly string[] = [],
): Uint8Array {
  let document = parseDocument(name, before);
  checkChangeable(document);
  if (set?.expected !== undefined && !isSameJson(readJson(document, set.field), set.expected)) {
    throw new CredstashError('CONFLICT', `the field ${set.field} of ${name} has been changed`);
  }
  for (const field of unset) document = parseDocument(name, utf8(removeField(document, field)));
  return utf8(set ? setField(document, set.field, set.json) : document.text);
}

/** Whether two fields have the same value. White space, and how a text is escaped, do not count. */
function isSameJson(one: string | null, other: string | null): boolean {
  const [a, b] = [one, other].map((json) =>
    json === null ? json : JSON.stringify(JSON.parse(json)),
  );
  return a === b;
}

/** Names the right that a writer of whole secrets lacks. */
function hintAtPolicy(error: unknown): unknown {
  if (!hasCode(error, 'ACCESS_DENIED')) return error;
  const policy = adviseCall('policy', ['writer'], { fields: true });
  return error.reworded(
    error.message,
    `a field is changed in the newest version, which has to be read: ${policy} prints the rights`,
  );
}
