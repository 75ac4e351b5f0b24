/** Both formats take a data key of exactly 64 bytes: 32 for AES-256, 32 for the HMAC. */
export const DATA_KEY_BYTES = 64;
