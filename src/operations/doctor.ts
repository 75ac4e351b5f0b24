import { adviseCall } from '../model/advice.ts';
import { randomBytes } from 'node:crypto';
import type { Backend } from '../backend/backend.ts';
import { bindName, type Context, validateContext } from '../model/context.ts';
import type { EntryHeader } from '../model/entry.ts';
import { CredstashError } from '../errors.ts';
import { checkName } from '../model/name.ts';
import type { PutOptions, GetOptions } from './options.ts';
import type { CallOptions } from '../util/progress.ts';
import { constantTimeEqual } from '../seal/data-key.ts';
import {
  attempt,
  type CheckOptions,
  type Checks,
  okStep,
  type Step,
  failedStep,
  type FallbackChecks,
  unknownStep,
  untrustedKey,
} from '../backend/diagnosis.ts';
import type { AllowedFormats } from '../model/trust.ts';
import { openEntry } from './get.ts';
import { FIRST_VERSION } from '../model/version.ts';

export type { Step };

export interface DoctorOptions extends CallOptions {
  /** The encryption context of the data key and of the canary entry. */
  readonly context?: Context | undefined;
  /** Require the permissions of a writer, and store, read and remove a canary entry. Default: nothing is written. */
  readonly write?: boolean | undefined;
  /** The prefix of the names that are tried, for a policy that grants by name; default: none. */
  readonly prefix?: string | undefined;
  /** The cipher of the canary entry. */
  readonly cipher?: PutOptions['cipher'];
}

/** The subject of the checks: a backend, and functions that store and read a secret on it. */
export interface DoctorSubject {
  readonly open: () => Promise<
    Backend & {
      readonly check: (options: CheckOptions) => Checks;
      readonly fallbacks?: readonly FallbackChecks[];
    }
  >;
  /** The formats that may be opened; default: both. */
  readonly formats?: AllowedFormats | undefined;
  readonly put: (name: string, value: Uint8Array, options: PutOptions) => Promise<EntryHeader>;
  readonly get: (name: string, options: GetOptions) => Promise<Uint8Array>;
  /** Describes, for a person, which entries it opens; undefined if nothing restricts them. */
  readonly trust: string | undefined;
}

/**
 * Runs the checks one after another, and skips those that earlier results make impossible.
 *
 * @returns a step for each result, also for a failure
 * @throws CredstashError USAGE for invalid options
 */
export async function* runDoctor(
  subject: DoctorSubject,
  options: DoctorOptions,
): AsyncGenerator<Step> {
  const { write = false, prefix = '', signal } = options;
  const context = validateContext(options.context, 'seal');
  const name = checkName(`${prefix}credstash-doctor-${randomBytes(8).toString('hex')}`);
  const bound = bindName(context, name);
  signal?.throwIfAborted();

  const opened = await attempt(subject.open, signal);
  if (opened instanceof CredstashError) {
    yield failedStep('configuration', opened);
    return;
  }
  if (subject.trust !== undefined) yield okStep('trust', subject.trust);
  const { keys, entries } = opened;
  const checks = { name, context, byName: prefix !== '', write, signal };
  const usable = yield* opened.check(checks);
  const opens =
    usable.keys &&
    (yield* checkDataKey(signal ? keys.withSignal(signal) : keys, bound, write, signal));
  if (write && usable.entries && opens) {
    yield* checkCanary(subject, entries, name, { ...options, context });
  }
  // The first region may have an outage just now.
  for (const fallback of opened.fallbacks ?? []) {
    yield* fallback.check(checks);
    yield await checkEntryThere(fallback, subject.formats, checks);
  }
}

