/** Reads the code of a system error, such as `ENOENT` or `EACCES`; the text `undefined` if the error has none. */
export function readErrorCode(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code);
}
