import type { Backend } from './backend/backend.ts';
import { change, type Change, checkRewrite, matching, type RewriteOptions } from './changes.ts';
import type { Context } from './context.ts';
import { byName, type Entry, type EntryHeader } from './entry.ts';
import { CredstashError, hasCode } from './errors.ts';
import { about, contextOf, openEntry } from './read.ts';
import { equal } from './seal/data-key.ts';
import { FORMATS } from './seal/index.ts';

export interface CopyOptions extends RewriteOptions {
  /** The newest version of each secret alone; default: all. */
  readonly latest?: boolean | undefined;
}

/**
 * `Flows.copy`.
 *
 * @param open opens both backends, once the options are checked
 */
export async function* copy(
  open: () => Promise<{ from: Backend; to: Backend }>,
  options: CopyOptions,
): AsyncGenerator<Change> {
  const { glob, context } = checkRewrite(options, 'open');
  const { from, to } = await open();
  const all = await matching(from, glob, options.progress);
  // The newest of each first, and the others once it is there: a run that is cut short, or an entry that fails, makes no old
  // value the newest one there.
  const targets = [...byName(all).values()].flatMap((versions) =>
    options.latest ? versions.slice(-1) : versions.reverse(),
  );
  const newest = new Map<string, Promise<boolean>>();
  yield* change(targets, options, async (header, dryRun) => {
    const first = newest.get(header.name);
    if (first) {
      await first.catch((error: unknown) => {
        // Then there is another newest one there.
        if (hasCode(error, 'CONFLICT') || !(error instanceof CredstashError)) return;
        throw new CredstashError(error.code, 'was not tried, because its newest version failed');
      });
    }
    const copy = copied(from, to, header, context, dryRun);
    if (!first) newest.set(header.name, copy);
    return copy;
  });
}

async function copied(
  from: Backend,
  to: Backend,
  header: EntryHeader,
  pairs: Context,
  dryRun: boolean,
): Promise<boolean> {
  const entry = await from.entries.at(header.name, header.version);
  // Deleted meanwhile.
  if (!entry) return false;
  const there = await inPlace(to.entries.at(entry.name, entry.version), dryRun);
  const isNew = there === undefined;
  if (isNew && dryRun) (await openEntry(from, entry, pairs)).fill(0);
  else if (isNew) await created(from, to, entry, pairs);
  else if (!(await isSame(from, to, entry, there, pairs))) throw differs(to, entry);
  const labels = await missingLabels(to, entry, dryRun);
  if (!dryRun) {
    for (const label of labels) await to.entries.label(entry.name, label, entry.version);
  }
  return isNew || labels.length > 0;
}

async function created(from: Backend, to: Backend, entry: Entry, pairs: Context): Promise<void> {
  try {
    await to.entries.create(await rewrapped(from, to, entry, pairs));
  } catch (error) {
    if (!hasCode(error, 'VERSION_EXISTS')) throw error;
    // Another copy was quicker.
    const there = await to.entries.at(entry.name, entry.version);
    if (!there || !(await isSame(from, to, entry, there, pairs))) throw differs(to, entry);
  }
}

/** The entry with its data key wrapped by the other service: what is sealed stays as it is. It is verified first. */
async function rewrapped(from: Backend, to: Backend, entry: Entry, pairs: Context): Promise<Entry> {
  let dataKey: Uint8Array | undefined;
  let value: Uint8Array | undefined;
  try {
    const context = contextOf(from, entry, pairs);
    // What the other side would not open is not written there.
    contextOf(to, entry, pairs);
    const { open } = await FORMATS[entry.cipher].load();
    dataKey = await from.keys.unwrap(entry.key, context);
    value = open(entry, dataKey);
    return { ...entry, key: await to.keys.wrap(dataKey, context) };
  } catch (error) {
    throw about(entry, error);
  } finally {
    dataKey?.fill(0);
    value?.fill(0);
  }
}

/** Whether both have the same value and comment. A copy of before has the same sealed bytes, and need not be opened. */
async function isSame(
  from: Backend,
  to: Backend,
  entry: Entry,
  there: Entry,
  pairs: Context,
): Promise<boolean> {
  if ((entry.comment ?? '') !== (there.comment ?? '')) return false;
  const isCopy =
    entry.cipher === there.cipher &&
    entry.digest === there.digest &&
    entry.created === there.created &&
    equal(entry.contents, there.contents) &&
    equal(entry.hmac, there.hmac);
  if (isCopy) return true;
  const one = await openEntry(from, entry, pairs);
  let other: Uint8Array | undefined;
  try {
    other = await openEntry(to, there, pairs);
    return equal(one, other);
  } finally {
    one.fill(0);
    other?.fill(0);
  }
}

/** The labels of `entry` that are not there yet. @throws CredstashError CONFLICT where another version has one */
async function missingLabels(
  { entries }: Backend,
  entry: Entry,
  dryRun: boolean,
): Promise<string[]> {
  const missing: string[] = [];
  for (const label of entry.labels ?? []) {
    const other = await inPlace(entries.labelled(entry.name, label), dryRun);
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
function inPlace<T>(found: Promise<T>, dryRun: boolean): Promise<T | undefined> {
  return found.catch((error: unknown) => {
    if (dryRun && hasCode(error, 'VAULT_NOT_FOUND')) return undefined;
    throw error;
  });
}

function differs({ entries }: Backend, { name, version }: Entry): CredstashError {
  return new CredstashError(
    'CONFLICT',
    `version ${version} of ${name} is in ${entries.location} with another value or comment`,
  );
}
