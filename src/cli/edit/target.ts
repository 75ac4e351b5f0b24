import type { Changes } from '../../calls/changes.ts';
import type { Credstash } from '../../credstash.ts';
import { CredstashError, hasCode } from '../../errors.ts';
import { findValue, parseDocument, readJson, readValue } from '../../model/json-document.ts';
import { checkChangeable, setField } from '../../model/json-edit.ts';
import { FIRST_VERSION, nextVersion, unpadVersion } from '../../model/version.ts';
import type { PutOptions } from '../../operations/options.ts';
import { planPut } from '../../operations/put.ts';
import { utf8 } from '../../util/utf8.ts';

/** What is edited: a secret, or a field of one. */
export interface Target {
  /** The text to begin with; empty if it does not exist. */
  readonly before: Uint8Array;
  /** Whether the secret does not exist. */
  readonly isNew: boolean;
  /** Whether `put` cannot store the text, because it stores a field as a text and not as JSON. */
  readonly isJson: boolean;
  /**
   * Stores the text.
   *
   * @returns the new version
   * @throws CredstashError CONFLICT if somebody else has changed it meanwhile; what `put` throws
   */
  readonly store: (text: Uint8Array) => Promise<string>;
}

/** What to edit, and how to seal it. */
export interface TargetOptions {
  readonly field: string | undefined;
  /** The version to begin with; default: the newest. */
  readonly wanted: string | undefined;
  readonly seal: PutOptions;
}

/**
 * Reads a secret or a field to edit it. What a put would refuse is refused before anybody types.
 *
 * @throws CredstashError what `get` and `put` throw; USAGE if the field cannot be changed
 */
export async function openTarget(
  credstash: Credstash,
  changes: Changes,
  name: string,
  { field, wanted, seal }: TargetOptions,
): Promise<Target> {
  const { context } = seal;
  const newest = await credstash.newestVersion(name);
  const version = newest === undefined ? FIRST_VERSION : nextVersion(name, newest);
  const read = async (which: string | undefined): Promise<Uint8Array | undefined> => {
    if (which !== undefined) return credstash.get(name, { version: which, context });
    if (newest === undefined) return undefined;
    return credstash.get(name, { version: newest, exactVersion: true, context });
  };
  const isNew = newest === undefined;
  if (field === undefined) {
    const before = (await read(wanted)) ?? new Uint8Array();
    planPut(name, before.length, { ...seal, version });
    const store = async (text: Uint8Array): Promise<string> => {
      try {
        return (await credstash.put(name, text, { ...seal, version })).version;
      } catch (error) {
        if (!hasCode(error, 'VERSION_EXISTS')) throw error;
        const what = `version ${unpadVersion(version)} of ${name}`;
        const message = `somebody stored ${what} while you edited it, so your text was not stored`;
        throw new CredstashError('CONFLICT', message, { cause: error });
      }
    };
    return { before, isNew, isJson: false, store };
  }
  const parse = (value: Uint8Array): ReturnType<typeof parseDocument> => {
    try {
      return parseDocument(name, value);
    } finally {
      value.fill(0);
    }
  };
  const document = parse((await read(undefined)) ?? utf8('{}'));
  checkChangeable(document);
  planPut(name, setField(document, field, '""').length, { ...seal, version });
  const expected = readJson(document, field);
  const base = wanted === undefined ? document : parse((await read(wanted)) ?? utf8('{}'));
  const value = findValue(base, field);
  const isText = value === undefined || value.kind === 'string';
  // A text is edited as it is, anything else as the document has it.
  const text = value && value.kind !== 'string' ? readJson(base, field) : null;
  const before = text !== null ? utf8(text) : value ? readValue(base, value) : new Uint8Array();
  const store = async (text: Uint8Array): Promise<string> => {
    const set = { field, value: text, isJson: !isText, expected };
    try {
      return (await changes.putField(name, { set }, seal)).version;
    } catch (error) {
      if (!hasCode(error, 'CONFLICT')) throw error;
      const message = `${error.message} while you edited it, so your text was not stored`;
      throw error.reworded(message, error.hint);
    }
  };
  return { before, isNew, isJson: !isText, store };
}
