import { type BackendSource, openBackend, type Backend } from '../backend/backend.ts';
import { validateContext, bindName, type Context } from '../model/context.ts';
import type { Entry } from '../model/entry.ts';
import { CredstashError } from '../errors.ts';
import { FORMATS } from '../seal/formats.ts';
import { checkFormat } from '../model/trust.ts';
import { decodeUtf8 } from '../util/utf8.ts';
import { listSpellings } from '../model/version.ts';
import { checkSelector, type VersionSelector } from '../model/selector.ts';
import { parseField } from '../model/field.ts';
import { checkName } from '../model/name.ts';
import type { GetOptions, Target } from './options.ts';
import { nameEntry, secretNotFound, versionNotFound } from './errors.ts';

/** Reads and opens one version of a secret: `Credstash.get`. */
export async function get(
  source: BackendSource,
  name: string,
  options: GetOptions = {},
): Promise<Uint8Array> {
  const request = checkGet(name, options);
  const value = await fetchSecret(await openBackend(source, { needsKeys: true }), request);
  return options.field === undefined ? value : takeField(name, value, options.field);
}

/**
 * Takes a field of a secret, and wipes the secret.
 *
 * @throws CredstashError FIELD_NOT_FOUND; USAGE if the secret is not JSON
 */
export async function takeField(
  name: string,
  value: Uint8Array,
  field: string,
): Promise<Uint8Array> {
  try {
    // Loaded on use: most secrets have no fields.
    const { parseDocument, readField } = await import('../model/json-document.ts');
    return readField(parseDocument(name, value), field);
  } finally {
    value.fill(0);
  }
}

/** Reads and opens the entry of a checked request. */
export async function fetchSecret(
  backend: Backend,
  { name, which, context }: Request,
): Promise<Uint8Array> {
  backend.keys.warmUp();
  return openEntry(backend, await requireEntry(backend, name, which), context);
}

/** A checked request for a secret. `context` has the user's pairs. */
export interface Request {
  readonly name: string;
  readonly which: VersionSelector;
  readonly context: Context;
}

/**
 * Checks the input of a get before the first request.
 *
 * @throws CredstashError USAGE
 */
export function checkGet(name: string, options: GetOptions): Request {
  checkName(name);
  if (options.field !== undefined) parseField(options.field);
  const which = checkSelector(options);
  const context = validateContext(options.context, 'open');
  // Checks the longer of both formats' contexts, because the entry's cipher is known only after the first request.
  bindName(context, name);
  return { name, which, context };
}

/** Finds an entry, or says what is missing. @throws CredstashError SECRET_NOT_FOUND, VERSION_NOT_FOUND */
export async function requireEntry(
  backend: Backend,
  name: string,
  which: VersionSelector,
): Promise<Entry> {
  const entry = await findEntry(backend, name, which);
  if (entry) return entry;
  for await (const _ of backend.entries.headers(name)) throw versionNotFound(backend, name, which);
  throw secretNotFound(backend, name);
}

export async function findEntry(
  { entries }: Backend,
  name: string,
  { version, exactVersion, label }: VersionSelector,
): Promise<Entry | undefined> {
  if (label !== undefined) return entries.getByLabel(name, label);
  if (version === undefined) return entries.latest(name);
  for (const spelling of listSpellings(version, exactVersion)) {
    const entry = await entries.get(name, spelling);
    if (entry) return entry;
  }
  return undefined;
}

/**
 * Unwraps the data key of an entry, verifies the entry and decrypts it.
 *
 * @returns the secret's bytes, which the caller may wipe
 * @throws CredstashError INTEGRITY, ENTRY_NOT_TRUSTED, WRONG_CONTEXT, which name the entry
 */
export async function openEntry(
  backend: Backend,
  entry: Entry,
  context: Context,
): Promise<Uint8Array> {
  let dataKey: Uint8Array | undefined;
  try {
    // Load the cipher while Decrypt is in flight.
    const loading = FORMATS[entry.cipher].load();
    dataKey = await backend.keys.unwrap(entry.key, createContext(backend, entry, context));
    const { open } = await loading;
    return await open(entry, dataKey);
  } catch (error) {
    throw nameEntry(entry, error);
  } finally {
    dataKey?.fill(0);
  }
}

/** Decodes a secret as text, and wipes its bytes. @throws CredstashError USAGE if they are not UTF-8 */
export function textFrom(name: string, value: Uint8Array): string {
  const text = decodeUtf8(value);
  value.fill(0);
  if (text !== undefined) return text;
  throw new CredstashError('USAGE', `the secret ${name} is not UTF-8 text`, {
    hint: 'get gives it as bytes',
  });
}

/**
 * Checks the format of a stored entry, and makes its encryption context. No data key unwraps without the context, so no
 * reader can skip the check. Pairs that this entry cannot have been sealed with are WRONG_CONTEXT, not USAGE.
 *
 * @throws CredstashError ENTRY_NOT_TRUSTED, WRONG_CONTEXT
 */
export function createContext({ formats }: Backend, entry: Entry, pairs: Context): Context {
  checkFormat(formats, entry, pairs);
  try {
    return FORMATS[entry.cipher].context(pairs, entry.name);
  } catch (error) {
    if (!(error instanceof CredstashError)) throw error;
    throw new CredstashError('WRONG_CONTEXT', error.message, { hint: error.hint });
  }
}

/** Makes a key that two requests share only if they read the same secret. Their fields do not count. */
export function cacheKey({ name, which, context }: Request): string {
  const { version = null, exactVersion = false, label = null } = which;
  return JSON.stringify([name, version, exactVersion, label, Object.entries(context).sort()]);
}

/** Reads an entry again; undefined if it was deleted meanwhile. */
export function findCurrent(
  { entries }: Backend,
  { name, version }: Target,
): Promise<Entry | undefined> {
  return entries.get(name, version);
}
