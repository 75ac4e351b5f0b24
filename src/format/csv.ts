import type { Secret } from '../model/entry.ts';
import { checkTexts, type FormatOptions, toText } from './pairs.ts';
import { toPieces } from './pieces.ts';
import { escapeUnseen } from './visible.ts';

/**
 * A line of name and value for each secret, quoted where it must be (RFC 4180, section 2). Lines end in LF, as
 * the original's do.
 *
 * @param options.onTerminal escape characters in names that could drive a terminal
 * @throws CredstashError USAGE, naming each secret that is not UTF-8
 */
export function formatCsv(
  secrets: readonly Secret[],
  { onTerminal }: FormatOptions = {},
): Iterable<string> {
  checkTexts('csv', secrets);
  return toPieces(secrets, ({ name, value }) => {
    const fields = [onTerminal ? escapeUnseen(name) : name, toText(value)];
    return `${fields.map(quoteField).join(',')}\n`;
  });
}

function quoteField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
