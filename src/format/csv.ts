import type { Secret } from '../model/entry.ts';
import { type FormatOptions, toTextPairs } from './pairs.ts';
import { escapeUnseen } from './visible.ts';

/**
 * A line of name and value for each secret, quoted where it must be (RFC 4180, section 2). Lines end in LF, as
 * the original's do.
 *
 * @param options.onTerminal escape characters in names that could drive a terminal
 * @throws CredstashError USAGE, naming each secret that is not UTF-8
 */
export function formatCsv(secrets: readonly Secret[], { onTerminal }: FormatOptions = {}): string {
  return toTextPairs('csv', secrets)
    .map(([name, value]) => [onTerminal ? escapeUnseen(name) : name, value].map(quoteField))
    .map((fields) => `${fields.join(',')}\n`)
    .join('');
}

function quoteField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
