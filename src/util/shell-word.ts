/** One word to a shell: nothing is special between single quotes (POSIX.1-2024, XCU 2.2.2). No word can have a NUL. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A command line for a person to type. Words that a shell leaves as they are stand without quotes. */
export function commandLine(words: readonly string[]): string {
  return words.map((word) => (/^[\w./:@%+=,-]+$/.test(word) ? word : shellWord(word))).join(' ');
}
