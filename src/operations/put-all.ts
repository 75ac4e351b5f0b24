import { type Backend, type BackendSource, openToWrite } from '../backend/backend.ts';
import { CredstashError, type Failure, concernsOneSecret, hasCode } from '../errors.ts';
import { validateContext } from '../model/context.ts';
import type { Secret } from '../model/entry.ts';
import { inParallel } from '../util/parallel.ts';
import { type ProgressOptions, withProgress } from '../util/progress.ts';
import { stopOnSharedError } from './batch.ts';
import { findEntry, openEntry } from './get.ts';
import { type Limit, limitTo, type PutOptions } from './options.ts';
import { planPut, sealAndCreate } from './put.ts';

/** How many secrets are stored at once. Each takes two requests, and writes cost more than reads. */
const PUTS_AT_ONCE = 16;

export interface PutAllOptions extends Omit<PutOptions, 'label' | 'ifMissing'>, ProgressOptions {
  /** Skip a secret whose newest version, or the one that `version` names, already has the same bytes. */
  readonly skipUnchanged?: boolean | undefined;
}

/** The outcome for one of several secrets. */
export type PutOutcome =
  | { readonly name: string; readonly done: 'stored' | 'unchanged' }
  | ({ readonly done: 'failed' } & Failure);

/** Stores several secrets, and yields the outcome of each: `Credstash.putAll`. */
export async function* putAll(
  source: BackendSource,
  secrets: readonly Secret[],
  options: PutAllOptions & Limit = {},
): AsyncGenerator<PutOutcome> {
  const names = new Set<string>();
  const planned = secrets.map((secret) => {
    if (names.has(secret.name)) {
      throw new CredstashError('USAGE', `the secret ${secret.name} is given twice`);
    }
    names.add(secret.name);
    const planned = planPut(secret.name, secret.value.length, options, source.formats);
    return { ...secret, plan: planned };
  });
  const backend = await openToWrite(source);
  const put = async ({ name, value, plan }: (typeof planned)[number]): Promise<PutOutcome> => {
    if (options.skipUnchanged) {
      try {
        if (await hasSameValue(backend, name, value, options)) return { name, done: 'unchanged' };
      } catch (error) {
        // The existing entry may be under another master key than the new ones, so this failure is not shared.
        if (hasCode(error, 'KEY_NOT_FOUND', 'KEY_UNUSABLE')) return { name, done: 'failed', error };
        throw error;
      }
    }
    await sealAndCreate(backend, plan, value, options);
    return { name, done: 'stored' };
  };
  const attempt = stopOnSharedError(
    put,
    ({ name }, error): PutOutcome => ({ name, done: 'failed', error }),
    {
      isOfAll: (error) =>
        hasCode(error, 'KEY_NOT_FOUND', 'KEY_UNUSABLE') || !concernsOneSecret(error),
      signal: options.signal,
    },
  );
  yield* withProgress(
    inParallel(limitTo(PUTS_AT_ONCE, options), planned, attempt),
    options.progress,
    planned.length,
  );
}

/** Whether the newest version, or the version that the put names, has these bytes. */
async function hasSameValue(
  backend: Backend,
  name: string,
  value: Uint8Array,
  options: PutOptions,
): Promise<boolean> {
  const { exactVersion } = options;
  const version = options.autoversion ? undefined : options.version;
  const entry = await findEntry(backend, name, { version, exactVersion });
  if (!entry) return false;
  const { constantTimeEqual } = await import('../seal/data-key.ts');
  const stored = await openEntry(backend, entry, validateContext(options.context, 'open'));
  try {
    return constantTimeEqual(stored, value);
  } finally {
    stored.fill(0);
  }
}
