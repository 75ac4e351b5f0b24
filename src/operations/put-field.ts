import { type BackendSource, openToWrite } from '../backend/backend.ts';
import { CredstashError, hasCode } from '../errors.ts';
import { checkLabel } from '../model/label.ts';
import { adviseCall } from '../model/advice.ts';
import { validateContext } from '../model/context.ts';
import { parseField } from '../model/field.ts';
import { parseDocument } from '../model/json-document.ts';
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

/** A change of the fields of one secret. */
export interface FieldChange {
  /** The field to set, and its new value: UTF-8, which becomes a JSON string. */
  readonly set?: { readonly field: string; readonly value: Uint8Array } | undefined;
  /** The fields to remove, in this order. */
  readonly unset?: readonly string[] | undefined;
}

/**
 * Changes fields of the newest version of a secret, and stores the result as the next version: `Credstash.putField`. If another
 * writer stores that version first, reads again, so that writers of different fields both win. A missing secret becomes an object
 * with the field.
 */
export async function putField(
  source: BackendSource,
  name: string,
  change: FieldChange,
  options: PutFieldOptions = {},
): Promise<Stored> {
  const { label, hmacAsText, onWarning } = options;
  if (label !== undefined) checkLabel(label);
  const text = change.set && decodeUtf8(change.set.value);
  if (change.set && text === undefined) {
    throw new CredstashError('USAGE', 'the value of a field must be UTF-8 text', {
      hint: 'encode other bytes, for example in base64',
    });
  }
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
      after = applyChange(
        name,
        before,
        change.set && { field: change.set.field, text: text ?? '' },
        change.unset,
      );
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

function applyChange(
  name: string,
  before: Uint8Array,
  set: { readonly field: string; readonly text: string } | undefined,
  unset: readonly string[] = [],
): Uint8Array {
  let document = parseDocument(name, before);
  checkChangeable(document);
  for (const field of unset) document = parseDocument(name, utf8(removeField(document, field)));
  return utf8(set ? setField(document, set.field, set.text) : document.text);
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
