import type { Secret } from '../entry.ts';
import { CredstashError, together } from '../errors.ts';
import { textOf } from '../utf8.ts';

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

/** Names and values, for a format that holds nothing but text. */
export function texts(format: string, secrets: readonly Secret[]): [name: string, value: string][] {
  const pairs: [string, string][] = [];
  const failures = [];
  for (const { name, value } of secrets) {
    const text = textOf(value);
    if (text === undefined) {
      failures.push({ name, error: new CredstashError('USAGE', 'it is not UTF-8 text') });
    } else {
      pairs.push([name, text]);
    }
  }
  if (failures.length === 0) return pairs;
  throw together(
    `${format} cannot hold ${failures.length} of the secrets`,
    failures,
    'json and yaml can; or get such a secret with -o FILE',
  );
}

function field(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
