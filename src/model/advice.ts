/*
 * Hints name options and methods of the library, between backticks: `kmsRegion`, `setup({ createKey: true })`. The command
 * spells each in its own way (src/cli/advice/phrase.ts), so what is between backticks must be one of these forms.
 */

/**
 * A call of a method for a hint, in backticks.
 *
 * @param names what the call is about, which may be any text
 * @param options its other options, in the library's spelling: `keep: 1`
 */
export function adviseCall(
  method: string,
  names: readonly string[],
  options: Readonly<Record<string, string | true>> = {},
): string {
  const given = Object.entries(options).map(
    ([option, value]) => `${option}: ${value === true ? 'true' : quote(value)}`,
  );
  const args = [...names.map(quote), ...(given.length === 0 ? [] : [`{ ${given.join(', ')} }`])];
  return `\`${method}(${args.join(', ')})\``;
}

/** A text in JavaScript, without a backtick, which would end the code. */
export function quote(text: string): string {
  return JSON.stringify(text).replaceAll('`', '\\u0060');
}
