import { randomBytes } from 'node:crypto';
import type { Backend } from '../backend/backend.ts';
import { bindName, type Context, validateContext } from '../model/context.ts';
import type { EntryHeader } from '../model/entry.ts';
import { CredstashError } from '../errors.ts';
import { checkName } from '../model/name.ts';
import type { PutOptions, GetOptions } from './options.ts';
import type { CallOptions } from '../util/progress.ts';
import { constantTimeEqual } from '../seal/data-key.ts';
import { shellWord } from '../util/shell-word.ts';
import {
  attempt,
  type CheckOptions,
  type Checks,
  okStep,
  type Step,
  failedStep,
  untrustedKey,
} from '../backend/diagnosis.ts';
import { FIRST_VERSION } from '../model/version.ts';

export type { Step };

export interface DoctorOptions extends CallOptions {
  /** The pairs under which a data key, and the canary, are tried. */
  readonly context?: Context | undefined;
  /** Whether what a writer needs is required, and a canary entry is stored, read and removed. Default: nothing is written. */
  readonly write?: boolean | undefined;
  /** What the names begin with that are tried, where a policy grants by name; default: nothing. */
  readonly prefix?: string | undefined;
  /** Of the canary. */
  readonly cipher?: PutOptions['cipher'];
}

/** What is looked at: a backend that is open, and how secrets are put on it and got. */
export interface DoctorSubject {
  readonly open: () => Promise<Backend & { readonly check: (options: CheckOptions) => Checks }>;
  readonly put: (name: string, value: Uint8Array, options: PutOptions) => Promise<EntryHeader>;
  readonly get: (name: string, options: GetOptions) => Promise<Uint8Array>;
  /** Which entries it opens, for a person; undefined where there is nothing to say. */
  readonly trust: string | undefined;
}

/**
 * Looks at one thing after the other. What cannot be tried any more, because of what was found, is left out.
 *
 * @throws CredstashError USAGE for options that cannot be; what is found out is told as a step
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
  const usable = yield* opened.check({ name, context, byName: prefix !== '', write, signal });
  if (!usable.keys) return;
  const opens = yield* checkDataKey(signal ? keys.withSignal(signal) : keys, bound, write, signal);
  if (!write || !usable.entries || !opens) return;
  yield* checkCanary(subject, entries, name, { ...options, context });
}

/** A data key, generated and unwrapped. Whether both worked. */
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

/** An entry, stored, read and removed. */
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
    // Also where the answer to the put was lost: whatever may be there goes. Not under a signal that has ended the rest.
    removed = await attempt(() => entries.remove(name, FIRST_VERSION));
  }
  if (removed instanceof CredstashError) {
    // What was denied is not there.
    if (stored instanceof CredstashError && stored.code === 'ACCESS_DENIED') return;
    const hint = `${name} may still be there: credstash delete ${shellWord(name)}`;
    yield { ...failedStep(title, removed), hint };
  } else if (removed) {
    yield okStep(title, 'removed');
  } else if (!(stored instanceof CredstashError)) {
    const gone = new CredstashError('CONFLICT', `${name} was gone before it was removed`);
    yield failedStep(title, gone);
  }
}
