/** For commander: all values of an option that can be repeated. */
export function listed(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}