/** Opens a stored entry in a region to fall back to. */
async function checkEntryThere(
  { region, open }: FallbackChecks,
  formats: AllowedFormats | undefined,
  { context, signal }: CheckOptions,
): Promise<Step> {
  const title = 'fallback';
  const opened = await attempt(async () => {
    const { keys, entries } = await open();
    const backend = {
      keys: signal ? keys.withSignal(signal) : keys,
      entries: signal ? entries.withSignal(signal) : entries,
      formats,
    };
    for await (const found of backend.entries.scan()) {
      (await openEntry(backend, found.read(), context)).fill(0);
      return `version ${found.version} of ${found.name} opens in ${region}`;
    }
    return undefined;
  }, signal);
  if (opened === undefined) {
    return { title, state: 'unknown', found: `${region} has no entry yet that could be opened` };
  }
  if (!(opened instanceof CredstashError)) return okStep(title, opened);
  const what = `whether a stored entry opens in ${region}`;
  if (opened.code === 'WRONG_CONTEXT') {
    return { ...unknownStep(title, what, opened), hint: 'give the `context` of that entry' };
  }
  return opened.code === 'ACCESS_DENIED'
    ? {
        ...unknownStep(title, what, opened),
        hint: `\`policy("reader")\` prints what it takes in each region`,
      }
    : failedStep(title, opened);
}

/** Generates a data key and unwraps it. @returns whether both worked */
async function* checkDataKey(
  keys: Backend['keys'],
  context: Context,
  write: boolean,
  signal: AbortSignal | undefined,
): AsyncGenerator<Step, boolean> {
  const title = 'data key';
  const key = await attempt(() => keys.generate(context), signal);
  if (key instanceof CredstashError && key.code === 'KEY_NOT_TRUSTED') {
    yield untrustedKey(key, write);
    return false;
  }
  if (key instanceof CredstashError) {
    const isReader = key.code === 'ACCESS_DENIED' && !write;
    const hint = 'who reads needs none; but without one, whether kms:Decrypt is allowed is unknown';
    yield isReader
      ? { ...failedStep(title, key, 'unknown'), hint }
      : failedStep(title, key, 'failed', 'writer');
    return false;
  }
  try {
    yield okStep(title, 'generated');
    const unwrapped = await attempt(() => keys.unwrap(key.wrapped, context), signal);
    if (unwrapped instanceof CredstashError) {
      yield failedStep(title, unwrapped, 'failed', 'reader');
      return false;
    }
    const same = constantTimeEqual(unwrapped, key.plaintext);
    unwrapped.fill(0);
    if (same)
      yield okStep(
        title,
        `unwrapped under the encryption context of ${Object.keys(context).join(', ')}`,
      );
    else {
      const other = 'it unwraps to another data key than the one that was wrapped';
      yield failedStep(title, new CredstashError('INTEGRITY', other));
    }
    return same;
  } finally {
    key.plaintext.fill(0);
  }
}

/** Stores, reads and removes an entry. */
async function* checkCanary(
  { put, get }: DoctorSubject,
  entries: Backend['entries'],
  name: string,
  { context, cipher, signal }: DoctorOptions,
): AsyncGenerator<Step> {
  const title = 'canary';
  const value = randomBytes(32);
  let removed: boolean | CredstashError;
  let stored: EntryHeader | CredstashError | undefined;
  try {
    stored = await attempt(() => put(name, value, { context, cipher, signal }), signal);
    if (stored instanceof CredstashError) {
      yield failedStep(title, stored, 'failed', 'writer');
    } else {
      yield okStep(title, `${name} is sealed with ${stored.cipher} and stored`);
      const read = await attempt(() => get(name, { context, signal }), signal);
      if (read instanceof CredstashError) yield failedStep(title, read);
      else if (constantTimeEqual(read, value))
        yield okStep(title, 'read, and it is what was stored');
      else {
        yield failedStep(title, new CredstashError('INTEGRITY', 'read, and it is another value'));
      }
    }
  } finally {
    // Also if the answer to the put was lost, because the entry may exist. Without the signal, which may have ended the rest.
    removed = await attempt(() => entries.remove(name, FIRST_VERSION));
  }
  if (removed instanceof CredstashError) {
    // A denied put stored nothing.
    if (stored instanceof CredstashError && stored.code === 'ACCESS_DENIED') return;
    const hint = `${name} may still be there: ${adviseCall('delete', [name])}`;
    yield { ...failedStep(title, removed), hint };
  } else if (removed) {
    yield okStep(title, 'removed');
  } else if (!(stored instanceof CredstashError)) {
    const gone = new CredstashError('CONFLICT', `${name} was gone before it was removed`);
    yield failedStep(title, gone);
  }
}
