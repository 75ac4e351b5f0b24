import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** The documents for people, by their path from the project's root. */
export function documents(): string[] {
  // docs/api is generated.
  const inDocs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => !path.startsWith('api/'))
    .map((path) => join('docs', path));
  const others = ['.', 'examples', 'bench'].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => join(folder, name)),
  );
  return [...others, ...inDocs].filter((path) => path.endsWith('.md'));
}

/** What stands in a document. */
export function textOf(document: string): string {
  return readFileSync(join(root, document), 'utf8');
}

/** A fenced block of a document. */
export interface Block {
  /** `docs/how-to/ci.md:12` */
  readonly where: string;
  readonly text: string;
  /** The word behind its opening fence; empty if there is none. */
  readonly language: string;
  /** The name of what runs it, by the comment `<!-- run: NAME -->` before it. */
  readonly run: string | undefined;
  /** The paragraph before it. */
  readonly before: string;
}

/**
 * The fenced blocks of a document, by its path from the project's root.
 *
 * @throws Error where a block is indented instead: it would be overlooked
 */
export function blocksOf(document: string): Block[] {
  const lines = textOf(document).split('\n');
  const blocks: Block[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? '';
    if (/^(?: {4}|\t)/.test(line)) throw new Error(`${document}:${i + 1}: an indented block`);
    if (!line.startsWith('```')) continue;
    const end = lines.indexOf('```', i + 1);
    if (end === -1) throw new Error(`${document}:${i + 1}: the block does not end`);
    const before = paragraphBefore(lines, i);
    blocks.push({
      where: `${document}:${i + 1}`,
      text: `${lines.slice(i + 1, end).join('\n')}\n`,
      language: line.slice(3).trim(),
      run: /^<!-- run: ([\w-]+) -->$/.exec(before)?.[1],
      before,
    });
    i = end;
  }
  return blocks;
}

function paragraphBefore(lines: readonly string[], at: number): string {
  let end = at;
  while (end > 0 && lines[end - 1] === '') end -= 1;
  let start = end;
  while (start > 0 && lines[start - 1] !== '') start -= 1;
  return lines.slice(start, end).join(' ');
}
