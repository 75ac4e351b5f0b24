/** The table of the original credstash. */
export const DEFAULT_TABLE = 'credential-store';

/** The master key of the original credstash. */
export const DEFAULT_KEY = 'alias/credstash';

/** The time between two looks of a watch, and the shortest, in milliseconds. */
export const WATCH_INTERVAL_MS = 60_000;
export const SHORTEST_WATCH_INTERVAL_MS = 5000;
