import { type Backend, type BackendSource, openToWrite } from '../backend/backend.ts';
import type { Entry } from '../model/entry.ts';
import type { Context } from '../model/context.ts';
import { checkRewrite, runBatch } from './batch.ts';
import { createContext, findCurrent } from './get.ts';
import { nameEntry } from './errors.ts';
import { listMatching } from './list.ts';
import type { RewriteOptions, Change } from './options.ts';

/** Wraps the data keys of the entries whose name matches under the current master key: `Credstash.rekey`. */
export async function* rekey(
  source: BackendSource,
  options: RewriteOptions,
): AsyncGenerator<Change> {
  const { glob, context } = checkRewrite(options, 'open');
  const backend = await openToWrite(source);
  const targets = await listMatching(backend, glob, options.progress);
  yield* runBatch(targets, options, async (target, begin) => {
    const entry = await findCurrent(backend, target);
    if (!entry) return false;
    const key = await rewrapKey(backend, entry, context);
    if (!key) return false;
    if (await begin()) await backend.entries.replace({ ...entry, key }, entry);
    return true;
  });
}

export async function rewrapKey(
  backend: Backend,
  entry: Entry,
  context: Context,
): Promise<Uint8Array | undefined> {
  try {
    return await backend.keys.rewrap(entry.key, createContext(backend, entry, context));
  } catch (error) {
    throw nameEntry(entry, error);
  }
}
