/** One word to a shell: nothing is special between single quotes (POSIX.1-2024, XCU 2.2.2). No word can have a NUL. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
