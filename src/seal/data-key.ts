import { createHmac, timingSafeEqual } from 'node:crypto';
import { DATA_KEY_BYTES } from '../model/data-key.ts';
import { findDigestAlgorithm } from '../model/entry.ts';
import { CredstashError } from '../errors.ts';
import { utf8 } from '../util/utf8.ts';

/**
 * The first bytes of every input of the current format's HMAC. An input of the original format's HMAC must never begin with
 * them: both formats take the HMAC's key from the same half of a data key, and only this prefix keeps an entry of one format
 * from verifying as an entry of the other.
 */
export const CURRENT_PREFIX = utf8('credstash/2');

/**
 * Splits a data key into its two halves of 32 bytes. They are views: wiping the data key wipes them.
 *
 * @throws CredstashError INTEGRITY if the data key is not exactly 64 bytes long. Half of a shorter one would be a short or
 *   empty key of the HMAC
 */
export function splitDataKey(dataKey: Uint8Array): { aesKey: Uint8Array; hmacKey: Uint8Array } {
  if (dataKey.length !== DATA_KEY_BYTES) {
    throw new CredstashError(
      'INTEGRITY',
      `a data key has ${DATA_KEY_BYTES} bytes, this one has ${dataKey.length}`,
    );
  }
  return { aesKey: dataKey.subarray(0, 32), hmacKey: dataKey.subarray(32) };
}

/**
 * Computes the HMAC (RFC 2104) over the concatenation of `parts`.
 *
 * @param digest a name that `findDigestAlgorithm` knows
 * @returns 16 (MD5) to 64 (SHA512) bytes
 * @throws CredstashError INTEGRITY if the digest is unknown, or if this runtime's OpenSSL lacks it
 */
export function computeHmac(
  digest: string,
  key: Uint8Array,
  parts: readonly Uint8Array[],
): Uint8Array {
  const mac = createMac(digest, key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

function createMac(digest: string, key: Uint8Array): ReturnType<typeof createHmac> {
  const algorithm = findDigestAlgorithm(digest);
  try {
    if (algorithm !== undefined) return createHmac(algorithm, key);
  } catch {
    // Bun's BoringSSL and an OpenSSL in FIPS mode lack some digests.
  }
  throw new CredstashError('INTEGRITY', `this runtime cannot compute the digest ${digest}`);
}

/**
 * Compares two HMACs in constant time. Their lengths are not secret, because the digest's name tells them.
 */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The error of an entry whose HMAC or GCM tag is wrong. It does not tell which of the two, and quotes no bytes. */
export function verificationFailed(): CredstashError {
  return new CredstashError(
    'INTEGRITY',
    'it does not verify: it was changed, moved or damaged after it was sealed',
    { hint: 'do not trust this table until you know who wrote to it' },
  );
}
