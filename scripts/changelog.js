import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Reads CHANGELOG.md.
 *
 * @param {string} [folder] the project's
 * @returns {{ version: string, date: string | undefined, text: string }[]} its sections, the newest first: the version, or
 * `Unreleased`; the day, `YYYY-MM-DD`; and the text below the heading
 */
export function readChangelog(folder = join(import.meta.dirname, '..')) {
  return readFileSync(join(folder, 'CHANGELOG.md'), 'utf8')
    .split(/^## \[/m)
    .slice(1)
    .map((section) => {
      const [, version = '', date, text = ''] =
        /^([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?\n([^]*)$/.exec(section) ?? [];
      return { version, date, text: text.trim() };
    });
}
