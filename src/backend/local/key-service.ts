import { randomBytes } from 'node:crypto';
import { gcm } from '@noble/ciphers/aes.js';
import { type Context, encodeContext } from '../../context.ts';
import { type DataKey, type KeyService, wrongContext } from '../key-service.ts';
import { settle } from './settle.ts';
import type { Vault } from './vault.ts';

const DATA_KEY_BYTES = 64;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Wraps data keys under a vault's master key:
 *
 *     wrapped = nonce (12, random) ‖ AES-256-GCM(master key, nonce, data key, AAD = canonical context)
 *
 * so that a wrong context fails here as it does on KMS. Random nonces allow 2^32 puts to a vault (NIST SP
 * 800-38D, 8.3).
 */
export class LocalKeyService implements KeyService {
  readonly #vault: Vault;
  readonly #signal: AbortSignal | undefined;

  constructor(vault: Vault, signal?: AbortSignal) {
    this.#vault = vault;
    this.#signal = signal;
  }

  during(signal: AbortSignal): KeyService {
    return new LocalKeyService(this.#vault, signal);
  }

  prepare(): void {
    // It is at hand.
  }

  generate(context: Context): Promise<DataKey> {
    return this.#settle(() => {
      const plaintext = randomBytes(DATA_KEY_BYTES);
      try {
        return { plaintext, wrapped: this.#wrap(plaintext, context) };
      } catch (error) {
        plaintext.fill(0);
        throw error;
      }
    });
  }

  unwrap(wrapped: Uint8Array, context: Context): Promise<Uint8Array> {
    return this.#settle(() => this.#unwrap(wrapped, context));
  }

  wrap(plaintext: Uint8Array, context: Context): Promise<Uint8Array> {
    return this.#settle(() => this.#wrap(plaintext, context));
  }

  rewrap(wrapped: Uint8Array, context: Context): Promise<Uint8Array> {
    return this.#settle(() => {
      const plaintext = this.#unwrap(wrapped, context);
      try {
        return this.#wrap(plaintext, context);
      } finally {
        plaintext.fill(0);
      }
    });
  }

  #settle<T>(work: () => T): Promise<T> {
    return settle(work, this.#signal);
  }

  #wrap(plaintext: Uint8Array, context: Context): Uint8Array {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = gcm(this.#vault.masterKey(), nonce, encodeContext(context));
    return Buffer.concat([nonce, cipher.encrypt(plaintext)]);
  }

  #unwrap(wrapped: Uint8Array, context: Context): Uint8Array {
    const masterKey = this.#vault.masterKey();
    if (wrapped.length === NONCE_BYTES + DATA_KEY_BYTES + TAG_BYTES) {
      const nonce = wrapped.subarray(0, NONCE_BYTES);
      try {
        return gcm(masterKey, nonce, encodeContext(context)).decrypt(wrapped.subarray(NONCE_BYTES));
      } catch {
        // Below: the tag is wrong, and GCM cannot tell why.
      }
    }
    throw wrongContext(`the vault ${this.#vault.folder}`, context);
  }
}
