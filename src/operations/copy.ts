import { type Backend, type BackendSource, openBackend, openToWrite } from '../backend/backend.ts';
import {
  markAboutAll,
  type BeginChange,
  runBatch,
  checkRewrite,
  concernsOneEntry,
} from './batch.ts';
import { listMatching } from './list.ts';
import type { RewriteOptions, Change } from './options.ts';
import type { Context } from '../model/context.ts';
import { groupByName, type Entry, type EntryHeader } from '../model/entry.ts';
import { CredstashError, hasCode, TargetError } from '../errors.ts';
import { createContext, openEntry } from './get.ts';
import { nameEntry } from './errors.ts';
import { constantTimeEqual } from '../seal/data-key.ts';
import { FORMATS } from '../seal/formats.ts';
import { compareUtf8 } from '../util/utf8.ts';

// Over 250 lines: what is read, compared and written for an entry is one protocol between two backends.

export interface CopyOptions extends RewriteOptions {
  /** The newest version of each secret alone; default: all. */
  readonly latest?: boolean | undefined;
  /** Told of a secret whose newest version was copied, and is not the newest one there. */
  readonly onOvertaken?: ((overtaken: Overtaken) => void) | undefined;
}

/** A secret of which readers of the target get another version than the newest one that was copied. */
export interface Overtaken {
  readonly name: string;
  /** The version that was copied. */
  readonly version: string;
  /** The newest version in the target. */
  readonly newest: string;
}

/** A copy of one run: from where, to where, with which pairs. */
interface CopyRun {
  readonly from: Backend;
  readonly to: Backend;
  readonly pairs: Context;
  readonly dryRun: boolean;
}

/** Copies entries to another table or vault, under the same versions: `Credstash.copy`. */
export async function* copy(
  source: BackendSource,
  target: BackendSource,
  options: CopyOptions,
): AsyncGenerator<Change> {
  const { onOvertaken } = options;
  const { glob, context } = checkRewrite(options, 'open');
  const run: CopyRun = {
    from: await openBackend(source),
    to: await openToWrite(target),
    pairs: context,
    dryRun: options.dryRun ?? false,
  };
  const all = await listMatching(run.from, glob, options.progress);
  // The newest of each first, and the others once it is there: a run that is cut short, or an entry that fails, makes no old
  // value the newest one there.
  const targets = [...groupByName(all).values()].flatMap((versions) =>
    options.latest ? versions.slice(-1) : versions.reverse(),
  );
  if (targets[0]) await requireTarget(run, targets[0]);
  const newest = new Map<string, Promise<boolean>>();
  const untried = new Map<string, CredstashError>();
  yield* runBatch(targets, options, async (header, begin) => {
    const first = newest.get(header.name);
    if (first) {
      await first.catch((error: unknown) => {
        if (!(error instanceof CredstashError) || isTargetOccupied(error)) return;
        const { code, cause } = error;
        const same =
          untried.get(header.name) ??
          new CredstashError(code, 'was not tried, because its newest version failed', { cause });
        untried.set(header.name, same);
        throw same;
      });
    }
    const copy = copyEntry(run, header, begin);
    if (first) return copy;
    newest.set(header.name, copy);
    const isCopied = await copy;
    if (isCopied && onOvertaken && !run.dryRun) {
      const overtaken = await findOvertaken(run, header);
      if (overtaken) onOvertaken(overtaken);
    }
    return isCopied;
  });
}

/** Whether the target has a newer version than the one that was copied. A role need not be allowed to look. */
async function findOvertaken(
  { to }: CopyRun,
  { name, version }: EntryHeader,
): Promise<Overtaken | undefined> {
  const existing = await to.entries.newestHeader(name).catch(() => undefined);
  if (!existing || compareUtf8(existing.version, version) <= 0) return undefined;
  return { name, version, newest: existing.version };
}

/** Whether the target has something in the place of the entry that failed: then older versions do not become the newest. */
function isTargetOccupied(error: CredstashError): boolean {
  const { code } = error;
  return code === 'CONFLICT' || (error instanceof TargetError && code !== 'KEY_NOT_FOUND');
}

/**
 * Looks once whether there is something to copy to, before each entry would find that there is not.
 *
 * @throws CredstashError what every entry would meet; TargetError when the table does not exist
 */
async function requireTarget(
  { to, dryRun }: CopyRun,
  { name, version }: EntryHeader,
): Promise<void> {
  try {
    await allowMissingVault(to.entries.get(name, version), dryRun);
  } catch (error) {
    if (hasCode(error, 'TABLE_NOT_FOUND', 'VAULT_NOT_FOUND')) throw asTargetError(error);
    if (!concernsOneEntry(error)) throw error;
  }
}

async function copyEntry(run: CopyRun, header: EntryHeader, begin: BeginChange): Promise<boolean> {
  const { from, to, dryRun, pairs } = run;
  const entry = await from.entries.get(header.name, header.version);
  // Deleted meanwhile.
  if (!entry) return false;
  const existing = await readAtTarget(run, entry);
  let mayWrite = false;
  if (existing) await requireSame(run, entry, existing);
  else if ((mayWrite = await begin())) await createAtTarget(run, entry);
  else (await openEntry(from, entry, pairs)).fill(0);
  const labels = await findMissingLabels(to, entry, dryRun);
  if (labels.length === 0) return !existing;
  if (existing) mayWrite = await begin();
  if (mayWrite) {
    for (const label of labels) await to.entries.moveLabel(entry.name, label, entry.version);
  }
  return true;
}

