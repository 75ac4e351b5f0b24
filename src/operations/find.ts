import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Backend, type BackendSource, openBackend } from '../backend/backend.ts';
import type { Found } from '../backend/entry-store.ts';
import {
  type CredstashError,
  combineFailures,
  concernsOneSecret,
  type Failure,
} from '../errors.ts';
import { type Context, validateContext } from '../model/context.ts';
import type { Entry, EntryHeader } from '../model/entry.ts';
import { listScalars } from '../model/json-scalars.ts';
import { checkGlob, findLiteralPrefixes, matchesGlob } from '../model/glob.ts';
import { inParallel } from '../util/parallel.ts';
import { type ProgressOptions, withProgress } from '../util/progress.ts';
import { compareUtf8 } from '../util/utf8.ts';
import { sortByVersion } from './batch.ts';
import { secretNotFound } from './errors.ts';
import { openEntry } from './get.ts';
import { hintForFailures, UNWRAPS_AT_ONCE } from './get-many.ts';
import { type Limit, limitTo } from './options.ts';

export interface FindOptions extends ProgressOptions {
  /** A pattern of names, in which `*` matches any number of characters, or one name; default: all names. */
  readonly glob?: string | undefined;
  /** The pairs that the secrets were put with. */
  readonly context?: Context | undefined;
  /** Look at every version, and not only at the newest of each secret. */
  readonly allVersions?: boolean | undefined;
  /** Also find the secrets that differ from the value only in the line break at the end. */
  readonly ignoreFinalNewline?: boolean | undefined;
  /** Return what was found, and the entries that do not open as `leftOut`. Default: an entry that does not open is an error. */
  readonly skipUndecryptable?: boolean | undefined;
}

/** The header of an entry that holds the value. */
export interface FoundValue extends EntryHeader, Place {}

/** Where an entry holds the value. */
interface Place {
  /** The field of a secret that is JSON, as `get` takes it; absent if the whole secret is the value. */
  readonly field?: string;
  /** Set if the secret or field lacks the line break at the end of the value, or has one that the value lacks. */
  readonly finalNewline?: 'missing' | 'extra';
}

/** What a find found. */
export interface Findings {
  readonly found: FoundValue[];
  /** With `skipUndecryptable`, the entries that do not open, and why. */
  readonly leftOut: readonly Failure[];
  /** How many entries were looked at. */
  readonly searched: number;
}

/** An entry to open. `read` may make a request. */
type Candidate = EntryHeader & { readonly read: () => Entry | Promise<Entry | undefined> };

/** Finds the entries that hold a value: `Credstash.find`. Each value is wiped as soon as it is compared. */
export async function find(
  source: BackendSource,
  value: Uint8Array,
  options: FindOptions & Limit = {},
): Promise<Findings> {
  const glob = checkGlob(options.glob ?? '*');
  const context = validateContext(options.context, 'open');
  const backend = await openBackend(source);
  backend.keys.warmUp();
  const locate = createLocator(value, options.ignoreFinalNewline === true);
  const found: FoundValue[] = [];
  const leftOut: Failure[] = [];
  const look = async (candidate: Candidate): Promise<void> => {
    try {
      const entry = await candidate.read();
      // Somebody deleted it meanwhile.
      if (!entry) return;
      const { read: _, ...header } = candidate;
      for (const place of locate(await openEntry(backend, entry, context))) {
        found.push({ ...header, ...place });
      }
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!concernsOneSecret(error)) throw error;
      leftOut.push({ name: candidate.name, error });
    }
  };
  const limit = limitTo(UNWRAPS_AT_ONCE, options);
  let searched = 0;
  for await (const { candidates, isWhole } of batchCandidates(backend, glob, options)) {
    const looks = inParallel(limit, candidates, look);
    // A batch would begin a count of its own. The scan counts on from batch to batch instead.
    const progress = isWhole ? options.progress : undefined;
    for await (const _ of withProgress(looks, progress, candidates.length));
    searched += candidates.length;
  }
  if (searched === 0 && !glob.includes('*')) throw secretNotFound(backend, glob);
  leftOut.sort((a, b) => compareUtf8(a.name, b.name));
  if (leftOut.length > 0 && options.skipUndecryptable !== true) {
    throw cannotLook(leftOut, backend.entries.location);
  }
  return { found: sortByVersion(found), leftOut, searched };
}

