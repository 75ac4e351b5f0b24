import { ctr } from '@noble/ciphers/webcrypto.js';
import type { EntryHeader } from '../model/entry.ts';
import { CredstashError } from '../errors.ts';
import {
  CURRENT_PREFIX,
  verificationFailed,
  constantTimeEqual,
  computeHmac,
  splitDataKey,
} from './data-key.ts';

export { warmUp } from './warm-up.ts';

/*
 * The format of the original credstash (docs/reference/entry-format.md). Its HMAC covers only the ciphertext: name, version,
 * digest and comment are not authenticated, and entries can be swapped (fugue/credstash#134).
 */

/** The constant initial counter block. It is safe only because each data key seals one secret. */
const COUNTER = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

/**
 * Seals `plaintext` as the original does.
 *
 * @param header its digest selects the HMAC's hash function; default: SHA256
 * @param dataKey 64 bytes, used only for this secret; the caller wipes it
 * @returns the ciphertext, as long as the plaintext, and the raw HMAC
 * @throws CredstashError INTEGRITY if the data key is not 64 bytes long, or if the ciphertext happens to begin with
 *   `CURRENT_PREFIX` (a chance of 2^-88 with random data keys; a retry with another data key succeeds)
 */
export async function seal(
  header: EntryHeader,
  dataKey: Uint8Array,
  plaintext: Uint8Array,
): Promise<{ contents: Uint8Array; hmac: Uint8Array }> {
  const { aesKey, hmacKey } = splitDataKey(dataKey);
  const contents = await ctr(aesKey, COUNTER).encrypt(plaintext);
  if (hasCurrentPrefix(contents)) {
    throw new CredstashError('INTEGRITY', 'no reader would take what this data key makes of it', {
      hint: 'try again: it takes another data key',
    });
  }
  return { contents, hmac: computeHmac(header.digest ?? 'SHA256', hmacKey, [contents]) };
}

/**
 * Opens an original entry. The HMAC is compared first, in constant time; nothing is decrypted unless it matches.
 *
 * @param dataKey 64 bytes; the caller wipes it
 * @returns the plaintext, which the caller may wipe
 * @throws CredstashError INTEGRITY if the HMAC is wrong, if the data key is not 64 bytes long, or if the contents begin with
 *   `CURRENT_PREFIX`, because the HMAC may then be copied from a current entry
 */
export async function open(
  entry: EntryHeader & { contents: Uint8Array; hmac: Uint8Array },
  dataKey: Uint8Array,
): Promise<Uint8Array> {
  const { aesKey, hmacKey } = splitDataKey(dataKey);
  if (
    !constantTimeEqual(computeHmac(entry.digest ?? 'SHA256', hmacKey, [entry.contents]), entry.hmac)
  ) {
    throw verificationFailed();
  }
  if (hasCurrentPrefix(entry.contents)) throw verificationFailed();
  return ctr(aesKey, COUNTER).decrypt(entry.contents);
}

function hasCurrentPrefix(contents: Uint8Array): boolean {
  return CURRENT_PREFIX.every((byte, i) => contents[i] === byte);
}
