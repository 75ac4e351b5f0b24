import { CredstashError } from '../../errors.ts';
import { parseField } from '../../model/field.ts';
import { defineOptions, type OptionValues } from './define.ts';
import { FIELD_FORMATS } from './secrets.ts';

/** The options for the fields of a secret that is printed in a format. */
export const FIELDS_OPTIONS = defineOptions({
  fields: {
    flags: '--fields',
    description: 'with -f: the fields of a secret that is a JSON object',
  },
  whole: { flags: '--whole', description: 'with -f: such a secret as one variable' },
  jsonValues: { flags: '--json-values', description: 'objects, arrays and null as JSON' },
});

interface FieldsOptions extends OptionValues<typeof FIELDS_OPTIONS> {
  readonly format?: string;
}

/** @throws CredstashError USAGE */
export function checkFieldsOptions({
  format = 'json',
  fields,
  whole,
  jsonValues,
}: FieldsOptions): void {
  if (fields && whole) throw new CredstashError('USAGE', '--fields and --whole exclude each other');
  if (whole && !FIELD_FORMATS.includes(format)) {
    throw new CredstashError('USAGE', '--whole is for a format of variables', {
      hint: `it goes with -f ${FIELD_FORMATS.join(', -f ')}`,
    });
  }
  if (!jsonValues || (!whole && (fields || FIELD_FORMATS.includes(format)))) return;
  throw new CredstashError('USAGE', '--json-values is for the fields of a secret', {
    hint: 'add --fields, or leave --json-values out',
  });
}

/** Checks the one field of --field. @throws CredstashError USAGE */
export function checkField(
  options: FieldsOptions & { readonly field?: string; readonly json?: true },
  name: string,
): void {
  if (options.field === undefined) return;
  parseField(options.field);
  if (!options.json && options.format === undefined && !options.fields && !name.includes('*')) {
    return;
  }
  throw new CredstashError('USAGE', '--field is for one secret, without a format', {
    hint: 'leave out -f, --json and the *, or leave out --field',
  });
}

/** Chooses whose fields are printed: those of any secret with --fields, else only those of a JSON object. */
export function chooseFields(
  names: readonly string[],
  options: FieldsOptions,
): 'any' | 'object' | undefined {
  if (options.fields) return 'any';
  const isMeant = names.length === 1 && FIELD_FORMATS.includes(options.format ?? 'json');
  return isMeant && !options.whole ? 'object' : undefined;
}
