import { didYouMean } from '../util/near-name.ts';
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

// Over 250 lines: the checks before a put, and its steps, are read together.

/** Reserved in an item for the wrapped data key, whose length only the key service knows. KMS needs under 300 bytes. */
const WRAPPED_KEY_BYTES = 512;

/** What a put stored; with `ifMissing`, or what existed. */
export interface Stored extends EntryHeader {
  /** With `ifMissing`: the secret existed, nothing has been stored, and this is the header of its newest version. */
  readonly existed?: true;
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
  if (options.ifMissing) checkIfMissing(options);
  const planned = planPut(name, value.length, options, source.formats);
  const backend = await openToWrite(source, { needsKeys: true });
  if (options.ifMissing) return createIfMissing(backend, planned, value, options);
  const header = await sealAndCreate(backend, planned, value, options);
  if (label === undefined) return header;
  return { ...header, before: await moveLabelToStored(backend, header, label) };
}

function checkIfMissing({ version, autoversion, label }: PutOptions): void {
  if (version === undefined && !autoversion && label === undefined) return;
  throw new CredstashError('USAGE', 'a put of a missing secret stores version 1 and no label', {
    hint: 'leave out `version`, `autoversion` and `label`, or `ifMissing`',
  });
}

/** Stores version 1, unless the secret has a version. Of two writers at once one stores it, and both succeed. */
async function createIfMissing(
  backend: Backend,
  plan: Plan,
  value: Uint8Array,
  options: PutOptions,
): Promise<Stored> {
  const findExisting = async (): Promise<Stored | undefined> => {
    const newest = await backend.entries.newestHeader(plan.header.name);
    return newest && { ...newest, existed: true };
  };
  const existing = await findExisting();
  if (existing) return existing;
  try {
    return await sealAndCreate(backend, plan, value, options);
  } catch (error) {
    if (!hasCode(error, 'VERSION_EXISTS')) throw error;
    const stored = await findExisting();
    if (!stored) throw error;
    return stored;
  }
}

/** A checked put: the header of its entry, and the context of its data key. */
export interface Plan {
  readonly header: EntryHeader & { readonly cipher: Cipher };
  readonly context: Context;
}

/**
 * Checks the input of a put before the first request.
 *
 * @param length of the secret, in bytes
 * @param formats the allowed formats
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
 * Checks how an entry is to be sealed, and fills in the defaults.
 *
 * @throws CredstashError USAGE
 */
export function checkSealing(options: Pick<PutOptions, 'cipher' | 'digest' | 'comment'>): {
  cipher: Cipher;
  digest: string;
  comment: string;
} {
  const { digest = 'SHA256', cipher = 'AES-256-GCM', comment = '' } = options;
  // The messages quote neither: a misplaced secret may have landed in -d or --cipher.
  if (!isCipher(cipher)) {
    throw new CredstashError('USAGE', 'unknown cipher', {
      hint:
        didYouMean(cipher, Object.keys(FORMATS)) ??
        `known are ${Object.keys(FORMATS).join(' and ')}`,
    });
  }
  if (!WRITTEN_DIGESTS.some((known) => known === digest)) {
    throw new CredstashError('USAGE', 'secrets are not stored under that digest', {
      hint: didYouMean(digest, WRITTEN_DIGESTS) ?? `take one of ${WRITTEN_DIGESTS.join(', ')}`,
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
  // Refuse a secret over the limit before allocating an entry of its size.
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
    /** The newest version, which the new one follows, if the caller knows it already. */
    readonly newest?: EntryHeader | undefined;
  },
): Promise<EntryHeader> {
  const { autoversion = false, hmacAsText, onWarning } = options;
  const { name } = template;
  backend.keys.warmUp();
  // Reads only the header, so that the next version can also follow a broken entry.
  let newest = autoversion ? await backend.entries.newestHeader(name) : options.newest;
  let version = autoversion ? findNextVersion(name, newest) : template.version;
  // Load the cipher while GenerateDataKey is in flight.
  const loading = FORMATS[template.cipher].load();
  const dataKey = await backend.keys.generate(context);
  try {
    const { seal } = await loading;
    for (;;) {
      const header = { ...template, version };
      const sealed = await seal(header, dataKey.plaintext, value);
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
        // Another writer stored this version first. In each round some writer succeeds, so this loop ends.
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

/** Whether an original entry follows a current one, so that the newest value is no longer bound to its name. */
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
