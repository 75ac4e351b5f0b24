/**
 * `text` with everything that could drive a terminal, or hide or reorder what is read, written as an escape:
 * control characters (C0, DEL, C1), line and paragraph separators, bidirectional overrides. Names and comments
 * come out of a table that others may write to.
 */
export function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
