import type { Secret } from '../model/entry.ts';
import { refuseReserved } from '../model/variable-names.ts';
import { createVariableNamer, type FormatOptions, toText, toTextVariables } from './pairs.ts';
import { toPieces } from './pieces.ts';

/**
 * `NAME='value'` lines that the npm package dotenv reads back as the same values. Quotes other than `'` stand where
 * the value needs them.
 *
 * @param options.rawNames names as they are, instead of those that an environment takes
 * @throws CredstashError USAGE, naming each secret that this format cannot hold, or whose name is another's too
 */
export function formatDotenv(
  secrets: readonly Secret[],
  options: FormatOptions = {},
): Iterable<string> {
  const variables = toTextVariables('dotenv', secrets, {
    rename: createVariableNamer(options),
    refuse: (variable, value) => {
      // __proto__ is lost in the object that dotenv fills.
      if (!/^(?!__proto__$)[\w.-]+$/.test(variable)) {
        return 'dotenv takes no such name for a variable';
      }
      if (quote(value) === undefined) return 'no quotes of dotenv can hold its value';
      return options.refuseReserved ? refuseReserved(variable, options.allowName) : undefined;
    },
  });
  return toPieces(variables, ({ name, value }) => `${name}=${quote(toText(value)) ?? ''}\n`);
}

/*
 * dotenv knows no escapes but \n and \r inside double quotes, so a value is put between quotes that it does not have.
 * One that has all three kinds is not cut at its first quote, as long as it is one line without #: then dotenv takes
 * the whole line and strips the outermost quotes.
 */
function quote(value: string): string | undefined {
  if (value.includes('\0')) return undefined;
  if (!/['\r]/.test(value)) return quoteWith("'", value);
  if (!/"|\\[nr]/.test(value)) return quoteWith('"', value.replaceAll('\r', '\\r'));
  if (!/[`\r]/.test(value)) return quoteWith('`', value);
  return /[#\r\n\u2028\u2029]|\\$/.test(value) ? undefined : `'${value}'`;
}

function quoteWith(mark: string, value: string): string {
  // A backslash before the closing quote makes dotenv look for a later one: this one, which ends nothing.
  return `${mark}${value}${mark}${value.endsWith('\\') ? ` # ${mark}-` : ''}`;
}
