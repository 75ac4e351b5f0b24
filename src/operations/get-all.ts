import { type Backend, type BackendSource, openBackend } from '../backend/backend.ts';
import type { Found } from '../backend/entry-store.ts';
import { type Failure, concernsOneSecret, combineFailures } from '../errors.ts';
import { validateContext } from '../model/context.ts';
import type { Entry, Secret } from '../model/entry.ts';
import { checkGlob, findLiteralPrefixes, matchesGlob } from '../model/glob.ts';
import { checkSelector, type VersionSelector } from '../model/selector.ts';
import { listSpellings } from '../model/version.ts';
import { inParallel } from '../util/parallel.ts';
import { type Progress, type ProgressOptions, withProgress } from '../util/progress.ts';
import { compareUtf8 } from '../util/utf8.ts';
import { versionNotFound } from './errors.ts';
import { findEntry, openEntry } from './get.ts';
import { hintForFailures, UNWRAPS_AT_ONCE } from './get-many.ts';
import { OpenedValues } from './opened-values.ts';
import { type GetOptions, type Limit, limitTo } from './options.ts';

export interface GetAllOptions extends Omit<GetOptions, 'field'>, ProgressOptions {
  /** One or several patterns of names, in which `*` matches any number of characters; default: all names. */
  readonly glob?: string | readonly string[] | undefined;
  /** Return the entries that open, and the others as `leftOut`. Default: an entry that does not open is an error. */
  readonly skipUndecryptable?: boolean | undefined;
}

/** A name and its selected entry; undefined if the name lacks the version, or a label was seen on several versions. */
type Choice = readonly [name: string, found: Found | undefined];

/** Reads and opens every secret whose name matches: `Credstash.getAll`. */
export async function getAll(
  source: BackendSource,
  options: GetAllOptions & Limit = {},
): Promise<{ secrets: Secret[]; leftOut: readonly Failure[] }> {
  const { skipUndecryptable = false, progress } = options;
  const { glob = '*' } = options;
  const globs = (typeof glob === 'string' ? [glob] : glob).map(checkGlob);
  const context = validateContext(options.context, 'open');
  const which = checkSelector(options);
  const backend = await openBackend(source, { needsKeys: true });
  backend.keys.warmUp();
  const chosen = await selectEntries(backend, globs, which, progress);
  const { length } = chosen;
  const values = new OpenedValues();
  const secrets: Secret[] = [];
  const leftOut: Failure[] = [];
  const open = async ([name, found]: Choice): Promise<Secret | Failure> => {
    try {
      const entry = await readSelected(backend, name, found, which);
      return { name, value: values.add(await openEntry(backend, entry, context)) };
    } catch (error) {
      options.signal?.throwIfAborted();
      if (concernsOneSecret(error)) return { name, error };
      throw error;
    }
  };
  try {
    const opened = inParallel(limitTo(UNWRAPS_AT_ONCE, options), takeEach(chosen), open);
    for await (const each of withProgress(opened, progress, length)) {
      if ('error' in each) leftOut.push(each);
      else secrets.push(each);
    }
  } catch (error) {
    values.drop();
    throw error;
  }
  if (leftOut.length === 0 || skipUndecryptable) return { secrets, leftOut };
  values.drop();
  throw combineFailures(
    `${leftOut.length} of ${length} secrets in ${backend.entries.location} cannot be opened, so none is given`,
    leftOut,
    hintForFailures(
      leftOut,
      'give the encryption context that they share',
      'leave out what does not open with `skipUndecryptable`',
    ),
  );
}

/** Takes the items out of the array, the first one first: a sealed entry is not needed any more once it is open. */
function* takeEach<T>(items: T[]): Generator<T> {
  items.reverse();
  while (items.length > 0) yield items.pop() as T;
}

/**
 * Reads the selected entry. If the scan saw the label on no version or on several, looks the label up again, because it may
 * have moved during the scan.
 */
async function readSelected(
  backend: Backend,
  name: string,
  found: Choice[1],
  which: VersionSelector,
): Promise<Entry> {
  if (found) return found.read();
  const entry = which.label === undefined ? undefined : await findEntry(backend, name, which);
  if (entry) return entry;
  throw versionNotFound(backend, name, which);
}

/** Selects the entry to open for each name, in the order of names. */
async function selectEntries(
  { entries }: Backend,
  globs: readonly string[],
  { version, exactVersion, label }: VersionSelector,
  progress: Progress | undefined,
): Promise<Choice[]> {
  if (globs.length === 0) return [];
  const spelled = version === undefined ? [] : listSpellings(version, exactVersion);
  const chosen = new Map<string, Choice[1]>();
  const several = new Set<string>();
  for await (const found of withProgress(entries.scan(findLiteralPrefixes(globs)), progress)) {
    if (!globs.some((glob) => matchesGlob(glob, found.name))) continue;
    const before = chosen.get(found.name);
    if (label !== undefined) {
      const isMatch = found.labels?.includes(label) ?? false;
      if (isMatch && before) several.add(found.name);
      chosen.set(found.name, isMatch ? found : before);
    } else if (version !== undefined) {
      // The padded spelling wins, as in a get.
      const isMatch = spelled.includes(found.version) && before?.version !== spelled[0];
      chosen.set(found.name, isMatch ? found : before);
    } else if (!before || compareUtf8(before.version, found.version) < 0) {
      chosen.set(found.name, found);
    }
  }
  for (const name of several) chosen.set(name, undefined);
  return [...chosen].sort(([a], [b]) => compareUtf8(a, b));
}
