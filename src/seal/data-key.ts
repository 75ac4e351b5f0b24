import { createHmac, timingSafeEqual } from 'node:crypto';
import { DATA_KEY_BYTES } from '../model/data-key.ts';
import { findDigestAlgorithm } from '../model/entry.ts';
import { CredstashError } from '../errors.ts';
import { utf8 } from '../util/utf8.ts';

/**
 * How what the current format's HMAC covers begins. What the original format's HMAC covers must never begin so: both formats
 * take the HMAC's key from the same half of a data key, and nothing else keeps the bytes of one from verifying as the other.
 */
export const CURRENT_PREFIX = utf8('credstash/2');

/**
 * The two halves of a data key, as views: wiping the data key wipes them.
 *
 * @throws CredstashError INTEGRITY when it has not exactly 64 bytes. A shorter one, halved as other clients do,
 *   would leave the HMAC a short or empty key
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
 * HMAC (RFC 2104) over `parts`, one after the other.
 *
 * @param digest a name that `findDigestAlgorithm` knows
 * @returns 16 (MD5) to 64 (SHA512) bytes
 * @throws CredstashError INTEGRITY for a digest that is unknown, or that this runtime's OpenSSL lacks
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
    // Bun's BoringSSL, and an OpenSSL in FIPS mode, lack some.
  }
  throw new CredstashError('INTEGRITY', `this runtime cannot compute the digest ${digest}`);
}

/**
 * Compares two HMACs in constant time. Only their lengths, which the digest's name gives away, are not secret.
 */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The error of an entry whose HMAC or tag is wrong; it does not tell which of them, nor any byte. */
export function verificationFailed(): CredstashError {
  return new CredstashError(
    'INTEGRITY',
    'it does not verify: it was changed, moved or damaged after it was sealed',
    { hint: 'do not trust this table until you know who wrote to it' },
  );
}
