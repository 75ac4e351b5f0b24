import { type BackendSource, type Backend, openBackend, openToWrite } from '../backend/backend.ts';
import { versionExists } from '../backend/entry-store.ts';
import { checkLabel } from '../model/label.ts';
import { hasCode, CredstashError } from '../errors.ts';
import {
  nextVersion,
  unpadVersion,
  checkVersion,
  FIRST_VERSION,
  padVersion,
} from '../model/version.ts';
import { validateContext, type Context } from '../model/context.ts';
import { type Cipher, type EntryHeader, formatNow, WRITTEN_DIGESTS } from '../model/entry.ts';
import { tooLarge, checkItemSize, MAX_ITEM_BYTES } from '../model/item.ts';
import { checkName } from '../model/name.ts';
import { FORMATS } from '../seal/formats.ts';
import { type AllowedFormats, checkCipher } from '../model/trust.ts';
import { isStorable } from '../util/utf8.ts';
import type { PutOptions } from './options.ts';

/** Kept free in an item for the wrapped data key, whose length only the key service knows. KMS needs under 300 bytes. */
const WRAPPED_KEY_BYTES = 512;

/** What a put stored. */
export interface Stored extends EntryHeader {
  /** With `label`, the versions that had it before. */
  readonly before?: readonly string[];
}

/** Seals a value and stores it as a new version: `Credstash.put`. */
export async function put(
  source: BackendSource,
  name: string,
  value: Uint8Array,
  options: PutOptions = {},
): Promise<Stored> {
  const { label } = options;
  if (label !== undefined) checkLabel(label);
  const planned = planPut(name, value.length, options, source.formats);
  const backend = await openToWrite(source);
  const header = await sealAndCreate(backend, planned, value, options);
  if (label === undefined) return header;
  return { ...header, before: await moveLabelToStored(backend, header, label) };
}

/** A put of which everything has been checked: the header of its entry, and the context of its data key. */
export interface Plan {
  readonly header: EntryHeader & { readonly cipher: Cipher };
  readonly context: Context;
}

/**
 * Checks all that can be checked of a put before the first request.
 *
 * @param length of the secret, in bytes
 * @param formats that may be written
 * @throws CredstashError USAGE, TOO_LARGE
 */
export function planPut(
  name: string,
  length: number,
  options: PutOptions,
  formats?: AllowedFormats,
): Plan {
  checkName(name);
  const { cipher, digest, comment } = checkSealing(options);
  checkCipher(formats, cipher);
  const format = FORMATS[cipher];
  const version = checkVersion(options.version ?? FIRST_VERSION);
  const header = {
    name,
    version: options.exactVersion ? version : padVersion(version),
    cipher,
    digest,
    // The original has no such attribute, and its format would not authenticate it.
    ...(cipher === 'AES-256-CTR' ? {} : { created: formatNow() }),
    ...(comment === '' ? {} : { comment }),
  };
  const context = format.context(validateContext(options.context, 'seal'), name);
  checkSize(header, format.contentsLength(length));
  return { header, context };
}

/**
 * How an entry is sealed, with the defaults.
 *
 * @throws CredstashError USAGE
 */
export function checkSealing(options: Pick<PutOptions, 'cipher' | 'digest' | 'comment'>): {
  cipher: Cipher;
  digest: string;
  comment: string;
} {
  const { digest = 'SHA256', cipher = 'AES-256-GCM', comment = '' } = options;
  // Neither is quoted: -d and --cipher are where a value lands that was meant for another place.
  if (!isCipher(cipher)) {
    throw new CredstashError('USAGE', 'unknown cipher', {
      hint: `known are ${Object.keys(FORMATS).join(' and ')}`,
    });
  }
  if (!WRITTEN_DIGESTS.some((known) => known === digest)) {
    throw new CredstashError('USAGE', 'secrets are not stored under that digest', {
      hint: `take one of ${WRITTEN_DIGESTS.join(', ')}`,
    });
  }
  if (!isStorable(comment)) {
    throw new CredstashError('USAGE', 'a comment must be valid Unicode text without NUL');
  }
  return { cipher, digest, comment };
}

function isCipher(cipher: string): cipher is Cipher {
  return Object.hasOwn(FORMATS, cipher);
}

