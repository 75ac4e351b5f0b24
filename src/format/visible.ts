/**
 * `text` with everything that could drive a terminal, or reorder what is read, written as an escape: control
 * characters (C0, DEL, C1), line and paragraph separators, what sets a direction (UAX #9, Bidi_Control), and
 * surrogates without their other half, which have no UTF-8. Names and comments come out of a table that others may
 * write to.
 */
export function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Bidi_Control}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** JSON, indented, with a line break at its end, in which `visible` holds for every text. */
export function visibleJson(value: unknown): string {
  // What JSON leaves as it is and a terminal may obey: the same \u escape means the same text to a parser. The
  // line breaks are JSON.stringify's own, those of a text are escaped already.
  return `${JSON.stringify(value, null, 4).split('\n').map(visible).join('\n')}\n`;
}
