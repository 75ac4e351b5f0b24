import type { Secret } from '../model/entry.ts';
import { CredstashError, type Failure, combineFailures } from '../errors.ts';
import { decodeUtf8, utf8 } from '../util/utf8.ts';
import { parseDotenv } from './parse-dotenv.ts';
import { refuseInput } from './refuse-input.ts';
import { isPlainText } from './yaml.ts';

/** The formats of secrets that a file can have. */
export type InputFormat = 'dotenv' | 'json' | 'yaml';

/** The bytes of a value, or why it is invalid. */
type Value = Uint8Array | string;

const BYTES_HINT = 'in base64: {"base64": "…"} in JSON, !!binary in YAML';
const HINT = `a value is a text in quotes, or ${BYTES_HINT}`;

/** What to give instead of an input without secrets. */
export function describeInput(format: InputFormat | undefined): string {
  return format === 'dotenv'
    ? 'give lines such as DB_USER=app'
    : 'give a JSON object or a YAML mapping of names to texts, such as {"db.user": "app"}';
}

/**
 * Parses secrets as `json`, `yaml` and `dotenv` write them: a flat JSON object or YAML mapping, in which each value is a text,
 * or bytes in base64; or the variables of a dotenv file.
 *
 * @param input UTF-8, with or without a byte order mark
 * @param format default: JSON if the input begins with `{`, because YAML would fold a line break in quotes to a space; else YAML
 * @throws CredstashError USAGE; TOO_LARGE for over 16 M characters of YAML. No message quotes the input, except names
 */
export async function parseSecrets(input: Uint8Array, format?: InputFormat): Promise<Secret[]> {
  const text = decodeUtf8(input)?.replace(/^\ufeff/, '');
  if (text === undefined) {
    throw refuseInput('is not UTF-8', `save it as UTF-8; a value of other bytes is ${BYTES_HINT}`);
  }
  if (text.trim() === '') throw refuseInput('is empty', describeInput(format));
  const read = await parsePairs(text, format);
  const secrets: Secret[] = [];
  const failures: Failure[] = [];
  for (const [name, value] of read) {
    if (typeof value !== 'string') secrets.push({ name, value });
    else failures.push({ name, error: new CredstashError('USAGE', value) });
  }
  if (failures.length === 0) return secrets;
  throw combineFailures(`${failures.length} of the values cannot be stored`, failures, HINT);
}

async function parsePairs(
  text: string,
  format: InputFormat | undefined,
): Promise<[name: string, value: Value][]> {
  if (format === 'dotenv') {
    return parseDotenv(text).map(([name, value]) => [name, encodeText(value)]);
  }
  const isObject = /^\s*\{/.test(text);
  if (format === 'json' && !isObject) {
    throw refuseInput('is not a JSON object', 'write the names and texts as {"db.user": "app"}');
  }
  // YAML contains JSON, so a file of YAML may also have the base64 of JSON.
  const isJson = isObject && (format !== 'yaml' || isValidJson(text));
  return isJson ? parseJson(text) : parseYaml(text);
}

function isValidJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function parseJson(text: string): [name: string, value: Value][] {
  let object: Record<string, unknown>;
  try {
    // Valid JSON that begins with { is an object.
    object = JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    // Keep only the position of the parser's message, which quotes the input.
    const at = /at position (\d+)/.exec(String(error))?.[1];
    const line = at === undefined ? '' : ` (line ${text.slice(0, Number(at)).split('\n').length})`;
    throw refuseInput(`begins with { and is not valid JSON${line}`);
  }
  const twice = findRepeatedName(text);
  if (twice !== undefined) throw refuseInput(`has the name ${twice} twice`);
  return Object.entries(object).map(([name, value]) => [name, parseJsonValue(value)]);
}

function parseJsonValue(value: unknown): Value {
  if (typeof value === 'string') return encodeText(value);
  // Not the value itself: a number may be the secret.
  if (value === null) return 'it is null';
  if (typeof value !== 'object') return `it is a ${typeof value}, without quotes`;
  if (Array.isArray(value)) return 'it is an array';
  const [[key, base64] = [], ...more] = Object.entries(value);
  if (key !== 'base64' || typeof base64 !== 'string' || more.length > 0) return 'it is an object';
  return decodeBase64(base64);
}

/** Finds a name that an object of this JSON has twice, because JSON.parse would silently drop the first value. */
function findRepeatedName(text: string): string | undefined {
  const open: Set<string>[] = [];
  // The text is valid JSON, so scanning braces and quotes is enough. A regular expression for the texts would exhaust its
  // stack on a long one.
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '{') open.push(new Set());
    else if (text[at] === '}') open.pop();
    else if (text[at] === '"') {
      const start = at;
      for (at += 1; text[at] !== '"'; at += 1) if (text[at] === '\\') at += 1;
      COLON.lastIndex = at + 1;
      if (!COLON.test(text)) continue;
      const name = JSON.parse(text.slice(start, at + 1)) as string;
      if (open.at(-1)?.has(name)) return name;
      open.at(-1)?.add(name);
    }
  }
  return undefined;
}

