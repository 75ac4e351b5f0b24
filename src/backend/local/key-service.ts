import { randomBytes } from 'node:crypto';
import { DATA_KEY_BYTES } from '../../model/data-key.ts';
import { unwrapKey, wrapKey } from '../../seal/wrap-key.ts';
import { type Context, encodeContext, unbindName } from '../../model/context.ts';
import type { Entry } from '../../model/entry.ts';
import { CredstashError } from '../../errors.ts';
import { FORMATS } from '../../seal/formats.ts';
import type { Found } from '../entry-store.ts';
import { type DataKey, type KeyService, wrongContext } from '../key-service.ts';
import { LocalEntryStore, runAsPromise } from './entry-store.ts';
import type { Vault } from './vault.ts';

/** Wraps data keys under a vault's master key. */
export class LocalKeyService implements KeyService {
  readonly #vault: Vault;
  readonly #signal: AbortSignal | undefined;
  /** Encoded contexts whose pairs opened no stored entry, so that `#proveKey` does not try them again. */
  readonly #failedPairs: Set<string>;

  constructor(vault: Vault, signal?: AbortSignal, failedPairs = new Set<string>()) {
    this.#vault = vault;
    this.#signal = signal;
    this.#failedPairs = failedPairs;
  }

  withSignal(signal: AbortSignal): KeyService {
    return new LocalKeyService(this.#vault, signal, this.#failedPairs);
  }

  warmUp(): void {
    // No-op: the master key is a local file.
  }

  async generate(context: Context): Promise<DataKey> {
    await this.#proveKey(context);
    return this.#run(async () => {
      const plaintext = randomBytes(DATA_KEY_BYTES);
      try {
        return { plaintext, wrapped: await this.#wrap(plaintext, context) };
      } catch (error) {
        plaintext.fill(0);
        throw error;
      }
    });
  }

  unwrap(wrapped: Uint8Array, context: Context): Promise<Uint8Array> {
    return this.#run(() => this.#unwrap(wrapped, context));
  }

  async wrap(plaintext: Uint8Array, context: Context): Promise<Uint8Array> {
    await this.#proveKey(context);
    return this.#run(() => this.#wrap(plaintext, context));
  }

  async rewrap(wrapped: Uint8Array, context: Context): Promise<Uint8Array> {
    await this.#proveKey(context);
    return this.#run(async () => {
      const plaintext = await this.#unwrap(wrapped, context);
      try {
        return await this.#wrap(plaintext, context);
      } finally {
        plaintext.fill(0);
      }
    });
  }

  #run<T>(work: () => T | Promise<T>): Promise<T> {
    return runAsPromise(work, this.#signal);
  }

  #wrap(plaintext: Uint8Array, context: Context): Promise<Uint8Array> {
    return wrapKey(this.#vault.masterKey(), plaintext, context);
  }

  async #unwrap(wrapped: Uint8Array, context: Context): Promise<Uint8Array> {
    const dataKey = await unwrapKey(this.#vault.masterKey(), wrapped, context);
    if (dataKey) return dataKey;
    throw wrongContext(`the vault ${this.#vault.folder}`, context);
  }

  /**
   * Tries to unwrap the data key of a stored entry, before something is wrapped in an older vault without a check value. On
   * success the master key is this vault's, and the write can store the check value. Otherwise the key may be another vault's,
   * or all entries have other pairs: this cannot be told apart, and the write goes on without a check value.
   */
  async #proveKey(context: Context): Promise<void> {
    const pairs = unbindName(context);
    const id = Buffer.from(encodeContext(pairs)).toString('base64');
    await this.#run(() => this.#vault.masterKey());
    if (this.#vault.isKeyProven || this.#failedPairs.has(id)) return;
    const stored = await unwrapStored(this.#vault, pairs, this.#signal);
    stored?.dataKey.fill(0);
    if (stored) this.#vault.proveKey();
    else this.#failedPairs.add(id);
  }
}

/**
 * Finds the first stored entry whose data key the vault's master key unwraps.
 *
 * @param pairs the user's pairs, tried after an empty context
 * @returns the entry and its data key, which the caller wipes; undefined if no entry unwraps
 */
export async function unwrapStored(
  vault: Vault,
  pairs: Context,
  signal?: AbortSignal,
): Promise<{ entry: Entry; dataKey: Uint8Array } | undefined> {
  const noPairs: Context = {};
  for await (const found of new LocalEntryStore(vault, signal).scan()) {
    for (const each of [noPairs, pairs]) {
      const wrapped = readWrappedKey(found, each);
      const dataKey =
        wrapped && (await unwrapKey(vault.masterKey(), wrapped.entry.key, wrapped.context));
      if (dataKey) return { entry: wrapped.entry, dataKey };
    }
  }
  return undefined;
}

/** Reads an entry and makes the context of its data key; undefined if the entry is broken or cannot have these pairs. */
function readWrappedKey(
  found: Found,
  pairs: Context,
): { entry: Entry; context: Context } | undefined {
  try {
    const entry = found.read();
    return { entry, context: FORMATS[entry.cipher].context(pairs, entry.name) };
  } catch (error) {
    if (error instanceof CredstashError) return undefined;
    throw error;
  }
}
