import { computeHmac } from '../../seal/data-key.ts';
import { utf8 } from '../../util/utf8.ts';

/** What HKDF calls info, and its counter of the first and only block. */
const INFO = Buffer.concat([utf8('credstash vault key check 1'), Uint8Array.of(1)]);

/**
 * The check value of a master key, 32 bytes, by which a vault tells its key from any other one:
 *
 *     HKDF-Expand-SHA256(master key, "credstash vault key check 1", 32) = HMAC-SHA256(master key, "credstash vault key check 1" ‖ 01)
 *
 * The key is 32 random bytes, so it needs no HKDF-Extract (RFC 5869, 3.3). A reader of the value cannot tell it from random
 * bytes, and cannot find the key by it. The classic check value, a block of zeros under AES, must not be published: it is the
 * hash key of GCM (NIST SP 800-38D, 7.1).
 */
export function deriveKeyCheck(masterKey: Uint8Array): Uint8Array {
  return computeHmac('SHA256', masterKey, [INFO]);
}
