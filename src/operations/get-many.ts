import { type BackendSource, openBackend } from '../backend/backend.ts';
import {
  type CredstashError,
  type ErrorCode,
  type Failure,
  concernsOneSecret,
  combineFailures,
} from '../errors.ts';
import { type Context, validateContext } from '../model/context.ts';
import { isReference, parseReferences } from '../model/reference.ts';
import { inParallel } from '../util/parallel.ts';
import { type CallOptions, type ProgressOptions, withProgress } from '../util/progress.ts';
import { cacheKey, checkGet, fetchSecret, type Request } from './get.ts';
import { type GetOptions, type Limit, limitTo } from './options.ts';

/** How many data keys are unwrapped at once. Each takes a connection, and the agents allow 50. */
export const UNWRAPS_AT_ONCE = 32;

/** A request for one of several secrets. */
export interface SecretRequest extends Omit<GetOptions, keyof CallOptions> {
  readonly name: string;
  /** The variable or the place in a file that asks for the secret, to name a failure; default: the secret's name. */
  readonly place?: string | undefined;
}

/** Reads and opens several secrets, all of them or none: `Credstash.getMany`. */
export async function getMany<W extends SecretRequest>(
  source: BackendSource,
  wanted: readonly W[],
  options: ProgressOptions & Limit = {},
): Promise<(W & { readonly value: Uint8Array })[]> {
  const requests = new Map<string, Request>();
  const identified = wanted.map((each) => {
    const request = checkGet(each.name, each);
    const id = cacheKey(request);
    requests.set(id, request);
    return { each, id };
  });
  const backend = await openBackend(source);
  const got = new Map<string, Uint8Array | CredstashError>();
  const attempt = async ([id, request]: [string, Request]): Promise<void> => {
    try {
      got.set(id, await fetchSecret(backend, request));
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!concernsOneSecret(error)) throw error;
      got.set(id, error);
    }
  };
  const attempts = inParallel(limitTo(UNWRAPS_AT_ONCE, options), requests, attempt);
  for await (const _ of withProgress(attempts, options.progress, requests.size));
  const values: (W & { readonly value: Uint8Array })[] = [];
  const failures: Failure[] = [];
  for (const { each, id } of identified) {
    const value = got.get(id);
    if (value instanceof Uint8Array) values.push({ ...each, value });
    else if (value) failures.push({ name: each.place ?? each.name, error: value });
  }
  if (failures.length === 0) return values;
  throw combineFailures(
    `${failures.length} of ${wanted.length} secrets cannot be got from ${backend.entries.location}, so none is given`,
    failures,
    hintForFailures(failures, 'give each the encryption context that it was put with'),
  );
}

/** Resolves the variables whose whole value is a reference: `Credstash.resolveReferences`. */
export async function resolveReferences(
  source: BackendSource,
  variables: Readonly<Record<string, string | undefined>>,
  options: CallOptions & Limit & { readonly context?: Context | undefined } = {},
): Promise<Map<string, Uint8Array>> {
  const { context, ...rest } = options;
  const texts: [variable: string, text: string][] = [];
  for (const [variable, text] of Object.entries(variables)) {
    if (text !== undefined && isReference(text)) texts.push([variable, text]);
  }
  const references = parseReferences(texts, validateContext(context, 'open'));
  const got = await getMany(source, references, rest);
  return new Map(got.map(({ place, value }) => [place, value]));
}

/** Makes the hint for several secrets that could not be read. @param more hints that help whatever failed */
export function hintForFailures(
  failures: readonly Failure[],
  context: string,
  ...more: string[]
): string | undefined {
  const has = (code: ErrorCode): boolean => failures.some(({ error }) => error.code === code);
  const hints = [
    ...(has('WRONG_CONTEXT') ? [context] : []),
    ...(has('INTEGRITY') ? ['find out who wrote what does not verify'] : []),
    ...hintsForUntrusted(failures),
    ...more,
  ];
  return hints.length === 0 ? undefined : hints.join(', or ');
}

/** Takes the hint of the first entry that is not trusted. */
function hintsForUntrusted(failures: readonly Failure[]): string[] {
  const first = failures.find(({ error }) => error.code === 'ENTRY_NOT_TRUSTED');
  return first?.error.hint === undefined ? [] : [first.error.hint];
}
