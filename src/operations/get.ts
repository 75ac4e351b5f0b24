import type { Backend } from '../backend/backend.ts';
import type { Context } from '../model/context.ts';
import type { Entry } from '../model/entry.ts';
import { CredstashError } from '../errors.ts';
import { checkLabel } from '../model/label.ts';
import { FORMATS } from '../seal/formats.ts';
import { checkFormat } from '../model/trust.ts';
import { textOf } from '../util/utf8.ts';
import { checkVersion, spellings } from '../model/version.ts';

/*
 * How one entry is found and opened, for every flow that reads.
 */

/** Which version of a secret is meant: the newest, one by its number, padded or not, or the one that has a label. */
export interface Which {
  readonly version?: string | undefined;
  readonly exactVersion?: boolean | undefined;
  readonly label?: string | undefined;
}

/** @throws CredstashError USAGE for what can be no version or label, or for both at once */
export function checkWhich({ version, exactVersion, label }: Which): Which {
  if (version !== undefined) checkVersion(version);
  if (label === undefined) return { version, exactVersion };
  if (version !== undefined) {
    throw new CredstashError('USAGE', 'a version and a label cannot both be asked for');
  }
  return { label: checkLabel(label) };
}

/** @throws CredstashError SECRET_NOT_FOUND, VERSION_NOT_FOUND */
export async function requireEntry(backend: Backend, name: string, which: Which): Promise<Entry> {
  const entry = await findEntry(backend, name, which);
  if (entry) return entry;
  for await (const _ of backend.entries.headers(name)) throw versionNotFound(backend, name, which);
  throw secretNotFound(backend, name);
}

export async function findEntry(
  { entries }: Backend,
  name: string,
  { version, exactVersion, label }: Which,
): Promise<Entry | undefined> {
  if (label !== undefined) return entries.getByLabel(name, label);
  if (version === undefined) return entries.latest(name);
  for (const spelling of spellings(version, exactVersion)) {
    const entry = await entries.get(name, spelling);
    if (entry) return entry;
  }
  return undefined;
}

/** The error of a secret that is there, and has not the version that was asked for. */
export function versionNotFound({ entries }: Backend, name: string, which: Which): CredstashError {
  const what =
    which.label === undefined
      ? `${name} has no version ${which.version ?? ''}`
      : `no version of ${name} has the label ${which.label}`;
  return new CredstashError('VERSION_NOT_FOUND', `${what} in ${entries.location}`);
}

/** The error of a secret that is not there. */
export function secretNotFound({ entries }: Backend, name: string): CredstashError {
  return new CredstashError(
    'SECRET_NOT_FOUND',
    `there is no secret ${name} in ${entries.location}`,
  );
}

/**
 * The bytes of an entry, which the caller may wipe.
 *
 * @throws CredstashError INTEGRITY, ENTRY_NOT_TRUSTED, WRONG_CONTEXT, with the entry named
 */
export async function openEntry(
  backend: Backend,
  entry: Entry,
  context: Context,
): Promise<Uint8Array> {
  let dataKey: Uint8Array | undefined;
  try {
    // Meanwhile what opens it is loaded.
    const loading = FORMATS[entry.cipher].load();
    dataKey = await backend.keys.unwrap(entry.key, contextOf(backend, entry, context));
    return (await loading).open(entry, dataKey);
  } catch (error) {
    throw nameEntry(entry, error);
  } finally {
    dataKey?.fill(0);
  }
}

/** The text that a secret's bytes are; they are wiped. @throws CredstashError USAGE where they are no UTF-8 */
export function textFrom(name: string, value: Uint8Array): string {
  const text = textOf(value);
  value.fill(0);
  if (text !== undefined) return text;
  throw new CredstashError('USAGE', `the secret ${name} is not UTF-8 text`, {
    hint: 'get gives it as bytes',
  });
}

/**
 * The encryption context of an entry that was found, without which no data key unwraps: so no reader gets past the check
 * of its format. Pairs that this entry cannot have been put with are WRONG_CONTEXT, not USAGE.
 *
 * @throws CredstashError ENTRY_NOT_TRUSTED, WRONG_CONTEXT
 */
export function contextOf({ formats }: Backend, entry: Entry, pairs: Context): Context {
  checkFormat(formats, entry, pairs);
  try {
    return FORMATS[entry.cipher].context(pairs, entry.name);
  } catch (error) {
    if (!(error instanceof CredstashError)) throw error;
    throw new CredstashError('WRONG_CONTEXT', error.message, { hint: error.hint });
  }
}

/** An error of an entry, with the entry named. That time is over is not the entry's fault. */
export function nameEntry(entry: Entry, error: unknown): unknown {
  if (!(error instanceof CredstashError) || error.code === 'TIMEOUT') return error;
  return error.reworded(`version ${entry.version} of ${entry.name}: ${error.message}`);
}
