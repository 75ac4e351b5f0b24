import { computeHmac } from '../../seal/data-key.ts';
import { utf8 } from '../../util/utf8.ts';

/** HKDF's `info`, and its counter for the first and only block. */
const INFO = Buffer.concat([utf8('credstash vault key check 1'), Uint8Array.of(1)]);

/**
 * Derives the check value of a master key, 32 bytes. With it a vault recognises its own key:
 *
 *     HKDF-Expand-SHA256(master key, "credstash vault key check 1", 32) = HMAC-SHA256(master key, "credstash vault key check 1" ‖ 01)
 *
 * The key is 32 random bytes, so HKDF-Extract is not needed (RFC 5869, 3.3). The value does not help to find the key: it
 * looks like random bytes. The classic check value, a block of zeros under AES, must not be published: it is the hash key of
 * GCM (NIST SP 800-38D, 7.1).
 */
export function deriveKeyCheck(masterKey: Uint8Array): Uint8Array {
  return computeHmac('SHA256', masterKey, [INFO]);
}
