import { type BackendSource, openBackend } from '../backend/backend.ts';
import type { EntryStore } from '../backend/entry-store.ts';
import { CredstashError, hasCode } from '../errors.ts';
import type { EntryHeader } from '../model/entry.ts';
import { matchesGlob } from '../model/glob.ts';
import type { VersionSelector } from '../model/selector.ts';
import { listSpellings } from '../model/version.ts';
import { inParallel } from '../util/parallel.ts';
import { compareUtf8 } from '../util/utf8.ts';

/** A secret, or all secrets whose name matches a pattern, and the version of each that is wanted. */
export interface LookedAt {
  readonly name?: string | undefined;
  readonly glob?: string | undefined;
  readonly which: VersionSelector;
}

/** The version of one secret that a get would give, as a look found it. */
interface Sight {
  readonly name: string;
  readonly which: VersionSelector;
  /** The version and the time of its entry; undefined if the secret, the version or the label does not exist. */
  readonly found: string | undefined;
}

/** What a look found, by name and version selector. A secret that no name and only a pattern asks for is absent once it is deleted. */
export type Seen = ReadonlyMap<string, Sight>;

/** From this many names on, a look tries whether the table has fewer pages than that. */
const MANY_NAMES = 10;

/** If the names that a pattern matched are queried, each tenth look reads the whole table, to find new ones. */
const LOOKS_FOR_EACH_SCAN = 10;

/** How many names are queried at once. */
const QUERIES_AT_ONCE = 32;

/**
 * Looks at the versions and labels of secrets. It reads no values and makes no request to a key service. A look takes one query
 * for each name, or one scan of the table, whichever takes fewer requests, as far as earlier scans tell.
 */
export class Looker {
  /** Where the secrets are, for messages; known after the first look. */
  location = '';
  readonly #wanted: readonly LookedAt[];
  readonly #globs: readonly (LookedAt & { readonly glob: string })[];
  /** How many requests the last scan took; Infinity if it took more than queries would, or was denied. */
  #scanRequests: number | undefined;
  #matched: readonly string[] = [];
  #looks = 0;

  constructor(wanted: readonly LookedAt[]) {
    this.#wanted = wanted;
    this.#globs = wanted.flatMap((each) =>
      each.glob === undefined ? [] : [{ ...each, glob: each.glob }],
    );
  }

  /** Makes one look. @throws CredstashError as a list does */
  async look(source: BackendSource): Promise<Seen> {
    const { entries } = await openBackend(source);
    this.location = entries.location;
    const names = this.#names();
    const headers =
      (this.#prefersScan(names.size) ? await this.#scan(entries, names) : undefined) ??
      (await this.#query(entries, names));
    this.#looks += 1;
    return this.#describe(headers);
  }

  /** The names to query: those that are wanted, and those that the patterns matched. */
  #names(): ReadonlySet<string> {
    const wanted = this.#wanted.flatMap(({ name }) => (name === undefined ? [] : [name]));
    return new Set([...wanted, ...this.#matched]);
  }

  #prefersScan(queries: number): boolean {
    const requests = this.#scanRequests;
    if (this.#globs.length === 0) {
      return requests === undefined ? queries > MANY_NAMES : requests < queries;
    }
    if (requests === undefined || requests <= queries) return true;
    return this.#looks % LOOKS_FOR_EACH_SCAN === 0;
  }

  /** Reads the headers of the whole table; undefined if queries take fewer requests, or if the scan is denied. */
  async #scan(
    entries: EntryStore,
    names: ReadonlySet<string>,
  ): Promise<Map<string, EntryHeader[]> | undefined> {
    const headers = new Map<string, EntryHeader[]>();
    const isForPatterns = this.#globs.length > 0;
    const isNewestEnough = this.#wanted.every(({ which }) => isNewest(which));
    let requests = 0;
    const count = (): void => {
      requests += 1;
    };
    try {
      for await (const header of entries.headers(undefined, count)) {
        if (!isForPatterns && requests > names.size) {
          this.#scanRequests = Infinity;
          return undefined;
        }
        const { name } = header;
        if (!names.has(name) && !this.#globs.some(({ glob }) => matchesGlob(glob, name))) continue;
        const known = headers.get(name);
        if (!known) headers.set(name, [header]);
        else if (!isNewestEnough) known.push(header);
        else headers.set(name, [pickNewest([...known, header]) ?? header]);
      }
    } catch (error) {
      if (isForPatterns || !hasCode(error, 'ACCESS_DENIED')) throw error;
      this.#scanRequests = Infinity;
      return undefined;
    }
    this.#scanRequests = Math.max(1, requests);
    this.#matched = [...headers.keys()].filter((name) =>
      this.#globs.some(({ glob }) => matchesGlob(glob, name)),
    );
    return headers;
  }

  async #query(
    entries: EntryStore,
    names: ReadonlySet<string>,
  ): Promise<Map<string, EntryHeader[]>> {
    const headers = new Map<string, EntryHeader[]>();
    const query = async (name: string): Promise<[string, EntryHeader[]]> => {
      const isNewestEnough = this.#wanted.every(
        (each) => isNewest(each.which) || !asksFor(each, name),
      );
      if (!isNewestEnough) {
        const versions: EntryHeader[] = [];
        for await (const header of entries.headers(name)) versions.push(header);
        return [name, versions];
      }
      const newest = await entries.newestHeader(name);
      return [name, newest ? [newest] : []];
    };
    for await (const [name, found] of inParallel(QUERIES_AT_ONCE, names, query)) {
      headers.set(name, found);
    }
    return headers;
  }

  #describe(headers: ReadonlyMap<string, readonly EntryHeader[]>): Seen {
    const seen = new Map<string, Sight>();
    const add = (name: string, which: VersionSelector): void => {
      const { version = null, exactVersion = false, label = null } = which;
      const found = describeVersion(headers.get(name) ?? [], which);
      seen.set(JSON.stringify([name, version, exactVersion, label]), { name, which, found });
    };
    for (const each of this.#wanted) {
      if (each.name !== undefined) {
        add(each.name, each.which);
        continue;
      }
      for (const [name, { length }] of headers) {
        if (length > 0 && asksFor(each, name)) add(name, each.which);
      }
    }
    return seen;
  }
}

