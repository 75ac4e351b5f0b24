import { CredstashError } from '../errors.ts';

/** Short enough that a hundred of them are nothing in an item, and safe in a shell, a URL and a terminal. */
const LABEL = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Whether `value` can be a label: up to 128 letters, digits and `. _ -`, the first a letter or a digit. */
export function isLabel(value: unknown): value is string {
  return typeof value === 'string' && LABEL.test(value);
}

/** @throws CredstashError USAGE when it can be no label */
export function checkLabel(label: string): string {
  if (isLabel(label)) return label;
  throw new CredstashError(
    'USAGE',
    'a label has up to 128 letters, digits and . _ -, the first a letter or a digit',
  );
}
