import { type Backend, type BackendSource, openBackend } from '../backend/backend.ts';
import { CredstashError } from '../errors.ts';
import type { EntryHeader } from '../model/entry.ts';
import { checkName } from '../model/name.ts';
import { checkVersion, listSpellings } from '../model/version.ts';
import { type ProgressOptions, withProgress } from '../util/progress.ts';
import { versionNotFound } from './errors.ts';
import { listVersions } from './list.ts';
import type { GetOptions, Target } from './options.ts';

export interface DeleteOptions
  extends ProgressOptions, Pick<GetOptions, 'version' | 'exactVersion'> {
  /** Delete nothing, and yield what would be deleted. */
  readonly dryRun?: boolean | undefined;
  /** Called before the first version is deleted. Nothing is deleted unless it resolves to true. */
  readonly confirm?: ((doomed: readonly Deletion[]) => Promise<boolean>) | undefined;
}

/** A deleted version, with the labels that it had when the deletion began. */
export interface Deletion extends Target, Pick<EntryHeader, 'labels'> {}

/** What became of one version that was to be deleted. */
export type DeleteOutcome = Deletion &
  (
    | {
        /** `planned` in a dry run. */
        readonly done: 'deleted' | 'planned';
      }
    | { readonly done: 'failed'; readonly error: CredstashError }
  );

/**
 * Deletes every version of a secret, or one of them: `Credstash.delete`. The first failure ends it: the versions after it are
 * failures too, because deleting a newer version before an older one would bring the older value back.
 */
export async function* deleteVersions(
  source: BackendSource,
  name: string,
  options: DeleteOptions = {},
): AsyncGenerator<DeleteOutcome> {
  checkName(name);
  const { version, exactVersion, dryRun = false, confirm, progress } = options;
  const wanted =
    version === undefined ? undefined : listSpellings(checkVersion(version), exactVersion);
  const backend = await openBackend(source);
  const versions = (await listVersions(backend, name, progress)).map(
    ({ version, labels }): Deletion => ({ name, version, ...(labels ? { labels } : {}) }),
  );
  const [found] = (wanted ?? []).flatMap((each) =>
    versions.filter((header) => header.version === each),
  );
  if (wanted && !found) throw versionNotFound(backend, name, { version });
  const doomed = found ? [found] : versions.reverse();
  if (dryRun) {
    for (const each of doomed) yield { ...each, done: 'planned' };
  } else if (!confirm || (await confirm(doomed))) {
    yield* withProgress(removeEach(backend, doomed, options.signal), progress, doomed.length);
  }
}

async function* removeEach(
  { entries }: Backend,
  doomed: readonly Deletion[],
  signal: AbortSignal | undefined,
): AsyncGenerator<DeleteOutcome> {
  let failure: CredstashError | undefined;
  for (const deletion of doomed) {
    if (failure) {
      yield { ...deletion, done: 'failed', error: failure };
      continue;
    }
    try {
      // The result does not matter: if another delete was quicker, the version is gone as well.
      await entries.remove(deletion.name, deletion.version);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof CredstashError)) throw error;
      failure = new CredstashError(error.code, 'was not tried');
      yield { ...deletion, done: 'failed', error };
      continue;
    }
    yield { ...deletion, done: 'deleted' };
  }
}
