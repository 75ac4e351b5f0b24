import { CredstashError } from '../errors.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A year has 365 days. */
const UNITS_MS: Readonly<Record<string, number>> = {
  h: HOUR_MS,
  d: DAY_MS,
  w: 7 * DAY_MS,
  y: 365 * DAY_MS,
};

/** Parses an age such as `90d`. @returns milliseconds. @throws CredstashError USAGE if it is not a whole number of `h`, `d`, `w` or `y` */
export function parseAge(text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,6})([hdwy])$/.exec(text) ?? [];
  const ms = Number(count) * (UNITS_MS[unit] ?? NaN);
  if (count !== '' && Number.isFinite(ms)) return ms;
  throw new CredstashError(
    'USAGE',
    'the age is not a number and a unit, such as 12h, 90d, 6w or 1y',
    { hint: /^\d{1,6}$/.test(text) ? `for days, write ${text}d` : 'for 90 days, write 90d' },
  );
}

/** Formats an age in its largest whole unit: `40min`, `3h`, `90d`, `2y`. A negative age, caused by a wrong clock, is `0min`. */
export function formatAge(milliseconds: number): string {
  if (milliseconds >= 2 * 365 * DAY_MS) return `${Math.floor(milliseconds / (365 * DAY_MS))}y`;
  if (milliseconds >= 2 * DAY_MS) return `${Math.floor(milliseconds / DAY_MS)}d`;
  if (milliseconds >= 2 * HOUR_MS) return `${Math.floor(milliseconds / HOUR_MS)}h`;
  return `${Math.max(0, Math.floor(milliseconds / 60_000))}min`;
}

/** Computes the milliseconds since an entry was sealed; undefined if the entry has no time. */
export function computeAge({ created }: { readonly created?: string }): number | undefined {
  const sealedAt = created === undefined ? NaN : Date.parse(created);
  return Number.isNaN(sealedAt) ? undefined : Date.now() - sealedAt;
}

const DURATION_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: HOUR_MS,
};
/** The longest timer of Node.js. */
const LONGEST_MS = 2 ** 31 - 1;

/** Parses a duration such as `30s`, `1.5m`, `500ms`, or `90` for seconds. @returns milliseconds; undefined if it is invalid or 0 */
export function parseDuration(text: string): number | undefined {
  const [, count = '', unit = 's'] = /^(\d{1,10}(?:\.\d{1,3})?)(ms|s|m|h)?$/.exec(text) ?? [];
  const ms = Math.round(Number(count) * (DURATION_MS[unit] ?? NaN));
  return ms > 0 && ms <= LONGEST_MS ? ms : undefined;
}

/** Formats a duration for a person: `500 ms`, `1.5 s`, `2 min 5 s`, `1 h 30 min`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 10_000) return `${Math.round(milliseconds / 100) / 10} s`;
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  const [large, small] =
    seconds < 3600
      ? [`${Math.floor(seconds / 60)} min`, `${seconds % 60} s`]
      : [`${Math.floor(seconds / 3600)} h`, `${Math.floor((seconds % 3600) / 60)} min`];
  return small.startsWith('0 ') ? large : `${large} ${small}`;
}
