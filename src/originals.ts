import { createHash } from 'node:crypto';
import type { Backend } from './backend/backend.ts';
import { conflict } from './backend/entry-store.ts';
import { sortByVersion, type Target } from './changes.ts';
import type { Entry, EntryHeader } from './entry.ts';
import { CredstashError } from './errors.ts';
import { counted, type Progress } from './progress.ts';

/*
 * Nothing in an original entry says whose it is: its key, contents and hmac open under any name (fugue/credstash#134). But
 * each put makes a new data key, so that the same bytes under two names or versions show that somebody copied one of them.
 */

/** Contents of fewer bytes are compared along with their HMAC: two short secrets have the same ciphertext by chance. */
const TELLING_BYTES = 8;
const PLACES_TOLD = 3;

/** Where the keys and the contents of a table's original entries are. It holds hashes, and no entry. */
export class Originals {
  readonly #location: string;
  readonly #places = new Map<string, Target[]>();

  private constructor(location: string) {
    this.#location = location;
  }

  /**
   * Reads the whole table: the genuine entry of a copy may have any name.
   *
   * @param tell told of each entry's header, malformed ones included
   */
  static async scan(
    { entries }: Backend,
    progress: Progress | undefined,
    tell: (header: EntryHeader) => void = () => undefined,
  ): Promise<Originals> {
    const originals = new Originals(entries.location);
    for await (const { read, ...header } of counted(entries.all(), progress)) {
      tell(header);
      if (header.cipher !== 'AES-256-CTR') continue;
      let entry: Entry;
      try {
        entry = read();
      } catch (error) {
        // It opens nowhere, so that nobody can have copied it to make it open elsewhere.
        if (error instanceof CredstashError) continue;
        throw error;
      }
      originals.#add(entry);
    }
    return originals;
  }

  #add(entry: Entry): void {
    const { name, version } = entry;
    for (const fingerprint of fingerprintsOf(entry)) {
      const places = this.#places.get(fingerprint);
      if (places) places.push({ name, version });
      else this.#places.set(fingerprint, [{ name, version }]);
    }
  }

  /**
   * @param entry an original entry, as it is now
   * @throws CredstashError INTEGRITY when its key or its contents were found elsewhere too; CONFLICT when it was changed after
   *   the scan
   */
  check(entry: Entry): void {
    const found = fingerprintsOf(entry).map((each) => this.#places.get(each) ?? []);
    const isHere = ({ name, version }: Target): boolean =>
      name === entry.name && version === entry.version;
    if (!found.every((places) => places.some(isHere))) throw conflict(entry, this.#location);
    const others = new Map(
      found
        .flat()
        .filter((place) => !isHere(place))
        .map(({ name, version }) => [JSON.stringify([name, version]), { name, version }]),
    );
    if (others.size > 0) throw copiedElsewhere(entry, sortByVersion([...others.values()]));
  }
}

function copiedElsewhere({ name, version }: Entry, others: readonly Target[]): CredstashError {
  const told = others
    .slice(0, PLACES_TOLD)
    .map((each) => `version ${each.version} of ${each.name}`);
  if (others.length > told.length) told.push(`${others.length - told.length} more`);
  return new CredstashError(
    'INTEGRITY',
    `version ${version} of ${name} has the same sealed bytes as ${told.join(', ')}: somebody copied one of them, and nothing in the original format tells which`,
    { hint: 'find out whose value it is, and delete the copy: credstash delete NAME -v VERSION' },
  );
}

function fingerprintsOf({ key, contents, hmac }: Entry): string[] {
  return [
    fingerprint('key', key),
    contents.length < TELLING_BYTES
      ? fingerprint('short', contents, hmac)
      : fingerprint('contents', contents),
  ];
}

/** One character for each byte, which a Map keeps in as many bytes. */
function fingerprint(kind: string, ...parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256').update(`${kind} ${parts.map(({ length }) => length).join()} `);
  for (const part of parts) hash.update(part);
  return hash.digest().toString('latin1');
}
