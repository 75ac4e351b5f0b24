import type { AllowedFormats } from '../model/trust.ts';
import type { EntryStore } from './entry-store.ts';
import type { KeyService } from './key-service.ts';

/** What the operations work on: a key service and an entry store. */
export interface Backend {
  readonly keys: KeyService;
  readonly entries: EntryStore;
  /** The formats that are opened and written; default: both. */
  readonly formats?: AllowedFormats | undefined;
}

/** What an operation is about to use. */
export interface Needs {
  /** Whether it asks the key service too, in all likelihood: its connection is then opened at once. */
  readonly needsKeys?: boolean;
}

/** A backend that an operation opens once it has checked its input, so that invalid input opens nothing. */
export interface LazyBackend extends Pick<Backend, 'formats'> {
  readonly open: (needs?: Needs) => Promise<Backend>;
}

/** What an operation is given: a backend, or a way to open one. Its requests end with the signal of the call. */
export type BackendSource = Backend | LazyBackend;

export async function openBackend(source: BackendSource, needs?: Needs): Promise<Backend> {
  return 'open' in source ? source.open(needs) : source;
}

/**
 * Opens the backend for an operation that seals or wraps.
 *
 * @throws CredstashError KEY_NOT_TRUSTED, before any request
 */
export async function openToWrite(source: BackendSource, needs?: Needs): Promise<Backend> {
  const backend = await openBackend(source, needs);
  backend.keys.checkKey?.();
  return backend;
}
