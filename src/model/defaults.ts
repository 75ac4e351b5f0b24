/** The table of the original credstash. */
export const DEFAULT_TABLE = 'credential-store';

/** The master key of the original credstash. */
export const DEFAULT_KEY = 'alias/credstash';

/** The length of a data key: half of it is for AES-256, half for the HMAC. */
export const DATA_KEY_BYTES = 64;
