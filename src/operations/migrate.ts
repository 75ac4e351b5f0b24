import { type Backend, type BackendSource, openToWrite } from '../backend/backend.ts';
import { markAboutAll, type BeginChange, runBatch, checkRewrite, sortByVersion } from './batch.ts';
import { listMatching } from './list.ts';
import type { RewriteOptions, Change, Target } from './options.ts';
import type { Context } from '../model/context.ts';
import type { DataKey } from '../backend/key-service.ts';
import { type Entry, type EntryHeader, chooseDigest, formatNow } from '../model/entry.ts';
import { CredstashError, hasCode } from '../errors.ts';
import { matchesGlob } from '../model/glob.ts';
import { Originals } from './originals.ts';
import { checkSealing } from './put.ts';
import { createContext, openEntry, findCurrent } from './get.ts';
import { nameEntry } from './errors.ts';
import { constantTimeEqual } from '../seal/data-key.ts';
import { FORMATS } from '../seal/formats.ts';
import { checkCipher } from '../model/trust.ts';

export interface MigrateOptions extends RewriteOptions {
  /**
   * The new format: `AES-256-GCM` (default, also if puts use another), or `AES-256-CTR`, which the original credstash can read.
   */
  readonly cipher?: string | undefined;
}

/** Seals the entries whose name matches in another format: `Credstash.migrate`. */
export async function* migrate(
  source: BackendSource,
  options: MigrateOptions,
): AsyncGenerator<Change> {
  const { glob, context } = checkRewrite(options, 'seal');
  const { cipher } = checkSealing({ cipher: options.cipher });
  const backend = await openToWrite(source);
  checkCipher(backend.formats, cipher);
  const { headers, originals } = await findTargets(backend, glob, cipher, options);
  const targets = headers.filter((header) => header.cipher !== cipher);
  // One at a time, so that a problem damages at most one entry.
  const atOnce = options.dryRun ? {} : { maxConcurrency: 1 };
  yield* runBatch(targets, { ...options, ...atOnce }, (target, begin) =>
    migrateEntry({ backend, cipher, pairs: context, originals }, target, begin),
  );
}

/** Lists the matching headers. If original entries are to be sealed in the current format, also indexes all of them. */
async function findTargets(
  backend: Backend,
  glob: string,
  cipher: Entry['cipher'],
  { progress }: MigrateOptions,
): Promise<{ headers: EntryHeader[]; originals?: Originals }> {
  if (cipher === 'AES-256-CTR') return { headers: await listMatching(backend, glob, progress) };
  const headers: EntryHeader[] = [];
  const originals = await Originals.scan(backend, progress, (header) => {
    if (matchesGlob(glob, header.name)) headers.push(header);
  });
  return { headers: sortByVersion(headers), originals };
}

interface Migration {
  readonly backend: Backend;
  readonly cipher: Entry['cipher'];
  readonly pairs: Context;
  readonly originals?: Originals | undefined;
}

async function migrateEntry(
  migration: Migration,
  target: Target,
  begin: BeginChange,
): Promise<boolean> {
  const { backend, cipher, pairs, originals } = migration;
  const original = await findCurrent(backend, target);
  if (!original || original.cipher === cipher) return false;
  // Refuse a copy: once sealed in the current format, it would count as genuine under this name.
  originals?.check(original);
  const value = await openEntry(backend, original, pairs);
  try {
    if (!(await begin())) return true;
    const entry = await sealEntry(backend, original, cipher, value, pairs);
    // A role that may wrap may not be allowed to unwrap. Replace nothing by an entry that does not open here.
    await expectValue(backend, entry, value, pairs);
    await backend.entries.replace(entry, original);
    try {
      await expectValue(backend, await findCurrent(backend, entry), value, pairs);
    } catch (error) {
      // Put the old entry back, so that no reader meets the failure, and stop: the next entry would meet it too.
      await backend.entries.replace(original, entry).catch(() => undefined);
      throw markAboutAll(
        new CredstashError(
          'UNEXPECTED',
          `version ${original.version} of ${original.name} did not read back as it was, and was put back`,
          { cause: error },
        ),
      );
    }
    return true;
  } finally {
    value.fill(0);
  }
}

/** Seals a value again under the same name, version and comment, in the format of `cipher`, with a new data key. */
export async function sealEntry(
  backend: Backend,
  original: Entry,
  cipher: Entry['cipher'],
  value: Uint8Array,
  pairs: Context,
): Promise<Entry> {
  const { name, version, comment, digest } = original;
  const header = {
    name,
    version,
    cipher,
    digest: chooseDigest(digest),
    // An original entry has no time, so it gets the time of this sealing.
    ...(cipher === 'AES-256-CTR' ? {} : { created: original.created ?? formatNow() }),
    ...(comment === undefined ? {} : { comment }),
  };
  const { seal } = await FORMATS[cipher].load();
  let dataKey: DataKey;
  try {
    dataKey = await backend.keys.generate(createContext(backend, { ...original, cipher }, pairs));
  } catch (error) {
    // All entries use the same master key, so the error concerns all of them.
    if (hasCode(error, 'KEY_NOT_FOUND', 'KEY_UNUSABLE')) throw markAboutAll(error);
    throw nameEntry(original, error);
  }
  try {
    const sealed = await seal(header, dataKey.plaintext, value);
    return { ...header, key: dataKey.wrapped, ...sealed };
  } finally {
    dataKey.plaintext.fill(0);
  }
}

/** Checks that an entry opens to `value`. @throws CredstashError INTEGRITY if it has another value or is missing; and as `openEntry` does */
export async function expectValue(
  backend: Backend,
  entry: Entry | undefined,
  value: Uint8Array,
  pairs: Context,
): Promise<void> {
  const read = entry && (await openEntry(backend, entry, pairs));
  try {
    if (read !== undefined && constantTimeEqual(read, value)) return;
    throw new CredstashError('INTEGRITY', 'it has another value than before');
  } finally {
    read?.fill(0);
  }
}
