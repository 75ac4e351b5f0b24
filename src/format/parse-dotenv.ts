import { refuseInput } from './refuse-input.ts';

/*
 * The npm package dotenv defines this format. Its own parser cannot be used for secrets: it skips a line that it does not
 * understand, takes the last of two equal names, and tells neither. test/format/parse-dotenv.test.ts compares both parsers.
 */

const HINT =
  'a line is NAME=VALUE; put quotes that the value does not contain around a value of several lines';

/** The start of a line that sets a variable. dotenv loses `__proto__`. */
const NAME =
  /(?:export[^\S\n\u2028\u2029]+)?(?!__proto__(?![\w.-]))([\w.-]+)(?:[^\S\n\u2028\u2029]*=|:(?=[^\S\n\u2028\u2029]))[^\S\n\u2028\u2029]*/y;

/** The rest of a line after a closing quote: blanks, and perhaps a comment. */
const END = /[^\S\n\u2028\u2029]*(?:#.*)?(?=[\n\u2028\u2029]|$)/y;

/** Matches if `END` does, without reading the comment: a line may have many quotes before it. */
const IS_END = /[^\S\n\u2028\u2029]*(?=[#\n\u2028\u2029]|$)/y;

/**
 * Parses the variables of a dotenv file, in their order.
 *
 * @throws CredstashError USAGE for a line that dotenv would skip, and for a name that comes twice
 */
export function parseDotenv(input: string): [name: string, value: string][] {
  const text = input.replace(/\r\n?/g, '\n');
  const variables = new Map<string, string>();
  const place = (offset: number): string => `(line ${text.slice(0, offset).split('\n').length})`;
  for (let at = skipComments(text, 0); at < text.length;) {
    NAME.lastIndex = at;
    const [, name] = NAME.exec(text) ?? [];
    if (name === undefined) {
      throw refuseInput(`has a line that dotenv does not read ${place(at)}`, HINT);
    }
    if (variables.has(name)) throw refuseInput(`has the name ${name} twice ${place(at)}`, HINT);
    const { value, end } = parseValue(text, NAME.lastIndex);
    variables.set(name, value);
    at = skipComments(text, end);
  }
  return [...variables];
}

/** Skips white space and comments. @returns the offset of the next variable, or of the end */
function skipComments(text: string, start: number): number {
  for (let at = start; ; at = findNext(/[\n\u2028\u2029]/g, text, at)) {
    at = findNext(/\S/g, text, at);
    if (text[at] !== '#') return at;
  }
}

function findNext(pattern: RegExp, text: string, start: number): number {
  pattern.lastIndex = start;
  return pattern.exec(text)?.index ?? text.length;
}

/** Parses the value at an offset. @returns it, and the offset of the line's end */
function parseValue(text: string, start: number): { readonly value: string; readonly end: number } {
  const mark = text[start];
  const isQuoted = mark === "'" || mark === '"' || mark === '`';
  const close = isQuoted ? findClosingQuote(text, start, mark) : undefined;
  let value: string;
  if (close === undefined) {
    // Such a value ends with its line or at a #, and keeps a quote that nothing closes.
    END.lastIndex = findNext(/[#\n]/g, text, start);
    const rest = text.slice(start, END.lastIndex).trim();
    value = rest.replace(/^(['"`])([^]*)\1$/gm, '$2');
  } else {
    END.lastIndex = close + 1;
    value = text.slice(start + 1, close);
  }
  END.test(text);
  if (mark === '"') value = value.replaceAll('\\n', '\n').replaceAll('\\r', '\r');
  return { value, end: END.lastIndex };
}

/**
 * Finds the quote that closes a value: the last one with nothing but a comment after it, up to the first without a backslash
 * before it.
 */
function findClosingQuote(text: string, open: number, mark: string): number | undefined {
  let found: number | undefined;
  for (let at = text.indexOf(mark, open + 1); at !== -1; at = text.indexOf(mark, at + 1)) {
    IS_END.lastIndex = at + 1;
    if (IS_END.test(text)) found = at;
    if (text[at - 1] !== '\\') break;
  }
  return found;
}
