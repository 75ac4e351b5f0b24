import { CredstashError } from '../errors.ts';
import { byteLength, isStorable } from '../util/utf8.ts';

/** DynamoDB's limit for a partition key. */
const MAX_NAME_BYTES = 2048;

/**
 * Checks the name of a secret.
 *
 * @throws CredstashError USAGE if it is empty, longer than 2048 bytes, or not storable
 */
export function checkName(name: string): string {
  if (name === '') {
    throw new CredstashError('USAGE', 'the name of a secret cannot be empty', {
      hint: 'give a name; a variable that the name is taken from may be empty',
    });
  }
  if (!isStorable(name)) {
    throw new CredstashError(
      'USAGE',
      'the name of a secret must be valid Unicode text without NUL',
      { hint: 'use letters, digits and . _ - / such as app.db-password' },
    );
  }
  const bytes = byteLength(name);
  if (bytes > MAX_NAME_BYTES) {
    throw new CredstashError(
      'USAGE',
      `the name of a secret can be ${MAX_NAME_BYTES} bytes long, this one has ${bytes}`,
      { hint: 'use a shorter name; `list()` shows the names in use' },
    );
  }
  return name;
}
