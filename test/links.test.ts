import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { documents, textOf } from './support/documents.ts';
import { pack } from './support/packed.ts';

/* A link of a document leads to a file and a heading that exist; one of the package leads to a file of the package. */

const root = join(import.meta.dirname, '..');

/** The prose of a document: no block of code, no code span. */
function proseOf(document: string): string {
  return textOf(document)
    .replace(/^ *```[^]*?^ *```$/gm, '')
    .replace(/^ {4}.*$/gm, '');
}

/** The anchors of a document, as GitHub makes them of its headings, and those of its own. */
function anchorsOf(document: string): Set<string> {
  const anchors = new Set<string>();
  const text = proseOf(document);
  for (const [, id = ''] of text.matchAll(/<a id="([^"]+)">/g)) anchors.add(id);
  for (const [, heading = ''] of text.matchAll(/^#+ (.+)$/gm)) {
    const slug = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
    let each = slug;
    for (let i = 1; anchors.has(each); i++) each = `${slug}-${i}`;
    anchors.add(each);
  }
  return anchors;
}

interface Link {
  readonly text: string;
  /** From the project's root. */
  readonly path: string;
  readonly anchor: string | undefined;
}

/** The links of a document to other files of the project, and to headings of its own. */
function linksOf(document: string): Link[] {
  const links = proseOf(document).matchAll(/\]\(\s*([^)\s]+)\s*\)|^\[[^\]]+\]: +(\S+)$/gm);
  return [...links].flatMap(([, inline, reference]) => {
    const text = inline ?? reference ?? '';
    if (/^[a-z]+:/.test(text)) return [];
    const [path = '', anchor] = text.split('#');
    const file = path === '' ? document : normalize(join(dirname(document), path));
    return [{ text, path: file, anchor }];
  });
}

/** What is wrong with a link; undefined if nothing is. */
function faultOf({ path, anchor }: Link): string | undefined {
  if (path.startsWith('..') || !existsSync(join(root, path))) return 'no such file';
  if (anchor === undefined) return undefined;
  if (!path.endsWith('.md') || statSync(join(root, path)).isDirectory()) return 'not a document';
  return anchorsOf(path).has(anchor) ? undefined : 'no such heading';
}

it.each(documents())('the links of %s lead to a file and a heading that exist', (document) => {
  const faults = linksOf(document).flatMap((link) => {
    const fault = faultOf(link);
    return fault === undefined ? [] : [`${link.text}: ${fault}`];
  });
  expect(faults).toEqual([]);
});

it('the links are found, and so are the faults', () => {
  expect(linksOf('README.md').length).toBeGreaterThan(15);
  const link = (text: string, path: string, anchor?: string): Link => ({ text, path, anchor });
  expect(faultOf(link('x', 'docs/none.md'))).toBe('no such file');
  expect(faultOf(link('x', '../none.md'))).toBe('no such file');
  expect(faultOf(link('x', 'README.md', 'none'))).toBe('no such heading');
  expect(faultOf(link('x', 'README.md', 'five-minutes-on-aws'))).toBeUndefined();
});

describe('the package', () => {
  const packed = execFileSync('tar', ['-tzf', pack()], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((path) => path.replace(/^package\//, ''));

  it('has every document but those of the tests', () => {
    expect(packed).toContain('README.md');
    expect(packed).toEqual(expect.arrayContaining(documents()));
  });

  it.each(packed.filter((path) => path.endsWith('.md')))('%s points to nothing outside', (path) => {
    const outside = linksOf(path).filter(
      (link) => !packed.some((each) => each === link.path || each.startsWith(`${link.path}/`)),
    );
    expect(outside.map(({ text }) => text)).toEqual([]);
  });

  it('no guide of it names a file that only a checkout has', () => {
    const named = packed
      .filter((path) => /^docs\/(?:how-to|tutorials)\//.test(path))
      .flatMap((path) =>
        [...textOf(path).matchAll(/`((?:test|scripts|bench|src)\/[\w./-]+)`/g)].map(
          ([, file = '']) => `${path}: ${file}`,
        ),
      );
    expect(named).toEqual([]);
  });
});
