import { computeAge, formatAge } from '../model/age.ts';
import type { EntryHeader } from '../model/entry.ts';
import { unpadVersion } from '../model/version.ts';
import { formatTable } from './table.ts';

/** The versions of one secret, a row each. @param width of the terminal, if it is one */
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

/** Secrets, a row each: what is told is of the newest version. @param secrets the versions of each, the oldest first */
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
  );
}

function formatAgeCell(header: EntryHeader): string {
  const ms = computeAge(header);
  return ms === undefined ? '-' : formatAge(ms);
}
