import { checkName } from './name.ts';

/**
 * Checks a glob, before a table is read for nothing, and gives it in short: with one `*` for each run of them.
 *
 * @throws CredstashError USAGE when no name can match it: it has over 2048 bytes besides `*`, or is no storable text
 */
export function checkGlob(glob: string): string {
  const literal = glob.replaceAll('*', '');
  if (literal !== '') checkName(literal);
  return glob.replace(/\*+/g, '*');
}

/**
 * Whether `name` matches `glob`, in which `*` stands for any run of characters, the empty one too, and nothing
 * else is special. Linear in the length of the name for each `*`, with no backtracking to exploit.
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

/** What every name that matches `glob` begins with. */
export function findLiteralPrefix(glob: string): string {
  return glob.split('*', 1)[0] ?? '';
}

/** A FilterExpression of DynamoDB has 4096 bytes at most. */
const MAX_PREFIXES = 100;

/** What the names that match `globs` begin with: the fewest prefixes that hold for all of them, and 100 at most. */
export function findLiteralPrefixes(globs: readonly string[]): string[] {
  const prefixes: string[] = [];
  // Sorted, those that begin with another one come right behind it.
  for (const prefix of globs.map(findLiteralPrefix).sort()) {
    const last = prefixes.at(-1);
    if (last === undefined || !prefix.startsWith(last)) prefixes.push(prefix);
  }
  return prefixes.length > MAX_PREFIXES ? [''] : prefixes;
}
