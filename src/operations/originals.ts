import { createHash } from 'node:crypto';
import type { Backend } from '../backend/backend.ts';
import { conflict } from '../backend/entry-store.ts';
import { sortByVersion } from './batch.ts';
import type { Target } from './options.ts';
import type { Entry, EntryHeader } from '../model/entry.ts';
import { CredstashError } from '../errors.ts';
import { withProgress, type Progress } from '../util/progress.ts';

/*
 * Finds copies of original entries. Nothing binds an original entry to its name: its key, contents and hmac open under any
 * name (fugue/credstash#134). But each put makes a new data key, so equal bytes under two names or versions show a copy.
 */

/** Shorter contents are compared together with their HMAC, because two short secrets may have equal ciphertexts by chance. */
const TELLING_BYTES = 8;
const PLACES_TOLD = 3;

/** One more than is reported, because one may be the checked entry itself. Limited, because somebody may have made a million copies. */
const PLACES_KEPT = PLACES_TOLD + 1;

/** The entries with the same bytes: the first ones that were found, and how many exist. */
interface Places {
  readonly first: Target[];
  count: number;
}

/** An index of the keys and contents of a table's original entries. It holds only hashes. */
export class Originals {
  readonly #location: string;
  readonly #places = new Map<string, Places>();

  private constructor(location: string) {
    this.#location = location;
  }

  /**
   * Reads the whole table, because the genuine entry of a copy may have any name.
   *
   * @param tell called with each entry's header, also of malformed entries
   */
  static async scan(
    { entries }: Backend,
    progress: Progress | undefined,
    tell: (header: EntryHeader) => void = () => undefined,
  ): Promise<Originals> {
    const originals = new Originals(entries.location);
    for await (const { read, ...header } of withProgress(entries.scan(), progress)) {
      tell(header);
      if (header.cipher !== 'AES-256-CTR') continue;
      let entry: Entry;
      try {
        entry = read();
      } catch (error) {
        // A broken entry is not compared: its author could have deleted it as well.
        if (error instanceof CredstashError) continue;
        throw error;
      }
      originals.#add(entry);
    }
    return originals;
  }

  #add(entry: Entry): void {
    const place = { name: entry.name, version: entry.version };
    for (const createFingerprint of listFingerprints(entry)) {
      const places = this.#places.get(createFingerprint);
      if (!places) this.#places.set(createFingerprint, { first: [place], count: 1 });
      else if (++places.count <= PLACES_KEPT) places.first.push(place);
    }
  }

  /**
   * Checks that no other entry has the same key or contents.
   *
   * @param entry an original entry, read after the scan
   * @throws CredstashError INTEGRITY if another entry has them too; CONFLICT if the entry was changed after the scan
   */
  check(entry: Entry): void {
    const isHere = ({ name, version }: Target): boolean =>
      name === entry.name && version === entry.version;
    const others = new Set<Target>();
    let count = 0;
    for (const fingerprint of listFingerprints(entry)) {
      const places = this.#places.get(fingerprint);
      const isKnown = places && (places.count > PLACES_KEPT || places.first.some(isHere));
      if (!isKnown) throw conflict(entry, this.#location);
      for (const place of places.first) if (!isHere(place)) others.add(place);
      count = Math.max(count, places.count - 1, others.size);
    }
    if (count > 0) throw copyError(entry, sortByVersion([...others]), count);
  }
}

function copyError(
  { name, version }: Entry,
  others: readonly Target[],
  count: number,
): CredstashError {
  const told = others
    .slice(0, PLACES_TOLD)
    .map((each) => `version ${each.version} of ${each.name}`);
  if (count > told.length) told.push(`${count - told.length} more`);
  return new CredstashError(
    'INTEGRITY',
    `version ${version} of ${name} has the same sealed bytes as ${told.join(', ')}: somebody copied one of them, and nothing in the original format tells which`,
    {
      hint: 'find out whose value it is, and delete the copy: `delete("NAME", { version: "VERSION" })`',
    },
  );
}

function listFingerprints({ key, contents, hmac }: Entry): string[] {
  return [
    fingerprint('key', key),
    contents.length < TELLING_BYTES
      ? fingerprint('short', contents, hmac)
      : fingerprint('contents', contents),
  ];
}

/** Hashes `parts` into a text of one character per byte, which a Map stores compactly. */
function fingerprint(kind: string, ...parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256').update(`${kind} ${parts.map(({ length }) => length).join()} `);
  for (const part of parts) hash.update(part);
  return hash.digest().toString('latin1');
}
