import type { EntryHeader } from '../model/entry.ts';
import { countCharacters } from '../util/utf8.ts';
import { escapeUnseen, formatVisibleJson } from './visible.ts';

/**
 * Formats one line for each entry, `name -- version V -- comment C`, with the names padded to the longest. The bytes are those of
 * the original's listing, except that control characters are made visible.
 */
export function formatList(headers: readonly EntryHeader[]): string {
  const rows = headers.map(({ name, version, comment = '' }) => ({
    name: escapeUnseen(name),
    version: escapeUnseen(version),
    comment: escapeUnseen(comment),
  }));
  // Characters, as the original counts them, and not columns of a terminal.
  const width = rows.reduce((widest, row) => Math.max(widest, countCharacters(row.name)), 0);
  return rows
    .map(({ name, version, comment }) => {
      const padding = ' '.repeat(width - countCharacters(name));
      return `${name}${padding} -- version ${version} -- comment ${comment}\n`;
    })
    .join('');
}

/**
 * Formats a JSON array with an object for each entry: its `name`, `version`, `cipher` and `digest`, and its `field`, `created`,
 * `comment` and `labels` if it has them.
 */
export function formatListJson(
  headers: readonly (EntryHeader & { readonly field?: string })[],
): string {
  const rows = headers.map(
    ({ name, field, version, cipher, digest = 'SHA256', created, comment, labels }) => ({
      name,
      field,
      version,
      cipher,
      digest,
      created,
      comment,
      labels,
    }),
  );
  return formatVisibleJson(rows);
}
