/** A command line of bash up to the cursor. */
export interface BashLine {
  /** The words after the program's name, without their quotes. The last word may be incomplete. */
  readonly words: readonly string[];
  /**
   * Makes the replacement for the end of the line, so that the last word becomes `value`. It keeps the typed text, and quotes
   * the added text.
   *
   * @returns undefined if the last word cannot become `value`
   */
  readonly complete: (value: string) => string | undefined;
}

type Quote = '' | "'" | '"';

/**
 * Splits a line into words as bash does, without running any of it. COMP_WORDS is not usable: bash also splits at `:` and `=`,
 * and keeps quotes.
 *
 * @param line one simple command up to the cursor, from COMP_LINE
 * @param text the end of the line that readline replaces
 * @returns undefined for syntax that this does not parse: redirections, several commands, `$'…'`
 */
export function parseBashLine(line: string, text: string): BashLine | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let start = line.length;
  let quote: Quote = '';
  let escapes = false;
  let expands = false;
  for (let i = 0; i < line.length; i++) {
    const character = line.charAt(i);
    if (escapes) {
      escapes = false;
      // In double quotes, a backslash before any other character stays (POSIX.1-2017, XCU 2.2.3).
      const stays = quote === '"' && !/[$`"\\\n]/.test(character);
      if (character !== '\n') word = (word ?? '') + (stays ? `\\${character}` : character);
      continue;
    }
    if (quote === '' && /[ \t\n]/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    if (word === undefined) {
      word = '';
      start = i;
      expands = false;
    }
    if (character === quote) quote = '';
    else if (quote === "'") word += character;
    else if (character === '\\') escapes = true;
    else if (character === '"') quote = '"';
    else if (character === "'" && quote === '') quote = "'";
    else {
      if (quote === '' && (/[;&|<>()]/.test(character) || line.startsWith("$'", i))) {
        return undefined;
      }
      if (/[$`]/.test(character)) expands = true;
      word += character;
    }
  }
  const typed = word ?? '';
  const raw = word === undefined ? '' : line.slice(start);
  const all = [...words, typed];
  const program = all.findIndex((each) => !/^[A-Za-z_]\w*\+?=/.test(each));
  return {
    words: all.slice(program + 1),
    complete: (value) => {
      // A word with an expansion has no known value, and a key press must not run it to find out.
      if (expands || !value.startsWith(typed) || !raw.endsWith(text)) return undefined;
      const rest = value.slice(typed.length);
      if (!escapes) return text + quoteAs(rest, quote);
      const [first = '', ...others] = rest;
      const escaped = quote === '' ? first !== '' : /^[$`"\\]$/.test(first);
      return escaped ? text + first + quoteAs(others.join(''), quote) : undefined;
    },
  };
}

function quoteAs(text: string, quote: Quote): string {
  // In double quotes, a backslash does not protect ! from history expansion.
  if (quote === '"') return text.replace(/[$`"\\]/g, '\\$&').replaceAll('!', '"\\!"');
  if (quote === "'") return text.replaceAll("'", "'\\''");
  return text.replace(/[^\w.,:/@%+=\u0080-\u{10ffff}-]/gu, '\\$&');
}
