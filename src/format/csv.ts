import type { Secret } from '../entry.ts';
import { texts } from './held.ts';

/**
 * A line of name and value for each secret, quoted where it must be (RFC 4180, section 2). Lines end in LF alone, as
 * the original's do.
 *
 * @throws CredstashError USAGE, naming each secret that is no UTF-8
 */
export function csv(secrets: readonly Secret[]): string {
  return texts('csv', secrets)
    .map((pair) => `${pair.map(field).join(',')}\n`)
    .join('');
}

function field(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