/** Whether two looks found the same. */
export function isSameSight(one: Seen, other: Seen): boolean {
  return one.size === other.size && [...one].every(([id, { found }]) => hasSame(other, id, found));
}

function hasSame(seen: Seen, id: string, found: string | undefined): boolean {
  const other = seen.get(id);
  return other !== undefined && other.found === found;
}

/** Returns whether a get would give something new. A missing secret is not a change: a get would fail. */
export function hasChanged(before: Seen, now: Seen): boolean {
  return [...now].some(([id, { found }]) =>
    found === undefined ? !before.has(id) : !hasSame(before, id, found),
  );
}

/** What existed before and does not exist now, each with the error of a get. */
export function listMissing(
  before: Seen,
  now: Seen,
  location: string,
): { readonly id: string; readonly error: CredstashError }[] {
  return [...before].flatMap(([id, { name, which, found }]) =>
    found === undefined || now.get(id)?.found !== undefined
      ? []
      : [{ id, error: noLongerThere(name, which, location) }],
  );
}

function noLongerThere(name: string, which: VersionSelector, location: string): CredstashError {
  const { version, label } = which;
  if (label !== undefined) {
    const message = `no version of ${name} has the label ${label} any more in ${location}`;
    return new CredstashError('VERSION_NOT_FOUND', message);
  }
  return version === undefined
    ? new CredstashError('SECRET_NOT_FOUND', `the secret ${name} is no longer in ${location}`)
    : new CredstashError(
        'VERSION_NOT_FOUND',
        `version ${version} of ${name} is no longer in ${location}`,
      );
}

function asksFor({ name, glob }: LookedAt, each: string): boolean {
  return glob === undefined ? name === each : matchesGlob(glob, each);
}

function isNewest({ version, label }: VersionSelector): boolean {
  return version === undefined && label === undefined;
}

function pickNewest(headers: readonly EntryHeader[]): EntryHeader | undefined {
  let newest: EntryHeader | undefined;
  for (const each of headers) {
    if (!newest || compareUtf8(newest.version, each.version) < 0) newest = each;
  }
  return newest;
}

/** The selected version, with the time at which it was stored: a version may be deleted and stored again. */
function describeVersion(
  headers: readonly EntryHeader[],
  { version, exactVersion, label }: VersionSelector,
): string | undefined {
  const describe = (each: EntryHeader): string => `${each.version} ${each.created ?? ''}`;
  if (label !== undefined) {
    const labelled = headers.filter(({ labels }) => labels?.includes(label));
    // While a label moves, a scan may see it on two versions.
    return labelled.length === 0 ? undefined : labelled.map(describe).sort().join();
  }
  const chosen =
    version === undefined
      ? pickNewest(headers)
      : listSpellings(version, exactVersion)
          .map((spelling) => headers.find((each) => each.version === spelling))
          .find((each) => each !== undefined);
  return chosen && describe(chosen);
}
