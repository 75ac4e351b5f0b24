/** The table of the original credstash. */
export const DEFAULT_TABLE = 'credential-store';

/** The master key of the original credstash. */
export const DEFAULT_KEY = 'alias/credstash';
