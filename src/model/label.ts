import { CredstashError } from '../errors.ts';

/** Safe in a shell, a URL and a terminal, and short enough that a hundred labels fit in an item. */
const LABEL = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Whether `value` can be a label: up to 128 letters, digits and `. _ -`, the first a letter or a digit. */
export function isLabel(value: unknown): value is string {
  return typeof value === 'string' && LABEL.test(value);
}

/** Checks a label that a user gave. @throws CredstashError USAGE */
export function checkLabel(label: string): string {
  if (isLabel(label)) return label;
  throw new CredstashError(
    'USAGE',
    'a label has up to 128 letters, digits and . _ -, the first a letter or a digit',
    { hint: 'use a label such as live or release-42' },
  );
}
