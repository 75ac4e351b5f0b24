import { decodeUtf8 } from '../../util/utf8.ts';

/** Endings of names from which an editor chooses a mode, and none that runs code or unpacks the file. */
const ENDINGS =
  /\.(?:json|ya?ml|toml|ini|env|conf|cfg|cnf|properties|xml|csv|sql|html|txt|md|pem|crt|cer|key|pub)$/i;

/** The longest name, in characters. */
const LONGEST_NAME = 80;

/**
 * Makes the name of the file in which a secret is edited: the secret's name, with `-` for what an editor or a shell could
 * understand, and an ending that says what the text is.
 */
export function toFileName(name: string, value: Uint8Array): string {
  const ending = ENDINGS.exec(name)?.[0] ?? (isJson(value) ? '.json' : '');
  const stem = ENDINGS.test(name) ? name.slice(0, -ending.length) : name;
  const plain = stem.replace(/[^A-Za-z0-9_]+/g, '-').replace(/^-+|-+$/g, '');
  return `${plain.slice(0, LONGEST_NAME) || 'secret'}${ending.toLowerCase()}`;
}

/** Whether a value is a JSON object or array. */
function isJson(value: Uint8Array): boolean {
  const text = decodeUtf8(value) ?? '';
  if (!/^\s*[{[]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * Removes the newline that an editor puts at the end of a text, if the text had none before.
 *
 * @param before the text as the editor got it
 * @param after the text as the editor left it
 */
export function dropAddedNewline(before: Uint8Array, after: Uint8Array): Uint8Array {
  const [newline, carriage] = [0x0a, 0x0d];
  if (before.at(-1) === newline || after.at(-1) !== newline) return after;
  const text = after.subarray(0, -1);
  // An editor that keeps the line ends of Windows adds one of two bytes.
  const isOfWindows = Buffer.from(before).includes('\r\n') && text.at(-1) === carriage;
  return isOfWindows ? text.subarray(0, -1) : text;
}

/** Whether two texts have the same bytes. */
export function isSameText(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
