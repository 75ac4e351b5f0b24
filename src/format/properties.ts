import type { Secret } from '../model/entry.ts';
import { type FormatOptions, stripPrefix, toText, toTextVariables } from './pairs.ts';
import { toPieces } from './pieces.ts';

/**
 * Formats `name=value` lines that `java.util.Properties` reads back as the same texts. The output is ASCII, which readers of
 * ISO-8859-1 and of UTF-8 read alike.
 *
 * @throws CredstashError USAGE, naming each secret that is not UTF-8, or of whose name nothing is left
 */
export function formatProperties(
  secrets: readonly Secret[],
  options: FormatOptions = {},
): Iterable<string> {
  const renamed = toTextVariables('properties', secrets, {
    rename: (name) => stripPrefix(name, options.strippedPrefix),
    refuse: () => undefined,
  });
  return toPieces(renamed, ({ name, value }) => {
    // A name ends at the first of these characters, a line that begins with # or ! is a comment, and leading blanks of a
    // value are skipped.
    const key = escapeText(name).replace(/[ =:#!]/g, '\\$&');
    return `${key}=${escapeText(toText(value)).replace(/^ /, '\\ ')}\n`;
  });
}

const SHORT: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\f': '\\f',
  '\r': '\\r',
};

/** By UTF-16 unit, as Java has it. */
function escapeText(text: string): string {
  return text.replace(
    /[^ -[\]-~]/g,
    (unit) => SHORT[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
