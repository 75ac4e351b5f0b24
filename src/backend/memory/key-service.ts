import { randomBytes } from 'node:crypto';
import type { Context } from '../../model/context.ts';
import { DATA_KEY_BYTES } from '../../model/data-key.ts';
import { unwrapKey, wrapKey } from '../../seal/wrap-key.ts';
import { type DataKey, type KeyService, wrongContext } from '../key-service.ts';

/** Wraps data keys under a master key that only this process has. */
export class MemoryKeyService implements KeyService {
  readonly #masterKey: Uint8Array;
  readonly #signal: AbortSignal | undefined;

  /** @param masterKey 32 bytes, which the caller wipes */
  constructor(masterKey: Uint8Array, signal?: AbortSignal) {
    this.#masterKey = masterKey;
    this.#signal = signal;
  }

  withSignal(signal: AbortSignal): KeyService {
    return new MemoryKeyService(this.#masterKey, signal);
  }

  warmUp(): void {
    // No-op: the master key is in memory.
  }

  generate(context: Context): Promise<DataKey> {
    return this.#run(async () => {
      const plaintext = randomBytes(DATA_KEY_BYTES);
      return { plaintext, wrapped: await wrapKey(this.#masterKey, plaintext, context) };
    });
  }

  unwrap(wrapped: Uint8Array, context: Context): Promise<Uint8Array> {
    return this.#run(() => this.#unwrap(wrapped, context));
  }

  wrap(plaintext: Uint8Array, context: Context): Promise<Uint8Array> {
    return this.#run(() => wrapKey(this.#masterKey, plaintext, context));
  }

  rewrap(wrapped: Uint8Array, context: Context): Promise<Uint8Array> {
    return this.#run(async () => {
      const plaintext = await this.#unwrap(wrapped, context);
      try {
        return await wrapKey(this.#masterKey, plaintext, context);
      } finally {
        plaintext.fill(0);
      }
    });
  }

  async #unwrap(wrapped: Uint8Array, context: Context): Promise<Uint8Array> {
    const dataKey = await unwrapKey(this.#masterKey, wrapped, context);
    if (dataKey) return dataKey;
    throw wrongContext('the key in memory', context);
  }

  #run<T>(work: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve) => {
      this.#signal?.throwIfAborted();
      resolve(work());
    });
  }
}
