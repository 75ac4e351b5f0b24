/** Quotes `text` as one word of a shell, in single quotes (POSIX.1-2024, XCU 2.2.2). It must not contain NUL. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Formats a command line for a person to type. Quotes only the words that need it. */
export function commandLine(words: readonly string[]): string {
  return words.map((word) => (/^[\w./:@%+=,-]+$/.test(word) ? word : shellWord(word))).join(' ');
}
