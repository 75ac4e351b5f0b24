import { CredstashError } from './errors.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A year has 365 days. */
const UNITS_MS: Readonly<Record<string, number>> = {
  h: HOUR_MS,
  d: DAY_MS,
  w: 7 * DAY_MS,
  y: 365 * DAY_MS,
};

/** An age such as `90d` in milliseconds. @throws CredstashError USAGE when it is not a whole number of `h`, `d`, `w` or `y` */
export function parseAge(text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,6})([hdwy])$/.exec(text) ?? [];
  const ms = Number(count) * (UNITS_MS[unit] ?? NaN);
  if (count !== '' && Number.isFinite(ms)) return ms;
  throw new CredstashError('USAGE', 'the age is none such as 12h, 90d, 6w or 1y');
}

/** An age in its largest whole unit: `40min`, `3h`, `90d`, `2y`. One below zero, of a clock that is wrong, is `0min`. */
export function formatAge(milliseconds: number): string {
  if (milliseconds >= 2 * 365 * DAY_MS) return `${Math.floor(milliseconds / (365 * DAY_MS))}y`;
  if (milliseconds >= 2 * DAY_MS) return `${Math.floor(milliseconds / DAY_MS)}d`;
  if (milliseconds >= 2 * HOUR_MS) return `${Math.floor(milliseconds / HOUR_MS)}h`;
  return `${Math.max(0, Math.floor(milliseconds / 60_000))}min`;
}

/** How long ago an entry was sealed; undefined where it does not say. */
export function ageOf({ created }: { readonly created?: string }): number | undefined {
  const at = created === undefined ? NaN : Date.parse(created);
  return Number.isNaN(at) ? undefined : Date.now() - at;
}
