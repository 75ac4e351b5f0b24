import { randomBytes } from 'node:crypto';
import { gcm } from '@noble/ciphers/webcrypto.js';
import type { EntryHeader } from '../model/entry.ts';
import { encodeLengthPrefixed } from '../util/utf8.ts';
import {
  CURRENT_PREFIX,
  verificationFailed,
  constantTimeEqual,
  computeHmac,
  splitDataKey,
} from './data-key.ts';

export { warmUp } from './warm-up.ts';

/*
 * The current format, specified in docs/reference/entry-format.md. GCM does not commit to its key: an attacker can make one
 * ciphertext that opens under two keys. The HMAC under an independent key commits to it, so it is checked first.
 */

/** A 96-bit nonce (NIST SP 800-38D, 5.2.1.1). A random one is safe, because a data key seals only one secret. */
const NONCE_BYTES = 12;
/** The full 128-bit tag (NIST SP 800-38D, 5.2.1.2). */
const TAG_BYTES = 16;

/** Encodes every authenticated attribute except the contents, each with its length, so that the encoding is unambiguous. */
export function encodeHeader(entry: EntryHeader): Uint8Array {
  return Buffer.concat([
    CURRENT_PREFIX,
    encodeLengthPrefixed([
      entry.name,
      entry.version,
      entry.cipher,
      entry.digest ?? '',
      entry.created ?? '',
      entry.comment ?? '',
    ]),
  ]);
}

/**
 * Seals `plaintext` (any bytes, or none) under a fresh data key.
 *
 * @param header its cipher is AES-256-GCM, its digest SHA256, SHA384 or SHA512, and it has a creation time
 * @param dataKey 64 bytes, used only for this secret; the caller wipes it
 * @param nonce 12 bytes; only tests pass it, to reproduce a vector
 * @returns contents = nonce ‖ ciphertext ‖ tag, and the raw HMAC
 * @throws CredstashError INTEGRITY if the data key is not 64 bytes long
 */
export async function seal(
  header: EntryHeader,
  dataKey: Uint8Array,
  plaintext: Uint8Array,
  nonce: Uint8Array = randomBytes(NONCE_BYTES),
): Promise<{ contents: Uint8Array; hmac: Uint8Array }> {
  const { aesKey, hmacKey } = splitDataKey(dataKey);
  const aad = encodeHeader(header);
  const contents = Buffer.concat([nonce, await gcm(aesKey, nonce, aad).encrypt(plaintext)]);
  return { contents, hmac: computeEntryHmac(header, hmacKey, aad, contents) };
}

/**
 * Opens an entry. The HMAC is compared first, in constant time; nothing is decrypted unless it matches.
 *
 * @param dataKey 64 bytes; the caller wipes it
 * @returns the plaintext, which the caller may wipe
 * @throws CredstashError INTEGRITY if the HMAC or the tag is wrong, or if the data key is not 64 bytes long
 */
export async function open(
  entry: EntryHeader & { contents: Uint8Array; hmac: Uint8Array },
  dataKey: Uint8Array,
): Promise<Uint8Array> {
  const { aesKey, hmacKey } = splitDataKey(dataKey);
  const aad = encodeHeader(entry);
  if (!constantTimeEqual(computeEntryHmac(entry, hmacKey, aad, entry.contents), entry.hmac))
    throw verificationFailed();
  if (entry.contents.length < NONCE_BYTES + TAG_BYTES) throw verificationFailed();
  const nonce = entry.contents.subarray(0, NONCE_BYTES);
  try {
    return await gcm(aesKey, nonce, aad).decrypt(entry.contents.subarray(NONCE_BYTES));
  } catch {
    // Not kept as the cause: the cipher's own error would only help an attacker.
    throw verificationFailed();
  }
}

function computeEntryHmac(
  header: EntryHeader,
  key: Uint8Array,
  aad: Uint8Array,
  contents: Uint8Array,
): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(contents.length);
  return computeHmac(header.digest ?? '', key, [aad, length, contents]);
}
