import { randomBytes } from 'node:crypto';
import { gcm } from '@noble/ciphers/webcrypto.js';
import { type Context, encodeContext } from '../model/context.ts';
import { DATA_KEY_BYTES } from '../model/data-key.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Wraps a data key of 64 bytes under a master key of 32 bytes, for backends without a key service of their own:
 *
 *     wrapped = nonce (12, random) ‖ AES-256-GCM(master key, nonce, data key, AAD = canonical context)
 *
 * A wrong context then fails as it does on KMS. Random nonces allow 2^32 puts under one master key (NIST SP 800-38D, 8.3).
 */
export async function wrapKey(
  masterKey: Uint8Array,
  dataKey: Uint8Array,
  context: Context,
): Promise<Uint8Array> {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = gcm(masterKey, nonce, encodeContext(context));
  return Buffer.concat([nonce, await cipher.encrypt(dataKey)]);
}

/**
 * Unwraps a data key.
 *
 * @returns 64 bytes, which the caller wipes; undefined if the key was wrapped under another master key or context, or is
 *   damaged: the tag does not tell which
 */
export async function unwrapKey(
  masterKey: Uint8Array,
  wrapped: Uint8Array,
  context: Context,
): Promise<Uint8Array | undefined> {
  if (wrapped.length !== NONCE_BYTES + DATA_KEY_BYTES + TAG_BYTES) return undefined;
  const nonce = wrapped.subarray(0, NONCE_BYTES);
  try {
    const cipher = gcm(masterKey, nonce, encodeContext(context));
    return await cipher.decrypt(wrapped.subarray(NONCE_BYTES));
  } catch {
    return undefined;
  }
}
