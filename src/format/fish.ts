import type { Secret } from '../model/entry.ts';
import { refuseReserved, ReservedVariable } from '../model/variable-names.ts';
import { createVariableNamer, type FormatOptions, toText, toTextVariables } from './pairs.ts';
import { toPieces } from './pieces.ts';

/**
 * The variables that fish does not let a script set, or sets itself after each command. They are refused also with
 * `allowName`. fish tells upper from lower case here: https://fishshell.com/docs/current/language.html#special-variables
 */
const OF_FISH = new Set(
  `_ argv CMD_DURATION FISH_VERSION PWD SHLVL fish_kill_signal fish_killring fish_pid history hostname last_pid pipestatus
  status status_generation umask version`.split(/\s+/),
);

/**
 * Formats `set -gx NAME '…'` commands that fish evaluates to the same values. Between single quotes of fish only `\'` and `\\`
 * have a meaning, so no part of a value runs.
 *
 * The output is right in `… | source`, and in `eval (…)`, which makes one line of all lines: `;` separates the commands, and a
 * line break in a value is `\n` outside of the quotes.
 *
 * @param options.rawNames whether to keep names unchanged, instead of making them variables
 * @param options.allowName reserved variables to export nevertheless
 * @throws CredstashError USAGE, naming each secret that this format cannot represent, or whose variable another secret has too
 */
export function formatFish(
  secrets: readonly Secret[],
  options: FormatOptions = {},
): Iterable<string> {
  const variables = toTextVariables('fish', secrets, {
    rename: createVariableNamer(options),
    refuse: (variable, value) => {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(variable)) {
        return 'fish takes no such name for a variable';
      }
      if (OF_FISH.has(variable)) {
        return new ReservedVariable(variable, 'is a variable that fish keeps for itself');
      }
      if (value.includes('\0')) return 'its value has a NUL, which no environment can hold';
      if (/^(?:CD)?PATH$/.test(variable) && value.split(':').includes('')) {
        return `fish writes . for an empty folder of ${variable}`;
      }
      return refuseReserved(variable, options.allowName);
    },
  });
  if (variables.length === 0) return [];
  return toPieces(
    variables,
    ({ name, value }, i) => `${i === 0 ? '' : ';\n'}set -gx ${name} ${quote(toText(value))}`,
    { after: '\n' },
  );
}

function quote(value: string): string {
  return `'${value.replace(/[\\']/g, '\\$&').replaceAll('\n', "'\\n'")}'`;
}
