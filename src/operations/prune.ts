import { adviseCall } from '../model/advice.ts';
import { type Backend, type BackendSource, openBackend } from '../backend/backend.ts';
import { conflict } from '../backend/entry-store.ts';
import { runBatch, checkRewrite } from './batch.ts';
import { listMatching } from './list.ts';
import type { RewriteOptions, Change } from './options.ts';
import type { Context } from '../model/context.ts';
import { groupByName, type Entry, type EntryHeader } from '../model/entry.ts';
import { CredstashError, type ErrorCode } from '../errors.ts';
import { Originals } from './originals.ts';
import { openEntry } from './get.ts';
import { unpadVersion } from '../model/version.ts';

export interface PruneOptions extends RewriteOptions {
  /** How many of the newest versions of each secret are kept, labelled or not; at least 1. */
  readonly keep: number;
  /** Delete only versions older than this, in milliseconds. A version without a time is kept. */
  readonly olderThan?: number | undefined;
  /**
   * Open all versions to keep of a secret before the first one is deleted, which needs `context` and kms:Decrypt; default:
   * true. With false they must only be well-formed: a writer of the table can then cause genuine versions to be deleted, by
   * storing forged ones that look newer.
   */
  readonly verify?: boolean | undefined;
}

/** Deletes old versions of the secrets whose name matches: `Credstash.prune`. */
export async function* prune(source: BackendSource, options: PruneOptions): AsyncGenerator<Change> {
  const { keep, olderThan, verify = true } = options;
  const { glob, context } = checkRewrite(options, 'open');
  if (!Number.isSafeInteger(keep) || keep < 1) {
    throw new CredstashError('USAGE', 'the number of versions to keep is 1 or more', {
      hint: 'to keep the newest version of each secret: `keep: 1`',
    });
  }
  if (olderThan !== undefined && !(olderThan >= 0)) {
    throw new CredstashError('USAGE', 'an age is not below 0');
  }
  const backend = await openBackend(source);
  const before = olderThan === undefined ? undefined : Date.now() - olderThan;
  const doomed: EntryHeader[] = [];
  const staying = new Map<string, EntryHeader[]>();
  for (const [name, versions] of groupByName(await listMatching(backend, glob, options.progress))) {
    // Sorted by version, the oldest first.
    const isDoomed = (header: EntryHeader, i: number): boolean =>
      i < versions.length - keep && !header.labels && isBefore(header, before);
    const old = versions.filter(isDoomed);
    if (old.length === 0) continue;
    doomed.push(...old);
    staying.set(name, versions.filter((header, i) => !isDoomed(header, i)).reverse());
  }
  const check = verify ? createVerifier(backend, context) : createReader(backend);
  const checks = new Map<string, Promise<void>>();
  yield* runBatch(doomed, options, async ({ name, version }, begin) => {
    const checked = checks.get(name) ?? checkAll(staying.get(name) ?? [], check);
    checks.set(name, checked);
    await checked;
    // A version that has got a label meanwhile is kept.
    return !(await begin()) || backend.entries.remove(name, version, { unlabelled: true });
  });
}

function isBefore({ created }: EntryHeader, time: number | undefined): boolean {
  return time === undefined || (created !== undefined && Date.parse(created) < time);
}

type Check = (header: EntryHeader) => Promise<unknown>;

/** Checks all versions to keep. @throws CredstashError the first error of `check`: then no version of this secret may be deleted */
async function checkAll(staying: readonly EntryHeader[], check: Check): Promise<void> {
  for (const header of staying) {
    try {
      await check(header);
    } catch (error) {
      throw error instanceof CredstashError ? explainLeftAlone(header, error) : error;
    }
  }
}

function explainLeftAlone({ name, version }: EntryHeader, error: CredstashError): CredstashError {
  const hints: Partial<Record<ErrorCode, string>> = {
    INTEGRITY: `find out who wrote that version, and delete it: ${adviseCall('delete', [name], { version: unpadVersion(version) })}`,
    ACCESS_DENIED: 'a role that may not decrypt prunes with `verify: false`',
  };
  const message = `not deleted, because of a version that would stay: ${error.message}`;
  return error.reworded(message, hints[error.code]);
}

/** Creates a check that a version is well-formed. It throws INTEGRITY; CONFLICT if the version was deleted after the listing. */
function createReader(backend: Backend) {
  return async (header: EntryHeader): Promise<Entry> => {
    const entry = await backend.entries.get(header.name, header.version);
    if (entry) return entry;
    throw conflict(header, backend.entries.location);
  };
}

/** Creates a check that a version opens, and that an original entry is not a copy. */
function createVerifier(backend: Backend, context: Context): Check {
  const read = createReader(backend);
  let originals: Promise<Originals> | undefined;
  return async (header) => {
    const entry = await read(header);
    (await openEntry(backend, entry, context)).fill(0);
    if (entry.cipher !== 'AES-256-CTR') return;
    // An original entry also opens under this name if it was copied from another.
    originals ??= Originals.scan(backend, undefined);
    (await originals).check(entry);
  };
}
