import { CredstashError } from '../errors.ts';

/** The error of an input that `putall` cannot read. @param why a predicate without any value of the input */
export function refuseInput(
  why: string,
  hint = 'it is a JSON object or a YAML mapping of names to texts, such as {"db.user": "app"}',
): CredstashError {
  return new CredstashError('USAGE', `the input ${why}`, { hint });
}
