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

// Over 250 lines: reading, comparing and writing an entry are one protocol between two backends.

export interface CopyOptions extends RewriteOptions {
  /** Copy only the newest version of each secret; default: all. */
  readonly latest?: boolean | undefined;
  /** Called for a secret whose newest version was copied, if the target has a newer one. */
  readonly onOvertaken?: ((overtaken: Overtaken) => void) | undefined;
}

/** A secret whose newest version in the target is newer than the copied one, so that readers do not get the copy. */
export interface Overtaken {
  readonly name: string;
  /** The version that was copied. */
  readonly version: string;
  /** The newest version in the target. */
  readonly newest: string;
}

/** The source, target and options of one run. */
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
  // The newest version of each secret first, and the others once it is copied, so that an interrupted run or a failed entry
  // never makes an old value the newest in the target.
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

/** Finds a newer version in the target than the copied one. A role that may not read finds none. */
async function findOvertaken(
  { to }: CopyRun,
  { name, version }: EntryHeader,
): Promise<Overtaken | undefined> {
  const existing = await to.entries.newestHeader(name).catch(() => undefined);
  if (!existing || compareUtf8(existing.version, version) <= 0) return undefined;
  return { name, version, newest: existing.version };
}

/** Whether the target has another entry under the failed version. Then older versions cannot become the newest. */
function isTargetOccupied(error: CredstashError): boolean {
  const { code } = error;
  return code === 'CONFLICT' || (error instanceof TargetError && code !== 'KEY_NOT_FOUND');
}

/**
 * Checks once that the target exists, so that this error is not reported for each entry.
 *
 * @throws CredstashError that every entry would meet; TargetError if the table does not exist
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
  // Deleted since the table was listed.
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
    // Another run was quicker.
    const existing = await readAtTarget(run, entry);
    if (!existing) throw differentAtTarget(to, entry);
    await requireSame(run, entry, existing);
  }
}

/** Verifies an entry, and wraps its data key under the target's key. The sealed bytes stay the same. */
async function rewrapEntry({ from, to, pairs }: CopyRun, entry: Entry): Promise<Entry> {
  const { context, dataKey } = await unwrapVerified(from, to, entry, pairs);
  try {
    return { ...entry, key: await to.keys.wrap(dataKey, context) };
  } catch (error) {
    // All entries are wrapped under this key, so the error concerns all of them.
    if (hasCode(error, 'KEY_NOT_FOUND')) throw markAboutAll(asTargetError(error));
    if (hasCode(error, 'KEY_UNUSABLE')) throw markAboutAll(error);
    throw nameEntry(entry, error);
  } finally {
    dataKey.fill(0);
  }
}

/** Unwraps the data key of an entry, and verifies the entry. @returns the data key, which the caller wipes, and its context */
async function unwrapVerified(
  from: Backend,
  to: Backend,
  entry: Entry,
  pairs: Context,
): Promise<{ context: Context; dataKey: Uint8Array }> {
  let dataKey: Uint8Array | undefined;
  try {
    const context = createContext(from, entry, pairs);
    // Refuse what the target would not open.
    createContext(to, entry, pairs);
    const { open } = await FORMATS[entry.cipher].load();
    dataKey = await from.keys.unwrap(entry.key, context);
    (await open(entry, dataKey)).fill(0);
    return { context, dataKey };
  } catch (error) {
    dataKey?.fill(0);
    throw nameEntry(entry, error);
  }
}

/** Reads the version of `entry` from the target; undefined if it does not exist, or if a dry run created no vault. */
async function readAtTarget({ to, dryRun }: CopyRun, entry: Entry): Promise<Entry | undefined> {
  try {
    return await allowMissingVault(to.entries.get(entry.name, entry.version), dryRun);
  } catch (error) {
    throw explainAtTarget(to, error);
  }
}

/**
 * Opens the target's entry, and checks that it has the same value and comment. It must open even if its bytes are equal.
 *
 * @throws CredstashError CONFLICT if it has another value or comment; INTEGRITY if it does not verify
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
      // If the source's entry does not open either, the pairs are wrong. Otherwise the copy's data key is damaged.
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

/** Adds the location to an error about the target's entry, which otherwise reads like an error about the source's. */
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

/** Finds the labels of `entry` that the target lacks. @throws CredstashError CONFLICT if another version has one of them */
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
        { hint: 'it moves there by a `label()` of its own' },
      );
    }
  }
  return missing;
}

/** Turns VAULT_NOT_FOUND into undefined in a dry run, which creates no vault. */
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
