import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const read = (...path: string[]): string =>
  readFileSync(join(import.meta.dirname, ...path), 'utf8');

it.each([
  ['rule', 'entry-format.md', /^- \*\*(\d+)\.\*\*/gm],
  ['compat', 'compatibility.md', /^\| (\d+) +\|/gm],
])(
  'every %s of docs/reference/%s stands in the title of a test, and every title names one that is there',
  (tag, document, item) => {
    // A new row stands where its subject is, and no other one changes its number.
    const items = [...read('..', 'docs/reference', document).matchAll(item)]
      .map(([, n]) => Number(n))
      .sort((a, b) => a - b);
    expect(items).toEqual(items.map((_, i) => i + 1));
    expect(items.length).toBeGreaterThan(0);
    const titled = new Set<number>();
    for (const file of readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })) {
      if (!/\.ts$|^testdata.*\.txt$/.test(file)) continue;
      for (const [, n] of read(file).matchAll(RegExp(`\\[${tag} (\\d+)\\]`, 'g')))
        titled.add(Number(n));
    }
    expect([...titled].sort((a, b) => a - b)).toEqual(items);
  },
);
