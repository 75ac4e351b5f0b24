import type { Backend } from '../backend/backend.ts';
import type { Entry } from '../model/entry.ts';
import type { Context } from '../model/context.ts';
import { checkRewrite, runBatch } from './batch.ts';
import { contextOf, findCurrent } from './get.ts';
import { nameEntry } from './errors.ts';
import { matching } from './list.ts';
import type { RewriteOptions, Change } from './options.ts';

/** `Flows.rekey`. @param open opens the backend, once the options are checked */
export async function* rekey(
  open: () => Promise<Backend>,
  options: RewriteOptions,
): AsyncGenerator<Change> {
  const { glob, context } = checkRewrite(options, 'open');
  const backend = await open();
  const targets = await matching(backend, glob, options.progress);
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
    return await backend.keys.rewrap(entry.key, contextOf(backend, entry, context));
  } catch (error) {
    throw nameEntry(entry, error);
  }
}
