import type { Secret } from '../model/entry.ts';
import { decodeUtf8 } from '../util/utf8.ts';
import { toPieces } from './pieces.ts';
import { escapeUnseen } from './visible.ts';

/**
 * Formats a YAML block mapping of the secrets. Parsers of YAML 1.1 and 1.2 read it back as the same texts. Each value is one
 * line. A secret that is not UTF-8 is `!!binary`.
 */
export function formatYaml(secrets: readonly Secret[]): Iterable<string> {
  if (secrets.length === 0) return ['{}\n'];
  return toPieces(secrets, ({ name, value }) => {
    // Escape commands to the runner of a job in a name; `formatScalar` escapes the other unseen characters.
    const key = escapeUnseen(name) === name ? formatScalar(name) : escapeUnseen(quoteDouble(name));
    const text = decodeUtf8(value);
    const node =
      text === undefined
        ? `!!binary "${Buffer.from(value).toString('base64')}"`
        : formatScalar(text);
    // A parser may give up on a key after 1024 characters (YAML 1.2.2, 7.4.2). PyYAML writes up to 128.
    return key.length > 128 ? `? ${key}\n: ${node}\n` : `${key}: ${node}\n`;
  });
}

/** Formats a text in the plainest style that every parser reads as that text. */
export function formatScalar(text: string): string {
  if (!/^[ -~]*$/.test(text)) return quoteDouble(text);
  return isPlain(text) ? text : `'${text.replaceAll("'", "''")}'`;
}

/** Texts that YAML 1.1, YAML 1.2 or PyYAML read as another type, unless they are quoted. */
const OTHER_TYPES = [
  // null, bool, merge and value: https://yaml.org/type/ ; YAML 1.2.2, 10.3.2. 1.1 has y and n, PyYAML has not.
  /^(?:~|null|y|n|yes|no|on|off|true|false|<<|=)?$/i,
  // int, in bases 2, 8 and 16
  /^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-f_]+)$/i,
  // int and float, in bases 10 and 60; 1.2 has no need of a dot before the exponent
  /^[-+]?(?:[0-9][0-9_]*(?::[0-9]{1,2})*)?(?:\.[0-9_]*)?(?:e[-+]?[0-9]+)?$/i,
  /^[-+]?\.(?:inf|nan)$/i,
  // timestamp
  /^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:$|[Tt \t])/,
];

/** Whether every parser reads `text` without quotes as a text. Writing and reading use the same rule. */
export function isPlainText(text: string): boolean {
  return !OTHER_TYPES.some((type) => type.test(text));
}

/** Whether `text`, printable ASCII, needs no quotes (YAML 1.2.2, 7.3.3). */
function isPlain(text: string): boolean {
  return (
    isPlainText(text) && !/^[ #,[\]{}&*!|>'"%@`]|^[-?:](?: |$)|^---|^\.\.\.|: |:$| #| $/.test(text)
  );
}

/** YAML 1.2.2, 5.7. */
const ESCAPES: Readonly<Record<string, string>> = {
  '\0': '0',
  '\x07': 'a',
  '\b': 'b',
  '\t': 't',
  '\n': 'n',
  '\v': 'v',
  '\f': 'f',
  '\r': 'r',
  '\x1b': 'e',
  '"': '"',
  '\\': '\\',
  '\x85': 'N',
  '\xa0': '_',
  '\u2028': 'L',
  '\u2029': 'P',
};

function quoteDouble(text: string): string {
  const escaped = text.replace(/["\\]|[^ -~]/gu, (character) => {
    const short = ESCAPES[character];
    if (short !== undefined) return `\\${short}`;
    const code = character.codePointAt(0) ?? 0;
    const hex = (digits: number): string => code.toString(16).toUpperCase().padStart(digits, '0');
    if (code <= 0xff) return `\\x${hex(2)}`;
    return code <= 0xffff ? `\\u${hex(4)}` : `\\U${hex(8)}`;
  });
  return `"${escaped}"`;
}