/** The error of entries that do not open, so that nobody knows whether they hold the value. */
export function cannotLook(leftOut: readonly Failure[], location: string): CredstashError {
  return combineFailures(
    `${leftOut.length} of the entries in ${location} cannot be opened, so nobody knows whether they hold the value`,
    leftOut,
    hintForFailures(
      leftOut,
      'find again with a GLOB for them and the encryption context that they share',
      'leave out what does not open with `skipUndecryptable`',
    ),
  );
}

/**
 * Makes a function that finds the places of `value` in a secret, and wipes the secret. It compares digests under a random key in
 * constant time, so that the time says nothing about the bytes or their number that match.
 */
function createLocator(
  value: Uint8Array,
  ignoreFinalNewline: boolean,
): (secret: Uint8Array) => Place[] {
  const key = randomBytes(32);
  const digest = (bytes: Uint8Array): Buffer => createHmac('sha256', key).update(bytes).digest();
  const exact = digest(value);
  const trimmed = digest(trimFinalNewline(value));
  const compare = (bytes: Uint8Array): Place | undefined => {
    const own = digest(bytes);
    const shorter = digest(trimFinalNewline(bytes));
    bytes.fill(0);
    const isExact = timingSafeEqual(own, exact);
    const isMissing = timingSafeEqual(own, trimmed);
    // The last comparison finds CR LF instead of LF.
    const isExtra = timingSafeEqual(shorter, exact) || timingSafeEqual(shorter, trimmed);
    if (isExact) return {};
    if (!ignoreFinalNewline) return undefined;
    return isMissing
      ? { finalNewline: 'missing' }
      : isExtra
        ? { finalNewline: 'extra' }
        : undefined;
  };
  return (secret) => {
    const places: Place[] = [];
    for (const { bytes, makeField } of listScalars(secret)) {
      const place = compare(bytes);
      if (place) places.push({ field: makeField(), ...place });
    }
    const whole = compare(secret);
    return whole ? [whole, ...places] : places;
  };
}

/** The bytes without the LF or CR LF at their end, unless nothing would be left. */
function trimFinalNewline(bytes: Uint8Array): Uint8Array {
  if (bytes.at(-1) !== 0x0a) return bytes;
  const end = bytes.length - (bytes.at(-2) === 0x0d ? 2 : 1);
  return end === 0 ? bytes : bytes.subarray(0, end);
}

/** Entries to open. */
interface Batch {
  readonly candidates: readonly Candidate[];
  /** Whether these are all, so that their number is the total. */
  readonly isWhole: boolean;
}

/**
 * Yields the entries to open. Of one name, they are queried, which a role for some names may do. Otherwise the table is read once:
 * for the newest versions to its end, and for all versions batch by batch, so that memory holds no more than a batch.
 */
async function* batchCandidates(
  { entries }: Backend,
  glob: string,
  { allVersions, progress }: FindOptions,
): AsyncGenerator<Batch> {
  if (!glob.includes('*')) {
    if (allVersions) {
      const headers: EntryHeader[] = [];
      for await (const header of entries.headers(glob)) headers.push(header);
      const candidates = headers.map((header) => ({
        ...header,
        read: () => entries.get(header.name, header.version),
      }));
      yield { candidates, isWhole: true };
      return;
    }
    const header = await entries.newestHeader(glob);
    const candidates = header ? [{ ...header, read: () => entries.latest(glob) }] : [];
    yield { candidates, isWhole: true };
    return;
  }
  const scanned = withProgress(entries.scan(findLiteralPrefixes([glob])), progress);
  if (!allVersions) {
    yield { candidates: [...(await chooseNewest(scanned, glob)).values()], isWhole: true };
    return;
  }
  let batch: Found[] = [];
  for await (const found of scanned) {
    if (!matchesGlob(glob, found.name)) continue;
    batch.push(found);
    if (batch.length < UNWRAPS_AT_ONCE) continue;
    yield { candidates: batch, isWhole: false };
    batch = [];
  }
  yield { candidates: batch, isWhole: false };
}

async function chooseNewest(
  scanned: AsyncIterable<Found>,
  glob: string,
): Promise<Map<string, Found>> {
  const newest = new Map<string, Found>();
  for await (const found of scanned) {
    if (!matchesGlob(glob, found.name)) continue;
    const before = newest.get(found.name);
    if (!before || compareUtf8(before.version, found.version) < 0) newest.set(found.name, found);
  }
  return newest;
}
