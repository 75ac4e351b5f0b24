import type { Secret } from '../model/entry.ts';
import { type FormatOptions, stripPrefix, toTextPairs, toVariables } from './pairs.ts';

/**
 * Formats `name=value` lines that `java.util.Properties` reads back as the same texts. The output is ASCII, which readers of
 * ISO-8859-1 and of UTF-8 read alike.
 *
 * @throws CredstashError USAGE, naming each secret that is not UTF-8, or of whose name nothing is left
 */
export function formatProperties(secrets: readonly Secret[], options: FormatOptions = {}): string {
  return toVariables('properties', toTextPairs('properties', secrets), {
    rename: (name) => stripPrefix(name, options.strippedPrefix),
    refuse: () => undefined,
  })
    .map(([name, value]) => {
      // A name ends at the first of these characters, a line that begins with # or ! is a comment, and leading blanks of a
      // value are skipped.
      const key = escapeText(name).replace(/[ =:#!]/g, '\\$&');
      return `${key}=${escapeText(value).replace(/^ /, '\\ ')}\n`;
    })
    .join('');
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
