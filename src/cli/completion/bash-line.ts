/** A command line of bash up to the cursor. */
export interface BashLine {
  /** Its words without their quotes, the last one as far as it is typed; without the program's. */
  readonly words: readonly string[];
  /**
   * What readline replaces the end of the line by, so that the last word is `value`; undefined where it cannot become
   * that. What is typed stays as it is, and what is added is quoted as it has to be there.
   */
  readonly complete: (value: string) => string | undefined;
}

type Quote = '' | "'" | '"';

/**
 * Takes a line apart as bash does, and runs nothing of it. COMP_WORDS would not do: bash splits it at `:` and `=` as
 * well, and leaves quotes in it.
 *
 * @param line one simple command, as COMP_LINE has it, up to the cursor
 * @param text the end of it that readline replaces
 * @returns undefined for what has no words yet: redirections, `$'…'`
 */
export function parseBashLine(line: string, text: string): BashLine | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let start = line.length;
  let quote: Quote = '';
  let escapes = false;
  let expands = false;
  for (let at = 0; at < line.length; at++) {
    const character = line.charAt(at);
    if (escapes) {
      escapes = false;
      // In double quotes the backslash stays before what it need not escape (POSIX.1-2017, XCU 2.2.3).
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
      start = at;
      expands = false;
    }
    if (character === quote) quote = '';
    else if (quote === "'") word += character;
    else if (character === '\\') escapes = true;
    else if (character === '"') quote = '"';
    else if (character === "'" && quote === '') quote = "'";
    else {
      if (quote === '' && (/[;&|<>()]/.test(character) || line.startsWith("$'", at))) {
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
      // What it will be when it has run is not known, and is not for a key to find out.
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
  // No backslash keeps a ! in double quotes from the history.
  if (quote === '"') return text.replace(/[$`"\\]/g, '\\$&').replaceAll('!', '"\\!"');
  if (quote === "'") return text.replaceAll("'", "'\\''");
  return text.replace(/[^\w.,:/@%+=\u0080-\u{10ffff}-]/gu, '\\$&');
}