function checkSize(header: Plan['header'], contentsLength: number): void {
  // A secret over the limit is refused before an entry is made of it to count its bytes.
  if (contentsLength > MAX_ITEM_BYTES) throw tooLarge(header.name, contentsLength);
  checkItemSize({
    ...header,
    key: new Uint8Array(WRAPPED_KEY_BYTES),
    contents: new Uint8Array(contentsLength),
    hmac: new Uint8Array(64),
  });
}

/**
 * Moves a label to an entry that has just been stored.
 *
 * @returns the versions that had it before
 * @throws CredstashError with `stored`
 */
export async function moveLabelToStored(
  { entries }: Backend,
  header: EntryHeader,
  label: string,
): Promise<string[]> {
  const { name, version } = header;
  try {
    return await entries.moveLabel(name, label, version);
  } catch (error) {
    if (!(error instanceof CredstashError)) throw error;
    throw new CredstashError(
      error.code,
      `version ${unpadVersion(version)} of ${name} is stored in ${entries.location}, but the label ${label} has not been moved to it: ${error.message}`,
      { hint: error.hint, cause: error, serviceMessage: error.serviceMessage, stored: header },
    );
  }
}

export async function sealAndCreate(
  backend: Backend,
  { header: template, context }: Plan,
  value: Uint8Array,
  options: Pick<PutOptions, 'autoversion' | 'hmacAsText' | 'onWarning'> & {
    /** The newest version, which the new one comes after, where it is known already. */
    readonly newest?: EntryHeader | undefined;
  },
): Promise<EntryHeader> {
  const { autoversion = false, hmacAsText, onWarning } = options;
  const { name } = template;
  backend.keys.warmUp();
  // Only its header is read: the next version is stored also after an entry that is broken.
  let newest = autoversion ? await backend.entries.newestHeader(name) : options.newest;
  let version = autoversion ? findNextVersion(name, newest) : template.version;
  // Meanwhile what seals it is loaded.
  const loading = FORMATS[template.cipher].load();
  const dataKey = await backend.keys.generate(context);
  try {
    const { seal } = await loading;
    for (;;) {
      const header = { ...template, version };
      const sealed = seal(header, dataKey.plaintext, value);
      try {
        await backend.entries.create({
          ...header,
          key: dataKey.wrapped,
          ...sealed,
          ...(hmacAsText ? { hmacAsText } : {}),
        });
        if (isDowngrade(newest, header)) onWarning?.(describeDowngrade(newest, header));
        return header;
      } catch (error) {
        // Somebody else stored this version first. Each round means that one writer got through, so this ends.
        if (!autoversion || !hasCode(error, 'VERSION_EXISTS')) throw error;
        newest = await backend.entries.newestHeader(name);
        const after = findNextVersion(name, newest);
        if (after === version) throw error;
        version = after;
      }
    }
  } finally {
    dataKey.plaintext.fill(0);
  }
}

function findNextVersion(name: string, newest: EntryHeader | undefined): string {
  return newest === undefined ? FIRST_VERSION : nextVersion(name, newest.version);
}

/** Whether an original entry follows a current one: then the newest value is bound to no name any more. */
function isDowngrade(before: EntryHeader | undefined, after: EntryHeader): before is EntryHeader {
  return before?.cipher === 'AES-256-GCM' && after.cipher === 'AES-256-CTR';
}

function describeDowngrade(before: EntryHeader, { name, version }: EntryHeader): string {
  return `version ${unpadVersion(version)} of ${name} is an original entry (AES-256-CTR) after a current one, version ${unpadVersion(before.version)}: nothing binds it to its name`;
}

/** Throws VERSION_EXISTS if a put of this version would find it in the table: `Credstash.expectNoVersion`. */
export async function expectNoVersion(
  source: BackendSource,
  name: string,
  options: Pick<PutOptions, 'version' | 'exactVersion'> = {},
): Promise<void> {
  checkName(name);
  const asked = checkVersion(options.version ?? FIRST_VERSION);
  const version = options.exactVersion ? asked : padVersion(asked);
  const { entries } = await openBackend(source);
  try {
    if ((await entries.get(name, version)) === undefined) return;
  } catch (error) {
    if (!hasCode(error, 'INTEGRITY')) throw error;
  }
  throw versionExists({ name, version, cipher: '' }, entries.location);
}
