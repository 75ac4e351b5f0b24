import { computeAge, formatAge } from '../model/age.ts';
import type { EntryHeader } from '../model/entry.ts';
import { unpadVersion } from '../model/version.ts';
import { formatTable } from './table.ts';

/** Formats a row for each version of a secret. @param width of the terminal in columns; undefined: no limit */
export function formatHistory(headers: readonly EntryHeader[], width?: number): string {
  return formatTable(
    ['VERSION', 'AGE', 'CREATED', 'CIPHER', 'DIGEST', 'LABELS', 'COMMENT'],
    headers.map((header) => [
      unpadVersion(header.version),
      formatAgeCell(header),
      header.created ?? '-',
      header.cipher,
      header.digest ?? 'SHA256',
      header.labels?.join(',') ?? '-',
      header.comment ?? '',
    ]),
    width,
  );
}

/** Formats a row for each secret, about its newest version. @param secrets the versions of each, the oldest first */
export function formatSecretsTable(
  secrets: ReadonlyMap<string, readonly EntryHeader[]>,
  width?: number,
): string {
  return formatTable(
    ['NAME', 'NEWEST', 'VERSIONS', 'CREATED', 'AGE', 'CIPHER', 'LABELS', 'COMMENT'],
    [...secrets].flatMap(([name, versions]) => {
      const newest = versions.at(-1);
      if (!newest) return [];
      const labels = versions.flatMap(({ version, labels = [] }) =>
        labels.map((label) => `${label}=${unpadVersion(version)}`),
      );
      return [
        [
          name,
          unpadVersion(newest.version),
          String(versions.length),
          newest.created?.slice(0, 10) ?? '-',
          formatAgeCell(newest),
          newest.cipher,
          labels.length === 0 ? '-' : labels.join(','),
          newest.comment ?? '',
        ],
      ];
    }),
    width,
    ['CIPHER', 'CREATED', 'NEWEST'],
  );
}

function formatAgeCell(header: EntryHeader): string {
  const ms = computeAge(header);
  return ms === undefined ? '-' : formatAge(ms);
}
