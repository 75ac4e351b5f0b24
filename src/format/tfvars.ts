import type { Secret } from '../model/entry.ts';
import { type FormatOptions, stripPrefix, toTextVariables } from './pairs.ts';
import { formatJson } from './json.ts';
import { joinPieces } from './pieces.ts';

/** Names that Terraform reserves: https://developer.hashicorp.com/terraform/language/block/variable */
const RESERVED = [
  'source',
  'version',
  'providers',
  'count',
  'for_each',
  'lifecycle',
  'depends_on',
  'locals',
];

/**
 * Formats a JSON object for a file `*.auto.tfvars.json`. Terraform takes the texts of such a file literally: `${` starts no
 * template.
 *
 * @param options.rawNames whether to keep names unchanged, instead of replacing invalid characters by `_`
 * @throws CredstashError USAGE, naming each secret that this format cannot represent, or whose variable another secret has too
 */
export function formatTfvars(
  secrets: readonly Secret[],
  options: FormatOptions = {},
): Iterable<string> {
  const variables = toTextVariables('tfvars', secrets, {
    rename: (name) => {
      const prefixed = `${options.prefix ?? ''}${stripPrefix(name, options.strippedPrefix)}`;
      return options.rawNames ? prefixed : toTerraformName(prefixed);
    },
    refuse: (variable, value) => {
      // HCL's own identifiers: UAX #31 with - added, and _ at the start.
      if (!/^[\p{ID_Start}_][\p{ID_Continue}-]*$/u.test(variable)) {
        return 'Terraform takes no such name for a variable';
      }
      if (RESERVED.includes(variable)) return `Terraform keeps the name ${variable} for itself`;
      // https://developer.hashicorp.com/terraform/language/expressions/types: texts are normalized.
      return value === value.normalize('NFC')
        ? undefined
        : 'Terraform would change its value, which is not in the normal form NFC of Unicode';
    },
  });
  return joinPieces(formatJson(variables), ['\n']);
}

function toTerraformName(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]/gu, '_').replace(/^(?=[0-9-])/, '_');
}
