/** Marks up words: on a terminal in bold or in colour, else as they are. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
}

const asItIs = (text: string): string => text;
export const PLAIN: Style = {
  bold: asItIs,
  dim: asItIs,
  red: asItIs,
  green: asItIs,
  yellow: asItIs,
};

/** Select Graphic Rendition (ECMA-48, 8.3.117): each has its own end, so that they can be nested. */
const sgr =
  (on: number, off: number) =>
  (text: string): string =>
    text === '' ? '' : `\x1b[${on}m${text}\x1b[${off}m`;
const COLOURED: Style = {
  bold: sgr(1, 22),
  dim: sgr(2, 22),
  red: sgr(31, 39),
  green: sgr(32, 39),
  yellow: sgr(33, 39),
};

/**
 * Returns the style of a stream's text. NO_COLOR (https://no-color.org) and TERM=dumb turn colours off, FORCE_COLOR (as
 * Node.js has it) on, and 0 off.
 *
 * @param isTerminal asked only if the environment does not decide
 */
export function chooseStyle(
  isTerminal: () => boolean,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Style {
  const { FORCE_COLOR: forced, NO_COLOR: none, TERM: terminal } = environment;
  if (forced !== undefined) return ['0', 'false'].includes(forced) ? PLAIN : COLOURED;
  if (none !== undefined && none !== '') return PLAIN;
  return terminal !== 'dumb' && isTerminal() ? COLOURED : PLAIN;
}

/** Marks up the heading of a table, which is its first line. */
export function markHeading(table: string, { bold }: Style): string {
  return table.replace(/^.+/, (heading) => bold(heading));
}

/** Marks up the label of a message, such as `credstash: error:`. What follows it may be another's text, and stays as it is. */
export function markLabel(message: string, { bold, red, yellow }: Style): string {
  return message.replace(/(?<=^credstash: )(?:error|warning|hint|note):/, (label) => {
    if (label === 'error:') return bold(red(label));
    return label === 'warning:' ? bold(yellow(label)) : bold(label);
  });
}
