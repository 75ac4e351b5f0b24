import { hasCode } from '../../errors.ts';

/**
 * Makes what catches the error of a pattern. A role that may read some names only is denied the scan of a table, and can
 * name the secrets.
 *
 * @param instead the way to name them, for a person
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
