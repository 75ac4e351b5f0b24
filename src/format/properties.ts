import type { Secret } from '../model/entry.ts';
import { toTextPairs } from './pairs.ts';

/**
 * `name=value` lines that `java.util.Properties` reads back as the same texts. All of it is ASCII, so it is the same
 * to a reader of ISO-8859-1 and to one of UTF-8.
 *
 * @throws CredstashError USAGE, naming each secret that is no UTF-8
 */
export function formatProperties(secrets: readonly Secret[]): string {
  return toTextPairs('properties', secrets)
    .map(([name, value]) => {
      // A name ends at the first of these, and a line that begins with # or ! is a comment. A value begins at the
      // first that is no blank.
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
