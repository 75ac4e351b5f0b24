import { type Backend, type BackendSource, openBackend } from '../backend/backend.ts';
import { type BeginChange, runBatch, checkRewrite } from './batch.ts';
import { listMatching } from './list.ts';
import type { RewriteOptions, ChangeOptions, Change, Target } from './options.ts';
import type { Context } from '../model/context.ts';
import { CredstashError } from '../errors.ts';
import { openEntry } from './get.ts';
import { expectValue, sealEntry } from './migrate.ts';
import { isUnpadded, padVersion } from '../model/version.ts';

/**
 * Pads versions that are numbers of fewer than 19 digits. They sort as text and not as numbers: tables of before 2015, of
 * nodecredstash and of node-credstasher have them. An original entry's bytes stay as they are. A current entry is sealed again,
 * because its seal covers its version. Comment, digest, time, labels and unknown attributes stay.
 *
 * The versions of a name are padded in the order of their bytes. The one that sorts last is what a reader gets before, and it
 * is padded last, so that a reader gets it until the highest number takes its place. A run that was cut short goes on with
 * the rest when it is run again.
 *
 * @throws CredstashError USAGE for bad input
 */
export async function* padVersions(
  source: BackendSource,
  options: RewriteOptions,
): AsyncGenerator<Change> {
  const { glob, context } = checkRewrite(options, 'open');
  const backend = await openBackend(source);
  const targets = (await listMatching(backend, glob, options.progress)).filter(({ version }) =>
    isUnpadded(version),
  );
  // One at a time: their order matters.
  const oneByOne: ChangeOptions = { ...options, maxConcurrency: 1 };
  const failed = new Map<string, string>();
  yield* runBatch(targets, oneByOne, async (target, begin) => {
    const { name, version } = target;
    const before = failed.get(name);
    if (before !== undefined) {
      throw new CredstashError(
        'CONFLICT',
        `was not tried, because version ${before} failed and readers must not get an older value`,
      );
    }
    try {
      return await padEntry(backend, target, context, begin);
    } catch (error) {
      failed.set(name, version);
      throw error;
    }
  });
}

async function padEntry(
  backend: Backend,
  { name, version }: Target,
  pairs: Context,
  begin: BeginChange,
): Promise<boolean> {
  const { entries } = backend;
  const original = await entries.get(name, version);
  // Deleted since the table was listed.
  if (!original) return false;
  const padded = padVersion(version);
  if (await entries.has(name, padded)) {
    throw new CredstashError(
      'CONFLICT',
      `${name} has both version ${version} and version ${padded} in ${entries.location}`,
      { hint: 'compare the two, and delete the one that nobody needs' },
    );
  }
  if (original.cipher === 'AES-256-CTR') {
    if (await begin()) await entries.renumber({ ...original, version: padded }, original);
    return true;
  }
  const value = await openEntry(backend, original, pairs);
  try {
    if (!(await begin())) return true;
    const entry = await sealEntry(
      backend,
      { ...original, version: padded },
      original.cipher,
      value,
      pairs,
    );
    await expectValue(backend, entry, value, pairs);
    await entries.renumber(entry, original);
    return true;
  } finally {
    value.fill(0);
  }
}
