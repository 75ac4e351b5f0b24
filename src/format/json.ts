import type { Secret } from '../model/entry.ts';
import { decodeUtf8 } from '../util/utf8.ts';
import { toPieces } from './pieces.ts';
import { escapeUnseen } from './visible.ts';

/**
 * Formats a JSON object of the secrets, byte for byte as the original prints it: an indent of 4, and only ASCII. Commands to
 * the runner of a job in a name are escaped too. A secret that is not UTF-8 is `{"base64": "…"}` (RFC 4648, section 4).
 */
export function formatJson(secrets: readonly Secret[]): Iterable<string> {
  if (secrets.length === 0) return ['{}'];
  return toPieces(
    secrets,
    ({ name, value }, i) =>
      `${i === 0 ? '' : ',\n'}    ${escapeUnseen(quoteAscii(name))}: ${formatValue(value)}`,
    { before: '{\n', after: '\n}' },
  );
}

function formatValue(value: Uint8Array): string {
  const text = decodeUtf8(value);
  if (text !== undefined) return quoteAscii(text);
  return `{\n        "base64": "${Buffer.from(value).toString('base64')}"\n    }`;
}

function quoteAscii(text: string): string {
  return JSON.stringify(text).replace(
    // By UTF-16 unit, so that a character above U+FFFF is a pair of escapes (RFC 8259, section 7).
    /[\x7f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
