import { randomBytes } from 'node:crypto';
import { gcm } from '@noble/ciphers/aes.js';
import type { EntryHeader } from '../model/entry.ts';
import { encodeLengthPrefixed } from '../util/utf8.ts';
import {
  CURRENT_PREFIX,
  verificationFailed,
  constantTimeEqual,
  computeHmac,
  splitDataKey,
} from './data-key.ts';

/*
 * The current format, specified in docs/reference/entry-format.md. GCM alone does not commit to its key: one ciphertext can be
 * made that opens under two keys. The HMAC under an independent key does, so it is checked first.
 */

/** A 96-bit nonce (NIST SP 800-38D, 5.2.1.1). Random is safe: a data key seals one secret. */
const NONCE_BYTES = 12;
/** The full 128-bit tag (NIST SP 800-38D, 5.2.1.2). */
const TAG_BYTES = 16;

/** The header: every authenticated attribute but the contents, each with its length, so that none runs into the next. */
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
 * Seals `plaintext` (any bytes, none at all too) under a fresh data key.
 *
 * @param header its cipher is AES-256-GCM, its digest SHA256, SHA384 or SHA512, its created present
 * @param dataKey 64 bytes, used for this secret alone; the caller wipes it
 * @param nonce 12 bytes; given by tests only, that they can show a vector
 * @returns contents = nonce ‖ ciphertext ‖ tag, and the raw HMAC
 * @throws CredstashError INTEGRITY when the data key has not 64 bytes
 */
export function seal(
  header: EntryHeader,
  dataKey: Uint8Array,
  plaintext: Uint8Array,
  nonce: Uint8Array = randomBytes(NONCE_BYTES),
): { contents: Uint8Array; hmac: Uint8Array } {
  const { aesKey, hmacKey } = splitDataKey(dataKey);
  const aad = encodeHeader(header);
  const contents = Buffer.concat([nonce, gcm(aesKey, nonce, aad).encrypt(plaintext)]);
  return { contents, hmac: computeEntryHmac(header, hmacKey, aad, contents) };
}

/**
 * Opens an entry. The HMAC is compared first, in constant time; nothing is decrypted unless it is right.
 *
 * @param dataKey 64 bytes; the caller wipes it
 * @returns the plaintext
 * @throws CredstashError INTEGRITY when the HMAC or the tag is wrong, or the data key has not 64 bytes
 */
export function open(
  entry: EntryHeader & { contents: Uint8Array; hmac: Uint8Array },
  dataKey: Uint8Array,
): Uint8Array {
  const { aesKey, hmacKey } = splitDataKey(dataKey);
  const aad = encodeHeader(entry);
  if (!constantTimeEqual(computeEntryHmac(entry, hmacKey, aad, entry.contents), entry.hmac))
    throw verificationFailed();
  if (entry.contents.length < NONCE_BYTES + TAG_BYTES) throw verificationFailed();
  const nonce = entry.contents.subarray(0, NONCE_BYTES);
  try {
    return gcm(aesKey, nonce, aad).decrypt(entry.contents.subarray(NONCE_BYTES));
  } catch {
    // Not kept as a cause: what the cipher says of it helps an attacker only.
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
