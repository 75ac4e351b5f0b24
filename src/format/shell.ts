import type { Secret } from '../model/entry.ts';
import { shellWord } from '../util/shell-word.ts';
import { refuseReserved } from '../model/variable-names.ts';
import { createVariableNamer, type FormatOptions, toText, toTextVariables } from './pairs.ts';
import { toPieces } from './pieces.ts';

/**
 * Formats `export NAME='value'` lines that sh, dash, bash, zsh and ksh evaluate to the same values. Nothing has a meaning
 * between single quotes, so no part of a value runs. Variables that a shell evaluates later are reserved.
 *
 * The lines are between `then` and `fi`, to refuse `eval $(…)` without quotes. The shell would split that into words, which
 * changes values, and `eval` would join the words to one line. In that line `then` and `fi` are ordinary words, so every shell
 * refuses the open `if`. The error quotes no value, whereas for other syntax errors bash quotes the line and zsh its last word.
 *
 * @param options.rawNames whether to keep names unchanged, instead of making them variables
 * @param options.allowName reserved variables to export nevertheless
 * @throws CredstashError USAGE, naming each secret that this format cannot represent, or whose variable another secret has too
 */
export function formatShell(
  secrets: readonly Secret[],
  options: FormatOptions = {},
): Iterable<string> {
  const variables = toTextVariables('shell', secrets, {
    rename: createVariableNamer(options),
    refuse: (variable, value) => {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(variable)) {
        return 'a shell takes no such name for a variable';
      }
      if (variable === '_') return '_ is a variable that a shell keeps for itself';
      if (value.includes('\0')) return 'its value has a NUL, which no shell can hold';
      return refuseReserved(variable, options.allowName);
    },
  });
  if (variables.length === 0) return [];
  return toPieces(variables, ({ name, value }) => `export ${name}=${shellWord(toText(value))}\n`, {
    before: 'if :\nthen\n',
    after: 'fi\n',
  });
}
