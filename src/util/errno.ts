/** The code of a failure of the system, such as `ENOENT` or `EACCES`; `undefined` as a text if the error has none. */
export function readErrorCode(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code);
}
