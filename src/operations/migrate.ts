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
   * The format to seal in: `AES-256-GCM`, or `AES-256-CTR`, which the original credstash can read. Default: `AES-256-GCM`,
   * whatever is put by default.
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
  // One at a time: should anything be wrong with it, it is wrong with one entry.
  const atOnce = options.dryRun ? {} : { maxConcurrency: 1 };
  yield* runBatch(targets, { ...options, ...atOnce }, (target, begin) =>
    migrateEntry({ backend, cipher, pairs: context, originals }, target, begin),
  );
}

/** The headers that match, and where the table's original entries are if those are about to be sealed in the current format. */
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
  // What is a copy would open under this name for ever, as if it had been put there.
  originals?.check(original);
  const value = await openEntry(backend, original, pairs);
  try {
    if (!(await begin())) return true;
    const entry = await sealEntry(backend, original, cipher, value, pairs);
    // Whoever may wrap under a key may perhaps not unwrap: nothing is replaced by what cannot be opened here.
    await expectValue(backend, entry, value, pairs);
    await backend.entries.replace(entry, original);
    try {
      await expectValue(backend, await findCurrent(backend, entry), value, pairs);
    } catch (error) {
      // Whatever it is, no reader is to meet it; and the next entry would meet it too.
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

/** The same value under the same name, version and comment, in the format of `cipher`, under a data key of its own. */
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
    // An original entry does not say when it was stored: then it is the time of sealing.
    ...(cipher === 'AES-256-CTR' ? {} : { created: original.created ?? formatNow() }),
    ...(comment === undefined ? {} : { comment }),
  };
  const { seal } = await FORMATS[cipher].load();
  let dataKey: DataKey;
  try {
    dataKey = await backend.keys.generate(createContext(backend, { ...original, cipher }, pairs));
  } catch (error) {
    // Each entry asks for its data key under the same master key.
    if (hasCode(error, 'KEY_NOT_FOUND', 'KEY_UNUSABLE')) throw markAboutAll(error);
    throw nameEntry(original, error);
  }
  try {
    return { ...header, key: dataKey.wrapped, ...seal(header, dataKey.plaintext, value) };
  } finally {
    dataKey.plaintext.fill(0);
  }
}

/** @throws CredstashError INTEGRITY when `entry` has another value, or is gone; and as `openEntry` does */
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
