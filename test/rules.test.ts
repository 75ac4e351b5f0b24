import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const read = (...path: string[]): string =>
  readFileSync(join(import.meta.dirname, ...path), 'utf8');

it('every rule of docs/format.md stands in the title of a test, and every title names a rule that is there', () => {
  const rules = [...read('..', 'docs', 'format.md').matchAll(/^- \*\*(\d+)\.\*\*/gm)].map(([, n]) =>
    Number(n),
  );
  expect(rules).toEqual(rules.map((_, i) => i + 1));
  const titled = new Set<number>();
  for (const file of readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    for (const [, n] of read(file).matchAll(/\[rule (\d+)\]/g)) titled.add(Number(n));
  }
  expect([...titled].sort((a, b) => a - b)).toEqual(rules);
});