async function createAtTarget(run: CopyRun, entry: Entry): Promise<void> {
  const { to } = run;
  try {
    await to.entries.create(await rewrapEntry(run, entry));
  } catch (error) {
    if (!hasCode(error, 'VERSION_EXISTS')) throw error;
    // Another copy was quicker.
    const existing = await readAtTarget(run, entry);
    if (!existing) throw differentAtTarget(to, entry);
    await requireSame(run, entry, existing);
  }
}

/** The entry with its data key wrapped by the other service: what is sealed stays as it is. It is verified first. */
async function rewrapEntry({ from, to, pairs }: CopyRun, entry: Entry): Promise<Entry> {
  const { context, dataKey } = await unwrapVerified(from, to, entry, pairs);
  try {
    return { ...entry, key: await to.keys.wrap(dataKey, context) };
  } catch (error) {
    // Every entry is wrapped under this key.
    if (hasCode(error, 'KEY_NOT_FOUND')) throw markAboutAll(asTargetError(error));
    if (hasCode(error, 'KEY_UNUSABLE')) throw markAboutAll(error);
    throw nameEntry(entry, error);
  } finally {
    dataKey.fill(0);
  }
}

/** The data key of an entry that verifies, which the caller wipes, and its context. */
async function unwrapVerified(
  from: Backend,
  to: Backend,
  entry: Entry,
  pairs: Context,
): Promise<{ context: Context; dataKey: Uint8Array }> {
  let dataKey: Uint8Array | undefined;
  try {
    const context = createContext(from, entry, pairs);
    // What the other side would not open is not written there.
    createContext(to, entry, pairs);
    const { open } = await FORMATS[entry.cipher].load();
    dataKey = await from.keys.unwrap(entry.key, context);
    open(entry, dataKey).fill(0);
    return { context, dataKey };
  } catch (error) {
    dataKey?.fill(0);
    throw nameEntry(entry, error);
  }
}

/** What the target has in the place of `entry`; nothing where a dry run creates no vault. */
async function readAtTarget({ to, dryRun }: CopyRun, entry: Entry): Promise<Entry | undefined> {
  try {
    return await allowMissingVault(to.entries.get(entry.name, entry.version), dryRun);
  } catch (error) {
    throw explainAtTarget(to, error);
  }
}

/**
 * Opens what the target has, whether it looks like a copy or not: what is called a copy must open.
 *
 * @throws CredstashError CONFLICT when it has another value or comment; INTEGRITY when it does not verify
 */
async function requireSame(run: CopyRun, entry: Entry, existing: Entry): Promise<void> {
  const { from, to, pairs } = run;
  const isCopy =
    entry.cipher === existing.cipher &&
    entry.digest === existing.digest &&
    entry.created === existing.created &&
    constantTimeEqual(entry.contents, existing.contents) &&
    constantTimeEqual(entry.hmac, existing.hmac);
  let value: Uint8Array | undefined;
  let other: Uint8Array | undefined;
  try {
    other = await openEntry(to, existing, pairs).catch(async (error: unknown) => {
      if (!isCopy || !hasCode(error, 'WRONG_CONTEXT')) throw explainAtTarget(to, error);
      // The pairs are wrong if the entry itself does not open under them; else the copy's data key is damaged.
      (await openEntry(from, entry, pairs)).fill(0);
      throw explainAtTarget(
        to,
        new CredstashError('INTEGRITY', error.message, { cause: error.cause }),
      );
    });
    if ((entry.comment ?? '') !== (existing.comment ?? '')) throw differentAtTarget(to, entry);
    if (isCopy) return;
    value = await openEntry(from, entry, pairs);
    if (!constantTimeEqual(value, other)) throw differentAtTarget(to, entry);
  } finally {
    value?.fill(0);
    other?.fill(0);
  }
}

/** An error of what the target has. Its words are those of an entry of the source, and so it says where. */
function explainAtTarget({ entries }: Backend, error: unknown): unknown {
  if (!hasCode(error, 'INTEGRITY', 'ENTRY_NOT_TRUSTED', 'WRONG_CONTEXT', 'KEY_UNUSABLE')) {
    return error;
  }
  const { code, message, cause } = error;
  const hint =
    code === 'INTEGRITY'
      ? 'delete that version there once you know what happened to it, and the same command copies it again'
      : error.hint;
  return new TargetError(code, `in ${entries.location}: ${message}`, { hint, cause });
}

/** @see TargetError */
function asTargetError({ code, message, hint, cause }: CredstashError): TargetError {
  return new TargetError(code, message, { hint, cause });
}

/** The labels of `entry` that are not there yet. @throws CredstashError CONFLICT where another version has one */
async function findMissingLabels(to: Backend, entry: Entry, dryRun: boolean): Promise<string[]> {
  const { entries } = to;
  const missing: string[] = [];
  for (const label of entry.labels ?? []) {
    const other = await allowMissingVault(entries.getByLabel(entry.name, label), dryRun).catch(
      (error: unknown) => {
        throw explainAtTarget(to, error);
      },
    );
    if (!other) missing.push(label);
    else if (other.version !== entry.version) {
      throw new CredstashError(
        'CONFLICT',
        `the label ${label} is on version ${other.version} of ${entry.name} in ${entries.location}`,
        { hint: 'it moves there by a credstash label of its own' },
      );
    }
  }
  return missing;
}

/** What is there. A dry run creates no vault, so that there may be none. */
function allowMissingVault<T>(found: Promise<T>, dryRun: boolean): Promise<T | undefined> {
  return found.catch((error: unknown) => {
    if (dryRun && hasCode(error, 'VAULT_NOT_FOUND')) return undefined;
    throw error;
  });
}

function differentAtTarget({ entries }: Backend, { name, version }: Entry): CredstashError {
  return new CredstashError(
    'CONFLICT',
    `version ${version} of ${name} is in ${entries.location} with another value or comment`,
  );
}
