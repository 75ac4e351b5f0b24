import { checkName } from './name.ts';

/**
 * Checks a glob before the table is read, and replaces each run of `*` by one.
 *
 * @throws CredstashError USAGE if no name can match it: it has over 2048 bytes besides `*`, or is not storable
 */
export function checkGlob(glob: string): string {
  const literal = glob.replaceAll('*', '');
  if (literal !== '') checkName(literal);
  return glob.replace(/\*+/g, '*');
}

/**
 * Whether `name` matches `glob`, in which `*` matches any number of characters and nothing else is special. Linear in the
 * length of the name for each `*`, with no backtracking to exploit.
 */
export function matchesGlob(glob: string, name: string): boolean {
  const [first = '', ...rest] = glob.split('*');
  const last = rest.pop();
  if (last === undefined) return name === glob;
  if (!name.startsWith(first)) return false;
  let end = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, end);
    if (found === -1) return false;
    end = found + part.length;
  }
  return name.length - last.length >= end && name.endsWith(last);
}

/** The prefix of every name that matches `glob`. */
export function findLiteralPrefix(glob: string): string {
  return glob.split('*', 1)[0] ?? '';
}

/** A FilterExpression of DynamoDB has 4096 bytes at most. */
const MAX_PREFIXES = 100;

/** Finds the fewest prefixes that cover all names that match `globs`. If they are over 100, returns only the empty prefix. */
export function findLiteralPrefixes(globs: readonly string[]): string[] {
  const prefixes: string[] = [];
  // In sorted order, a prefix that another prefix covers comes right after it.
  for (const prefix of globs.map(findLiteralPrefix).sort()) {
    const last = prefixes.at(-1);
    if (last === undefined || !prefix.startsWith(last)) prefixes.push(prefix);
  }
  return prefixes.length > MAX_PREFIXES ? [''] : prefixes;
}