/** The colon after a text that is a name (RFC 8259, section 2). */
const COLON = /[ \t\r\n]*:/y;

/** A document takes about 35 times its size in memory while it is parsed. */
const MAX_YAML_LENGTH = 16 * 1024 * 1024;

/** The tags of YAML's own types: https://yaml.org/type/ */
const TAG = 'tag:yaml.org,2002:';

/** Whether a node has no tag, or that of its own type. */
function isTagged({ tag }: { readonly tag?: string }, type: string): boolean {
  return tag === undefined || tag === `${TAG}${type}`;
}

async function parseYaml(text: string): Promise<[name: string, value: Value][]> {
  if (text.length > MAX_YAML_LENGTH) {
    throw new CredstashError('TOO_LARGE', `YAML can have ${MAX_YAML_LENGTH} characters here`, {
      hint: 'give it as JSON, as getall prints it by default',
    });
  }
  // Parsers disagree whether these are line breaks.
  if (/\r(?!\n)|[\x85\u2028\u2029]/.test(text)) {
    throw refuseInput('has a line break that is neither LF nor CR LF');
  }
  const { isMap, isScalar, LineCounter, parseDocument } = await import('yaml');
  // With one of these variables the library prints its whole input to stdout (its Parser and its Composer).
  for (const name of ['LOG_TOKENS', 'LOG_STREAM']) Reflect.deleteProperty(process.env, name);
  const lineCounter = new LineCounter();
  // With the schema `failsafe` every scalar is a text. isPlainText decides which texts may be without quotes.
  const document = parseDocument(text, { schema: 'failsafe', prettyErrors: false, lineCounter });
  const place = (offset: number | undefined): string =>
    offset === undefined ? '' : ` (line ${lineCounter.linePos(offset).line})`;
  const [error] = document.errors;
  if (error?.code === 'DUPLICATE_KEY') throw refuseInput(`has a name twice${place(error.pos[0])}`);
  if (error) throw refuseInput(`is not valid YAML${place(error.pos[0])}`);
  const { contents } = document;
  if (!isMap(contents) || !isTagged(contents, 'map')) {
    throw refuseInput('is neither a JSON object nor a YAML mapping');
  }
  return contents.items.map(({ key, value }, i) => {
    // Nodes of the parser have a source and a range; those that a program makes need not.
    if (!isScalar(key) || typeof key.value !== 'string' || !isTagged(key, 'str')) {
      throw refuseInput('has a name that is not text');
    }
    const name = key.value;
    if (key.type === 'PLAIN' && key.tag === undefined && !isPlainText(name)) {
      throw refuseInput(
        `has a name that YAML does not read as text: quote it${place(key.range[0])}`,
      );
    }
    if (!isScalar(value)) return [name, 'it is not text'];
    const { source } = value;
    if (value.tag === `${TAG}binary`) return [name, decodeBase64(source.replace(/[ \t\r\n]/g, ''))];
    if (!isTagged(value, 'str')) return [name, 'it has a tag'];
    // Parsers disagree whether yes, 007 and 2026-11-23 are texts.
    const plain = value.type === 'PLAIN' && value.tag === undefined;
    if (plain && !isPlainText(source)) return [name, 'it may not be text: quote it'];
    // If the input ends inside a block, the parser adds a line break that the input does not have.
    const isCutOff =
      i === contents.items.length - 1 && /^BLOCK/.test(value.type ?? '') && !text.endsWith('\n');
    return [name, encodeText(isCutOff ? source.replace(/\n$/, '') : source)];
  });
}

function encodeText(text: string): Value {
  return text.isWellFormed() ? utf8(text) : 'it is not valid Unicode text';
}

/** Base64 in its one canonical form (RFC 4648, section 3.5), because Buffer drops what it cannot decode. */
function decodeBase64(base64: string): Value {
  const bytes = Buffer.from(base64, 'base64');
  return bytes.toString('base64') === base64 ? bytes : 'its base64 is not valid';
}
