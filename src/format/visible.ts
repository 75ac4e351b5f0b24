/**
 * What a terminal may obey, or shows as nothing, or as a space that is none: every character of Unicode's category
 * Other (control, format, private use, unassigned, a surrogate that stands alone), what it says is to be ignored in a
 * display, separators but the space itself, and the few letters and symbols that are blank.
 */
const UNSEEN =
  /\p{C}|\p{Default_Ignorable_Code_Point}|(?! )\p{Z}|[\u2800\u{13441}\u{13442}\u{1d159}]/gu;

/**
 * What a runner obeys in the output of a job: `::` at the start of a line, and `##[` and `##vso[` anywhere in it
 * (github.com/actions/runner, ActionCommand.cs; learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands).
 */
const COMMANDS = /(?<=^ *):(?=:)|#(?=#\w*\[)/g;

/**
 * `text`, a line or a part of one, with everything that could drive a terminal or the runner of a job, that reorders
 * what is read, or that nobody sees, written as JSON escapes it: `\u200b`. Names and comments come out of a table that
 * others may write to.
 */
export function escapeUnseen(text: string): string {
  return text.replace(UNSEEN, escapeUnits).replace(COMMANDS, escapeUnits);
}

/** By UTF-16 unit, so that a character above U+FFFF is a pair of escapes (RFC 8259, section 7). */
function escapeUnits(text: string): string {
  return text
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}

/**
 * JSON with a line break at its end, in which `visible` holds for every text.
 *
 * @param indent of each level, in spaces
 */
export function formatVisibleJson(value: unknown, indent = 4): string {
  // What JSON leaves as it is and a terminal may obey: the same \u escape means the same text to a parser. The
  // line breaks are JSON.stringify's own, those of a text are escaped already.
  return `${JSON.stringify(value, null, indent).split('\n').map(escapeUnseen).join('\n')}\n`;
}
