import { escapeUnseen } from './visible.ts';

const WIDE =
  /[\p{Emoji_Presentation}\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u;
const NONE = /[\p{Mn}\p{Me}\p{Cf}]/u;

/**
 * Rows under their titles, in columns as wide as they must be, with control characters made visible.
 *
 * @param width of the terminal: what is longer ends in `…`, so that no row takes two lines; undefined for none
 */
export function formatTable(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  width?: number,
): string {
  const lines = [titles, ...rows.map((row) => row.map(escapeUnseen))];
  const widths = titles.map((_, column) =>
    lines.reduce((widest, line) => Math.max(widest, measureWidth(line[column] ?? '')), 0),
  );
  return lines
    .map((line) => {
      const padded = line.map(
        (cell, i) => cell + ' '.repeat((widths[i] ?? 0) - measureWidth(cell)),
      );
      return `${truncate(padded.join('  ').trimEnd(), width)}\n`;
    })
    .join('');
}

/** How many columns of a terminal a text takes (UAX #11, in short: East Asian texts and pictures take two). */
function measureWidth(text: string): number {
  let width = 0;
  for (const character of text) width += NONE.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}

function truncate(text: string, width: number | undefined): string {
  if (width === undefined || measureWidth(text) <= width) return text;
  let kept = '';
  for (const character of text) {
    if (measureWidth(kept + character) > width - 1) break;
    kept += character;
  }
  return `${kept}…`;
}
