import { hasCode } from '../../errors.ts';

/**
 * Makes a handler for the errors of a pattern. It adds a hint to a denied scan: a role that may read only some names can name
 * the secrets.
 *
 * @param instead a command line that names secrets
 * @returns a function that rethrows the error, with the hint if it is a denied scan
 */
export function suggestNaming(instead: string): (error: unknown) => never {
  return (error) => {
    if (!hasCode(error, 'ACCESS_DENIED') || !error.message.includes('dynamodb:Scan')) throw error;
    throw error.reworded(
      error.message,
      `it reads the whole table; a role that may read some names only can name them: ${instead}`,
    );
  };
}
