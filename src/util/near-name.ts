/** Finds the known name that a mistyped or shortened name may stand for, such as `tabel` or `ctx`. */
export function findNear(name: string, known: readonly string[]): string | undefined {
  const low = name.toLowerCase();
  let [best, least] = [undefined as string | undefined, 3];
  for (const each of known) {
    const distance = editDistance(low, each.toLowerCase());
    if (distance < least && distance <= Math.max(1, each.length / 3))
      [best, least] = [each, distance];
  }
  return best ?? known.find((each) => low.length >= 3 && isShortFor(low, each.toLowerCase()));
}

/** Whether `long` begins with the first letter of `short` and contains the others in order, as context does for ctx. */
function isShortFor(short: string, long: string): boolean {
  if (short[0] !== long[0]) return false;
  let at = 0;
  for (const letter of short) {
    at = long.indexOf(letter, at) + 1;
    if (at === 0) return false;
  }
  return true;
}

/** The nearest of `words` to what was typed, at most three, the nearest first. */
function findNearWords(typed: string, words: readonly string[]): string[] {
  const limit = typed.length <= 6 ? 1 : 2;
  // A word that is longer than any candidate by more than that is near to none.
  if (typed.length > 64) return [];
  const found = words
    .map((word) => ({ word, distance: editDistance(typed.toLowerCase(), word.toLowerCase()) }))
    .filter(({ word, distance }) => distance <= limit && distance < word.length)
    // The first letter is mistyped least often.
    .map(({ word, distance }) => ({
      word,
      distance: word[0] === typed[0] ? distance : distance + 0.1,
    }));
  const least = Math.min(...found.map(({ distance }) => distance));
  return found
    .filter(({ distance }) => distance === least)
    .map(({ word }) => word)
    .slice(0, 3);
}

/** `did you mean A or B?`; undefined if nothing is near. @param show how a word is shown */
export function didYouMean(
  typed: string,
  words: readonly string[],
  show = (word: string): string => word,
): string | undefined {
  const near = findNearWords(typed, words);
  return near.length === 0 ? undefined : `did you mean ${near.map(show).join(' or ')}?`;
}

/** Letters that are swapped are more likely meant than others. */
const SWAP = 0.8;

/** Counts the letters to add, remove, change or swap with their neighbour (optimal string alignment). */
function editDistance(a: string, b: string): number {
  // No known name is that long.
  if (a.length > 40) return Infinity;
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const [above, diagonal] = [rows[i - 1]?.[j] ?? 0, rows[i - 1]?.[j - 1] ?? 0];
      const isSame = a[i - 1] === b[j - 1];
      let least = Math.min(above + 1, (row[j - 1] ?? 0) + 1, diagonal + (isSame ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, (rows[i - 2]?.[j - 2] ?? 0) + SWAP);
      }
      row.push(least);
    }
    rows.push(row);
  }
  return rows.at(-1)?.at(-1) ?? 0;
}
