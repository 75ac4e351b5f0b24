/** The flags whose options are given, of those that do not go with another. */
export function listGiven(options: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(options).flatMap(([flag, value]) => (value === undefined ? [] : [flag]));
}
