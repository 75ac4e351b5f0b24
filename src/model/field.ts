import { CredstashError } from '../errors.ts';

/** The way to a field of a JSON document: the keys and indexes that lead to it. */
export interface FieldPath {
  readonly steps: readonly string[];
  /** Whether it was written as a JSON Pointer. Otherwise it is one top-level key of an object. */
  readonly isPointer: boolean;
}

/**
 * Parses a field: a top-level key, or a JSON Pointer (RFC 6901) if it begins with `/`. In a pointer `~1` is a `/` and `~0` a
 * `~`. A key that is empty or begins with `/` is named by a pointer: `/`, `/~1key`.
 *
 * @throws CredstashError USAGE if it is empty or a malformed pointer
 */
export function parseField(field: string): FieldPath {
  if (field === '') {
    throw new CredstashError('USAGE', 'the name of a field cannot be empty', {
      hint: 'a field whose key is empty is called /',
    });
  }
  if (!field.startsWith('/')) return { steps: [field], isPointer: false };
  // RFC 6901, section 3: a ~ is always followed by 0 or 1.
  if (/~(?![01])/.test(field)) {
    throw new CredstashError(
      'USAGE',
      'the field is not a JSON Pointer: it has a ~ without 0 or 1',
      {
        hint: 'behind a / at its beginning, write ~0 for ~ and ~1 for / in a key',
      },
    );
  }
  const steps = field.slice(1).split('/');
  // Section 4: ~1 first, so that ~01 becomes ~1.
  return {
    steps: steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~')),
    isPointer: true,
  };
}

/**
 * Formats the field of a key as `parseField` takes it.
 *
 * @param parent the field of the object that has the key; default: the document itself
 */
export function formatField(key: string, parent?: string): string {
  if (parent === undefined && key !== '' && !key.startsWith('/')) return key;
  return formatPointer([...(parent === undefined ? [] : parseField(parent).steps), key]);
}

/** Formats a JSON Pointer (RFC 6901). */
export function formatPointer(steps: readonly string[]): string {
  return steps.map((step) => `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** The number of an array's element, or undefined for a step that can be none, such as `01` and `-` (RFC 6901, section 4). */
export function parseIndex(step: string): number | undefined {
  return /^(?:0|[1-9][0-9]*)$/.test(step) ? Number(step) : undefined;
}
