import type { Secret } from '../model/entry.ts';
import { byteLength } from '../util/utf8.ts';
import { refuseReserved } from '../model/variable-names.ts';
import {
  createVariableNamer,
  type FormatOptions,
  toText,
  toTextVariables,
  UNSEEN_NAME,
} from './pairs.ts';
import { toPieces } from './pieces.ts';
import { escapeUnseen } from './visible.ts';

/** The client's reader takes lines of fewer bytes than this (Go, bufio.MaxScanTokenSize). */
const LINE_BYTES = 65_536;

/**
 * `NAME=value` lines for `docker run --env-file`, which takes everything after the `=` as it is: quotes and
 * backslashes are a part of the value, and a line break cannot be written.
 *
 * @param options.rawNames names as they are, instead of those that an environment takes
 * @param options.allowName reserved variables that are exported all the same
 * @throws CredstashError USAGE, naming each secret that this format cannot hold, or whose name is another's too
 */
export function formatDocker(
  secrets: readonly Secret[],
  options: FormatOptions = {},
): Iterable<string> {
  const variables = toTextVariables('docker', secrets, {
    rename: createVariableNamer(options),
    refuse: (variable, value) => {
      if (!/^[^\s=#][^\s=]*$/.test(variable)) return 'docker takes no such name for a variable';
      if (escapeUnseen(variable) !== variable) return UNSEEN_NAME;
      if (/[\r\n]/.test(value)) return 'its value has a line break, and docker ends it there';
      if (value.includes('\0')) return 'its value has a NUL, which no environment can hold';
      if (byteLength(formatLine(variable, value)) > LINE_BYTES) {
        return `docker takes a line of ${LINE_BYTES - 1} bytes at most`;
      }
      return refuseReserved(variable, options.allowName);
    },
  });
  return toPieces(variables, ({ name, value }) => formatLine(name, toText(value)));
}

function formatLine(variable: string, value: string): string {
  return `${variable}=${value}\n`;
}
