import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { parse } from 'yaml';

const folder = join(createRequire(import.meta.url).resolve('schemastore/package.json'), '..');

/**
 * Checks a file against a schema of the JSON Schema Store, as the package has it.
 *
 * @param schema its path, without `.json`
 * @param text of YAML
 * @returns what does not fit
 */
export function schemaErrors(schema: string, text: string): unknown[] {
  // Ajv does not know draft 4, of which these schemas use only what later drafts have too, and `id`.
  const found = JSON.parse(
    readFileSync(join(folder, 'schemas/json', `${schema}.json`), 'utf8'),
    (key, value: unknown) =>
      key === '$schema' || (key === 'id' && typeof value === 'string') ? undefined : value,
  ) as object;
  const isValid = new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile(
    found,
  );
  isValid(parse(text));
  return isValid.errors ?? [];
}
