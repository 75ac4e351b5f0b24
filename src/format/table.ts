import { escapeUnseen } from './visible.ts';

const WIDE =
  /[\p{Emoji_Presentation}\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u;
const NONE = /[\p{Mn}\p{Me}\p{Cf}]/u;

/**
 * Formats rows under their titles, in columns of minimal width, with control characters made visible.
 *
 * @param width of the terminal in columns: longer rows end in `…`, so that none takes two lines; undefined: no limit
 * @param leastNeeded titles of columns that are left out, one after the other, until the rows fit
 */
export function formatTable(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  width?: number,
  leastNeeded: readonly string[] = [],
): string {
  const lines = [titles, ...rows.map((row) => row.map(escapeUnseen))];
  const widths = measureColumns(lines);
  const [first, ...others] = leastNeeded;
  const total = widths.reduce((sum, each) => sum + each + 2, -2);
  if (first !== undefined && width !== undefined && total > width) {
    const kept = titles.map((title) => title !== first);
    const pick = (row: readonly string[]): string[] => row.filter((_, column) => kept[column]);
    return formatTable(pick(titles), rows.map(pick), width, others);
  }
  return lines
    .map((line) => {
      const padded = line.map(
        (cell, i) => cell + ' '.repeat((widths[i] ?? 0) - measureWidth(cell)),
      );
      return `${truncate(padded.join('  ').trimEnd(), width)}\n`;
    })
    .join('');
}

function measureColumns(lines: readonly (readonly string[])[]): number[] {
  return (lines[0] ?? []).map((_, column) =>
    lines.reduce((widest, line) => Math.max(widest, measureWidth(line[column] ?? '')), 0),
  );
}

/** Measures a text in columns of a terminal (UAX #11, simplified: East Asian characters and emoji take two). */
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
