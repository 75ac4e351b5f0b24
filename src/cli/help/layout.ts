/** Wraps `text` at spaces. @returns its lines, of which one is longer than `width` only if a word is */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else line = line === '' ? word : `${line} ${word}`;
    }
    lines.push(line);
  }
  return lines;
}

export type Row = readonly [term: string, description: string];

/** The widest a column of terms gets: a longer term has its description below. */
const MAX_TERM = 25;
const INDENT = 2;
/** Between the two columns. */
const GAP = 2;

/** Terms and their descriptions in two columns, the descriptions wrapped. */
export function formatRows(
  rows: readonly Row[],
  {
    width,
    gap = GAP,
    maxTerm = MAX_TERM,
  }: { readonly width: number; readonly gap?: number; readonly maxTerm?: number },
): string[] {
  const longest = rows.map(([term]) => term.length).filter((length) => length <= maxTerm);
  const column = INDENT + Math.max(0, ...longest) + gap;
  return rows.flatMap(([term, description]) => {
    const [first = '', ...rest] = wrap(description, width - column);
    const head = `${' '.repeat(INDENT)}${term}`;
    const lines =
      head.length + gap > column
        ? [head, `${' '.repeat(column)}${first}`]
        : [`${head.padEnd(column)}${first}`];
    return [...lines, ...rest.map((line) => `${' '.repeat(column)}${line}`)].map((line) =>
      line.trimEnd(),
    );
  });
}
