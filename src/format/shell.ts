import type { Secret } from '../model/entry.ts';
import { shellWord } from '../util/shell-word.ts';
import { refuseReserved } from '../model/variable-names.ts';
import { createVariableNamer, type FormatOptions, toTextPairs, toVariables } from './pairs.ts';

/**
 * `export NAME='value'` lines that sh, dash, bash, zsh and ksh evaluate to the same values. Between `'` nothing has a
 * meaning, so nothing in a value is run; variables that a shell evaluates later are reserved.
 *
 * The lines stand between `then` and `fi`. A shell splits `eval $(…)` without quotes into words, which changes values,
 * and `eval` joins them to one line: there `then` and `fi` are words like any other, and every shell refuses the `if`
 * that is left open. That error quotes no value: bash shows the whole line of any other, and zsh its last word.
 *
 * @param options.rawNames names as they are, instead of those that an environment takes
 * @param options.allowName reserved variables that are exported all the same
 * @throws CredstashError USAGE, naming each secret that this format cannot hold, or whose name is another's too
 */
export function formatShell(secrets: readonly Secret[], options: FormatOptions = {}): string {
  const lines = toVariables('shell', toTextPairs('shell', secrets), {
    rename: createVariableNamer(options),
    refuse: (variable, value) => {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(variable)) {
        return 'a shell takes no such name for a variable';
      }
      if (variable === '_') return '_ is a variable that a shell keeps for itself';
      if (value.includes('\0')) return 'its value has a NUL, which no shell can hold';
      return refuseReserved(variable, options.allowName);
    },
  }).map(([variable, value]) => `export ${variable}=${shellWord(value)}\n`);
  return lines.length === 0 ? '' : `if :\nthen\n${lines.join('')}fi\n`;
}
