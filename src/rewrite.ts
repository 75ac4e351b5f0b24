import type { Backend } from './backend/backend.ts';
import {
  change,
  type Change,
  checkRewrite,
  matching,
  type RewriteOptions,
  type Target,
} from './changes.ts';
import type { Context } from './context.ts';
import { type Entry, type EntryHeader } from './entry.ts';
import { CredstashError } from './errors.ts';
import { checkSealing, now, writtenDigest } from './plan.ts';
import { about, contextOf, openEntry } from './read.ts';
import { equal } from './seal/data-key.ts';
import { FORMATS } from './seal/index.ts';
import { checkCipher } from './trust.ts';

export interface MigrateOptions extends RewriteOptions {
  /** The format to seal in: `AES-256-GCM` (default), or `AES-256-CTR`, which the original credstash can read. */
  readonly cipher?: string | undefined;
}

/** `Flows.rekey`. @param open opens the backend, once the options are checked */
export async function* rekey(
  open: () => Promise<Backend>,
  options: RewriteOptions,
): AsyncGenerator<Change> {
  const { glob, context } = checkRewrite(options, 'open');
  const on = await open();
  const targets = await matching(on, glob, options.progress);
  yield* change(targets, options, async (target, dryRun) => {
    const entry = await present(on, target);
    if (!entry) return false;
    const key = await rewrapped(on, entry, context);
    if (!key) return false;
    if (!dryRun) await on.entries.replace({ ...entry, key }, entry);
    return true;
  });
}

async function rewrapped(
  on: Backend,
  entry: Entry,
  context: Context,
): Promise<Uint8Array | undefined> {
  try {
    return await on.keys.rewrap(entry.key, contextOf(on, entry, context));
  } catch (error) {
    throw about(entry, error);
  }
}

/** `Flows.migrate`. @param open opens the backend, once the options are checked */
export async function* migrate(
  open: () => Promise<Backend>,
  options: MigrateOptions,
): AsyncGenerator<Change> {
  const { glob, context } = checkRewrite(options, 'seal');
  const { cipher } = checkSealing({ cipher: options.cipher });
  const on = await open();
  checkCipher(on.formats, cipher);
  const all = await matching(on, glob, options.progress);
  const targets = all.filter((header) => header.cipher !== cipher);
  // One at a time: should anything be wrong with it, it is wrong with one entry.
  yield* change(targets, { ...options, maxConcurrency: 1 }, (target, dryRun) =>
    migrated(on, target, cipher, context, dryRun),
  );
}

async function migrated(
  on: Backend,
  target: Target,
  cipher: Entry['cipher'],
  pairs: Context,
  dryRun: boolean,
): Promise<boolean> {
  const was = await present(on, target);
  if (!was || was.cipher === cipher) return false;
  const value = await openEntry(on, was, pairs);
  try {
    if (dryRun) return true;
    const entry = await sealed(on, was, cipher, value, pairs);
    // Whoever may wrap under a key may perhaps not unwrap: nothing is replaced by what cannot be opened here.
    await expectValue(on, entry, value, pairs);
    await on.entries.replace(entry, was);
    try {
      await expectValue(on, await present(on, entry), value, pairs);
    } catch (error) {
      // Whatever it is, no reader is to meet it; and the next entry would meet it too.
      await on.entries.replace(was, entry).catch(() => undefined);
      throw new CredstashError(
        'UNEXPECTED',
        `version ${was.version} of ${was.name} did not read back as it was, and was put back`,
        { cause: error },
      );
    }
    return true;
  } finally {
    value.fill(0);
  }
}

/** The same value under the same name, version and comment, in the format of `cipher`, under a data key of its own. */
async function sealed(
  { keys }: Backend,
  { name, version, comment, digest }: EntryHeader,
  cipher: Entry['cipher'],
  value: Uint8Array,
  pairs: Context,
): Promise<Entry> {
  const format = FORMATS[cipher];
  const header = {
    name,
    version,
    cipher,
    digest: writtenDigest(digest),
    // When it was sealed: the original does not say when it was stored.
    ...(cipher === 'AES-256-CTR' ? {} : { created: now() }),
    ...(comment === undefined ? {} : { comment }),
  };
  const { seal } = await format.load();
  const dataKey = await keys.generate(format.context(pairs, name));
  try {
    return { ...header, key: dataKey.wrapped, ...seal(header, dataKey.plaintext, value) };
  } finally {
    dataKey.plaintext.fill(0);
  }
}

/** @throws CredstashError INTEGRITY when `entry` has another value, or is gone; and as `openEntry` does */
async function expectValue(
  on: Backend,
  entry: Entry | undefined,
  value: Uint8Array,
  pairs: Context,
): Promise<void> {
  const read = entry && (await openEntry(on, entry, pairs));
  try {
    if (read !== undefined && equal(read, value)) return;
    throw new CredstashError('INTEGRITY', 'it has another value than before');
  } finally {
    read?.fill(0);
  }
}

/** The entry as it is now; undefined where somebody has deleted it meanwhile. */
function present({ entries }: Backend, { name, version }: Target): Promise<Entry | undefined> {
  return entries.at(name, version);
}
