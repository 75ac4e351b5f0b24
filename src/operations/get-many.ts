import { type BackendSource, openBackend } from '../backend/backend.ts';
import {
  CredstashError,
  type ErrorCode,
  type Failure,
  concernsOneSecret,
  combineFailures,
} from '../errors.ts';
import { type Context, validateContext } from '../model/context.ts';
import type { Secret } from '../model/entry.ts';
import type { JsonDocument } from '../model/json-document.ts';
import { isReference, parseReferences } from '../model/reference.ts';
import { inParallel } from '../util/parallel.ts';
import { type CallOptions, type ProgressOptions, withProgress } from '../util/progress.ts';
import { cacheKey, checkGet, fetchSecret, type Request } from './get.ts';
import { OpenedValues } from './opened-values.ts';
import { type GetOptions, type Limit, limitTo } from './options.ts';

/** How many data keys are unwrapped at once. Each takes a connection, and the agents allow 50. */
export const UNWRAPS_AT_ONCE = 32;

/** A request for one of several secrets. */
export interface SecretRequest extends Omit<GetOptions, keyof CallOptions> {
  readonly name: string;
  /** The variable or the place in a file that asks for the secret, to name a failure; default: the secret's name. */
  readonly place?: string | undefined;
}

/** Secrets that the caller has read already: the newest versions, or those with a label. */
export interface KnownSecrets extends Pick<GetOptions, 'label' | 'context'> {
  readonly secrets: readonly Secret[];
}

/** Reads and opens several secrets, all of them or none: `Credstash.getMany`. */
export async function getMany<W extends SecretRequest>(
  source: BackendSource,
  wanted: readonly W[],
  options: ProgressOptions & Limit & { readonly known?: KnownSecrets | undefined } = {},
): Promise<(W & { readonly value: Uint8Array })[]> {
  const { known } = options;
  const got = new Map<string, Uint8Array | CredstashError>(
    known?.secrets.map(({ name, value }) => [cacheKey(checkGet(name, known)), value]),
  );
  const own = new Set(got.values());
  const requests = new Map<string, Request>();
  const identified = wanted.map((each) => {
    const request = checkGet(each.name, each);
    const id = cacheKey(request);
    if (!got.has(id)) requests.set(id, request);
    return { each, id };
  });
  const backend = await openBackend(source, { needsKeys: true });
  const opened = new OpenedValues();
  const attempt = async ([id, request]: [string, Request]): Promise<void> => {
    try {
      got.set(id, opened.add(await fetchSecret(backend, request)));
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!concernsOneSecret(error)) throw error;
      got.set(id, error);
    }
  };
  const attempts = inParallel(limitTo(UNWRAPS_AT_ONCE, options), requests, attempt);
  try {
    for await (const _ of withProgress(attempts, options.progress, requests.size));
  } catch (error) {
    opened.drop();
    throw error;
  }
  const taken = await takeFields(identified, got, own);
  const values: (W & { readonly value: Uint8Array })[] = [];
  const failures: Failure[] = [];
  for (const [i, { each }] of identified.entries()) {
    const value = taken[i];
    if (value instanceof Uint8Array) values.push({ ...each, value });
    else if (value) failures.push({ name: each.place ?? each.name, error: value });
  }
  if (failures.length === 0) return values;
  opened.drop();
  // The fields too, but not what the caller had.
  for (const { value } of values) if (!own.has(value)) value.fill(0);
  throw combineFailures(
    `${failures.length} of ${wanted.length} secrets cannot be got from ${backend.entries.location}, so none is given`,
    failures,
    hintForFailures(failures, 'give each the encryption context that it was put with'),
  );
}

/**
 * Takes the field of each request that asks for one. A secret is parsed once for all of its fields, and wiped if nobody asks for
 * it whole.
 *
 * @param got the secrets, or their errors, by the id of a request
 * @param known the secrets that the caller had
 * @returns the values or errors in the order of the requests
 */
async function takeFields(
  identified: readonly { readonly each: SecretRequest; readonly id: string }[],
  got: ReadonlyMap<string, Uint8Array | CredstashError>,
  known: ReadonlySet<Uint8Array | CredstashError>,
): Promise<(Uint8Array | CredstashError | undefined)[]> {
  if (identified.every(({ each }) => each.field === undefined)) {
    return identified.map(({ id }) => got.get(id));
  }
  const { parseDocument, readField } = await import('../model/json-document.ts');
  const documents = new Map<string, JsonDocument | CredstashError>();
  const taken = identified.map(({ each: { name, field }, id }) => {
    const secret = got.get(id);
    if (!(secret instanceof Uint8Array) || field === undefined) return secret;
    const document = documents.get(id) ?? catchError(() => parseDocument(name, secret));
    documents.set(id, document);
    if (document instanceof CredstashError) return document;
    return catchError(() => readField(document, field));
  });
  const whole = new Set(
    identified.flatMap(({ each, id }) => (each.field === undefined ? [id] : [])),
  );
  for (const [id, secret] of got) {
    if (secret instanceof Uint8Array && !whole.has(id) && !known.has(secret)) secret.fill(0);
  }
  return taken;
}

function catchError<T>(work: () => T): T | CredstashError {
  try {
    return work();
  } catch (error) {
    if (error instanceof CredstashError) return error;
    throw error;
  }
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
    ...hintsOf(failures, 'ENTRY_NOT_TRUSTED'),
    ...hintsOf(failures, 'FIELD_NOT_FOUND'),
    ...more,
  ];
  return hints.length === 0 ? undefined : hints.join(', or ');
}

/** Takes the hint of the first failure of this code. */
function hintsOf(failures: readonly Failure[], code: ErrorCode): string[] {
  const first = failures.find(({ error }) => error.code === code);
  return first?.error.hint === undefined ? [] : [first.error.hint];
}
