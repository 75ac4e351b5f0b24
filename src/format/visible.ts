/**
 * Commands that a runner obeys in the output of a job: `::` at the start of a line, and `##[` and `##vso[` anywhere in it
 * (github.com/actions/runner, ActionCommand.cs; learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands).
 */
const COMMANDS = /(?<=^ *):(?=:)|#(?=#\w*\[)/g;

/**
 * Escapes, as JSON does (`\u200b`), everything in a line that could drive a terminal or the runner of a job, reorder the
 * text, or stay unseen. Names and comments come from a table that others may write to.
 */
export function escapeUnseen(text: string): string {
  // Characters that a terminal may obey, or shows as nothing or as a blank: Unicode's category Other (control, format, private
  // use, unassigned, an unpaired surrogate), default ignorable characters, separators except the space, and the few letters
  // and symbols that are blank. V8 makes the sets when it meets the expression, so it is not met at each start.
  const unseen =
    /\p{C}|\p{Default_Ignorable_Code_Point}|(?! )\p{Z}|[\u2800\u{13441}\u{13442}\u{1d159}]/gu;
  return text.replace(unseen, escapeUnits).replace(COMMANDS, escapeUnits);
}

/** By UTF-16 unit, so that a character above U+FFFF is a pair of escapes (RFC 8259, section 7). */
function escapeUnits(text: string): string {
  return text
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}

/**
 * Formats JSON with a final line break, in which every text is escaped as `escapeUnseen` does.
 *
 * @param indent of each level, in spaces
 */
export function formatVisibleJson(value: unknown, indent = 4): string {
  // A parser reads the added \u escapes as the same text. The line breaks here are JSON.stringify's own, because those of a
  // text are escaped already.
  return `${JSON.stringify(value, null, indent).split('\n').map(escapeUnseen).join('\n')}\n`;
}
